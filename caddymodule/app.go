package caddymodule

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
)

func init() {
	caddy.RegisterModule(App{})
}

// Defaults of [App].
const (
	defaultBackend      = "http://127.0.0.1:8081"
	defaultMaxStaleness = caddy.Duration(10 * time.Second)

	defaultOfflineTime     = caddy.Duration(10 * time.Minute)
	defaultOfflineSessions = 1000
)

// Values of [App.WhenBackendDown].
const (
	refuseEntries = "refuse"
	admitEntries  = "admit"
)

// App is the edge's one configuration: the backend that it belongs to. Every
// session_gate handler reads it.
type App struct {
	// Base URL of the backend. Default: http://127.0.0.1:8081.
	Backend string `json:"backend,omitempty"`
	// The edge's API key at the backend (`sessiongate apikey create --role
	// edge`). Without it, every session is rejected.
	EdgeKey string `json:"edge_key,omitempty"`
	// How old a session's state may be while the event stream is down, before
	// the backend is asked again. Default: 10s.
	MaxStaleness caddy.Duration `json:"max_staleness,omitempty"`

	// What happens to new entries while the backend is down: refuse, or admit, by
	// the launch token alone, until the backend can redeem it. Sessions admitted
	// before run to their deadlines in any case. Default: refuse.
	WhenBackendDown string `json:"when_backend_down,omitempty"`
	// With admit: how long each such session is served before the backend must have
	// redeemed it. Default: 10m.
	OfflineTime caddy.Duration `json:"offline_time,omitempty"`
	// With admit: how many such sessions wait for the backend at most; further entries
	// are refused. Default: 1000.
	OfflineSessions int `json:"offline_sessions,omitempty"`
	// File of the ES256 key that signs Session-Gate-Assertion (PKCS #8, PEM), made
	// when it is missing. Edges that serve one site share it. Default:
	// session_gate/assertion.pem in Caddy's data folder.
	AssertionKey string `json:"assertion_key,omitempty"`
	// File of the key from which each provider's client certificate and secret for its
	// origin are derived. Made when it is missing. Edges that serve the same providers
	// share it. Default: session_gate/origin.key in Caddy's data folder.
	OriginKey string `json:"origin_key,omitempty"`
	// Requests carrying it in Session-Gate-Debug receive the injection result in the
	// same header of the response. Empty: none.
	DebugKey string `json:"debug_key,omitempty"`

	// Limits of this edge. Default: those of [edge.Limits.List].
	Limits *edge.Limits `json:"limits,omitempty"`

	edge        *edge.Edge
	poolKey     string
	credentials *originCredentials
	assertions  *lazyAsserter
	storage     edge.Storage
	audience    *edge.Audience
	logger      *zap.Logger
	servers     map[*caddyhttp.Server]bool // which have a gate; for Provision alone
}

// CaddyModule implements [caddy.Module].
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "session_gate", New: func() caddy.Module { return new(App) }}
}

