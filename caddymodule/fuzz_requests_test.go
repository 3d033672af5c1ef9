package caddymodule

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
)

// FuzzHostHeader: whatever a Host header is, it is read as the same bare name again, and
// what is asked for is a name.
func FuzzHostHeader(f *testing.F) {
	for _, host := range []string{"", "app.example", "APP.example.:443", "[::1]:80", "[::1", "a:b:c", "a.example:x", "\x00", "{http.request.host}", "ä.example", "..", ".:1"} {
		f.Add(host)
	}
	e := edge.New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "", nopLogger)
	f.Fuzz(func(t *testing.T, host string) {
		bare := edge.BareHost(host)
		if isASCII(bare) && strings.ToLower(bare) != bare {
			t.Errorf("%q is read as %q", host, bare)
		}
		answer, fresh, err := e.Hosts.Known(host)
		if answer != nil || err == nil {
			t.Errorf("%q is known", host)
		}
		if !fresh && (bare == "" || len(bare) > 253 || strings.ContainsAny(bare, " /?#@\\%{}\x00\r\n\t\"'")) {
			t.Errorf("%q would be asked for as %q", host, bare)
		}
	})
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }

// FuzzClientAddress: an address and its port are limited as the address, an IPv6 address
// as its network, and another text as itself.
func FuzzClientAddress(f *testing.F) {
	for _, a := range []string{"192.0.2.1:80", "192.0.2.1", "[2001:db8::1%eth0]:1", "2001:db8::1", "::ffff:192.0.2.1", "unix", "", "[::1]", "1.2.3.4.5:6"} {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, address string) {
		key := networkOf(address)
		ip, err := netip.ParseAddr(address)
		if err != nil {
			return
		}
		if ip.Is6() && !ip.Is4In6() {
			network, err := netip.ParsePrefix(key)
			if err != nil || network.Bits() != 64 || !network.Contains(ip.WithZone("")) {
				t.Errorf("%q is limited as %q", address, key)
			}
			return
		}
		if key != ip.Unmap().String() {
			t.Errorf("%q is limited as %q", address, key)
		}
	})
}

// FuzzLocalTargets: what the gate redirects to after a resumption is a path of this site,
// as browsers read it.
func FuzzLocalTargets(f *testing.F) {
	for _, to := range []string{"/", "/a?b#c", "//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "/%2f/evil", "javascript:alert(1)", "/a\nb"} {
		f.Add(to)
	}
	site := &url.URL{Scheme: "https", Host: "app.example", Path: "/x"}
	f.Fuzz(func(t *testing.T, to string) {
		path := localPath(to)
		if path == "" {
			return
		}
		u, err := site.Parse(path)
		if err != nil || u.Host != "app.example" || u.Scheme != "https" || strings.ContainsAny(path, "\\\r\n\t") || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
			t.Errorf("%q leads to %v, %v", to, u, err)
		}
	})
}

// FuzzLanguages: any Accept-Language has texts.
func FuzzLanguages(f *testing.F) {
	for _, a := range []string{"", "de-CH, fr;q=0.9", "*", "x-y-z;q=2", "ar-u-nu-latn", "\xff", ";;;", strings.Repeat("a,", 500)} {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if texts := textsFor(accept); texts == nil || texts.Dir == "" {
			t.Errorf("%q has no texts", accept)
		}
		acceptsGzip(accept)
	})
}

// FuzzCookieDeadline: a token that is damaged has no deadline, and costs nothing but
// that.
func FuzzCookieDeadline(f *testing.F) {
	for _, v := range []string{"", "a.b.c", "eyJ.eyJleHAiOjF9.x", ".e30.", "a." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1e99}`)) + ".c"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if deadlineOf(value) != 0 && strings.Count(value, ".") < 1 {
			t.Errorf("%q has a deadline", value)
		}
		isOurs(value)
	})
}

// FuzzRequests: no request, whatever its host, query, cookies and headers are, panics in
// a gate or passes one without a session.
func FuzzRequests(f *testing.F) {
	f.Add("app.example", "/", "a=1", "session_gate=x", "https://a.example/?session=eyJ", "192.0.2.1, 10.0.0.1")
	f.Add("[::1]:1", "/.session-gate/session", "session=eyJhbGciOiJFUzI1NiIsInR5cCI6ImxhdW5jaCtqd3QifQ.e30.AAAA", "session_gate_kept=a~b~~c", "", "")
	f.Add("", "//evil", "session=eyJ&session=eyJ", "__Host-session_gate_cross=;=;;", "\x00", "for=\"[::1]:x\"")
	f.Fuzz(func(t *testing.T, host, path, query, cookie, referer, forwarded string) {
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		g := &Gate{edge: edge.New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "", nopLogger), maxStaleness: 1, logger: nopLogger, OnExpired: &Answer{Redirect: true}, OnMissing: &Answer{}}
		g.policy = policyOf(g)
		r := httptest.NewRequest(http.MethodGet, "http://x/", nil)
		r.Host, r.URL.Path, r.URL.RawQuery = host, path, query
		r.Header["Cookie"], r.Header["Referer"], r.Header["X-Forwarded-For"] = []string{cookie}, []string{referer}, []string{forwarded}
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		w := httptest.NewRecorder()
		err := g.ServeHTTP(w, r, passesNever{t})
		if err != nil || w.Code < 300 && !strings.HasPrefix(path, "/.session-gate/") {
			t.Errorf("%d, %v", w.Code, err)
		}
	})
}

// FuzzCaddyfile: no Caddyfile panics, and what is accepted can be provisioned or refused.
func FuzzCaddyfile(f *testing.F) {
	for _, text := range []string{
		"session_gate {\nbackend http://a\nlimits {\nwebsockets 5\n}\n}", "session_gate {\nlimits {\nwebsockets off\nwebsockets 1\n}\n}",
		"session_gate {\nprovider p\non_missing redirect https://a.example\nopen /a/*\n}", "session_gate {\non_expired page\nupload_grace 1h\nobserve_only\n}",
		"session_gate x", "session_gate {\nlimits {\n}\n}", "session_gate {\nlimits", "session_gate {\nmax_staleness -1s\n}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil {
			return
		}
		app, gate := new(App), new(Gate)
		if app.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) == nil && app.Limits != nil && app.Limits.Check() != nil {
			t.Errorf("%q is accepted, and its limits are not", text)
		}
		if gate.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) == nil {
			for _, path := range gate.Open {
				if !strings.HasPrefix(path, "/") {
					t.Errorf("%q opens %q", text, path)
				}
			}
		}
		_, _ = parseAppAddress(text) // any error will do
	})
}

var nopLogger = zap.NewNop()

// passesNever is an origin that no request may reach.
type passesNever struct{ t *testing.T }

// ServeHTTP implements [caddyhttp.Handler].
func (p passesNever) ServeHTTP(http.ResponseWriter, *http.Request) error {
	p.t.Error("a request without a session passed")
	return nil
}
