package caddymodule

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/sessiongate/sessiongate/caddymodule/credential"
	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/publicip"
)

func init() {
	caddy.RegisterModule(Transport{})
}

// poolsMax is how many providers have connections of their own at once.
const poolsMax = 10_000

// Transport is Caddy's HTTP transport, with the same options, for origins of
// providers: reverse_proxy { transport session_gate }. An origin that asks for a client
// certificate receives that of the request's provider, and connections with TLS are
// never shared between providers.
//
// [Upstreams] uses it in any case; transport http is then no more than its options.
type Transport struct {
	*reverseproxy.HTTPTransport

	credentials *originCredentials
	pools       *pools
}

// pools has the connections of each provider.
type pools struct {
	mu sync.Mutex // guards of
	of map[string]*pool
}

// pool has the connections of one provider.
type pool struct {
	transport *http.Transport
	used      int64 // monotonic ms
}

// CaddyModule implements [caddy.Module].
func (Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.session_gate", New: func() caddy.Module {
		return &Transport{HTTPTransport: new(reverseproxy.HTTPTransport)}
	}}
}

// Provision sets up the options, and makes the key of the credentials if it is missing.
func (t *Transport) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	if err := t.HTTPTransport.Provision(ctx); err != nil {
		return err
	}
	if _, err := app.credentials.authority(); err != nil {
		return fmt.Errorf("session_gate: origin_key: %w", err)
	}
	return t.wrap(app.credentials, nil)
}

var (
	errOwnCertificate = errors.New("session_gate: tls_client_auth presents one certificate to the origins of all providers, " +
		"so that a provider who registers another provider's origin has access to it; remove tls_client_auth: " +
		"the edge presents a certificate of each provider's own, as docs/origin-lock.md describes")
	errNoHTTP3 = errors.New("session_gate: versions 3 cannot be used for origins of providers; use 1.1 and 2")
)

// wrap takes over a transport that is set up. With names, origins must have public
// addresses.
func (t *Transport) wrap(credentials *originCredentials, names *nameCache) error {
	if t.TLS != nil && (t.TLS.ClientCertificateFile != "" || t.TLS.ClientCertificateAutomate != "") {
		return errOwnCertificate
	}
	if slices.Contains(t.Versions, "3") {
		return errNoHTTP3
	}
	t.credentials, t.pools = credentials, &pools{of: make(map[string]*pool)}
	base := t.HTTPTransport.Transport
	if base.TLSClientConfig == nil {
		base.TLSClientConfig = new(tls.Config)
	}
	base.TLSClientConfig.GetClientCertificate = credentials.certificateFor(func(ctx context.Context) string {
		provider, _ := ctx.Value(connectionKey{}).(string)
		return provider
	})
	if names != nil {
		base.DialContext = names.dialPublic(base.DialContext)
		if base.DialTLSContext != nil {
			base.DialTLSContext = names.dialPublic(base.DialTLSContext)
		}
	}
	return nil
}

// Cleanup closes the connections that are idle.
func (t *Transport) Cleanup() error {
	if t.pools == nil { // it could not be set up
		return nil
	}
	t.pools.mu.Lock()
	defer t.pools.mu.Unlock()
	for _, p := range t.pools.of {
		p.transport.CloseIdleConnections()
	}
	t.HTTPTransport.Transport.CloseIdleConnections()
	return nil
}

// connectionKey is the context key of the provider that a connection is made for.
type connectionKey struct{}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.SetScheme(r)
	if r.URL.Scheme != "https" { // nothing of a connection without TLS is a provider's
		return t.HTTPTransport.Transport.RoundTrip(r)
	}
	provider := originProvider(r.Context())
	return t.of(provider).RoundTrip(r.WithContext(context.WithValue(r.Context(), connectionKey{}, provider)))
}

// RequestHeaderOps implements [reverseproxy.RequestHeaderOpsTransport].
func (t *Transport) RequestHeaderOps() *headers.HeaderOps { return t.HTTPTransport.RequestHeaderOps() }

// of returns the connections of a provider.
func (t *Transport) of(provider string) *http.Transport {
	now := edge.MonotonicMS()
	t.pools.mu.Lock()
	defer t.pools.mu.Unlock()
	if p, ok := t.pools.of[provider]; ok {
		p.used = now
		return p.transport
	}
	if len(t.pools.of) >= poolsMax {
		t.pools.dropOne()
	}
	p := &pool{transport: t.clone(), used: now}
	t.pools.of[provider] = p
	return p.transport
}

// dropOne gives up the pool that was unused for the longest time of a few. Requests
// under way go on.
func (all *pools) dropOne() {
	oldest, looked := "", 0
	for id, p := range all.of { // in random order
		if looked == 0 || p.used < all.of[oldest].used {
			oldest = id
		}
		if looked++; looked == 16 {
			break
		}
	}
	all.of[oldest].transport.CloseIdleConnections()
	delete(all.of, oldest)
}

