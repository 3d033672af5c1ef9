package caddymodule

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// otherCharacters are those that HTTP allows in the name of a header, besides letters,
// digits and the hyphen (RFC 9110, 5.6.2).
const otherCharacters = "!#$%&'*+.^_`|~"

func TestSpoofedIdentityIsRemoved(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	for _, name := range []string{"Session-Gate-User", "session-gate-user", "SESSION-GATE-EXPIRES", "Session_Gate_User", "session_gate-provider", "Session-Gate-Assertion", "Session-Gate-"} {
		h[name] = []string{"forged"}
	}
	for _, c := range otherCharacters + "- \x7f\u00e9" { // a server before this one may let more pass than ours
		for _, d := range otherCharacters + "-" {
			h["Session"+string(c)+"Gate"+string(d)+"User"] = []string{"forged"}
			h["seSSion"+string(d)+"gATe"+string(c)+"new"+string(c)] = []string{"forged"}
		}
	}
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.ContainsRune(name, 0xe9) }) // two bytes
	for _, c := range otherCharacters {
		h["X"+string(c)+"Forwarded-Proto"], h["X-Forwarded"+string(c)+"For"] = []string{"forged"}, []string{"forged"}
		h["X-Forwarded-For"+string(c)] = []string{"forged"}
	}
	kept := []string{"Session-Gateway", "X-Session-Gate-User", "SessionGateUser1", "Session-Gatexuser", "Session0gate-User", "X-Forwarded-For", "X-Forwarded-Custom-1", "X_forward"}
	for _, name := range kept {
		h[name] = []string{"kept"}
	}
	stripHeaders(h)
	if got := slices.Sorted(maps.Keys(h)); !slices.Equal(got, slices.Sorted(slices.Values(kept))) {
		t.Errorf("left %q; want the headers that nobody takes for the gate's or the proxy's", got)
	}
}

// TestForgedTrailersStayAtTheGate: some servers add the fields after a body to the
// headers.
func TestForgedTrailersStayAtTheGate(t *testing.T) {
	t.Parallel()
	forged := []string{
		"Session-Gate-User", "Session-Gate-Assertion", "Session~Gate~Session", "session_gate_provider", "Cookie", "Authorization",
		"Host", "Content-Type", "X-Forwarded-For", "X_Forwarded_Proto", "Sec-Fetch-Site", "Origin", "Range", "If-Match", "Proxy-Authorization", "Upgrade",
		"X-HTTP-Method-Override", "Cookie2", "Content~Length",
	}
	g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), Open: []string{"/x"}}
	g.policy, g.open = policyOf(g), openPaths(g.Open)
	link := "https://app.example/?%73ession=" + launchHeader + ".e30.AAAA"
	for _, announced := range []bool{true, false} {
		names := "X-Other, X-Link, Content-Digest"
		if announced {
			names += ", " + strings.Join(forged, ", ")
		}
		sent := "POST /x HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: close\r\nTrailer: " + names + "\r\n\r\n1\r\na\r\n0\r\n"
		for _, name := range forged {
			sent += name + ": forged\r\n"
		}
		sent += "X-Other: kept\r\nX-Link: " + link + "\r\nContent-Digest: kept\r\n\r\n"
		for name, h := range map[string]caddyhttp.MiddlewareHandler{"gate": g, "sanitizer": &Sanitizer{Gate: g}, "sanitizer alone": &Sanitizer{}} {
			var before, after http.Header
			next := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				before = r.Trailer.Clone()
				_, err := io.Copy(io.Discard, r.Body)
				after = r.Trailer
				return err
			})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := h.ServeHTTP(w, withVars(r), next); err != nil {
					t.Error(err)
				}
			}))
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(conn); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			server.Close()
			if got := slices.Sorted(maps.Keys(before)); !slices.Equal(got, []string{"Content-Digest", "X-Link", "X-Other"}) {
				t.Errorf("%s: %q are announced to the origin", name, got)
			}
			if want := (http.Header{"Content-Digest": {"kept"}, "X-Other": {"kept"}}); !reflect.DeepEqual(after, want) {
				t.Errorf("%s: the origin gets %q, want %q", name, after, want)
			}
		}
	}
}

