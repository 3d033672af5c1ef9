package coord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stateAt is a state of a session of a provider.
func stateAt(provider, id string, version int64) State {
	return State{
		ID: id, Version: version, Forget: t0.Add(time.Hour),
		Data: fmt.Appendf(nil, `{"id":%q,"user_id":"u","provider_id":%q,"status":"active","version":%d}`, id, provider, version),
	}
}

// A subscriber to some providers is told of their sessions and of no others. It may resume
// for other providers than before.
func someProviders(t *testing.T, c coordinator) {
	one, err := c.Subscribe("", "prov_a", "prov_c")
	if err != nil {
		t.Fatal(err)
	}
	none, err := c.Subscribe("", "prov_x")
	if err != nil {
		t.Fatal(err)
	}
	all := subscribe(t, c, "")
	publish(t, c, stateAt("prov_a", "fa", 1), stateAt("prov_b", "fb", 1), stateAt("prov_c", "fc", 1), state("nobody's", 1), stateAt("prov_b", "fb", 2))
	_, news, last := read(t, all, "fb@2")
	if want := []string{"fa@1", "fb@1", "fc@1", "nobody's@1", "fb@2"}; !slices.Equal(news, want) {
		t.Errorf("all: %v", news)
	}
	reset, news, id := read(t, one, "nobody's@1") // whose it is, nobody knows: everybody is told
	if want := []string{"fa@1", "fc@1", "nobody's@1"}; !reset || !slices.Equal(news, want) {
		t.Errorf("reset %v, %v", reset, news)
	}
	if reset, news, _ := read(t, none, "nobody's@1"); !reset || len(news) != 1 {
		t.Errorf("reset %v, %v", reset, news)
	}
	// The one that is told of nothing else learns the position of the stream all the same.
	within, cancel := context.WithCancel(ctx)
	cancel()
	for {
		b, err := none.Next(within)
		if len(b.Events) > 0 || b.Reset || !errors.Is(err, context.Canceled) {
			t.Fatalf("%+v, %v", b, err)
		}
		if b.ID == last {
			break
		}
	}
	publish(t, c, stateAt("prov_a", "fa", 2), stateAt("prov_b", "fb", 3))
	resumed, err := c.Subscribe(id, "prov_b")
	if err != nil {
		t.Fatal(err)
	}
	if reset, news, _ := read(t, resumed, "fb@3"); reset || len(news) > 2 {
		t.Errorf("resumed for another provider: reset %v, %v", reset, news)
	}
}

// The first event after a quiet time is told at once. Those of a burst come together, at
// most gatherFor later.
func TestBurstsAreGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(1000, time.Now)
		sub := subscribe(t, m, "")
		if b, err := sub.Next(ctx); err != nil || !b.Reset {
			t.Fatalf("%+v, %v", b, err)
		}
		time.Sleep(time.Second)
		begun := time.Now()
		for v := range int64(100) {
			publish(t, m, state("a", v+1))
		}
		b, err := sub.Next(ctx)
		if waited := time.Since(begun); err != nil || len(b.Events) != 1 || waited > 0 {
			t.Errorf("the first: %d events after %s, %v", len(b.Events), waited, err)
		}
		b, err = sub.Next(ctx)
		if waited := time.Since(begun); err != nil || len(b.Events) != 99 || waited > gatherFor {
			t.Errorf("the others: %d events after %s, %v", len(b.Events), waited, err)
		}
	})
}

