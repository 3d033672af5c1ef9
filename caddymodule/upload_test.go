package caddymodule

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A session may be revoked in the moment in which an upload of it is admitted.
// Under the race detector this sees that the two agree.
func TestUploadIsCutAsItBegins(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), UploadGrace: 1 << 40, OnExpired: &Answer{}, ForwardIdentity: identityOff}
	g.policy = policyOf(g)
	s := g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), 1)
	go func() {
		for s.OpenRequests() == 0 { // until it is registered, and not a moment longer
			time.Sleep(10 * time.Microsecond)
		}
		s.Apply(state("a", 2, protocol.Revoked, time.Hour), 2)
	}()
	r := httptest.NewRequest(http.MethodPost, "http://app.example/", strings.NewReader("body"))
	w := httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		select {
		case <-r.Context().Done():
		case <-time.After(2 * time.Minute):
			t.Error("a revoked session's upload goes on")
		}
		return context.Cause(r.Context())
	})
	if err := g.pass(w, r, next, verdict{held: held{session: s}, settings: g.settingsOf("p")}, false); err != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("got %d, %v", w.Code, err)
	}
}

// An observer lets what is open go on, too: a download, a WebSocket, a slow page.
func TestObserverCutsNothing(t *testing.T) {
	t.Parallel()
	for _, observe := range []bool{false, true} {
		g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), ObserveOnly: observe, OnExpired: &Answer{}, ForwardIdentity: identityOff}
		g.policy = policyOf(g)
		s := g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), 1)
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			s.Apply(state("a", 2, protocol.Completed, time.Hour), 2)
			if err := r.Context().Err(); err != nil {
				return err
			}
			_, err := w.Write([]byte("done"))
			return err
		})
		w := httptest.NewRecorder()
		err := g.pass(w, httptest.NewRequest(http.MethodGet, "http://app.example/", nil), next, verdict{held: held{session: s}, settings: g.settingsOf("p")}, false)
		if want := map[bool]int{false: http.StatusUnauthorized, true: http.StatusOK}[observe]; err != nil || w.Code != want {
			t.Errorf("observing %t: %d, %v; want %d", observe, w.Code, err, want)
		}
	}
}

// A file that was about to be sent when its session ended: the refusal in its
// place arrives whole.
func TestRefusalIsNotDescribedAsTheAnswer(t *testing.T) {
	t.Parallel()
	var s *live.Session
	client, r := deliver(t, func(w http.ResponseWriter, _ *http.Request) error {
		for k, v := range map[string]string{
			"Content-Length": "5", "Content-Type": "image/png", "Content-Encoding": "gzip", "Content-Disposition": "attachment", "Etag": `"x"`,
		} {
			w.Header().Set(k, v)
		}
		s.Apply(state("a", 2, protocol.Completed, time.Hour), 2)
		_, _ = w.Write([]byte("12345")) // as http.ServeContent does
		return nil
	}, true, false, func(g *Gate) { s, g.OnExpired = g.edge.Sessions.ByID("a"), &Answer{} })
	r.Header.Del("Accept-Encoding")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.HasSuffix(string(body), "</html>\n") {
		t.Errorf("got %d, %v: %.100q", resp.StatusCode, err, body)
	}
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "Etag"} {
		if v := resp.Header.Get(name); v != "" {
			t.Errorf("the refusal has the file's %s: %s", name, v)
		}
	}
}
