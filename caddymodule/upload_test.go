package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A session may be revoked in the moment in which an upload of it is admitted.
// Under the race detector this sees that the two agree.
func TestUploadIsCutAsItBegins(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), UploadGrace: 1 << 40, OnExpired: &Answer{}, ForwardIdentity: identityOff}
	s := g.edge.live.put(state("a", 1, protocol.Active, time.Hour), 1)
	go func() {
		for s.idle() { // until it is registered, and not a moment longer
			time.Sleep(10 * time.Microsecond)
		}
		s.apply(state("a", 2, protocol.Revoked, time.Hour), 2)
	}()
	r := httptest.NewRequest(http.MethodPost, "http://app.example/", strings.NewReader("body"))
	w := httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
			t.Error("a revoked session's upload goes on")
		}
		return context.Cause(r.Context())
	})
	if err := g.serve(w, r, next, s, "", false); err != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("got %d, %v", w.Code, err)
	}
}

// An observer lets what is open go on, too: a download, a WebSocket, a slow page.
func TestObserverCutsNothing(t *testing.T) {
	t.Parallel()
	for _, observe := range []bool{false, true} {
		g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), ObserveOnly: observe, OnExpired: &Answer{}, ForwardIdentity: identityOff}
		s := g.edge.live.put(state("a", 1, protocol.Active, time.Hour), 1)
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			s.apply(state("a", 2, protocol.Completed, time.Hour), 2)
			if err := r.Context().Err(); err != nil {
				return err
			}
			_, err := w.Write([]byte("done"))
			return err
		})
		w := httptest.NewRecorder()
		err := g.serve(w, httptest.NewRequest(http.MethodGet, "http://app.example/", nil), next, s, "", false)
		if want := map[bool]int{false: http.StatusUnauthorized, true: http.StatusOK}[observe]; err != nil || w.Code != want {
			t.Errorf("observing %t: %d, %v; want %d", observe, w.Code, err, want)
		}
	}
}
