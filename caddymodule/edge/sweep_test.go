package edge

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// sweptBackend answers batches of heartbeats that count for none. It refuses the first
// ones, as many as refuse says.
type sweptBackend struct {
	mu      sync.Mutex // guards all below
	refuse  int
	batches [][]string
	answer  func(protocol.Heartbeat) *protocol.LiveState
}

func newSweptBackend(t *testing.T, refuse int, answer func(protocol.Heartbeat) *protocol.LiveState) (*sweptBackend, *Edge) {
	t.Helper()
	b := &sweptBackend{refuse: refuse, answer: answer}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != protocol.EdgeHeartbeats {
			http.NotFound(w, r)
			return
		}
		var req protocol.HeartbeatsRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		var ids []string
		var a protocol.HeartbeatsAnswer
		for _, beat := range req.Beats {
			if beat.At != 0 || beat.Count != 0 {
				t.Errorf("it counts as a heartbeat: %+v", beat)
			}
			ids = append(ids, beat.ID)
			if st := b.answer(beat); st != nil {
				a.States = append(a.States, *st)
			}
		}
		b.batches = append(b.batches, ids)
		if b.refuse--; b.refuse >= 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(a)
	}))
	t.Cleanup(server.Close)
	return b, edgeOf(t, server.URL)
}

// sizes are how many sessions each batch asks for.
func (b *sweptBackend) sizes() (list []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ids := range b.batches {
		list = append(list, len(ids))
	}
	return list
}

// After a reset, all open sessions are confirmed although no request comes, and what
// happened in the gap takes effect: a WebSocket of a session that was revoked ends.
func TestResetIsSweptWithoutRequests(t *testing.T) {
	t.Parallel()
	b, e := newSweptBackend(t, 0, func(beat protocol.Heartbeat) *protocol.LiveState {
		if beat.ID == "revoked" {
			return stateOf("revoked", beat.Version+1, protocol.Revoked, time.Hour)
		}
		return nil // as the edge has it
	})
	var all []*live.Session
	for _, id := range names("a", 2*sweepBatch+5) {
		all = append(all, e.Sessions.Put(stateOf(id, 3, protocol.Active, time.Hour), 0))
	}
	revoked := e.Sessions.Put(stateOf("revoked", 3, protocol.Active, time.Hour), 0)
	cut := make(chan struct{})
	if code := revoked.Register(&live.Registration{Cutter: cutterFunc(func() { close(cut) })}); code != "" {
		t.Fatal(code)
	}
	e.Sessions.Put(stateOf("over", 3, protocol.Completed, time.Hour), 0)
	e.Sessions.Put(stateOf("offline", -2, protocol.Active, time.Hour), 0).ServeUntil(1)
	e.reset()

	// As the sweep waits.
	nextMoment()
	asked := e.Sessions.Put(stateOf("asked", 3, protocol.Active, time.Hour), MonotonicMS()+1) // by a request since
	e.sweep.sweep(t.Context())
	select {
	case <-cut:
	default:
		t.Error("the WebSocket of a session that was revoked is open")
	}
	for _, s := range append(all, asked) {
		if s.ConfirmedAt() <= e.resetAt.Load() {
			t.Errorf("%s is not confirmed", s.ID())
		}
	}
	if sizes := b.sizes(); !slices.Equal(sizes, []int{sweepBatch, sweepBatch, 6}) {
		t.Errorf("batches of %d", sizes)
	}
	e.sweep.sweep(t.Context())
	if sizes := b.sizes(); len(sizes) != 3 {
		t.Errorf("confirmed sessions are asked for again: %d", sizes)
	}
}

// A backend that sends batches away is asked for smaller ones, and later.
func TestSweepIsPatient(t *testing.T) {
	t.Parallel()
	b, e := newSweptBackend(t, 2, func(protocol.Heartbeat) *protocol.LiveState { return nil })
	for _, id := range names("a", sweepBatch) {
		e.Sessions.Put(stateOf(id, 3, protocol.Active, time.Hour), 0)
	}
	e.reset()
	began := time.Now()
	e.sweep.sweep(t.Context())
	if sizes := b.sizes(); !slices.Equal(sizes, []int{1000, 500, 250, 500, 250}) {
		t.Errorf("batches of %d", sizes)
	}
	if took := time.Since(began); took < 3*time.Second { // after 1 s, and then after 2 s
		t.Errorf("it came back after %v", took)
	}
}

// Each reset of the stream wakes the sweep of an edge that runs.
func TestResetWakesTheSweep(t *testing.T) {
	t.Parallel()
	b, e := newSweptBackend(t, 0, func(protocol.Heartbeat) *protocol.LiveState { return nil })
	s := e.Sessions.Put(stateOf("a", 3, protocol.Active, time.Hour), 0)
	e.Start()
	defer func() { _ = e.Destruct() }()
	for range 2 {
		e.reset()
		for end := time.Now().Add(2 * time.Minute); s.ConfirmedAt() <= e.resetAt.Load(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it is not confirmed; batches of %d", b.sizes())
			}
		}
	}
}
