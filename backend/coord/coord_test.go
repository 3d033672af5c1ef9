package coord

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

var (
	ctx = context.Background()
	t0  = time.Unix(1_800_000_000, 0)
)

func state(id string, version int64) State {
	return State{ID: id, Version: version, Data: fmt.Appendf(nil, "%s@%d", id, version), Forget: t0.Add(time.Hour)}
}

func publish(t *testing.T, m *Memory, states ...State) {
	t.Helper()
	for _, s := range states {
		if err := m.Publish(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
}

// drain is all that a subscriber would get at once.
func drain(t *testing.T, s *Subscription) (reset bool, data []string, id string) {
	t.Helper()
	for {
		short, cancel := context.WithCancel(ctx)
		cancel()
		b, err := s.Next(short)
		reset = reset || b.Reset
		for _, e := range b.Events {
			data = append(data, string(e.Data))
		}
		if err != nil {
			return reset, data, b.ID
		}
	}
}

func TestOldNewsIsNoNews(t *testing.T) {
	t.Parallel()
	m := NewMemory(10, func() time.Time { return t0 })
	sub := m.Subscribe("")
	publish(t, m, state("a", 2), state("a", 1), state("a", 2), state("b", 1))
	if reset, data, _ := drain(t, sub); !reset || fmt.Sprint(data) != "[a@2 b@1]" {
		t.Errorf("reset %v, got %v", reset, data)
	}
	if err := m.Remember(ctx, state("a", 1)); err != nil {
		t.Fatal(err)
	}
	if err := m.Remember(ctx, state("c", 5)); err != nil {
		t.Fatal(err)
	}
	got, err := m.States(ctx, []string{"a", "nobody", "c"})
	if err != nil || got[0].Version != 2 || got[1].ID != "" || got[2].Version != 5 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, data, _ := drain(t, sub); len(data) != 0 {
		t.Errorf("remembering told %v", data)
	}
}

func TestResuming(t *testing.T) {
	t.Parallel()
	m := NewMemory(4, func() time.Time { return t0 })
	publish(t, m, state("a", 1))
	first := m.Subscribe("")
	_, _, id := drain(t, first)
	for v := range int64(4) {
		publish(t, m, state("b", v+1))
	}
	if reset, data, _ := drain(t, m.Subscribe(id)); reset || fmt.Sprint(data) != "[b@1 b@2 b@3 b@4]" {
		t.Errorf("resumed with reset %v, %v", reset, data)
	}
	publish(t, m, state("b", 5)) // one more than the log keeps
	for name, lastID := range map[string]string{
		"trimmed": id, "of another process": "ABCDEFGH-1", "of the future": m.eventID(99), "nonsense": "x", "negative": m.epoch + "--5",
	} {
		if reset, data, _ := drain(t, m.Subscribe(lastID)); !reset || len(data) != 0 {
			t.Errorf("%s: reset %v, %v", name, reset, data)
		}
	}
	if reset, data, _ := drain(t, first); !reset || len(data) != 0 {
		t.Errorf("a subscriber that fell behind: reset %v, %v", reset, data)
	}
	publish(t, m, state("b", 6))
	if reset, data, _ := drain(t, first); reset || fmt.Sprint(data) != "[b@6]" {
		t.Errorf("after its reset: reset %v, %v", reset, data)
	}
}

func TestNextWaitsForNews(t *testing.T) {
	t.Parallel()
	m := NewMemory(10, func() time.Time { return t0 })
	publish(t, m, state("a", 1))
	sub := m.Subscribe("")
	drain(t, sub)
	got := make(chan Batch, 1)
	go func() {
		b, err := sub.Next(ctx)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	publish(t, m, state("a", 2))
	if b := <-got; len(b.Events) != 1 || b.Events[0].ID != b.ID {
		t.Errorf("got %+v", b)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := sub.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}

// Publishers never wait for subscribers, and each of these sees all or a reset.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const writers, each = 16, 200
	m := NewMemory(writers*each, func() time.Time { return t0 })
	var subs, pubs sync.WaitGroup
	for range 8 {
		sub := m.Subscribe("")
		subs.Go(func() {
			seen := 0
			for seen < writers*each {
				b, err := sub.Next(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				seen += len(b.Events)
			}
		})
	}
	for w := range writers {
		pubs.Go(func() {
			for v := range int64(each) {
				if err := m.Publish(ctx, state(fmt.Sprint(w), v+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	pubs.Wait()
	subs.Wait()
}

func TestStatesAreForgotten(t *testing.T) {
	t.Parallel()
	now := t0
	m := NewMemory(10, func() time.Time { return now })
	publish(t, m, state("a", 1))
	now = t0.Add(2 * time.Hour)
	fresh := state("b", 1)
	fresh.Forget = now.Add(time.Hour)
	publish(t, m, fresh)
	if len(m.states) != 1 {
		t.Errorf("%d states are kept", len(m.states))
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	now := t0
	m := NewMemory(1, func() time.Time { return now })
	limit := Limit{Interval: 100 * time.Millisecond, Burst: 3}
	for i, step := range []struct {
		after time.Duration
		wait  time.Duration
	}{
		{0, 0}, {0, 0}, {0, 0}, {0, 100 * time.Millisecond}, {50 * time.Millisecond, 50 * time.Millisecond},
		{50 * time.Millisecond, 0}, {0, 100 * time.Millisecond}, {time.Minute, 0}, {0, 0}, {0, 0}, {0, 100 * time.Millisecond},
	} {
		now = now.Add(step.after)
		if wait, err := m.Allow(ctx, "k", limit); err != nil || wait != step.wait {
			t.Errorf("use %d: wait %v (%v), want %v", i, wait, err, step.wait)
		}
	}
	if wait, _ := m.Allow(ctx, "another", limit); wait != 0 {
		t.Errorf("another key waits %v", wait)
	}
	now = now.Add(time.Hour)
	m.Allow(ctx, "new", limit)
	if len(m.dues) != 1 {
		t.Errorf("%d limits are kept", len(m.dues))
	}
}