// Provision fills in defaults and finds the state that earlier configurations
// left. It uses no network: `caddy validate` runs it, too.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	a.servers = make(map[*caddyhttp.Server]bool)
	repl := caddy.NewReplacer()
	written := a.Backend
	if a.Backend = repl.ReplaceKnown(written, ""); a.Backend == "" && written != "" {
		return fmt.Errorf("session_gate: backend is %s, which is empty; set it to the URL of the session service", written)
	}
	a.EdgeKey = repl.ReplaceKnown(a.EdgeKey, "")
	a.DebugKey = repl.ReplaceKnown(a.DebugKey, "")
	if a.EdgeKey == "" { // said here, so that validate says it, too
		a.logger.Warn("edge_key is empty: the backend rejects this edge, and the edge rejects every session; " +
			"create a key with `sessiongate apikey create --role edge` and set SESSIONGATE_EDGE_KEY")
	}
	if a.Backend == "" {
		a.Backend = defaultBackend
	}
	if a.AssertionKey == "" {
		a.AssertionKey = defaultAssertionKey()
	}
	if a.OriginKey = repl.ReplaceKnown(a.OriginKey, ""); a.OriginKey == "" {
		a.OriginKey = DefaultOriginKey()
	}
	a.credentials = &originCredentials{path: a.OriginKey}
	a.assertions = &lazyAsserter{path: a.AssertionKey, logger: a.logger}
	a.storage = ctx.Storage()
	if a.WhenBackendDown == "" {
		a.WhenBackendDown = refuseEntries
	}
	if a.Limits == nil {
		a.Limits = new(edge.Limits)
	}
	if a.OfflineTime == 0 {
		a.OfflineTime = defaultOfflineTime
	}
	if a.OfflineSessions == 0 {
		a.OfflineSessions = defaultOfflineSessions
	}
	if a.MaxStaleness == 0 {
		a.MaxStaleness = defaultMaxStaleness
	}
	if err := checkBackend(a.Backend); err != nil {
		return fmt.Errorf("session_gate: %w", err)
	}
	base, err := url.Parse(a.Backend)
	if err != nil {
		return fmt.Errorf("session_gate: reading the backend's URL: %w", err)
	}
	if a.edge, a.poolKey, err = edge.Load(base, a.EdgeKey, a.logger); err != nil {
		return err
	}
	events, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("session_gate: %w", err)
	}
	a.audience = &edge.Audience{Ctx: ctx, App: events.(*caddyevents.App)}
	if err := a.edge.Metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("session_gate: registering metrics: %w", err)
	}
	return nil
}

// checkBackend returns an error unless address is the URL of a session service.
func checkBackend(address string) error {
	base, err := url.Parse(address)
	if err == nil && base.User != nil {
		return errors.New("backend must not contain a password; set the key with edge_key")
	}
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return fmt.Errorf("backend %q is not a URL like http://127.0.0.1:8081", address)
	}
	return nil
}

// Validate implements [caddy.Validator].
func (a *App) Validate() error {
	if a.MaxStaleness < 0 {
		return errors.New("session_gate: max_staleness must not be negative")
	}
	if err := a.Limits.Check(); err != nil {
		return fmt.Errorf("session_gate: %w", err)
	}
	if a.WhenBackendDown != refuseEntries && a.WhenBackendDown != admitEntries {
		return fmt.Errorf("session_gate: when_backend_down is %q; it must be refuse or admit", a.WhenBackendDown)
	}
	if a.OfflineTime < 0 || a.OfflineSessions < 0 {
		return errors.New("session_gate: offline_time and offline_sessions must not be negative; to admit no entries while the backend is down, set when_backend_down refuse")
	}
	return nil
}

// Start follows the backend, unless an earlier configuration already does.
func (a *App) Start() error {
	a.edge.Events.Audience.Store(a.audience)
	a.edge.Limits.Use(*a.Limits)
	a.edge.Keep(a.storage)
	a.edge.Start()
	a.assertions.asserter()
	if _, err := a.credentials.authority(); err != nil {
		a.logger.Info("no origin key: origins that ask for a client certificate or a secret refuse this edge", zap.Error(err))
	}
	return nil
}

// Stop implements [caddy.App]. What is shared goes on until Cleanup finds that
// no configuration uses it; a new configuration has started by now.
func (a *App) Stop() error {
	a.edge.Events.Audience.CompareAndSwap(a.audience, nil)
	return nil
}

// Cleanup gives the shared state back.
func (a *App) Cleanup() error {
	if a.poolKey == "" {
		return nil
	}
	return edge.Unload(a.poolKey)
}

// appOf is the app of the configuration that ctx belongs to.
func appOf(ctx caddy.Context) (*App, error) {
	app, err := ctx.App("session_gate")
	if err != nil {
		return nil, fmt.Errorf("session_gate: %w", err)
	}
	return app.(*App), nil
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
