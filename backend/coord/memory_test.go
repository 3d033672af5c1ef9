package coord

import (
	"strconv"
	"testing"
	"time"
)

func TestLimitsOfOneProcess(t *testing.T) {
	t.Parallel()
	now := t0
	c := NewMemory(1, func() time.Time { return now })
	limit := Limit{Interval: 100 * time.Millisecond, Burst: 3}
	for i, step := range []struct{ after, wait time.Duration }{
		{0, 0}, {0, 0}, {0, 0}, {0, 100 * time.Millisecond}, {50 * time.Millisecond, 50 * time.Millisecond},
		{50 * time.Millisecond, 0}, {0, 100 * time.Millisecond}, {time.Minute, 0}, {0, 0}, {0, 0}, {0, 100 * time.Millisecond},
		{-24 * time.Hour, 0}, // the clock was set back: yesterday's limit does not count today
		{0, 0}, {0, 0}, {0, 100 * time.Millisecond},
	} {
		now = now.Add(step.after)
		if wait, err := c.Allow(ctx, "k", limit); err != nil || wait != step.wait {
			t.Errorf("use %d: wait %v (%v), want %v", i, wait, err, step.wait)
		}
	}
}

func TestSubscribersThatFallBehindAreReset(t *testing.T) {
	t.Parallel()
	m := NewMemory(4, func() time.Time { return t0 })
	first := subscribe(t, m, "")
	publish(t, m, state("a", 1))
	_, _, id := read(t, first, "a@1")
	for v := range int64(4) {
		publish(t, m, state("b", v+1))
	}
	if reset, news, _ := read(t, subscribe(t, m, id), "b@4"); reset || len(news) != 4 {
		t.Errorf("the last that is kept: reset %v, %v", reset, news)
	}
	publish(t, m, state("b", 5)) // one more than the log keeps
	for _, sub := range []*Subscription{first, subscribe(t, m, id)} {
		if b, err := sub.Next(ctx); err != nil || !b.Reset || len(b.Events) != 0 {
			t.Errorf("%+v, %v", b, err)
		}
	}
	publish(t, m, state("b", 6))
	if reset, news, _ := read(t, first, "b@6"); reset || len(news) != 1 {
		t.Errorf("after its reset: reset %v, %v", reset, news)
	}
}

// However many keys strangers make up, so many are counted, and those that are keep
// their count.
func TestKeysOfLimitsAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMemory(1, func() time.Time { return t0 })
	m.maxDues = 50
	limit := Limit{Interval: time.Hour, Burst: 1}
	for i := range 80 {
		if wait, err := m.Allow(ctx, strconv.Itoa(i), limit); err != nil || wait != 0 {
			t.Fatalf("key %d: wait %v, %v", i, wait, err)
		}
	}
	if wait, err := m.Allow(ctx, "0", limit); err != nil || wait == 0 || len(m.dues) > 50 {
		t.Errorf("a key that is counted: wait %v, %v; %d keys", wait, err, len(m.dues))
	}
}

func TestStatesAndLimitsAreForgotten(t *testing.T) {
	t.Parallel()
	now := t0
	m := NewMemory(10, func() time.Time { return now })
	publish(t, m, state("a", 1))
	if _, err := m.Allow(ctx, "old", Limit{Interval: time.Second, Burst: 1}); err != nil {
		t.Fatal(err)
	}
	now = t0.Add(2 * time.Hour)
	fresh := state("b", 1)
	fresh.Forget = now.Add(time.Hour)
	publish(t, m, fresh)
	if _, err := m.Allow(ctx, "new", Limit{Interval: time.Second, Burst: 1}); err != nil {
		t.Fatal(err)
	}
	if len(m.states) != 1 || len(m.published) != 1 || len(m.dues) != 1 {
		t.Errorf("%d states, %d published versions, %d limits are kept", len(m.states), len(m.published), len(m.dues))
	}
}
