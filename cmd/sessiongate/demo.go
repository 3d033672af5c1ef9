package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate"
	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/examples/marketplace"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

const (
	demoProvider = "prov_demo"
	readyTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
)

// demoAddresses is the line of JSON that --json prints once everything is ready.
type demoAddresses struct {
	Marketplace    string `json:"marketplace"`
	API            string `json:"api"`
	App            string `json:"app"`
	Origin         string `json:"origin"`
	ProviderID     string `json:"provider_id"`
	MarketplaceKey string `json:"marketplace_key"`
	ProviderKey    string `json:"provider_key"`
	AdminKey       string `json:"admin_key"`
	EdgeKey        string `json:"edge_key"`
	// All apps for sale. The first is the one described above.
	Apps []demoAppAddress `json:"apps"`
}

// demo is the running demonstration.
type demo struct {
	options   demoOptions
	at        demoAddresses
	apps      []demoApp
	logger    *zap.Logger
	service   *backend.Backend
	listeners map[string]net.Listener
	servers   []*http.Server
	running   sync.WaitGroup
	failed    chan error // error of the first server that ended by itself
}

// runDemo runs the demonstration until ctx ends.
func runDemo(ctx context.Context, o demoOptions, stdout, stderr io.Writer) error {
	listeners, err := o.listen(ctx)
	if err != nil {
		return err
	}
	data, remove, err := demoFolder(o.data)
	if err != nil {
		return err
	}
	defer remove()

	d := &demo{options: o, apps: demoApps(o), listeners: listeners, failed: make(chan error, 8), logger: caddy.Log().Named("demo")}
	// The marketplace and the app are on two hosts, as in production, because
	// cookies do not distinguish ports.
	d.at = demoAddresses{
		Marketplace: fmt.Sprintf("http://localhost:%d", o.basePort),
		API:         "http://" + o.port(1), App: d.apps[0].App, Origin: d.apps[0].Origin,
		ProviderID: demoProvider,
	}
	serviceCtx, endService := context.WithCancel(context.WithoutCancel(ctx))
	defer endService()
	if err := d.start(ctx, serviceCtx, data); err != nil {
		d.stop(endService)
		return err
	}
	d.announce(stdout)
	select {
	case <-ctx.Done():
		err = nil
	case err = <-d.failed:
	}
	d.stop(endService)
	if err == nil && !o.json {
		fmt.Fprintln(stderr, "\nStopped.")
	}
	return err
}

// start starts the session service, then the servers that depend on it.
func (d *demo) start(ctx, serviceCtx context.Context, data string) error {
	service, err := backend.Open(ctx, backend.Config{
		Listen: d.options.port(1), Database: "sqlite:" + filepath.Join(data, "sessiongate.db"),
		DataDir: data, Issuer: d.at.API,
		WebhooksToLoopback: true, // the demo uses this machine only
		EdgeHosts:          []string{"127.0.0.1"},
		Rules:              newRules(),
	}, d.logger.Named("backend"))
	if err != nil {
		return fmt.Errorf("starting the session service: %w", err)
	}
	d.service = service
	d.running.Go(func() { d.fail(service.Run(serviceCtx)) })
	if err := d.openApps(ctx); err != nil {
		return err
	}
	if err := d.furnish(ctx); err != nil {
		return err
	}
	d.serve("api", service.Handler())

	products := make([]marketplace.App, 0, len(d.apps))
	for _, a := range d.apps {
		products = append(products, a.product)
		d.at.Apps = append(d.at.Apps, a.demoAppAddress)
	}
	shop, err := marketplace.New(marketplace.Config{
		API: d.at.API, Key: d.at.MarketplaceKey, PublicURL: d.at.Marketplace,
		Apps: products, StartBalance: 500, TokensCSS: sdkinject.TokensCSS(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("starting the marketplace: %w", err)
	}
	d.serve("marketplace", shop)
	if err := d.startEdge(); err != nil {
		return err
	}
	return d.ready(ctx)
}

// furnish sets up the session service as an operator does: it registers the
// providers and creates a key for each role.
func (d *demo) furnish(ctx context.Context) error {
	if err := d.register(ctx); err != nil {
		return err
	}
	d.at.ProviderKey = d.apps[0].ProviderKey
	for _, k := range []struct {
		role backend.Role
		to   *string
	}{
		{backend.RoleMarketplace, &d.at.MarketplaceKey}, {backend.RoleAdmin, &d.at.AdminKey}, {backend.RoleEdge, &d.at.EdgeKey},
	} {
		var err error
		if *k.to, err = d.service.CreateAPIKey(ctx, k.role, "", "demo"); err != nil {
			return fmt.Errorf("creating the %s key: %w", k.role, err)
		}
	}
	return nil
}

// startEdge runs the shipped Caddyfile with this demo's addresses in its
// variables, followed by the sites of the other apps.
func (d *demo) startEdge() error {
	level := "ERROR"
	if os.Getenv("SESSIONGATE_LOG_LEVEL") != "" {
		level = os.Getenv("SESSIONGATE_LOG_LEVEL")
	}
	example := withVariables(sessiongate.CaddyfileExample, map[string]string{
		"SESSIONGATE_BIND": "127.0.0.1", "SESSIONGATE_ADMIN": "off", "SESSIONGATE_LOG_LEVEL": level,
		"SESSIONGATE_BACKEND": d.at.API, "SESSIONGATE_EDGE_KEY": d.at.EdgeKey,
		"SESSIONGATE_SITE": d.at.App, "SESSIONGATE_PROVIDER": demoProvider, "SESSIONGATE_ORIGIN": d.at.Origin,
		"SESSIONGATE_MARKETPLACE": d.at.Marketplace,
	})
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(example+d.furtherSites()),
		map[string]any{"filename": "Caddyfile.example"})
	if err != nil {
		return fmt.Errorf("reading Caddyfile.example: %w", err)
	}
	for _, w := range warnings {
		d.logger.Warn(w.String())
	}
	if err := caddy.Load(config, true); err != nil {
		return fmt.Errorf("starting the edge: %w", err)
	}
	return nil
}

// envVariable is {$NAME} or {$NAME:default} in a Caddyfile.
var envVariable = regexp.MustCompile(`\{\$(\w+)(?::[^}]*)?\}`)

// withVariables replaces environment variables in the text of a Caddyfile with the
// given values. Variables without a value stay in the text.
func withVariables(text string, values map[string]string) string {
	return envVariable.ReplaceAllStringFunc(text, func(found string) string {
		if value, ok := values[envVariable.FindStringSubmatch(found)[1]]; ok {
			return value
		}
		return found
	})
}

func (d *demo) serve(name string, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	d.servers = append(d.servers, server)
	ln := d.listeners[name]
	delete(d.listeners, name)
	d.running.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			d.fail(fmt.Errorf("serving the %s: %w", name, err))
		}
	})
}

