package caddymodule

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// What other sites start passes without the user's identity and as it came: the way
// back from a payment page or an identity provider, in the window or a frame, and the
// parts of a sandboxed page. Nothing else passes by that cookie.
func TestRequestsThatOtherSitesStart(t *testing.T) {
	t.Parallel()
	nav := func(dest string, more ...string) []string {
		return append([]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest}, more...)
	}
	part := func(dest string, more ...string) []string {
		return append([]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", dest}, more...)
	}
	for _, tt := range []struct {
		name, method string
		headers      []string
		passes       bool
	}{
		{"payment by POST", "POST", nav("document", "Origin", "https://pay.example", "Content-Type", "application/x-www-form-urlencoded"), true},
		{"SAML by POST", "POST", nav("document", "Origin", "null"), true},
		{"challenge in a frame by POST", "POST", nav("iframe", "Origin", "https://bank.example"), true},
		{"challenge in a frame by GET", "GET", nav("iframe", "Referer", "https://bank.example/"), true},
		{"upload by POST", "POST", nav("document", "Content-Type", "multipart/form-data; boundary=x"), true},
		{"PUT", "PUT", nav("document"), false},
		{"style of a sandboxed page", "GET", part("style", "Origin", "null"), true},
		{"script of a sandboxed page", "GET", part("script", "Origin", "null", "Referer", "http://app.example/"), true},
		{"picture that names its page", "GET", part("image", "Referer", "http://app.example/inner"), true},
		{"picture on another site", "GET", part("image", "Referer", "https://evil.example/"), false},
		{"picture on a site without a referrer", "GET", part("image"), false},
		{"fetch of a sandboxed page", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", "null"}, false},
		{"beacon of another site", "POST", part("empty", "Origin", "https://evil.example"), false},
		{"WebSocket of another site", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "empty", "Upgrade", "websocket", "Connection", "Upgrade"}, false},
		{"same origin", "GET", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, false},
		{"no Fetch Metadata", "POST", []string{"Origin", "https://pay.example", "Accept", "text/html"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{}, ForwardIdentity: identityHeaders}
			g.policy = policyOf(g)
			g.edge.Sessions.BindToken("tok", g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1))
			const form = "receipt=42&x=%E4"
			r := withVars(httptest.NewRequest(tt.method, "http://app.example/return?a=1", strings.NewReader(form)))
			for i := 0; i < len(tt.headers); i += 2 {
				r.Header.Set(tt.headers[i], tt.headers[i+1])
			}
			sent := maps.Clone(r.Header)
			r.Header.Set("Cookie", "session_gate_cross=tok; app=none")
			r.Header.Set("Session-Gate-User", "forged")
			reached := false
			next := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				reached = true
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != form || r.URL.RequestURI() != "/return?a=1" {
					t.Errorf("%s with %q, %v", r.URL, body, err)
				}
				if got := r.Header.Get("Cookie"); got != "app=none" {
					t.Errorf("the app gets the cookies %q", got)
				}
				for name := range r.Header {
					if strings.HasPrefix(name, "Session-Gate-") {
						t.Errorf("the app is told %s", name)
					}
				}
				for name := range sent {
					if got := r.Header.Get(name); got != sent.Get(name) {
						t.Errorf("%s is %q, sent was %q", name, got, sent.Get(name))
					}
				}
				return nil
			})
			w := httptest.NewRecorder()
			if err := g.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
			if reached != tt.passes {
				t.Errorf("passes: %t (%d), want %t", reached, w.Code, tt.passes)
			}
		})
	}
}