// TestOnlyNamedProtocolsUpgrade: inside another protocol, such as h2c, nobody looks at
// requests. A request for one continues in HTTP/1.1.
func TestOnlyNamedProtocolsUpgrade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, head string
		allowed    []string
		upgrades   bool
	}{
		{"a WebSocket", "Connection: Upgrade\r\nUpgrade: websocket", nil, true},
		{"a WebSocket, in capitals", "Connection: keep-alive, UPGRADE\r\nUpgrade: WebSocket ", nil, true},
		{"h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", nil, false},
		{"h2c, as older servers accept it", "Connection: Upgrade\r\nUpgrade: h2c-14\r\nHTTP2-Settings: AAMAAABk", nil, false},
		{"TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.0", nil, false},
		{"HTTP/2.0", "Connection: Upgrade\r\nUpgrade: HTTP/2.0", nil, false},
		{"a list", "Connection: Upgrade\r\nUpgrade: websocket, h2c", nil, false},
		{"the list the other way round", "Connection: Upgrade\r\nUpgrade: h2c,websocket", nil, false},
		{"two lines", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c", nil, false},
		{"a WebSocket with a version", "Connection: Upgrade\r\nUpgrade: websocket/13", nil, false},
		{"not named in Connection", "Connection: keep-alive\r\nUpgrade: websocket", nil, false},
		{"a WebSocket with a body", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1", nil, false},
		{"nothing", "Connection: Upgrade\r\nUpgrade: ", nil, false},
		{"a protocol that the site names", "Connection: Upgrade\r\nUpgrade: Tus", []string{"tus", "my/1"}, true},
		{"another one", "Connection: Upgrade\r\nUpgrade: my/1", []string{"tus", "my/1"}, true},
		{"a protocol that it does not name", "Connection: Upgrade\r\nUpgrade: my/2", []string{"tus", "my/1"}, false},
		{"a WebSocket where others are named", "Connection: Upgrade\r\nUpgrade: websocket", []string{"tus"}, true},
	} {
		for _, version := range []string{"1.1", "1.0"} {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/" + version + "\r\nHost: app.example\r\n" + tt.head + "\r\n\r\nx")))
			if err != nil {
				t.Fatal(err)
			}
			sanitize(withVars(r), tt.allowed)
			if _, kept := r.Header["Upgrade"]; kept != (tt.upgrades && version == "1.1") || r.Header.Get("HTTP2-Settings") != "" {
				t.Errorf("%s, HTTP/%s: %v", tt.name, version, r.Header)
			}
		}
	}
	for _, protocol := range []string{"h2c", "H2C", "HTTP/2.0", "TLS/1.2", "a b", "", "a/b/c", "a,b", "*\n"} {
		g := &Gate{Inject: injectOn, ForwardIdentity: identityOff, Cookie: cookieLax, OriginErrors: pageErrors, Upgrade: []string{"tus", protocol}}
		if err := g.Validate(); err == nil {
			t.Errorf("upgrade %q is accepted", protocol)
		}
	}
}

// TestMethodsThatNoOriginGets: a tunnel, and the method that shows a user what the edge
// tells the origin.
func TestMethodsThatNoOriginGets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		request *http.Request
		passes  bool
	}{
		{"CONNECT", &http.Request{Method: "CONNECT", ProtoMajor: 1, ProtoMinor: 1}, false},
		{"CONNECT in lower case", &http.Request{Method: "connect", ProtoMajor: 1, ProtoMinor: 1}, false},
		{"CONNECT of HTTP/2", &http.Request{Method: "CONNECT", ProtoMajor: 2}, false},
		{"CONNECT of HTTP/3", &http.Request{Method: "CONNECT", ProtoMajor: 3, Proto: "HTTP/3.0"}, false},
		{"a tunnel for UDP over HTTP/3", &http.Request{Method: "CONNECT", ProtoMajor: 3, Proto: "connect-udp"}, false},
		{"a tunnel for UDP over HTTP/2", &http.Request{Method: "CONNECT", ProtoMajor: 2, Header: http.Header{":protocol": {"connect-udp"}}}, false},
		{"WebTransport", &http.Request{Method: "CONNECT", ProtoMajor: 3, Proto: "webtransport"}, false},
		{"two protocols", &http.Request{Method: "CONNECT", ProtoMajor: 2, Header: http.Header{":protocol": {"h2c", "websocket"}}}, false},
		{"a WebSocket over HTTP/2", &http.Request{Method: "CONNECT", ProtoMajor: 2, Header: http.Header{":protocol": {"websocket"}}}, true},
		{"a WebSocket over HTTP/3", &http.Request{Method: "CONNECT", ProtoMajor: 3, Proto: "websocket"}, true},
		{"TRACE", &http.Request{Method: "TRACE", ProtoMajor: 1}, false},
		{"TRACE in lower case", &http.Request{Method: "trace", ProtoMajor: 1}, false},
		{"TRACK", &http.Request{Method: "Track", ProtoMajor: 1}, false},
		{"GET", &http.Request{Method: "GET", ProtoMajor: 1}, true},
		{"a method of the app's", &http.Request{Method: "PROPFIND", ProtoMajor: 1}, true},
	} {
		for _, observes := range []bool{false, true} {
			g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), ObserveOnly: observes, Open: []string{"/open/*"}}
			g.policy, g.open = policyOf(g), openPaths(g.Open)
			for name, h := range map[string]caddyhttp.MiddlewareHandler{"gate": g, "sanitizer": &Sanitizer{Gate: g}, "sanitizer alone": &Sanitizer{}} {
				r := tt.request.Clone(t.Context())
				r.Host, r.URL, r.Body = "app.example", &url.URL{Path: "/open/x"}, http.NoBody
				if r.Header == nil {
					r.Header = http.Header{}
				}
				w, passed := httptest.NewRecorder(), false
				next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { passed = true; return nil })
				if err := h.ServeHTTP(w, withVars(r), next); err != nil {
					t.Fatal(err)
				}
				if passed != tt.passes || !passed && (w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), string(protocol.InvalidRequest))) {
					t.Errorf("%s, %s: %d %s", tt.name, name, w.Code, w.Body)
				}
			}
		}
	}
}

