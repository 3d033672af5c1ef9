package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"go.uber.org/zap"
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
		{"framed page", "GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, redirect},
		{"fetch that accepts html", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": html}, problem},
		{"image", "GET", map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, problem},
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

// testEdge is an edge that was never started.
func testEdge(t *testing.T) *edge {
	t.Helper()
	return newEdge(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "", zap.NewNop())
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
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "opened with a session") {
		t.Errorf("got %d, want the page", w.Code)
	}
}

func TestEveryCodeHasItsPage(t *testing.T) {
	t.Parallel()
	fallback := pageOf("no such code", "").Title
	for _, code := range []protocol.Code{
		protocol.SessionMissing, protocol.SessionInvalid, protocol.SessionExpired, protocol.SessionCompleted,
		protocol.SessionRevoked, protocol.SessionCanceled, protocol.SessionPaused, protocol.SessionPending,
		protocol.LaunchSpent, protocol.LaunchInvalid, protocol.LaunchExpired, protocol.WrongProvider,
		protocol.BackendUnavailable, protocol.OriginUnavailable, protocol.HostUnknown,
	} {
		if p := pageOf(code, ""); p.Title == fallback || p.Title == "" || p.Text == "" {
			t.Errorf("%s has no page of its own", code)
		}
	}
}

func TestReturnURLThatIsNoURLLeadsNowhere(t *testing.T) {
	t.Parallel()
	if got := withSession("https://a.example/%zz", "s"); got != "" {
		t.Errorf("got %q", got)
	}
}
