package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A session that ends while the beginning of a page is looked at ends the request with the
// reason: the client has received nothing yet. A response that has begun is broken off.
func TestCutBeforeThePageIsSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page   string
		panics any
	}{
		"nothing sent": {"<!DOCTYPE html><html><he", nil},
		"begun":        {"<!DOCTYPE html><html><head><title>x</title></head><body>" + strings.Repeat("x", 1<<16), http.ErrAbortHandler},
	} {
		g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(), ForwardIdentity: identityOff, injector: newInjector(false)}
		g.policy = policyOf(g)
		g.edge.Sessions.BindToken("tok", g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1))
		r := httptest.NewRequest(http.MethodGet, "http://app.example/x", nil)
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		r.Header = http.Header{"Cookie": {"session_gate=tok"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Accept": {"text/html"}}
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusOK)
			fmt.Fprint(w, c.page)
			g.edge.Sessions.Put(state("a", 2, protocol.Revoked, time.Hour), edge.MonotonicMS()+1)
			panic(http.ErrAbortHandler) // as a proxy does
		})
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if reason := recover(); reason != c.panics {
					t.Errorf("%s: panicked with %v", name, reason)
				}
			}()
			if err := g.ServeHTTP(w, r, next); err != nil {
				t.Error(err)
			}
			if w.Code == http.StatusOK || strings.Contains(w.Body.String(), c.page) {
				t.Errorf("%s: %d %.200q", name, w.Code, w.Body)
			}
		}()
	}
}
