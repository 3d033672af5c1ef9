package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

func TestRefusalMatrix(t *testing.T) {
	t.Parallel()
	const redirect, page, problem = "redirect", "page", "problem"
	html := "text/html,application/xhtml+xml"
	for _, tt := range []struct {
		name    string
		method  string
		headers map[string]string
		want    string
	}{
		{"browser navigation", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html}, redirect},
		{"form post", "POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, redirect},
		// A frame is shown a page: the page around it leads to the marketplace.
		{"framed page", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, page},
		{"page in a frameset", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "frame"}, page},
		{"embedded page", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "embed"}, page},
		{"object", "GET", map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "object"}, page},
		// An app's service worker that calls fetch(event.request), for a window or a frame.
		{"through a worker in Firefox", "GET", map[string]string{"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty", "Upgrade-Insecure-Requests": "1", "Accept": html}, page},
		{"through a worker in Chromium", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty", "Upgrade-Insecure-Requests": "1"}, page},
		{"through a worker without destinations", "GET", map[string]string{"Sec-Fetch-Mode": "same-origin", "Upgrade-Insecure-Requests": "1"}, page},
		{"a worker's own fetch", "GET", map[string]string{"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Dest": "empty"}, problem},
		{"a script's fetch with the header alone", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Upgrade-Insecure-Requests": "1"}, problem},
		{"a script's fetch with the header", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "X-Requested-With": "XMLHttpRequest", "Upgrade-Insecure-Requests": "1"}, problem},
		{"fetch that accepts html", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": html}, problem},
		{"image", "GET", map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, problem},
		{"download", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty", "Accept": html}, problem},
		{"dest alone", "GET", map[string]string{"Sec-Fetch-Dest": "document"}, redirect},
		{"old browser", "GET", map[string]string{"Accept": html}, redirect},
		{"old browser's XHR", "GET", map[string]string{"Accept": html, "X-Requested-With": "XMLHttpRequest"}, problem},
		{"curl", "GET", map[string]string{"Accept": "*/*"}, problem},
		{"no header at all", "GET", nil, problem},
		{"event stream", "GET", map[string]string{"Accept": "text/event-stream", "Sec-Fetch-Mode": "cors"}, problem},
		{"preflight", "OPTIONS", map[string]string{"Sec-Fetch-Mode": "cors", "Origin": "https://x.example", "Access-Control-Request-Method": "PUT"}, problem},
		{"preflight that claims to navigate", "OPTIONS", map[string]string{"Sec-Fetch-Mode": "navigate"}, problem},
		{"websocket", "GET", map[string]string{"Upgrade": "websocket", "Sec-Fetch-Mode": "websocket"}, problem},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, "https://app.example/x", nil)
			for k, v := range tt.headers {
				r.Header.Set(k, v)
			}
			why := refusal{code: protocol.SessionExpired, returnURL: "https://market.example/done?a=1", sessionID: "s1"}
			for _, g := range []*Gate{{OnExpired: &Answer{Redirect: true}}, {OnExpired: &Answer{}}} {
				g.edge = testEdge(t)
				want := tt.want
				if want == redirect && !g.OnExpired.Redirect {
					want = page
				}
				w := httptest.NewRecorder()
				if err := g.refuse(w, r, why); err != nil {
					t.Fatal(err)
				}
				checkRefusal(t, w, want)
			}
		})
	}
}

// A WebSocket may be asked for on a stream of HTTP/2 or HTTP/3; it is refused
// like one of HTTP/1.1, never by a page.
func TestExtendedConnectIsAWebSocket(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, proto, pseudo string
		major                 int
		want                  bool
	}{
		{"CONNECT", "HTTP/2.0", "websocket", 2, true},
		{"CONNECT", "websocket", "", 3, true},
		{"CONNECT", "HTTP/2.0", "connect-udp", 2, false},
		{"CONNECT", "HTTP/2.0", "", 2, false},
		{"CONNECT", "webtransport", "", 3, false},
		{"GET", "HTTP/2.0", "websocket", 2, false},
	} {
		r := &http.Request{Method: tt.method, Proto: tt.proto, ProtoMajor: tt.major, Header: http.Header{"Accept": {"text/html"}}}
		if tt.pseudo != "" {
			r.Header[":protocol"] = []string{tt.pseudo}
		}
		if cut.IsWebSocket(r) != tt.want || cut.IsTunnel(r) != tt.want || tt.want && isNavigation(r) {
			t.Errorf("%+v: WebSocket %v, navigation %v", tt, cut.IsWebSocket(r), isNavigation(r))
		}
	}
}

// state is a session's state that ends in the given time.
func state(id string, version int64, status protocol.Status, left time.Duration) *protocol.LiveState {
	return &protocol.LiveState{
		ID: id, Version: version, Status: status, ProviderID: "p",
		ExpiresAt: time.Now().Add(left).Unix(),
	}
}

// testEdge is an edge that was never started.
func testEdge(t *testing.T) *edge.Edge {
	t.Helper()
	return edge.New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "", zap.NewNop())
}