// The log is bounded in bytes, too, and keeps the newest events.
func TestLogIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	l := newEventLog(1000, "floor")
	l.maxBytes = 100_000
	large := []byte(`{"id":"` + strings.Repeat("x", 1000) + `"}`)
	for n := range 5000 {
		event, _ := newEvent(fmt.Sprint("e", n), large)
		l.add(event)
		if l.bytes > l.maxBytes || len(l.numbers) != int(l.head-l.first)+1 {
			t.Fatalf("%d bytes in %d events, %d ids", l.bytes, l.head-l.first, len(l.numbers))
		}
	}
	kept := l.head - l.first
	if kept < 80 || kept > 100 {
		t.Errorf("%d events are kept", kept)
	}
	for id, want := range map[string]int64{fmt.Sprint("e", 5000-1): 0, fmt.Sprint("e", 5000-kept): kept - 1, fmt.Sprint("e", 5000-kept-1): kept} {
		sub, err := l.subscribe(id, nil)
		if err != nil || sub.reset || l.head-sub.next != want {
			t.Errorf("resuming after %s: %+v, %v; want %d events", id, sub, err, want)
		}
	}
	if sub, err := l.subscribe("floor", nil); err != nil || !sub.reset {
		t.Errorf("an event that was dropped: %+v, %v", sub, err)
	}
	enormous, _ := newEvent("enormous", make([]byte, 2*l.maxBytes))
	l.add(enormous)
	if l.head-l.first != 1 {
		t.Errorf("%d events are kept beside an enormous one", l.head-l.first-1)
	}
}

// Events are lost while a subscriber waits, and its time is over before it learns of that.
// The position that it is told is not one after the loss.
func TestPositionOfASubscriberThatMissedEvents(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*eventLog){
		"restart": func(l *eventLog) { l.restart("again") },
		"too many": func(l *eventLog) {
			for n := range 10 {
				event, _ := newEvent(fmt.Sprint("new", n), nil)
				l.add(event)
			}
		},
	} {
		l := newEventLog(4, "floor")
		sub, err := l.subscribe("floor", []string{"prov_a"})
		if err != nil {
			t.Fatal(err)
		}
		if !sub.wait() {
			t.Fatal("there are news")
		}
		lose(l)
		again, err := l.subscribe(sub.leave("floor"), nil)
		if err != nil || !again.reset {
			t.Errorf("%s: who resumes there is not reset", name)
		}
	}
}

// A subscriber is not woken by events of other providers, and its position passes them.
func TestSubscribersAreWokenByWhatTheyWant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(1000, time.Now)
		sub, err := m.Subscribe("", "prov_a")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := sub.Next(ctx); err != nil || !b.Reset {
			t.Fatalf("%+v, %v", b, err)
		}
		within, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		done := make(chan Batch)
		go func() {
			b, _ := sub.Next(within)
			done <- b
		}()
		synctest.Wait()
		for v := range int64(100) {
			publish(t, m, stateAt("prov_b", "b", v+1))
			time.Sleep(gatherFor)
		}
		waiting := func() int {
			m.log.mu.RLock()
			defer m.log.mu.RUnlock()
			return len(m.log.waiting)
		}
		if waiting() != 1 {
			t.Error("the subscriber was woken")
		}
		if b := <-done; b.ID != m.epoch+"-100" || len(b.Events) > 0 || waiting() > 0 {
			t.Errorf("%+v; %d wait", b, waiting())
		}
	})
}

// A frame is the event as edges read it.
func TestFrames(t *testing.T) {
	t.Parallel()
	s := stateAt("prov_a", "s1", 3)
	event, head := newEvent("17-1", s.Data)
	if want := "id: 17-1\nevent: state\ndata: " + string(s.Data) + "\n\n"; string(event.Frame) != want {
		t.Errorf("%q", event.Frame)
	}
	if string(event.Data) != string(s.Data) || event.Provider != "prov_a" || head.ID != "s1" || head.Version != 3 {
		t.Errorf("%+v, %+v", event, head)
	}
}

// A subscriber with a filter finds its event behind more of others than one read looks at.
func TestManyEventsOfOtherProviders(t *testing.T) {
	t.Parallel()
	m := NewMemory(4*maxScan, func() time.Time { return t0 })
	first := subscribe(t, m, "")
	publish(t, m, stateAt("prov_a", "a", 1))
	_, _, id := read(t, first, "a@1")
	for v := range int64(3 * maxScan) {
		publish(t, m, stateAt("prov_b", "b", v+1))
	}
	publish(t, m, stateAt("prov_a", "a", 2))
	sub, err := m.Subscribe(id, "prov_a")
	if err != nil {
		t.Fatal(err)
	}
	if reset, news, _ := read(t, sub, "a@2"); reset || len(news) != 1 {
		t.Errorf("reset %v, %v", reset, news)
	}
}