func (d *demo) fail(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		select {
		case d.failed <- err:
		default:
		}
	}
}

// ready waits until the session service, the gate and the marketplace answer.
func (d *demo) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{Proxy: nil}}
	defer client.CloseIdleConnections()
	for _, probe := range []string{d.at.API + "/readyz", d.at.App + "/.session-gate/" + sdkinject.Boot().Name, d.at.Marketplace + "/healthz"} {
		for {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, probe, nil)
			if err != nil {
				return fmt.Errorf("waiting for %s: %w", probe, err)
			}
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode < 500 {
					break
				}
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting for %s: %w", probe, ctx.Err())
			case err := <-d.failed:
				return err
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func (d *demo) announce(stdout io.Writer) {
	if d.options.json {
		line, _ := json.Marshal(d.at) // cannot fail: the struct holds strings only
		fmt.Fprintf(stdout, "%s\n", line)
		return
	}
	var gated strings.Builder
	for i, a := range d.apps {
		label, note := "", ""
		if i == 0 {
			label, note = "The gated apps", "      ask for a session, show the clock"
			if len(d.apps) == 1 {
				label, note = "The gated app", "      asks for a session, shows the clock"
			}
		}
		fmt.Fprintf(&gated, "  %-16s %s%s\n", label, a.App, note)
	}
	fmt.Fprintf(stdout, `
Sessiongate is running.

  Buy a session    %s      the demo marketplace
%s  The app itself   %s      as its provider runs it, without the gate
  The dashboard    %s/dashboard/
                   as its provider: sign in with   %s
                   as the operator: sign in with   %s
  API reference    %s/docs

Ctrl-C stops everything.
`, d.at.Marketplace, gated.String(), d.at.Origin, d.at.API, d.at.ProviderKey, d.at.AdminKey, d.at.API)
}

// stop stops the edge first, so that it can send its last heartbeats to the
// session service.
func (d *demo) stop(endService context.CancelFunc) {
	if err := caddy.Stop(); err != nil {
		d.logger.Warn("stopping the edge", zap.Error(err))
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for _, s := range d.servers {
		if s.Shutdown(ctx) != nil {
			s.Close() // a stream is still open, so close it
		}
	}
	for _, ln := range d.listeners {
		ln.Close()
	}
	endService()
	d.running.Wait()
	if d.service != nil {
		if err := d.service.Close(); err != nil {
			d.logger.Warn("closing the session service", zap.Error(err))
		}
	}
}

// demoFolder returns the data folder and a function that removes it if it is a
// temporary one.
func demoFolder(dir string) (string, func(), error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", nil, fmt.Errorf("creating the data folder: %w", err)
		}
		return dir, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "sessiongate-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("creating a data folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
