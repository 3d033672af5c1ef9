package caddymodule

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// described is a connection about which a proxy sent a PROXY header.
type described struct{ header *proxyproto.Header }

func (d described) ProxyHeader() *proxyproto.Header { return d.header }

// proxyHeaderTo is the header of a connection to a port of the proxy's; with version
// 2, ssl is what it says of TLS, if anything.
func proxyHeaderTo(t *testing.T, version byte, port int, ssl []byte) *proxyproto.Header {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, &net.TCPAddr{IP: net.IPv4(198, 51, 100, 7), Port: 5000}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port})
	if ssl != nil {
		if err := h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_SSL, Value: ssl}}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// TestSchemeOfTheBrowser: the browser's scheme is that of its own connection, which
// only a trusted proxy may tell.
func TestSchemeOfTheBrowser(t *testing.T) {
	t.Parallel()
	tlsClient := []byte{1, 0, 0, 0, 0}
	plainClient := []byte{0, 0, 0, 0, 0}
	for _, tt := range []struct {
		name    string
		trusted bool
		tls     bool
		header  http.Header
		proxy   *proxyproto.Header
		want    string
	}{
		{name: "plain", want: "http"},
		{name: "TLS", tls: true, want: "https"},
		{name: "a client that claims TLS", header: http.Header{"X-Forwarded-Proto": {"https"}}, want: "http"},
		{name: "a client that denies TLS", tls: true, header: http.Header{"X-Forwarded-Proto": {"http"}}, want: "https"},
		{name: "a load balancer", trusted: true, header: http.Header{"X-Forwarded-Proto": {"https"}}, want: "https"},
		{name: "capitals", trusted: true, header: http.Header{"X-Forwarded-Proto": {" HTTPS"}}, want: "https"},
		{name: "a load balancer's plain port", trusted: true, header: http.Header{"X-Forwarded-Proto": {"http"}}, want: "http"},
		{name: "a load balancer that says nothing", trusted: true, want: "http"},
		{name: "a load balancer that says nothing over TLS", trusted: true, tls: true, want: "https"},
		{name: "a CDN before a load balancer", trusted: true, header: http.Header{"X-Forwarded-Proto": {"https, http"}}, want: "https"},
		{name: "a CDN that takes plain HTTP and calls with TLS", trusted: true, tls: true, header: http.Header{"X-Forwarded-Proto": {"http"}}, want: "http"},
		{name: "a WebSocket through Traefik", trusted: true, header: http.Header{"X-Forwarded-Proto": {"wss"}}, want: "https"},
		{name: "RFC 7239", trusted: true, header: http.Header{"Forwarded": {`for=198.51.100.7;Proto="https", for=192.0.2.1;proto=http`}}, want: "https"},
		{name: "RFC 7239 without a scheme", trusted: true, header: http.Header{"Forwarded": {`for=198.51.100.7`}}, want: "http"},
		{name: "PROXY, version 2, TLS", proxy: proxyHeaderTo(t, 2, 8443, tlsClient), want: "https"},
		{name: "PROXY, version 2, no TLS", proxy: proxyHeaderTo(t, 2, 443, plainClient), header: http.Header{"X-Forwarded-Proto": {"https"}}, want: "http"},
		{name: "PROXY, version 2, silent", proxy: proxyHeaderTo(t, 2, 80, nil), want: "http"},
		{name: "PROXY, version 1, port 443", proxy: proxyHeaderTo(t, 1, 443, nil), want: "https"},
		{name: "PROXY, version 1, port 80", proxy: proxyHeaderTo(t, 1, 80, nil), want: "http"},
		{name: "PROXY and X-Forwarded-Proto", proxy: proxyHeaderTo(t, 1, 8443, nil), header: http.Header{"X-Forwarded-Proto": {"https"}}, want: "https"},
		{name: "PROXY with TLS passed through", proxy: proxyHeaderTo(t, 1, 8443, nil), tls: true, want: "https"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
		r.Header = tt.header
		if tt.tls {
			r.TLS = new(tls.ConnectionState)
		}
		ctx := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.TrustedProxyVarKey: tt.trusted})
		if tt.proxy != nil {
			ctx = context.WithValue(ctx, connKey{}, described{tt.proxy})
		}
		if got := scheme(r.WithContext(ctx)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestRedirectKeepsTheBrowsersScheme: an absolute address of this site has the scheme
// that the browser shows.
func TestRedirectKeepsTheBrowsersScheme(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[bool]string{true: "https://app.example/x/y", false: "http://app.example/x/y"} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example//x/y", nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.TrustedProxyVarKey: trusted}))
		w := httptest.NewRecorder()
		if err := new(Gate).redirectWithoutToken(w, r); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("trusted %v: %s, want %s", trusted, got, want)
		}
	}
}

// TestSessionSurvivesTrustingTheProxy: a session whose cookie was set before
// trusted_proxies was goes on, and the __Host- cookie counts if there is one.
func TestSessionSurvivesTrustingTheProxy(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop()}
	for _, id := range []string{"old", "new"} {
		g.edge.Sessions.BindToken(id, g.edge.Sessions.Put(state(id, 1, protocol.Active, 1e12), 1))
	}
	for _, tt := range []struct {
		cookie string
		tls    bool
		want   string
	}{
		{"session_gate=old", false, "old"},
		{"__Host-session_gate=new", false, "new"},
		{"session_gate=old; __Host-session_gate=new", false, "new"},
		{"session_gate=old", true, ""}, // any host of the domain may have set it
	} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
		r.Header.Set("Cookie", tt.cookie)
		r.Header.Set("X-Forwarded-Proto", "https")
		if tt.tls {
			r.TLS = new(tls.ConnectionState)
		}
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.TrustedProxyVarKey: true}))
		h, _ := g.find(r, "p", cookieName(r), isLive)
		s := h.session
		got := ""
		if s != nil {
			got = s.ID()
		}
		if got != tt.want {
			t.Errorf("%s, TLS %v: session %q, want %q", tt.cookie, tt.tls, got, tt.want)
		}
	}
}
