// Package backend is the session service: it sells timed sessions, keeps their
// money, tells edges what they need to know, and ends every session on time.
//
//	Open, Serve, Config   one running service          backend
//	  │
//	  ├─► api             HTTP: routes, callers, problems, OpenAPI
//	  │    │
//	  └────┴─► service    use cases, loops, sign-in, limits
//	             │
//	             ├─► shape              JSON that API and webhooks share
//	             ├─► session, ledger    the rules, pure
//	             ├─► store              SQL
//	             ├─► coord              what several processes agree on
//	             ├─► webhook            signing and delivery
//	             └─► keyring            the keys that sign tokens
package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/api"
	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/resolver"
	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/seal"
)

// Backend is one running session service.
type Backend struct {
	config  Config
	store   *store.Store
	service *service.Service
	handler http.Handler
	// What /openapi.json says.
	document *huma.OpenAPI
	log      *zap.Logger
	shared   coordination

	stopping context.Context // ends when streams are to end
	stop     context.CancelFunc
	closing  sync.Once
	closeErr error
}

// Open opens the database and the keys, making both when there are none, and
// returns a backend that answers by its [Backend.Handler]. Deadlines pass and
// heartbeats are written only while [Backend.Run] or [Backend.Serve] runs.
func Open(ctx context.Context, config Config, logger *zap.Logger) (*Backend, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("configuring backend: %w", err)
	}
	trusted, err := config.trusted()
	if err != nil {
		return nil, fmt.Errorf("configuring backend: %w", err)
	}
	var clock *service.Clock
	if config.Now == nil {
		clock = service.NewClock(config.MachineClock)
		config.Now = clock.Now
	}
	dns, err := resolver.New(config.DNSResolver)
	if err != nil {
		return nil, fmt.Errorf("configuring backend: %w", err)
	}
	if config.Lookup == nil {
		config.Lookup = service.SystemLookup
		if config.DNSResolver != "" {
			config.Lookup = dns.LookupNetIP
		}
	}
	edges, err := service.NewEdgeHosts(config.EdgeHosts, config.Lookup, config.Now)
	if err != nil {
		return nil, fmt.Errorf("configuring backend: %w", err)
	}
	cipher, err := seal.New(config.SealKey)
	if err != nil {
		return nil, fmt.Errorf("configuring backend: SESSIONGATE_SEAL_KEY %w", err)
	}
	st, err := store.Open(ctx, config.Database, config.Traces)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, config, st, clock); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	keys, err := openKeys(ctx, config, st)
	if err != nil {
		st.Close()
		return nil, err
	}
	if st.Shared() && !cipher.Keyed() {
		logger.Warn("signing keys and webhook secrets stand in the database unsealed; set SESSIONGATE_SEAL_KEY to seal them")
	}
	shared, err := openCoordinator(config, logger)
	if err != nil {
		st.Close()
		return nil, err
	}
	s := service.New(service.Options{
		Store: st, Coord: shared, Limit: shared, Keys: keys, Seal: cipher, Issuer: config.Issuer, Now: config.Now, Clock: clock, Log: logger,
		Limits: config.Limits, ToLoopback: config.WebhooksToLoopback,
		Edges: edges, DNS: dns, Lookup: config.Lookup, Rules: config.Rules, OIDC: config.OIDC,
	})
	b := &Backend{config: config, log: logger, store: st, service: s, shared: shared}
	b.stopping, b.stop = context.WithCancel(context.Background())
	b.handler, b.document = api.NewHandler(s, api.Options{
		Issuer: config.Issuer, Now: config.Now, Log: logger, Traces: config.Traces, Trusted: trusted, Stopping: b.stopping,
	})
	return b, nil
}

// prepare makes a database ready for a session service: it locks one that no other
// service may use, and sets the clock.
func prepare(ctx context.Context, config Config, st *store.Store, clock *service.Clock) error {
	host, _ := os.Hostname() // a holder without a host has its address
	err := st.Lock(store.Holder{PID: os.Getpid(), Host: host, Address: config.Listen, Since: config.MachineClock()})
	if err != nil || clock == nil {
		return err
	}
	return clock.Follow(ctx, st)
}

// coordination is a coordinator and limiter with its own life.
type coordination interface {
	service.Coordinator
	service.Limiter
	Run(context.Context)
	Close() error
}

