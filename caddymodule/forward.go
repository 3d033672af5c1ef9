package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// viaName is the name of this server in Via, as Caddy writes it.
const viaName = "Caddy"

// forwarder is the handler behind a gate with the option origin.
type forwarder struct {
	find    func(r *http.Request) (destination, error)
	headers []OriginHeader // with canonical names
	close   func()
	logger  *zap.Logger
}

// destination is the origin that a request goes to.
type destination struct {
	pool *origin.Pool
	host string // the Host header
}

// newForwarder sets up what forwards to the gate's origin.
func (g *Gate) newForwarder(app *App) (*forwarder, error) {
	o := *g.Origin
	repl := caddy.NewReplacer()
	o.To = repl.ReplaceKnown(o.To, "")
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("session_gate: %w", err)
	}
	config, err := o.poolConfig()
	if err != nil {
		return nil, fmt.Errorf("session_gate: origin: %w", err)
	}
	f := &forwarder{logger: g.logger}
	for _, h := range o.Headers {
		f.headers = append(f.headers, OriginHeader{http.CanonicalHeaderKey(h.Name), h.Value})
	}
	if o.To == registeredOrigins {
		r := newRegistered(app, config, o.AllowPrivate)
		f.find, f.close = r.find, r.pools.close
		return f, nil
	}
	to, err := parseOrigin(o.To)
	if err != nil {
		return nil, err
	}
	config.Address = hostPort(to)
	if to.Scheme != "https" {
		config.TLS = nil
	}
	var poolFor func(context.Context) (*origin.Pool, error)
	if to.Scheme == "https" && len(config.TLS.Certificates) == 0 { // it may be shown the provider's own
		pools := newOriginPools(app, config, config.Address)
		f.close = pools.close
		poolFor = func(ctx context.Context) (*origin.Pool, error) {
			p, err := pools.of(originKey{originProvider(ctx), o.To})
			if err != nil {
				return nil, err
			}
			return p.pool, nil
		}
	} else {
		pool := origin.NewPool(config)
		app.edge.Pools.Add(config.Address, pool)
		f.close = func() {
			app.edge.Pools.Remove(pool)
			pool.Close()
		}
		poolFor = func(context.Context) (*origin.Pool, error) { return pool, nil }
	}
	f.find = func(r *http.Request) (destination, error) {
		pool, err := poolFor(r.Context())
		if err != nil {
			return destination{}, err
		}
		d := destination{pool, r.Host}
		if o.Host != "" {
			d.host = o.Host
			if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
				d.host = repl.ReplaceAll(o.Host, "")
			}
		} else if to.Scheme == "https" && caddyhttp.GetVar(r.Context(), appHostVar) == nil {
			d.host = to.Host
		}
		return d, nil
	}
	return f, nil
}

// poolConfig is what the option says about connections. It has TLS, for those that need it.
func (o *Origin) poolConfig() (origin.Config, error) {
	c := origin.Config{
		TLS:         &tls.Config{ServerName: o.ServerName, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		DialTimeout: time.Duration(o.DialTimeout), HeadTimeout: time.Duration(o.HeadTimeout), IdleTimeout: time.Duration(o.IdleTimeout),
		MaxIdle: o.IdleConnections, MaxOpen: o.MaxConnections, MaxHead: o.MaxHead, Via: viaName,
	}
	if len(o.CA) > 0 {
		c.TLS.RootCAs = x509.NewCertPool()
		for _, path := range o.CA {
			text, err := os.ReadFile(path)
			if err != nil {
				return c, err
			}
			if !c.TLS.RootCAs.AppendCertsFromPEM(text) {
				return c, fmt.Errorf("%s has no certificate in PEM form", path)
			}
		}
	}
	if o.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
		if err != nil {
			return c, err
		}
		c.TLS.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// hostPort is the host and port of a server's URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// ServeHTTP implements [caddyhttp.Handler].
func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	return f.forward(w, r, nil, nil)
}

// outgoings has memory for requests to origins, with room for their headers.
var outgoings = sync.Pool{New: func() any { return &origin.Outgoing{Headers: make([]origin.Header, 0, 16)} }}

// forward sends a request to its origin, with the headers of told, until stop ends it. It
// panics with [http.ErrAbortHandler] where the client would take half a response for a whole
// one.
func (f *forwarder) forward(w http.ResponseWriter, r *http.Request, stop *origin.Stop, told []origin.Header) error {
	to, err := f.find(r)
	if err != nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, err)
	}
	out := outgoings.Get().(*origin.Outgoing)
	defer func() {
		clear(out.Headers)
		*out = origin.Outgoing{Headers: out.Headers[:0]}
		outgoings.Put(out)
	}()
	out.Request, out.Host, out.Stop, out.Tunnel = r, to.host, stop, cut.IsTunnel(r)
	for _, h := range told {
		if h.Name != "" {
			out.Headers = append(out.Headers, h)
		}
	}
	out.Headers = f.appendHeaders(appendForwarded(out.Headers, r), r)
	err = to.pool.Forward(w, out)
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*origin.Error](err)
	if !ok {
		return caddyhttp.Error(http.StatusBadGateway, err)
	}
	if failed.Begun {
		if failed.Kind != origin.Client {
			f.logger.Warn("aborting an incomplete response", zap.Error(err))
		}
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	return caddyhttp.Error(failed.Status(), err)
}

