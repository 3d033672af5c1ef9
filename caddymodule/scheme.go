package caddymodule

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/pires/go-proxyproto"
)

// connKey is the context key of a request's connection. It is set only if a proxy may
// have described the client's connection with the PROXY protocol.
type connKey struct{}

// proxied is a connection accepted through the listener wrapper proxy_protocol.
type proxied interface{ ProxyHeader() *proxyproto.Header }

// rememberConnections makes the server that is being provisioned store such connections
// in the contexts of its requests. Call it once for each server.
func rememberConnections(server *caddyhttp.Server) {
	server.RegisterConnContext(func(ctx context.Context, c net.Conn) context.Context {
		if p, ok := c.(proxied); ok {
			return context.WithValue(ctx, connKey{}, p)
		}
		return ctx
	})
}

// serverOf returns the server that is being provisioned with ctx, or nil.
func serverOf(ctx caddy.Context) *caddyhttp.Server {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return server
}

// isSecure reports whether the browser's own connection uses TLS. TLS may end before
// this edge: at a proxy that Caddy trusts (trusted_proxies), which sends the scheme in
// X-Forwarded-Proto or Forwarded, or at a proxy that sends the PROXY protocol to the
// listener wrapper of that name, which decides which proxies it accepts.
func isSecure(r *http.Request) bool {
	if header := proxyHeader(r); header != nil {
		return proxiedSecurely(r, header)
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		if scheme := forwardedScheme(r.Header); scheme != "" {
			return overTLS(scheme)
		}
	}
	return r.TLS != nil
}

// scheme returns the scheme of the address in the browser.
func scheme(r *http.Request) string {
	if isSecure(r) {
		return "https"
	}
	return "http"
}

// proxyHeader returns the PROXY protocol header of r's connection, or nil.
func proxyHeader(r *http.Request) *proxyproto.Header {
	if r.Context() == nil {
		return nil
	}
	if c, ok := r.Context().Value(connKey{}).(proxied); ok {
		return c.ProxyHeader()
	}
	return nil
}

const (
	// The first bit of the TLS record in the PROXY header: the client connected over
	// TLS.
	clientTLS = 1
	// The port on which a proxy that sends no TLS record accepts TLS connections.
	httpsPort = 443
)

// proxiedSecurely is [isSecure] for a connection with a PROXY header. It uses the TLS
// record of the header (version 2), the proxy's HTTP header, or the port that the
// browser connected to.
func proxiedSecurely(r *http.Request, header *proxyproto.Header) bool {
	if r.TLS != nil {
		return true // the proxy passed TLS through
	}
	if tlvs, err := header.TLVs(); err == nil {
		for _, tlv := range tlvs {
			if tlv.Type == proxyproto.PP2_TYPE_SSL && len(tlv.Value) > 0 {
				return tlv.Value[0]&clientTLS != 0
			}
		}
	}
	if scheme := forwardedScheme(r.Header); scheme != "" {
		return overTLS(scheme)
	}
	_, port, ok := header.Ports()
	return ok && port == httpsPort
}

// overTLS reports whether a scheme uses TLS. Some proxies send the scheme of a
// WebSocket.
func overTLS(scheme string) bool { return scheme == "https" || scheme == "wss" }

// forwardedScheme returns the scheme that the proxy next to the browser received, in
// lower case, or "".
func forwardedScheme(h http.Header) string {
	if v := h.Get("X-Forwarded-Proto"); v != "" {
		first, _, _ := strings.Cut(v, ",")
		return strings.ToLower(strings.TrimSpace(first))
	}
	first, _, _ := strings.Cut(h.Get("Forwarded"), ",") // RFC 7239
	for part := range strings.SplitSeq(first, ";") {
		name, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(name), "proto") {
			return strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return ""
}