func openCoordinator(config Config, logger *zap.Logger) (coordination, error) {
	if config.Redis == "" {
		return coord.NewMemory(config.EventLog, config.Now), nil
	}
	return coord.NewRedis(config.Redis, config.EventLog, config.Now, logger)
}

// Handler is the HTTP API.
func (b *Backend) Handler() http.Handler { return b.handler }

// Issuer is the iss of this backend's tokens.
func (b *Backend) Issuer() string { return b.config.Issuer }

// Run advances due sessions, writes heartbeats, delivers webhooks and removes old
// records until ctx ends, then writes what is left and returns nil.
func (b *Backend) Run(ctx context.Context) error {
	runService := func(ctx context.Context) { b.service.Run(ctx, b.config.Redis != "" || b.store.Shared()) }
	service.StartLoops(ctx, runService, b.shared.Run).Wait()
	return nil
}

// writeTimeout is how long whoever asked may take to read the answer: one that
// asks and never reads must not keep a connection for good. Streams set a
// deadline of their own for each thing they say.
const writeTimeout = 5 * time.Minute

// Serve listens, serves the API and runs until ctx ends; then it stops
// gracefully: no new requests, streams told to come back, running requests
// given ten seconds.
func (b *Backend) Serve(ctx context.Context) error {
	listener, err := net.Listen("tcp", b.config.Listen)
	if err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	return b.ServeListener(ctx, listener)
}

