package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/publicip"
)

func init() {
	caddy.RegisterModule(Upstreams{})
	caddy.RegisterModule(Permission{})
}

// publicHostVar is the request's variable that holds the host that its visitor
// asked for, once an origin was found for it.
const publicHostVar = "session_gate.public_host"

const (
	lookupTimeout = 3 * time.Second
	lookupLife    = 30 * time.Second // how long a name's address is used unasked
	namesMax      = 10_000           // how many names are remembered
	addressesMax  = 8                // addresses of a name that are used
)

// Upstreams sends each request to the origin that its host's provider
// registered: reverse_proxy { dynamic session_gate }.
//
// An origin with https is reached by its own name, in SNI and in the Host
// header; one with http keeps the public Host. Origins are the providers' to
// choose, so addresses that are not on the public internet are refused, unless
// AllowPrivate says that they are meant. What an origin is shown of the edge is its
// provider's own: see [Transport].
type Upstreams struct {
	// Take origins at private, loopback and link-local addresses.
	AllowPrivate bool `json:"allow_private,omitempty"`

	edge      *edge.Edge
	names     *nameCache
	transport *Transport // of the proxy, in the place of transport http; nil: another
}

// nameCache remembers the addresses of origins' names.
type nameCache struct {
	lookUp func(ctx context.Context, name string) ([]netip.Addr, error)

	mu    sync.Mutex // guards found
	found map[string]lookup
}

func newNameCache() *nameCache {
	return &nameCache{found: make(map[string]lookup), lookUp: func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}}
}

// lookup is a name's addresses, all of them public, or why it is refused.
type lookup struct {
	addresses []netip.Addr
	err       error
	until     int64 // monotonic ms
}

// CaddyModule implements [caddy.Module].
func (Upstreams) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.upstreams.session_gate", New: func() caddy.Module { return new(Upstreams) }}
}

// Provision finds the app, and takes over the proxy's transport.
func (u *Upstreams) Provision(ctx caddy.Context) error {
	u.names = newNameCache()
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	u.edge = app.edge
	for _, m := range slices.Backward(ctx.Modules()) {
		if proxy, ok := m.(*reverseproxy.Handler); ok {
			return u.takeOver(ctx, proxy, app)
		}
	}
	return nil
}

// takeOver has the proxy connect as [Transport] does: Caddy would share connections, and
// so client certificates, between the origins of all providers. The proxy has set up the
// transport that its configuration names, if any, and will set up none in its place.
func (u *Upstreams) takeOver(ctx caddy.Context, proxy *reverseproxy.Handler, app *App) error {
	var names *nameCache
	if !u.AllowPrivate {
		names = u.names
	}
	switch t := proxy.Transport.(type) {
	case nil:
		options := new(reverseproxy.HTTPTransport)
		if err := options.Provision(ctx); err != nil {
			return err
		}
		u.transport = &Transport{HTTPTransport: options}
	case *reverseproxy.HTTPTransport:
		u.transport = &Transport{HTTPTransport: t}
	case *Transport:
		u.transport = t
	default:
		return nil
	}
	proxy.Transport = u.transport
	return u.transport.wrap(app.credentials, names)
}

// Cleanup implements [caddy.CleanerUpper].
func (u *Upstreams) Cleanup() error {
	if u.transport == nil {
		return nil
	}
	return u.transport.Cleanup()
}

// GetUpstreams implements [reverseproxy.UpstreamSource].
func (u *Upstreams) GetUpstreams(r *http.Request) ([]*reverseproxy.Upstream, error) {
	// The proxy asks again for each retry, with the request as it was changed below.
	public, again := caddyhttp.GetVar(r.Context(), publicHostVar).(string)
	if !again {
		public = r.Host
		caddyhttp.SetVar(r.Context(), publicHostVar, public)
	}
	host, err := u.edge.Hosts.Find(r.Context(), public, askerOf(r, caddyhttp.GetVar(r.Context(), handledVar) == handledAdmitted))
	if err != nil {
		return nil, fmt.Errorf("finding the origin of %s: %w", edge.BareHost(public), err)
	}
	if err := claimCredit(r, public, host.ProviderID); err != nil {
		return nil, err
	}
	origin, err := url.Parse(host.OriginURL)
	if err != nil || origin.Hostname() == "" {
		return nil, fmt.Errorf("provider %s has no usable origin URL", host.ProviderID)
	}
	port := origin.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[origin.Scheme]
	}
	address := origin.Hostname()
	if !u.AllowPrivate {
		list, err := u.names.public(r.Context(), address)
		if err != nil {
			return nil, fmt.Errorf("origin of provider %s: %w", host.ProviderID, err)
		}
		address = list[0].String()
	}
	// The request is the proxy's own copy: what is set here is what goes out.
	r.URL.Scheme, r.Host = origin.Scheme, public
	if origin.Scheme == "https" {
		r.Host = origin.Host
		if u.transport != nil || u.AllowPrivate {
			// Reached by name, so that the certificate is checked for it. The transport
			// dials addresses that were checked.
			address = origin.Hostname()
		}
	}
	if host, ok := caddyhttp.GetVar(r.Context(), appHostVar).(string); ok {
		r.Host = host
	}
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set(placeholderOriginHost, r.Host)
	}
	return []*reverseproxy.Upstream{{Dial: countedFor(host.ProviderID) + net.JoinHostPort(address, port)}}, nil
}