// clone returns a transport with the same options and no connection in common. A clone
// of net/http's shares the connections of HTTP/2, unless that is set up again.
func (t *Transport) clone() *http.Transport {
	c := t.HTTPTransport.Transport.Clone()
	c.TLSClientConfig.NextProtos = nil
	c.TLSNextProto = nil
	if c.ForceAttemptHTTP2 = slices.Contains(t.Versions, "2"); !c.ForceAttemptHTTP2 {
		c.TLSNextProto = make(map[string]func(string, *tls.Conn) http.RoundTripper)
	}
	return c
}

// creditVar holds whom the origin is to take a request for: the *[live.Session] that
// admitted it, the *[Gate] that let it pass without one, or the id of the provider whose
// origin it goes to.
const creditVar = "session_gate.credit"

// originProvider is the provider whose credentials a request's origin is shown, or "".
func originProvider(ctx context.Context) string {
	switch v := caddyhttp.GetVar(ctx, creditVar).(type) {
	case string:
		return v
	case interface{ ProviderID() string }:
		return v.ProviderID()
	case *Gate:
		return v.Provider
	}
	return ""
}

// DefaultOriginKey is where the key is kept unless the configuration says.
func DefaultOriginKey() string {
	return filepath.Join(caddy.AppDataDir(), "session_gate", "origin.key")
}

// originCredentials reads the key of an edge's credentials when they are first needed,
// so that an edge whose origins need none needs no key.
type originCredentials struct {
	path string

	mu   sync.Mutex // guards all below
	read *credential.Authority
}

func (c *originCredentials) authority() (*credential.Authority, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read != nil {
		return c.read, nil
	}
	a, err := credential.Load(c.path)
	if err == nil {
		c.read = a
	}
	return a, err
}

// secret is the secret of the request's provider, or "".
func (c *originCredentials) secret(ctx context.Context) string {
	provider := originProvider(ctx)
	if provider == "" || c == nil {
		return ""
	}
	a, err := c.authority()
	if err != nil {
		caddy.Log().Named("session_gate").Error("reading the origin key: origins with a shared secret refuse this edge: " + err.Error())
		return ""
	}
	s, err := a.Secret(provider)
	if err != nil {
		return ""
	}
	return s
}

// dialer is a DialContext of [http.Transport].
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// dialInfoKey is where reverse_proxy leaves the address that its transport dials.
const dialInfoKey = caddy.CtxKey("reverse_proxy.dial_info")

// dialPublic dials only addresses that were checked: those of a name, one after the
// other, rather than the name. Its own look-up could have another answer.
func (c *nameCache) dialPublic(dial dialer) dialer {
	checking := c.dialChecked(dial)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if caddyhttp.GetVar(ctx, "reverse_proxy.proxy") != nil { // the operator's proxy, which looks names up
			return dial(ctx, network, address)
		}
		return checking(ctx, network, address)
	}
}

// dialChecked is dialPublic where no proxy of the operator's is used. A reverse_proxy before
// the gate may have used one for its own part of the request.
func (c *nameCache) dialChecked(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		info, ok := reverseproxy.GetDialInfo(ctx)
		if ok {
			network, address = info.Network, info.Address
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dialing an origin: %w", err)
		}
		list, err := c.public(ctx, host)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			to := ctx
			info.Host, info.Address = a.String(), net.JoinHostPort(a.String(), port)
			if ok {
				to = context.WithValue(ctx, dialInfoKey, info)
			}
			var conn net.Conn
			if conn, err = dial(to, network, info.Address); err == nil {
				return checked(conn)
			}
			if ctx.Err() != nil {
				break
			}
		}
		return nil, err
	}
}

// checked gives up a connection that is not to a public address, whatever the dialer was
// told.
func checked(conn net.Conn) (net.Conn, error) {
	to, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil || !publicip.Is(to.Addr()) {
		conn.Close()
		return nil, errPrivateOrigin
	}
	return conn, nil
}

// UnmarshalCaddyfile implements [caddyfile.Unmarshaler]. It takes the options of
// transport http.
func (t *Transport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return t.HTTPTransport.UnmarshalCaddyfile(d)
}

// Interface guards
var (
	_ caddy.Provisioner                      = (*Transport)(nil)
	_ caddy.CleanerUpper                     = (*Transport)(nil)
	_ http.RoundTripper                      = (*Transport)(nil)
	_ caddyfile.Unmarshaler                  = (*Transport)(nil)
	_ reverseproxy.TLSTransport              = (*Transport)(nil)
	_ reverseproxy.H2CTransport              = (*Transport)(nil)
	_ reverseproxy.RequestHeaderOpsTransport = (*Transport)(nil)
)