// The cookie of requests that other sites start opens nothing of the gate's own, and
// nothing once the session is over.
func TestCookieOfOtherSitesIsWeak(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{Redirect: true}}
	g.policy = policyOf(g)
	s := g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1)
	g.edge.Sessions.BindToken("tok", s)
	for _, path := range []string{protocol.GateSession, protocol.GateExtend, protocol.GateEnd, protocol.GatePause, protocol.GateHeartbeat} {
		for _, site := range []string{"same-origin", "cross-site"} {
			r := withVars(httptest.NewRequest(http.MethodPost, "http://app.example"+path, nil))
			r.Header.Set("Cookie", "session_gate_cross=tok")
			r.Header.Set("Sec-Fetch-Site", site)
			w := httptest.NewRecorder()
			if err := g.ServeHTTP(w, r, nil); err != nil || w.Code/100 != 4 {
				t.Errorf("%s, %s: %d, %v", path, site, w.Code, err)
			}
		}
	}
	s.Apply(state("a", 2, protocol.Completed, time.Hour), edge.MonotonicMS()+2)
	r := withVars(httptest.NewRequest(http.MethodPost, "http://app.example/return", nil))
	r.Header.Set("Cookie", "session_gate_cross=tok")
	for k, v := range map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"} {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	if err := g.ServeHTTP(w, r, nil); err != nil || w.Code != http.StatusUnauthorized || w.Header().Get("Location") != "" {
		t.Errorf("after the end: %d, %v", w.Code, err)
	}
}

// Browsers keep the cookies of a sandboxed frame back until the site asks for them. It
// asks once, and for what may pass.
func TestSandboxedFramesAreAskedForTheirCookies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, access, origin, dest, mode string
		code                             protocol.Code
		asked                            bool
	}{
		{"style", "inactive", "null", "style", "no-cors", protocol.SessionMissing, true},
		{"frame in it", "inactive", "null", "iframe", "navigate", protocol.SessionMissing, true},
		{"again", "active", "null", "style", "no-cors", protocol.SessionMissing, false},
		{"no cookies", "none", "null", "style", "no-cors", protocol.SessionMissing, false},
		{"another site's page", "inactive", "https://evil.example", "style", "no-cors", protocol.SessionMissing, false},
		{"fetch", "inactive", "null", "empty", "cors", protocol.SessionMissing, false},
		{"session is over", "inactive", "null", "style", "no-cors", protocol.SessionExpired, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "https://app.example/x", nil)
		for k, v := range map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Storage-Access": tt.access, "Origin": tt.origin, "Sec-Fetch-Dest": tt.dest, "Sec-Fetch-Mode": tt.mode} {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		if err := (&Gate{edge: testEdge(t), OnExpired: &Answer{}}).refuse(w, r, refusal{code: tt.code}); err != nil {
			t.Fatal(err)
		}
		if asked := w.Header().Get("Activate-Storage-Access") == `retry; allowed-origin="null"`; asked != tt.asked || w.Code != http.StatusUnauthorized {
			t.Errorf("%s: asked is %t, want %t; %d", tt.name, asked, tt.asked, w.Code)
		}
	}
}