func checkRefusal(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	const back = "https://market.example/done?a=1&session_id=s1"
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q; a refusal must not be stored", got)
	}
	switch want {
	case "redirect":
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != back {
			t.Errorf("got %d to %q, want 303 to %s", w.Code, w.Header().Get("Location"), back)
		}
	case "page":
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "Your time is up") ||
			!strings.Contains(w.Body.String(), `href="https://market.example/done?a=1&amp;session_id=s1"`) {
			t.Errorf("got %d and no page with a way back:\n%s", w.Code, w.Body)
		}
	case "problem":
		var p protocol.Problem
		if w.Header().Get("Content-Type") != protocol.ProblemType || json.Unmarshal(w.Body.Bytes(), &p) != nil {
			t.Fatalf("got %q, want a problem document", w.Header().Get("Content-Type"))
		}
		if w.Code != http.StatusUnauthorized || p.Status != w.Code || p.Code != protocol.SessionExpired || p.ReturnURL != back {
			t.Errorf("got %d %+v", w.Code, p)
		}
	}
}

// Browsers fetch a manifest without cookies, and report an error on each page if that
// is refused. Other requests without a session still are.
func TestManifestWithoutSessionIsEmpty(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, dest string
		code               protocol.Code
		empty              bool
	}{
		{"manifest", "GET", "manifest", protocol.SessionMissing, true},
		{"manifest with the cookie of an ended session", "GET", "manifest", protocol.SessionExpired, true},
		{"head", "HEAD", "manifest", protocol.SessionMissing, true},
		{"post", "POST", "manifest", protocol.SessionMissing, false},
		{"fetch of the same file", "GET", "empty", protocol.SessionMissing, false},
		{"picture", "GET", "image", protocol.SessionMissing, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, "https://app.example/app.webmanifest", nil)
			r.Header.Set("Sec-Fetch-Dest", tt.dest)
			r.Header.Set("Sec-Fetch-Mode", "cors")
			w := httptest.NewRecorder()
			if err := (&Gate{edge: testEdge(t), OnExpired: &Answer{Redirect: true}}).refuse(w, r, refusal{code: tt.code}); err != nil {
				t.Fatal(err)
			}
			if empty := w.Code == http.StatusOK && w.Header().Get("Content-Type") == "application/manifest+json"; empty != tt.empty {
				t.Errorf("got %d, %s", w.Code, w.Header().Get("Content-Type"))
			}
			if body := w.Body.String(); tt.empty && tt.method == "GET" && body != "{}\n" {
				t.Errorf("the manifest is %q", body)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control is %q", got)
			}
		})
	}
}

func TestMissingSessionIsRedirectedOnlyWhereConfigured(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	if err := (&Gate{OnMissing: &Answer{Redirect: true, To: "https://market.example/apps/demo"}, edge: testEdge(t)}).refuse(w, r, refusal{code: protocol.SessionMissing}); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Location"); got != "https://market.example/apps/demo" {
		t.Errorf("redirected to %q", got)
	}
	w = httptest.NewRecorder()
	if err := (&Gate{OnMissing: &Answer{To: "https://market.example/"}, edge: testEdge(t)}).refuse(w, r, refusal{code: protocol.SessionMissing}); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `href="https://market.example/"`) {
		t.Errorf("got %d, want the page with a button to the marketplace", w.Code)
	}
	w = httptest.NewRecorder()
	if err := (&Gate{edge: testEdge(t)}).refuse(w, r, refusal{code: protocol.SessionMissing}); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "requires a session") {
		t.Errorf("got %d, want the page", w.Code)
	}
}

// TestRefusalNeverRedirectsToItself: where a refused visit is to be redirected to the
// address that it asked for, it gets the page, without a link to itself.
func TestRefusalNeverRedirectsToItself(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked, to string
		want      bool // redirected
	}{
		{"https://app.example/", "https://app.example/thanks", true},
		{"https://app.example/thanks?session_id=s1", "https://app.example/thanks", false},
		{"https://app.example/thanks", "https://APP.example:443/thanks", false},
		{"https://app.example/thanks", "http://app.example/thanks", false},
		{"https://app.example/welcome?from=x", "/welcome", false},
		{"https://app.example/welcome", "/welcome?next={http.request.uri}", false},
		{"https://app.example/other", "/welcome?next={http.request.uri}", true},
		{"https://app.example/welcome/other", "/welcome{http.request.uri}", false},
		{"https://app.example/a%2Fb", "/a%2Fb", false},
		{"https://app.example/welcome", "https://market.example/welcome", true},
		{"https://app.example:8443/welcome", "https://app.example/welcome", true},
	} {
		for _, code := range []protocol.Code{protocol.SessionMissing, protocol.SessionExpired} {
			g := &Gate{edge: testEdge(t), OnMissing: &Answer{Redirect: true, To: tt.to}, OnExpired: &Answer{Redirect: true, To: tt.to}}
			why := refusal{code: code, sessionID: "s1"}
			if code == protocol.SessionExpired && !strings.Contains(tt.to, "{") && strings.HasPrefix(tt.to, "http") {
				g.OnExpired = &Answer{Redirect: true}
				why.returnURL = tt.to
			}
			r := httptest.NewRequest(http.MethodGet, tt.asked, nil)
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			repl := caddy.NewReplacer()
			repl.Set("http.request.uri", r.URL.RequestURI())
			r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
			w := httptest.NewRecorder()
			if err := g.refuse(w, r, why); err != nil {
				t.Fatal(err)
			}
			if redirected := w.Code == http.StatusSeeOther; redirected != tt.want || !redirected && strings.Contains(w.Body.String(), "<a ") {
				t.Errorf("%s: %s asked, to %s: %d %s\n%.2000s", code, tt.asked, tt.to, w.Code, w.Header().Get("Location"), w.Body)
			}
		}
	}
}

func TestEveryCodeHasItsPageInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, words := range allTexts {
		fallback, _ := words.page("no such code")
		if words.Back == "" || words.Shop == "" || words.Retry == "" || words.Resume == "" || words.Dir != map[bool]string{true: "rtl", false: "ltr"}[words.lang == "ar"] {
			t.Errorf("%s lacks a label or its direction", words.lang)
		}
		for _, code := range edge.RefusalCodes {
			if code == protocol.CrossSite { // never shown to a person
				continue
			}
			if title, text := words.page(code); title == fallback || title == "" || text == "" {
				t.Errorf("%s has no page for %s", words.lang, code)
			}
		}
	}
}

func TestPagesSpeakTheVisitorsLanguage(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": "en", "de-AT,de;q=0.9,en;q=0.8": "de", "fr-CA": "fr", "pt-BR,pt;q=0.9": "pt", "es-419": "es",
		"ar-EG": "ar", "ja,ar;q=0.5": "ar", "ja": "en", "*": "en", "not a language;;;": "en", strings.Repeat("de,", 2000): "en",
	} {
		if got := textsFor(accept).lang; got != want {
			t.Errorf("%.30q: %s, want %s", accept, got, want)
		}
	}
	g := &Gate{edge: testEdge(t)}
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Accept-Language", "ar")
	w := httptest.NewRecorder()
	if err := g.refuse(w, r, refusal{code: protocol.LaunchSpent}); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); !strings.Contains(body, `<html lang="ar" dir="rtl">`) || !strings.Contains(body, "مفتوحة في مكان آخر") {
		t.Errorf("the Arabic page is\n%s", body)
	}
	if !strings.Contains(w.Header().Get("Vary"), "Accept-Language") {
		t.Errorf("Vary is %q", w.Header().Get("Vary"))
	}
}

func TestOperatorsOwnTemplate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, err := loadTemplate(file("good.html", `<h1 class="{{.Code}}">{{.Title}}</h1><a href="{{.Back}}">{{.BackLabel}}</a>`))
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{edge: testEdge(t), template: own, OnExpired: &Answer{}}
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	if err := g.refuse(w, r, refusal{code: protocol.SessionExpired, returnURL: "javascript:alert(1)", sessionID: "s"}); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); !strings.Contains(body, `<h1 class="session_expired">Your time is up</h1>`) || strings.Contains(body, `"javascript:`) {
		t.Errorf("got %s", body)
	}
	for name, text := range map[string]string{"broken.html": "{{.Title", "unknown.html": "{{.Tilte}}"} {
		if _, err := loadTemplate(file(name, text)); err == nil || !strings.Contains(err.Error(), "page_template") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := loadTemplate(filepath.Join(dir, "missing.html")); err == nil {
		t.Error("a missing template went unnoticed")
	}
}

func TestReturnURLThatIsNoURLLeadsNowhere(t *testing.T) {
	t.Parallel()
	if got := protocol.WithSessionID("https://a.example/%zz", "s"); got != "" {
		t.Errorf("got %q", got)
	}
}

// Every answer that says "try again" says when: a page, a problem, and what the
// page's own API answers while the backend is down.
func TestUnavailableSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []protocol.Code{protocol.BackendUnavailable, protocol.OriginUnavailable} {
		for _, mode := range []string{"navigate", "cors"} {
			r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
			r.Header.Set("Sec-Fetch-Mode", mode)
			w := httptest.NewRecorder()
			if err := (&Gate{edge: testEdge(t)}).refuse(w, r, refusal{code: code}); err != nil || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s, %s: %v, %v", code, mode, w.Header(), err)
			}
		}
	}
	g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop()}
	g.edge.Sessions.BindToken("tok", g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1))
	r := httptest.NewRequest(http.MethodPost, "http://app.example"+protocol.GatePause, nil)
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
	r.Header.Set("Cookie", "session_gate=tok")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	if err := g.ServeHTTP(w, r, nil); err != nil || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("a pause while the backend is down: %d, %v, %v", w.Code, w.Header(), err)
	}
}
