package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/examples/marketplace"
	"github.com/sessiongate/sessiongate/examples/quadrille"
	"github.com/sessiongate/sessiongate/examples/rosette"
	"github.com/sessiongate/sessiongate/examples/sampleapp"
)

//go:embed demo.Caddyfile
var demoSites string

// demoApp is one app of the demo: the product that the marketplace sells and the
// handler that serves the app.
type demoApp struct {
	demoAppAddress
	product marketplace.App
	host    string // registered at the session service, used by browsers
	// Nil for the user's own app, which the demo does not serve.
	handler http.Handler
}

// demoAppAddress describes an app in the output of --json.
type demoAppAddress struct {
	ProviderID  string `json:"provider_id"`
	Name        string `json:"name"`
	App         string `json:"app"`
	Origin      string `json:"origin"`
	ProviderKey string `json:"provider_key"`
}

// demoApps returns the apps for sale. The first is at 127.0.0.1, base port + 2.
// Cookies distinguish hosts but not ports, so the others have names below
// .localhost, which browsers resolve to this machine, on the same port. With
// --origin, the only app is the user's own.
func demoApps(o demoOptions) []demoApp {
	seconds := int64(o.duration / time.Second)
	first := demoApp{product: marketplace.DemoApp(demoProvider, seconds), host: "127.0.0.1"}
	first.App = "http://" + o.port(2)
	if o.origin != "" {
		own, _ := url.Parse(o.origin) // validated by check
		first.Origin = o.origin
		first.product.Name, first.product.Tagline = own.Host, "Your own app, behind the gate"
		first.product.Description = "Served by " + o.origin + ", which knows nothing of sessions."
		first.product.Provider, first.product.Picture = "", nil
		return []demoApp{first.named()}
	}
	first.Origin, first.handler = "http://"+o.port(3), sampleapp.New(sampleapp.Config{})
	list := []demoApp{
		first,
		{product: marketplace.RosetteApp("prov_rosette", seconds), host: "rosette.localhost", handler: rosette.New()},
		{product: marketplace.QuadrilleApp("prov_quadrille", seconds), host: "quadrille.localhost", handler: quadrille.New()},
	}
	for i := range list {
		if list[i].App == "" {
			list[i].App = "http://" + net.JoinHostPort(list[i].host, strconv.Itoa(o.basePort+2))
		}
		list[i] = list[i].named()
	}
	return list
}

// named fills in the fields that follow from the product.
func (a demoApp) named() demoApp {
	a.ProviderID, a.Name = a.product.ProviderID, a.product.Name
	a.product.URL = a.App + "/"
	return a
}

// policies returns the provider's policies, which match the terms that the shop
// displays.
func (a demoApp) policies(market string) store.Policies {
	p := store.Policies{ReturnHosts: []string{market}}
	if a.product.Terms.Prorated {
		p.Settlement = session.Prorated
	}
	if pause := a.product.Terms.Pause; pause.MaxCount > 0 {
		p.Pause = &session.Pauses{MaxCount: pause.MaxCount, MaxSeconds: pause.MaxSeconds}
	}
	return p
}

// openApps starts the servers of the sample apps: the first on its fixed port,
// the others on free ports.
func (d *demo) openApps(ctx context.Context) error {
	for i := range d.apps {
		a := &d.apps[i]
		if a.handler == nil {
			continue
		}
		if i > 0 {
			ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return fmt.Errorf("opening a port for %s: %w", a.Name, err)
			}
			d.listeners[a.Name], a.Origin = ln, "http://"+ln.Addr().String()
			d.serve(a.Name, a.handler)
			continue
		}
		d.serve("origin", a.handler)
	}
	return nil
}

// register registers the provider of each app at the session service and
// creates a key for it.
func (d *demo) register(ctx context.Context) error {
	market, _ := url.Parse(d.at.Marketplace)
	for i := range d.apps {
		a := &d.apps[i]
		name := a.product.Provider
		if i == 0 {
			name = "Demo provider"
		}
		_, err := d.service.EnsureProvider(ctx, store.Provider{
			ID: a.ProviderID, Name: name, Domains: []string{a.host}, OriginURL: a.Origin, AppURL: a.product.URL,
			Policies: a.policies(market.Host),
		})
		if err != nil {
			return fmt.Errorf("registering the provider of %s: %w", a.Name, err)
		}
		if a.ProviderKey, err = d.service.CreateAPIKey(ctx, backend.RoleProvider, a.ProviderID, "demo"); err != nil {
			return fmt.Errorf("creating the provider key of %s: %w", a.Name, err)
		}
	}
	return nil
}

// furtherSites returns the sites that the shipped Caddyfile does not contain.
func (d *demo) furtherSites() string {
	if len(d.apps) == 1 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n" + demoSites)
	for _, a := range d.apps[1:] {
		fmt.Fprintf(&b, "\n%s {\n\timport demo_app %s %s %s\n}\n", a.App, a.ProviderID, d.at.Marketplace, a.Origin)
	}
	return b.String()
}
