package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// States that are not in memory are read from the database together and remembered, in
// the order of the request: unknown ids and repeated ones among them.
func TestMissingStatesAreReadTogether(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, sub := reconciled(t, time.Unix(1_800_000_000, 0), "a", "b", "c")
	s.stateReads = make(chan struct{}, 1)
	ids := []string{"c", "unheard-of", "a", "c", "\x00", ""}
	for i := range 2 * statesAtOnce { // more than one read
		ids = append(ids, []string{"b", "nobody"}[i%2])
	}
	states, err := s.live(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"c", "", "a", "c", "", ""} {
		if states[i].ID != want {
			t.Errorf("state %d is of %q, want %q", i, states[i].ID, want)
		}
	}
	if n := len(states); n != len(ids) || states[n-2].ID != "b" || states[n-1].ID != "" {
		t.Errorf("%d states of %d", n, len(ids))
	}
	s.store.Close() // what was read is in memory
	if states, err = s.live(ctx, []string{"c", "a", "b"}); err != nil || states[1].ID != "a" {
		t.Errorf("from memory: %+v, %v", states, err)
	}
	if err := s.coord.Publish(ctx, coord.State{ID: "last", Version: 1, Data: []byte(`{"id":"last","version":1}`)}); err != nil {
		t.Fatal(err)
	}
	if got := told(t, sub, 1); got[0] != "last/1" {
		t.Errorf("%q were published", got)
	}
}

// A request for states that finds no room for its read is told when to come back, and
// one whose edge has gone waits no longer. What is in memory needs no room.
func TestReadsOfStatesAreShed(t *testing.T) {
	t.Parallel()
	s, _ := reconciled(t, time.Unix(1_800_000_000, 0), "a", "b")
	s.metric = newMetrics()
	s.stateReads = make(chan struct{}, 1)
	if _, err := s.live(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	s.stateReads <- struct{}{} // a read that takes long
	_, err := s.live(t.Context(), []string{"a", "b"})
	r, ok := errors.AsType[*Refusal](err)
	if wait, told := errors.AsType[*WaitError](err); !ok || r.Code != protocol.Unavailable || !told || wait.Wait <= 0 {
		t.Errorf("no room: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.live(gone, []string{"b"}); !errors.Is(err, context.Canceled) {
		t.Errorf("an edge that has gone: %v", err)
	}
	if states, err := s.live(t.Context(), []string{"a"}); err != nil || states[0].ID != "a" {
		t.Errorf("from memory: %+v, %v", states, err)
	}
	<-s.stateReads
	if states, err := s.live(t.Context(), []string{"a", "b"}); err != nil || states[1].ID != "b" {
		t.Errorf("with room again: %+v, %v", states, err)
	}
}
