package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// pausedGate is a gate whose session "a", of the cookie "tok", was paused so long ago.
// resumed reports whether the backend was asked to resume it.
func pausedGate(t *testing.T, ago time.Duration) (g *Gate, resumed func() bool) {
	t.Helper()
	var asked atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/"+protocol.ActionResume) {
			asked.Store(true)
			if err := json.NewEncoder(w).Encode(map[string]any{"session": state("a", 2, protocol.Active, time.Hour)}); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := edge.New(base, "key", zap.NewNop())
	paused := state("a", 1, protocol.Paused, time.Hour)
	paused.PausedAt = time.Now().Add(-ago).Unix()
	e.Sessions.BindToken("tok", e.Sessions.Put(paused, edge.MonotonicMS()+1))
	g = &Gate{Provider: "p", edge: e, maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{}}
	g.policy = policyOf(g)
	return g, asked.Load
}

// ask sends a request with the session's cookie and these headers through the gate.
func ask(t *testing.T, g *Gate, r *http.Request, headers ...string) (w *httptest.ResponseRecorder, served bool) {
	t.Helper()
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
	r.Header.Set("Cookie", "session_gate=tok")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w = httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { served = true; return nil })
	if err := g.ServeHTTP(w, r, next); err != nil {
		t.Fatal(err)
	}
	return w, served
}

// A person who comes back starts a paused clock. A page that reloads itself, a frame,
// another site and a browser that prepares a page do not: they get a page with a
// button.
func TestOnlyAPersonResumes(t *testing.T) {
	t.Parallel()
	person := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1"}
	for _, tt := range []struct {
		name    string
		method  string
		ago     time.Duration
		headers []string // added to those of a person's navigation
		resumed bool
	}{
		{"address bar or bookmark", "GET", 0, []string{"Sec-Fetch-Site", "none"}, true},
		{"link of the app", "GET", time.Minute, []string{"Sec-Fetch-Site", "same-origin"}, true},
		// Within seconds after a click, whatever the page does counts as its user's.
		{"reload after the click that paused", "GET", 3 * time.Second, []string{"Sec-Fetch-Site", "same-origin"}, false},
		{"meta refresh or location.reload", "GET", time.Minute, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-User", ""}, false},
		{"refreshing frame", "GET", time.Minute, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-User", ""}, false},
		{"click in a frame", "GET", time.Minute, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "iframe"}, false},
		{"link of another site", "GET", time.Minute, []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"link of a neighboring site", "GET", time.Minute, []string{"Sec-Fetch-Site", "same-site"}, false},
		{"form of another site", "POST", time.Minute, []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"form of the app", "POST", time.Minute, []string{"Sec-Fetch-Site", "same-origin"}, false},
		{"through a service worker", "GET", time.Minute, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty", "Sec-Fetch-User", "", "Upgrade-Insecure-Requests", "1"}, false},
		{"prerender", "GET", time.Minute, []string{"Sec-Fetch-Site", "none", "Sec-Purpose", "prefetch;prerender"}, false},
		{"prefetch", "GET", time.Minute, []string{"Sec-Fetch-Site", "none", "Sec-Purpose", "prefetch"}, false},
		{"prefetch of an older browser", "GET", time.Minute, []string{"Sec-Fetch-Site", "none", "Purpose", "prefetch"}, false},
		{"browser without Fetch Metadata", "GET", time.Minute, []string{"Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Sec-Fetch-User", "", "Accept", "text/html"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g, resumed := pausedGate(t, tt.ago)
			w, served := ask(t, g, httptest.NewRequest(tt.method, "http://app.example/notes?a=1", nil), append(slices.Clone(person), tt.headers...)...)
			if resumed() != tt.resumed || served != tt.resumed {
				t.Errorf("resumed: %t, served: %t; want %t", resumed(), served, tt.resumed)
			}
			if tt.resumed {
				return
			}
			if body := w.Body.String(); w.Code != http.StatusLocked || !strings.Contains(body, `<form method="post" action="/.session-gate/resume">`) ||
				!strings.Contains(body, `name="to" value="/notes?a=1"`) {
				t.Errorf("got %d and no page with a button:\n%s", w.Code, body)
			}
		})
	}
}

// The button of the paused page resumes, and leads back to where the user wanted to
// go, on this site.
func TestPausedPageResumesByItsButton(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ to, want string }{
		{"/notes?a=%20b&c", "/notes?a=%20b&c"},
		{"", "/"},
		{"//evil.example/", "/"},
		{"/\\evil.example/", "/"},
		{"https://evil.example/", "/"},
		{"javascript:alert(1)", "/"},
		{"/a\r\nX-Evil: 1", "/"},
		{"/" + strings.Repeat("a", 5000), "/"},
	} {
		g, resumed := pausedGate(t, time.Second)
		r := httptest.NewRequest(http.MethodPost, "http://app.example"+protocol.GateResume, strings.NewReader(url.Values{"to": {tt.to}}.Encode()))
		w, _ := ask(t, g, r, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin")
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != tt.want || !resumed() {
			t.Errorf("%q: %d to %q, resumed: %t; want 303 to %q", tt.to, w.Code, w.Header().Get("Location"), resumed(), tt.want)
		}
	}
	// A browser without Fetch Metadata names the page's origin.
	for origin, want := range map[string]int{"http://app.example": http.StatusSeeOther, "http://evil.example": http.StatusForbidden, "null": http.StatusForbidden} {
		g, resumed := pausedGate(t, time.Second)
		w, _ := ask(t, g, httptest.NewRequest(http.MethodPost, "http://app.example"+protocol.GateResume, strings.NewReader("to=/x")),
			"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "Origin", origin)
		if w.Code != want || resumed() != (want == http.StatusSeeOther) {
			t.Errorf("from %s: %d, resumed: %t", origin, w.Code, resumed())
		}
	}
	// The page of a session that is over is what any navigation gets.
	g, _ := pausedGate(t, time.Second)
	s := g.edge.Sessions.ByID("a")
	s.Apply(state("a", 5, protocol.Completed, time.Hour), edge.MonotonicMS()+2)
	w, _ := ask(t, g, httptest.NewRequest(http.MethodPost, "http://app.example"+protocol.GateResume, nil), "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin")
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "session-refused") {
		t.Errorf("an ended session: %d", w.Code)
	}
}

// The answer to a resume holds the session's state: a navigation takes one round
// trip to the backend, and its page is served at once.
func TestResumeTakesOneRoundTrip(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if err := json.NewEncoder(w).Encode(map[string]any{"session": state("a", 2, protocol.Active, time.Hour)}); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{Provider: "p", edge: edge.New(base, "key", zap.NewNop()), maxStaleness: time.Hour, logger: zap.NewNop()}
	g.policy = policyOf(g)
	g.edge.Sessions.BindToken("tok", g.edge.Sessions.Put(state("a", 1, protocol.Paused, time.Hour), edge.MonotonicMS()+1))
	r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
	r.Header.Set("Cookie", "session_gate=tok")
	for k, v := range map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Sec-Fetch-User": "?1"} {
		r.Header.Set(k, v)
	}
	served := false
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { served = true; return nil })
	if err := g.ServeHTTP(httptest.NewRecorder(), r, next); err != nil || !served {
		t.Errorf("served: %t, %v", served, err)
	}
	if want := protocol.Sessions + "/a/" + protocol.ActionResume; len(asked) != 1 || asked[0] != want {
		t.Errorf("the backend was asked for %q, want %q alone", asked, want)
	}
}