// ServeListener is [Backend.Serve] on a listener that is open already. It
// closes it.
func (b *Backend) ServeListener(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: b.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: writeTimeout,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: zap.NewStdLog(b.log),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	loops := service.StartLoops(context.WithoutCancel(ctx), func(ctx context.Context) { _ = b.Run(ctx) }) // it returns nil
	defer loops.Stop()
	b.log.Info("session service is ready", zap.Stringer("address", listener.Addr()), zap.String("issuer", b.config.Issuer))

	var err error
	select {
	case err = <-served: // the listener failed
	case <-ctx.Done():
		b.EndStreams()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err = server.Shutdown(grace); err != nil {
			err = errors.Join(err, server.Close())
		}
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	// Last, so that what the last requests left is written too.
	loops.Stop()
	if err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// EndStreams tells edges to open their event stream anew. A server that serves
// [Backend.Handler] by itself calls it before it shuts down gracefully, for
// instance by [http.Server.RegisterOnShutdown]; streams never end by themselves.
func (b *Backend) EndStreams() { b.stop() }

// Close ends streams and closes the database. Call it once nothing runs.
func (b *Backend) Close() error {
	b.closing.Do(func() {
		b.stop()
		b.closeErr = errors.Join(b.shared.Close(), b.store.Close())
	})
	return b.closeErr
}

// CreateAPIKey makes an API key, shown this once. owner is the provider of a key with
// [RoleProvider], and the marketplace of one with [RoleMarketplace]; empty is mkt_default.
func (b *Backend) CreateAPIKey(ctx context.Context, role service.Role, owner, name string) (plaintext string, err error) {
	plaintext, _, err = service.CreateAPIKey(ctx, b.store, role, owner, name, b.config.Now())
	return plaintext, err
}

// HasAPIKeys reports whether any API key was ever made: without one, nobody can
// use the API.
func (b *Backend) HasAPIKeys(ctx context.Context) (bool, error) {
	list, err := b.store.APIKeys(ctx, store.KeyFilter{Limit: 1})
	return len(list) > 0, err
}

// CreateProvider registers a provider, as POST /api/v1/providers does for an
// administrator: its domains count as vouched for.
func (b *Backend) CreateProvider(ctx context.Context, p store.Provider) (store.Provider, error) {
	return b.service.CreateProvider(ctx, service.Request{}, p, true)
}

// EnsureProvider registers a provider, or brings the one with its id to the
// same values: what a demo or an installer needs to run twice.
func (b *Backend) EnsureProvider(ctx context.Context, p store.Provider) (store.Provider, error) {
	made, err := b.service.CreateProvider(ctx, service.Request{}, p, true)
	if !errors.Is(err, store.ErrTaken) {
		return made, err
	}
	return b.service.PatchProvider(ctx, service.Request{}, p.ID, service.ProviderPatch{
		Name: &p.Name, Domains: &p.Domains, OriginURL: &p.OriginURL, AppURL: &p.AppURL, Policies: &p.Policies, MayReturn: true,
		ByOperator: true, Vouched: true,
	})
}

// Audit recounts the ledger and returns the first thing that does not agree.
func (b *Backend) Audit(ctx context.Context) error { return b.store.Audit(ctx) }

// Role is what an API key may do.
type Role = service.Role

// The roles of API keys.
const (
	RoleMarketplace = service.RoleMarketplace
	RoleProvider    = service.RoleProvider
	RoleEdge        = service.RoleEdge
	RoleAdmin       = service.RoleAdmin
)

const (
	// DefaultPortalTime is how long a portal link is good for.
	DefaultPortalTime = service.DefaultPortalTime
	// MaxPortalTime is the longest that one can be good for.
	MaxPortalTime = service.MaxPortalTime
)

// Errors that callers tell apart.
var (

	// ErrRole is returned for a role that does not exist, or lacks its provider.
	ErrRole = service.ErrRole
	// ErrPersonRole is returned for a role that no person can have, or that lacks
	// its provider.
	ErrPersonRole = service.ErrPersonRole
	// ErrMarketplace is returned for what cannot be a marketplace's id.
	ErrMarketplace = service.ErrMarketplace
	// ErrEmail is returned for what is no e-mail address.
	ErrEmail = service.ErrEmail
)

// Roles lists what [CreateAPIKey] makes.
func Roles() []Role { return service.Roles() }

// CreateAPIKey makes a key in st and returns it. This is the only time that it
// can be seen: the store keeps its SHA-256. owner is as in [Backend.CreateAPIKey].
func CreateAPIKey(ctx context.Context, st *store.Store, role Role, owner, name string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	return service.CreateAPIKey(ctx, st, role, owner, name, now)
}

// AddMarketplace registers a marketplace within tx. Without an id, it gets a random one.
// It returns [store.ErrTaken] if the id exists.
func AddMarketplace(ctx context.Context, tx *store.Tx, m store.Marketplace, now time.Time) (store.Marketplace, error) {
	return service.AddMarketplace(ctx, tx, m, now)
}

// CreateTestKey is [CreateAPIKey] for a test key, which sells and reads test sessions
// alone. Its role is marketplace or provider.
func CreateTestKey(ctx context.Context, st *store.Store, role Role, owner, name string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	return service.CreateTestKey(ctx, st, role, owner, name, now)
}

// RotateAPIKey makes a key that may do the same as the key with this id, which
// works on for the time of grace.
func RotateAPIKey(ctx context.Context, st *store.Store, id string, grace time.Duration, now time.Time) (plaintext string, kept store.APIKey, err error) {
	return service.RotateAPIKey(ctx, st, id, grace, now)
}

// CreatePortalLink makes a link to the service at issuer, good for one provider
// until its time is over or it is revoked like an API key. It is shown this
// once.
func CreatePortalLink(ctx context.Context, st *store.Store, issuer, providerID string, good time.Duration, now time.Time) (link string, kept store.APIKey, err error) {
	return service.CreatePortalLink(ctx, st, issuer, providerID, good, now)
}

// AddPerson gives an address a role within tx: [RoleProvider] with a provider's
// id, or [RoleAdmin]. It returns [ErrPersonRole], [ErrEmail],
// [store.ErrNotFound] for a provider that is not there, or [store.ErrTaken].
func AddPerson(ctx context.Context, tx *store.Tx, role Role, providerID, email string, now time.Time) (store.Person, error) {
	return service.AddPerson(ctx, tx, role, providerID, email, now)
}

// Vouch lets the gate serve a provider's domain without a DNS record that proves it,
// within tx, and returns the domain's state. It returns [store.ErrNotFound] if the
// provider has no such domain.
func Vouch(ctx context.Context, tx *store.Tx, providerID, name string, now time.Time) (state string, err error) {
	c, err := service.Vouch(ctx, tx, providerID, name, now)
	return string(c.State), plainly(err)
}

// Unvouch takes back what [Vouch] gave.
func Unvouch(ctx context.Context, tx *store.Tx, providerID, name string, now time.Time) (state string, err error) {
	c, err := service.Unvouch(ctx, tx, providerID, name, now)
	return string(c.State), plainly(err)
}

// plainly returns the text of a refusal that is meant for people.
func plainly(err error) error {
	if refusal, ok := errors.AsType[*service.Refusal](err); ok {
		return errors.New(refusal.Detail)
	}
	return err
}