// countedFor returns a placeholder that has no value, with which an address begins. The
// proxy counts failures (fail_duration) and requests of an origin by the address as it is
// written. So a provider who registers the origin of another, and whose requests fail
// there, cannot have it marked as down for the other.
func countedFor(provider string) string {
	return "{session_gate.origin_of." + url.PathEscape(provider) + "}"
}

var errPrivateOrigin = errors.New("its address is private: register an origin with a public address, or set allow_private on the edge")

// public returns the addresses of name, if all of them are public.
func (c *nameCache) public(ctx context.Context, name string) ([]netip.Addr, error) {
	c.mu.Lock()
	known, ok := c.found[name]
	c.mu.Unlock()
	if ok && edge.MonotonicMS() < known.until {
		return known.addresses, known.err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	list, err := c.lookUp(ctx, name)
	if err == nil && len(list) == 0 {
		err = errors.New("it has none")
	}
	if err != nil {
		return nil, fmt.Errorf("looking up its address: %w", err)
	}
	fresh := lookup{until: edge.MonotonicMS() + lookupLife.Milliseconds()}
	// One private address among public ones is enough to be refused: it would
	// be dialed sooner or later.
	for _, a := range list[:min(len(list), addressesMax)] {
		if !publicip.Is(a) {
			fresh.addresses, fresh.err = nil, errPrivateOrigin
			break
		}
		fresh.addresses = append(fresh.addresses, a.Unmap())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.found) >= namesMax {
		clear(c.found)
	}
	c.found[name] = fresh
	return fresh.addresses, fresh.err
}

// UnmarshalCaddyfile sets up the source. Syntax:
//
//	dynamic session_gate {
//		allow_private
//	}
func (u *Upstreams) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // source name
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		if d.Val() != "allow_private" {
			return d.Errf("unknown option %q of dynamic session_gate; the only option is allow_private", d.Val())
		}
		if d.NextArg() {
			return d.ArgErr()
		}
		u.AllowPrivate = true
	}
	return nil
}

// Permission lets certificates be obtained for the domains of providers, and
// for no others: on_demand_tls { permission session_gate }.
//
// It is asked before a certificate is loaded from storage, too. Answers are
// remembered, and a domain that was found stays allowed while the backend is
// down.
type Permission struct {
	edge *edge.Edge
}

// CaddyModule implements [caddy.Module].
func (Permission) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tls.permission.session_gate", New: func() caddy.Module { return new(Permission) }}
}

// Provision finds the app.
func (p *Permission) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err == nil {
		p.edge = app.edge
	}
	return err
}

// CertificateAllowed implements [caddytls.OnDemandPermission].
func (p *Permission) CertificateAllowed(ctx context.Context, name string) error {
	_, err := p.edge.Hosts.Find(ctx, name, handshakeAsker(ctx))
	if errors.Is(err, edge.ErrUnknownHost) {
		return fmt.Errorf("%s: %w: %w", name, caddytls.ErrPermissionDenied, err)
	}
	return err
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. It takes no options.
func (p *Permission) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // module name
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Upstreams)(nil)
	_ caddy.CleanerUpper          = (*Upstreams)(nil)
	_ reverseproxy.UpstreamSource = (*Upstreams)(nil)
	_ caddyfile.Unmarshaler       = (*Upstreams)(nil)
	_ caddy.Provisioner           = (*Permission)(nil)
	_ caddytls.OnDemandPermission = (*Permission)(nil)
	_ caddyfile.Unmarshaler       = (*Permission)(nil)
)
