package edge

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// countingBackend answers by path, counts the requests to each path, and answers
// 404 in its own way to all others.
type countingBackend struct {
	mu       sync.Mutex // guards requests
	requests map[string]int
}

func newCountingBackend(t *testing.T, notFound http.HandlerFunc, answers map[string]any) (*countingBackend, *Edge) {
	t.Helper()
	b := &countingBackend{requests: make(map[string]int)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.requests[r.URL.Path]++
		b.mu.Unlock()
		answer, ok := answers[r.URL.Path]
		if !ok {
			notFound(w, r)
			return
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return b, edgeOf(t, server.URL)
}

func (b *countingBackend) check(t *testing.T, want map[string]int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !maps.Equal(b.requests, want) {
		t.Errorf("requests: %v, want %v", b.requests, want)
	}
}

// An action takes one round trip: its answer holds the new state.
func TestActionTakesOneRoundTrip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, key  string
		answer     any
		want       int64 // the version that is held afterwards
		confirmed  bool  // by the answer
		roundTrips int
	}{
		{"new state", "", map[string]any{"session": stateOf("a", 3, protocol.Active, time.Hour), "server_time_ms": 1}, 3, true, 1},
		// The backend repeats what it answered the first time.
		{"perhaps a repeated answer", "k", map[string]any{"session": stateOf("a", 3, protocol.Active, time.Hour)}, 3, false, 1},
		{"older state", "k", map[string]any{"session": stateOf("a", 1, protocol.Paused, time.Hour)}, 2, false, 1},
		{"another session", "", map[string]any{"session": stateOf("b", 9, protocol.Active, time.Hour)}, 4, true, 2},
		{"no state", "", map[string]any{}, 4, true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			extend := protocol.Sessions + "/a/" + protocol.ActionExtend
			b, e := newCountingBackend(t, http.NotFound, map[string]any{
				extend:              tt.answer,
				protocol.EdgeStates: protocol.StatesAnswer{States: []protocol.LiveState{*stateOf("a", 4, protocol.Active, time.Hour)}},
			})
			s := e.Sessions.Put(stateOf("a", 2, protocol.Active, time.Hour), -1)
			if err := e.Act(t.Context(), s, protocol.ActionExtend, "token", tt.key, json.RawMessage("{}")); err != nil {
				t.Fatal(err)
			}
			if got := s.Record().State().Version; got != tt.want || (s.ConfirmedAt() >= 0) != tt.confirmed {
				t.Errorf("version %d is held, confirmed at %d; want %d, confirmed: %t", got, s.ConfirmedAt(), tt.want, tt.confirmed)
			}
			want := map[string]int{extend: 1}
			if tt.roundTrips == 2 {
				want[protocol.EdgeStates] = 1
			}
			b.check(t, want)
			if e.Sessions.ByID("b") != nil {
				t.Error("the answer made another session known")
			}
		})
	}
}

// States are fetched from the endpoint for them, which sends no heartbeat.
func TestStatesAreFetchedFromTheirEndpoint(t *testing.T) {
	t.Parallel()
	b, e := newCountingBackend(t, http.NotFound, map[string]any{
		protocol.EdgeStates: protocol.StatesAnswer{States: []protocol.LiveState{*stateOf("a", 1, protocol.Active, time.Hour)}, Unknown: []string{}},
	})
	if s, err := e.FetchSession(t.Context(), "a"); err != nil || s.ID() != "a" {
		t.Errorf("got %v, %v", s, err)
	}
	if _, err := e.FetchSession(t.Context(), "unknown"); err != ErrUnknownSession {
		t.Errorf("an unknown session: %v", err)
	}
	b.check(t, map[string]int{protocol.EdgeStates: 2})
}

// A backend from before the endpoint is asked for it once in a while.
func TestOlderBackendIsAskedByHeartbeats(t *testing.T) {
	t.Parallel()
	for name, notFound := range map[string]http.HandlerFunc{
		"plain": http.NotFound,
		"problem": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", protocol.ProblemType)
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write((&protocol.Problem{Status: http.StatusNotFound, Code: protocol.NotFound}).JSON())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := newCountingBackend(t, notFound, map[string]any{
				protocol.EdgeHeartbeats: protocol.HeartbeatsAnswer{States: []protocol.LiveState{*stateOf("a", 1, protocol.Active, time.Hour)}},
			})
			fetch := func() {
				t.Helper()
				if s, err := e.FetchSession(t.Context(), "a"); err != nil || s.ID() != "a" {
					t.Errorf("got %v, %v", s, err)
				}
			}
			fetch()
			fetch()
			b.check(t, map[string]int{protocol.EdgeStates: 1, protocol.EdgeHeartbeats: 2})
			e.heartbeatsUntil.Store(MonotonicMS()) // ten minutes later
			fetch()
			b.check(t, map[string]int{protocol.EdgeStates: 2, protocol.EdgeHeartbeats: 3})
		})
	}
}
