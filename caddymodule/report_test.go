package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"go.uber.org/zap"
)

// heartbeatsOf is a backend that takes heartbeats, strictly or not, and keeps
// what it took.
type heartbeatsOf struct {
	mu      sync.Mutex // guards the rest
	refused int
	took    []protocol.HeartbeatsRequest
}

func newHeartbeatsOf(t *testing.T, before bool) (*heartbeatsOf, *edge) {
	t.Helper()
	b := &heartbeatsOf{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		var body struct {
			protocol.HeartbeatsRequest
			Edge  json.RawMessage `json:"edge"`
			Pages json.RawMessage `json:"pages"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if before && (body.Edge != nil || body.Pages != nil) {
			b.refused++
			w.Header().Set("Content-Type", protocol.ProblemType)
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"code":"invalid_request","status":422,"title":"x"}`)
			return
		}
		if body.Edge != nil {
			body.HeartbeatsRequest.Edge = new(protocol.EdgeReport)
			if err := json.Unmarshal(body.Edge, body.HeartbeatsRequest.Edge); err != nil {
				t.Error(err)
			}
		}
		b.took = append(b.took, body.HeartbeatsRequest)
		fmt.Fprintf(w, `{"states":[],"server_time_ms":%d}`, time.Now().UnixMilli())
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return b, newEdge(base, "key", zap.NewNop())
}

// TestEdgesReportThemselves sends a batch as the loop does.
func TestEdgesReportThemselves(t *testing.T) {
	t.Parallel()
	b, e := newHeartbeatsOf(t, false)
	e.live.put(state("a", 1, protocol.Active, time.Hour), 1)
	e.live.put(state("b", 1, protocol.Paused, time.Hour), 1)
	e.live.put(state("c", 1, protocol.Active, -time.Second), 1)
	if err := e.beats.flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if len(b.took) != 1 || b.took[0].Edge == nil {
		t.Fatalf("it took %+v", b.took)
	}
	got := *b.took[0].Edge
	if got.Version == "" || got.StartedAt != processStart.Unix() || got.LiveSessions != 1 || got.StreamLagMS != -1 {
		t.Errorf("reported %+v, want one running session and a stream never heard", got)
	}
}

// TestBackendFromBeforeReports gets every beat, and is asked once in a while.
func TestBackendFromBeforeReports(t *testing.T) {
	t.Parallel()
	b, e := newHeartbeatsOf(t, true)
	for i := range 3 {
		e.beats.add(protocol.Beat{ID: fmt.Sprint(i), Version: 1, At: 1, Count: 1})
		if err := e.beats.flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	beats := 0
	for _, req := range b.took {
		beats += len(req.Beats)
	}
	if beats != 3 || b.refused != 1 {
		t.Errorf("%d beats arrived and %d batches were refused, want 3 and 1", beats, b.refused)
	}
	e.beats.report.plainTill = time.Now()
	if err := e.beats.flush(t.Context(), true); err != nil || b.refused != 2 {
		t.Errorf("it was asked %d times, %v", b.refused, err)
	}
}
