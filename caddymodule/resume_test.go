package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A person who comes back starts a paused clock; a browser that guesses that
// they may come does not.
func TestPreparedPageResumesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, header, value string
		resumed             bool
	}{
		{"navigation", "", "", true},
		{"prerender", "Sec-Purpose", "prefetch;prerender", false},
		{"prefetch", "Sec-Purpose", "prefetch", false},
		{"prefetch of an older browser", "Purpose", "prefetch", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resumed := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				resumed = resumed || strings.HasSuffix(r.URL.Path, "/"+protocol.ActionResume)
				_, _ = w.Write([]byte(`{"states":[]}`))
			}))
			defer server.Close()
			base, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			e := edge.New(base, "key", zap.NewNop())
			e.Sessions.BindToken("tok", e.Sessions.Put(state("a", 1, protocol.Paused, time.Hour), edge.MonotonicMS()+1))
			g := &Gate{Provider: "p", edge: e, maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{}}
			g.policy = policyOf(g)
			r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
			r.Header.Set("Cookie", "session_gate=tok")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			if tt.header != "" {
				r.Header.Set(tt.header, tt.value)
			}
			w := httptest.NewRecorder()
			if err := g.ServeHTTP(w, r, nil); err != nil || w.Code != http.StatusLocked {
				t.Errorf("got %d, %v", w.Code, err)
			}
			if resumed != tt.resumed {
				t.Errorf("resumed: %t, want %t", resumed, tt.resumed)
			}
		})
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
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	served := false
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { served = true; return nil })
	if err := g.ServeHTTP(httptest.NewRecorder(), r, next); err != nil || !served {
		t.Errorf("served: %t, %v", served, err)
	}
	if want := protocol.Sessions + "/a/" + protocol.ActionResume; len(asked) != 1 || asked[0] != want {
		t.Errorf("the backend was asked for %q, want %q alone", asked, want)
	}
}
