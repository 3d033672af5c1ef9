package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// queue has a caller wait, and appends its name once it has its turn.
func queue(t *testing.T, turns *turns, caller string, order *[]string, all *sync.WaitGroup) {
	t.Helper()
	turns.mu.Lock()
	before := len(turns.waiting[caller])
	turns.mu.Unlock()
	all.Go(func() {
		if err := turns.take(WithCaller(context.Background(), caller)); err != nil {
			t.Error(err)
			return
		}
		*order = append(*order, caller) // one turn at a time
		turns.give()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		turns.mu.Lock()
		waits := len(turns.waiting[caller]) > before
		turns.mu.Unlock()
		if waits {
			return
		}
		if time.Now().After(end) {
			t.Fatal(caller + " does not wait")
		}
	}
}

// A caller with many requests delays another's by one of them, not by all.
func TestCallersTakeTurns(t *testing.T) {
	t.Parallel()
	turns := newTurns(1, 100)
	if err := turns.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	var order []string
	var all sync.WaitGroup
	for range 4 {
		queue(t, turns, "a", &order, &all)
	}
	queue(t, turns, "b", &order, &all)
	queue(t, turns, "b", &order, &all)
	queue(t, turns, "c", &order, &all)
	turns.give()
	all.Wait()
	if want := []string{"a", "b", "c", "a", "b", "a", "a"}; !slices.Equal(order, want) {
		t.Errorf("turns %v, want %v", order, want)
	}
	if turns.free != 1 || len(turns.waiting) != 0 {
		t.Errorf("%d free, %v wait", turns.free, turns.waiting)
	}
}

// The requests of one caller that wait are bounded; another caller still gets in.
func TestQueueOfOneCallerIsBounded(t *testing.T) {
	t.Parallel()
	turns := newTurns(1, 2)
	if err := turns.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	var order []string
	var all sync.WaitGroup
	queue(t, turns, "a", &order, &all)
	queue(t, turns, "a", &order, &all)
	if err := turns.take(WithCaller(context.Background(), "a")); !errors.Is(err, ErrBusy) {
		t.Errorf("the third: %v", err)
	}
	queue(t, turns, "b", &order, &all)
	turns.give()
	all.Wait()
	if want := []string{"a", "b", "a"}; !slices.Equal(order, want) {
		t.Errorf("turns %v, want %v", order, want)
	}
}

// A request that waits no longer leaves its place, and loses no turn.
func TestRequestThatLeavesTheQueue(t *testing.T) {
	t.Parallel()
	turns := newTurns(1, 100)
	if err := turns.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(WithCaller(context.Background(), "a"))
	left := make(chan error, 1)
	go func() { left <- turns.take(ctx) }()
	var order []string
	var all sync.WaitGroup
	queue(t, turns, "b", &order, &all)
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("it got %v", err)
	}
	turns.give()
	all.Wait()
	if turns.free != 1 || len(turns.ring) != 0 || !slices.Equal(order, []string{"b"}) {
		t.Errorf("%d free, %v wait, turns %v", turns.free, turns.ring, order)
	}
}

// However requests come and leave, no turn is lost.
func TestTurnsUnderLoad(t *testing.T) {
	t.Parallel()
	turns := newTurns(3, 1000)
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(WithCaller(context.Background(), string(rune('a'+i%5))), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			if turns.take(ctx) == nil {
				time.Sleep(50 * time.Microsecond)
				turns.give()
			}
		})
	}
	all.Wait()
	if turns.free != 3 || len(turns.ring) != 0 || len(turns.waiting) != 0 {
		t.Errorf("%d free, %v, %v", turns.free, turns.ring, turns.waiting)
	}
}