// A path is open as all servers read it, or it is not.
func TestOpenPaths(t *testing.T) {
	t.Parallel()
	open := openPaths{"/static/*", "/robots.txt", "/hooks/*"}
	for target, want := range map[string]bool{
		"/static/a.css": true, "/static/a/b.js?x=../": true, "/robots.txt": true, "/hooks/pay": true,
		"/": false, "/robots.txt.bak": false, "/staticx/a.css": false, "/secret": false,
		"/static/../secret": false, "/static/%2e%2e/secret": false, "/static/..%2fsecret": false, "/static/..;/secret": false,
		"/static/%252e%252e/secret": false, "/static/..%252fsecret": false, "/static/%25252e%25252e/secret": false, "/static/%255c../secret": false,
		"//static/secret": false, "/%2fstatic/secret": false, "/static//a.css": true,
		"/static/x%2500.css": false, "/static/100%25.css": true, "/static/a%2520b.css": true,
		"/static/..%5csecret": false, "/secret;/../static/a.css": false, "/static/;/../../secret": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example"+target, nil)
		if got := open.match(withVars(r)); got != want {
			t.Errorf("%s: open is %t, want %t", target, got, want)
		}
	}
	if (openPaths{}).match(httptest.NewRequest(http.MethodGet, "http://app.example/", nil)) {
		t.Error("without patterns, a path is open")
	}
	for _, pattern := range []string{"*", "/*", "/", "*.css", "static/*", "//*", ""} {
		if openPaths([]string{"/a", pattern}).check() != pattern && pattern != "" {
			t.Errorf("%q may be open", pattern)
		}
		text := "session_gate {\nopen /a " + pattern + "\n}"
		if err := new(Gate).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); pattern != "" && (err == nil || !strings.Contains(err.Error(), "/static/*")) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// Without a session an open path reaches the app as a stranger's request; a worker's
// script gets its guard there, too. With a session nothing differs from other paths.
func TestOpenPathsTellNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, target, cookie, dest string
		reached                    bool
		user                       bool
		guarded                    bool
	}{
		{"without a session", "/static/a.js", "", "script", true, false, false},
		{"credentials omitted", "/static/a.png", "", "empty", true, false, false},
		{"a module worker", "/static/sw.js", "", "serviceworker", true, false, true},
		{"with a session", "/static/a.js", "session_gate=tok", "script", true, true, false},
		{"with an ended session", "/static/a.js", "session_gate=over", "script", true, false, false},
		{"another path", "/a.js", "", "script", false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{}, ForwardIdentity: identityHeaders, open: openPaths{"/static/*"}}
			g.policy = policyOf(g)
			g.edge.Sessions.BindToken("tok", g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1))
			g.edge.Sessions.BindToken("over", g.edge.Sessions.Put(state("b", 1, protocol.Completed, time.Hour), edge.MonotonicMS()+1))
			r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example"+tt.target, nil))
			r.Header.Set("Sec-Fetch-Dest", tt.dest)
			r.Header.Set("Session-Gate-User", "forged")
			if tt.cookie != "" {
				r.Header.Set("Cookie", tt.cookie)
			}
			reached := false
			next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				reached = true
				if r.Header.Get("Cookie") != "" || (r.Header.Get(headerSession) == "a") != tt.user || r.Header.Get(headerUser) == "forged" {
					t.Errorf("the app gets %v", r.Header)
				}
				w.Header().Set("Content-Type", "text/javascript")
				_, err := io.WriteString(w, "x()")
				return err
			})
			w := httptest.NewRecorder()
			if err := g.ServeHTTP(w, r, next); err != nil || reached != tt.reached {
				t.Fatalf("reached: %t, %v", reached, err)
			}
			if guarded := strings.HasPrefix(w.Body.String(), string(inject.WorkerGuard(false))); guarded != tt.guarded {
				t.Errorf("got %.80s", w.Body)
			}
		})
	}
}

// Who has no session gets a worker that only lets launch links pass, and the scripts
// of pages are refused as ever.
func TestWorkersWithoutASession(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		headers []string
		code    protocol.Code
		worker  bool
	}{
		{"update check", []string{"Service-Worker", "script", "Sec-Fetch-Dest", "serviceworker"}, protocol.SessionMissing, true},
		{"after the end", []string{"Service-Worker", "script", "Sec-Fetch-Dest", "serviceworker"}, protocol.SessionExpired, true},
		{"without Fetch Metadata", []string{"Service-Worker", "script"}, protocol.SessionMissing, true},
		{"an import", []string{"Sec-Fetch-Dest", "serviceworker"}, protocol.SessionMissing, false},
		{"an import in Firefox", []string{"Service-Worker", "script", "Sec-Fetch-Dest", "script"}, protocol.SessionMissing, false},
		{"a script of a page", []string{"Sec-Fetch-Dest", "script"}, protocol.SessionMissing, false},
		{"nothing is certain", []string{"Service-Worker", "script", "Sec-Fetch-Dest", "serviceworker"}, protocol.BackendUnavailable, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "https://app.example/sw.js", nil)
		for i := 0; i < len(tt.headers); i += 2 {
			r.Header.Set(tt.headers[i], tt.headers[i+1])
		}
		w := httptest.NewRecorder()
		if err := (&Gate{edge: testEdge(t)}).refuse(w, r, refusal{code: tt.code}); err != nil {
			t.Fatal(err)
		}
		worker := w.Code == http.StatusOK && w.Body.String() == string(inject.ReplacementWorker()) && w.Header().Get("Service-Worker-Allowed") == "/"
		if worker != tt.worker || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", tt.name, w.Code, w.Header())
		}
	}
}