// appendHeaders appends the headers that the configuration sets, in the place of those of
// the same name.
func (f *forwarder) appendHeaders(list []origin.Header, r *http.Request) []origin.Header {
	for _, h := range f.headers {
		value := h.Value
		if strings.IndexByte(value, '{') >= 0 {
			if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
				value = repl.ReplaceAll(value, "")
			}
		}
		list = setHeader(list, origin.Header{Name: h.Name, Value: value})
	}
	return list
}

// setHeader appends h, or puts it in the place of the header of the same name.
func setHeader(list []origin.Header, h origin.Header) []origin.Header {
	for i := range list {
		if list[i].Name == h.Name {
			list[i] = h
			return list
		}
	}
	return append(list, h)
}

// appendForwarded appends what tells the origin of the client: the headers that
// reverse_proxy sets, with its rules. A client's own count if it is a proxy that the
// server trusts.
func appendForwarded(list []origin.Header, r *http.Request) []origin.Header {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil && (r.RemoteAddr != "@" || !trusted) { // "@" is a Unix socket's
		return append(list, origin.Header{Name: "X-Forwarded-For"}, origin.Header{Name: "X-Forwarded-Proto"}, origin.Header{Name: "X-Forwarded-Host"})
	}
	client, _, _ = strings.Cut(client, "%") // a zone of IPv6
	proto := "http"
	if r.TLS != nil {
		proto = "https"
	}
	host := r.Host
	if trusted {
		if prior := strings.Join(r.Header["X-Forwarded-For"], ", "); prior != "" {
			client = strings.TrimSuffix(prior+", "+client, ", ")
		}
		if prior := last(r.Header["X-Forwarded-Proto"]); prior != "" {
			proto = prior
		}
		if prior := last(r.Header["X-Forwarded-Host"]); prior != "" {
			host = prior
		}
	}
	list = append(list, origin.Header{Name: "X-Forwarded-For", Value: client}, origin.Header{Name: "X-Forwarded-Proto", Value: proto}, origin.Header{Name: "X-Forwarded-Host", Value: host})
	if r.TLS != nil && !r.TLS.HandshakeComplete { // RFC 8470, 5.2
		list = append(list, origin.Header{Name: "Early-Data", Value: "1"})
	}
	return list
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// certificateFor returns a source of client certificates: that of the provider which the
// context of a connection stands for. An origin that names authorities is shown a
// certificate of theirs, or none.
func (c *originCredentials) certificateFor(providerOf func(context.Context) string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		none := new(tls.Certificate)
		provider := providerOf(asked.Context())
		if provider == "" {
			return none, nil
		}
		authority, err := c.authority()
		if err != nil {
			return nil, err
		}
		own, err := authority.Certificate(provider)
		if err != nil {
			return nil, err
		}
		if len(asked.AcceptableCAs) > 0 && asked.SupportsCertificate(own) != nil {
			return none, nil //nolint:nilerr // the origin trusts other authorities: it gets no certificate
		}
		return own, nil
	}
}

// Interface guards
var _ caddyhttp.Handler = (*forwarder)(nil)