// TestTargetsWithoutASlash: no matcher has a path that begins with none.
func TestTargetsWithoutASlash(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]int{
		"http:paid/x": http.StatusBadRequest, "javascript:paid": http.StatusBadRequest, "paid/x": http.StatusBadRequest,
		"/paid/x": http.StatusOK, "*": http.StatusOK, "http://app.example/x": http.StatusOK, "http://app.example": http.StatusOK,
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusOK); return nil })
		if err := (&Sanitizer{}).ServeHTTP(w, withVars(r), next); err != nil || w.Code != want {
			t.Errorf("%s: %d, %v", target, w.Code, err)
		}
	}
}

// TestLeftOutPathsThatReadDifferently: a path beside the gate's matcher, which a server
// may take for one within it, needs a session.
func TestLeftOutPathsThatReadDifferently(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]int{
		"/x/..;/paid/x": http.StatusUnauthorized, "/paid;x/y": http.StatusUnauthorized, "/open/..%5cpaid/x": http.StatusUnauthorized,
		"/open/%252e%252e/paid/x": http.StatusUnauthorized, "/open/x%2500": http.StatusUnauthorized, "//app.example/paid/x": http.StatusUnauthorized, "/%2fx/paid/x": http.StatusUnauthorized, "/open/a%2520b": http.StatusOK, "/open/x": http.StatusOK,
	} {
		for _, cookie := range []string{"", "session_gate=tok"} {
			g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), ForwardIdentity: identityHeaders, OnExpired: &Answer{}}
			g.policy = policyOf(g)
			g.edge.Sessions.BindToken("tok", g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1))
			r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example"+target, nil))
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				if r.Header.Get("Cookie") != "" {
					t.Errorf("%s: the app gets %v", target, r.Header)
				}
				w.WriteHeader(http.StatusOK)
				return nil
			})
			if err := (&Sanitizer{Gate: g}).ServeHTTP(w, r, next); err != nil || w.Code != want && cookie == "" || w.Code != http.StatusOK && cookie != "" {
				t.Errorf("%s with cookie %q: %d, %v", target, cookie, w.Code, err)
			}
		}
	}
}

// TestUpgradeOfTheFollowingGate: what covers one provider's gate does not take from a
// request what the gate behind it allows.
func TestUpgradeOfTheFollowingGate(t *testing.T) {
	t.Parallel()
	gate := func(provider string, allowed ...string) *Gate {
		g := &Gate{Provider: provider, edge: testEdge(t), logger: zap.NewNop(), ObserveOnly: true, Upgrade: allowed}
		g.policy = policyOf(g)
		return g
	}
	first, second := gate("prov_a"), gate("prov_b", "tus")
	for protocol, want := range map[string]string{"tus": "tus", "h2c": ""} {
		got := "unasked"
		app := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error { got = r.Header.Get("Upgrade"); return nil })
		behind := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return second.ServeHTTP(w, r, app) })
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/b", nil))
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", protocol)
		if err := (&Sanitizer{Gate: first}).ServeHTTP(httptest.NewRecorder(), r, behind); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: the app is asked for %q", protocol, got)
		}
	}
}
