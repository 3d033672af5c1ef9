package coord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
)

var (
	ctx = context.Background()
	t0  = time.Unix(1_800_000_000, 0)
)

// coordinator is what every implementation gives the service.
type coordinator interface {
	Publish(context.Context, State) error
	Remember(context.Context, ...State) error
	Published([]Version) []bool
	States(context.Context, []string) ([]State, error)
	Subscribe(string, ...string) (*Subscription, error)
	Allow(context.Context, string, Limit) (time.Duration, error)
	Run(context.Context)
	Close() error
}

func state(id string, version int64) State {
	return State{ID: id, Version: version, Data: fmt.Appendf(nil, `{"id":%q,"version":%d}`, id, version), Forget: t0.Add(time.Hour)}
}

// said is an event's data for people: a@1.
func said(data []byte) string {
	var s struct {
		ID      string
		Version int64
	}
	if json.Unmarshal(data, &s) != nil {
		return string(data)
	}
	return fmt.Sprintf("%s@%d", s.ID, s.Version)
}

func publish(t *testing.T, c coordinator, states ...State) {
	t.Helper()
	for _, s := range states {
		if err := c.Publish(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
}

func subscribe(t *testing.T, c coordinator, lastID string) *Subscription {
	t.Helper()
	s, err := c.Subscribe(lastID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// patience ends a test that would never end: a busy machine is no fault.
const patience = 3 * time.Minute

// read gathers what a subscriber is told until the news named last is among it.
func read(t *testing.T, s *Subscription, last string) (reset bool, news []string, id string) {
	t.Helper()
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		b, err := s.Next(within)
		if err != nil {
			t.Fatalf("%v; no %s after %v", err, last, news)
		}
		reset = reset || b.Reset
		for _, e := range b.Events {
			news = append(news, said(e.Data))
		}
		id = b.ID
		if slices.Contains(news, last) { // what could not be told at once may follow it, twice
			return reset, news, id
		}
	}
}

// readOrReset reads until an event or a reset arrives: after either, a subscriber that
// reads the states knows what the event says.
func readOrReset(t *testing.T, s *Subscription, event string) {
	t.Helper()
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		b, err := s.Next(within)
		if err != nil {
			t.Fatalf("%v; neither %s nor a reset", err, event)
		}
		if b.Reset || slices.ContainsFunc(b.Events, func(e Event) bool { return said(e.Data) == event }) {
			return
		}
	}
}

// run runs a coordinator until the test ends, and waits until it has a stream.
func run(t *testing.T, c coordinator) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	coordtest.Eventually(t, "there is a stream", func() error { _, err := c.Subscribe(""); return err })
}

func zapNop() *zap.Logger { return zap.NewNop() }

func openRedis(t *testing.T, url string, size int) *Redis {
	t.Helper()
	r, err := NewRedis(url, size, func() time.Time { return t0 }, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	r.timeout = patience // Redis is slow on a busy machine, and not down
	return r
}

// onEach runs a test over every coordinator. open returns one that runs; where
// several processes can share, two calls of one test share.
func onEach(t *testing.T, test func(t *testing.T, open func(now func() time.Time) coordinator)) {
	t.Parallel()
	fixed := func(now func() time.Time) func() time.Time {
		if now == nil {
			return func() time.Time { return t0 }
		}
		return now
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, func(now func() time.Time) coordinator { return NewMemory(1000, fixed(now)) })
	})
	for name, address := range map[string]func(testing.TB) string{
		"redis":    func(t testing.TB) string { return coordtest.Start(t).URL() },
		"cluster":  coordtest.Cluster,
		"sentinel": coordtest.Sentinel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := address(t)
			test(t, func(now func() time.Time) coordinator {
				r, err := NewRedis(at, 1000, fixed(now), zap.NewNop())
				if err != nil {
					t.Fatal(err)
				}
				r.timeout = patience
				run(t, r)
				return r
			})
		})
	}
}

// The suite that every coordinator passes. One server serves all its parts.
func TestConformance(t *testing.T) {
	onEach(t, func(t *testing.T, open func(func() time.Time) coordinator) {
		c := open(nil)
		t.Run("an older state is ignored", func(t *testing.T) { oldNews(t, c) })
		t.Run("what the record said is still told", func(t *testing.T) { rememberedIsTold(t, c) })
		t.Run("many states are remembered at once", func(t *testing.T) { manyRemembered(t, c) })
		t.Run("what was published is known", func(t *testing.T) { publishedIsKnown(t, c) })
		t.Run("streams resume", func(t *testing.T) { resuming(t, c) })
		t.Run("next waits for news", func(t *testing.T) { waiting(t, c) })
		t.Run("some providers", func(t *testing.T) { someProviders(t, c) })
		t.Run("many at once", func(t *testing.T) { manyAtOnce(t, c) })
		t.Run("limits", func(t *testing.T) { limits(t, open) })
	})
}

func oldNews(t *testing.T, c coordinator) {
	sub := subscribe(t, c, "")
	publish(t, c, state("a", 2), state("a", 1), state("a", 2), state("b", 1))
	if reset, news, _ := read(t, sub, "b@1"); !reset || fmt.Sprint(news) != "[a@2 b@1]" {
		t.Errorf("reset %v, got %v", reset, news)
	}
	for _, s := range []State{state("a", 1), state("c", 5)} {
		if err := c.Remember(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.States(ctx, []string{"a", "nobody", "c"})
	if err != nil || got[0].Version != 2 || got[1].ID != "" || got[2].Version != 5 || said(got[2].Data) != "c@5" {
		t.Errorf("got %+v, %v", got, err)
	}
	publish(t, c, state("d", 1))
	if _, news, _ := read(t, sub, "d@1"); len(news) != 1 {
		t.Errorf("remembering told %v", news)
	}
}

// A reader may find a change in the record before its author publishes it.
func rememberedIsTold(t *testing.T, c coordinator) {
	sub := subscribe(t, c, "")
	if err := c.Remember(ctx, state("early", 3)); err != nil {
		t.Fatal(err)
	}
	publish(t, c, state("early", 3))
	read(t, sub, "early@3")
}

func resuming(t *testing.T, c coordinator) {
	first := subscribe(t, c, "")
	publish(t, c, state("r", 1))
	_, _, id := read(t, first, "r@1")
	publish(t, c, state("r", 2), state("r", 3))
	read(t, first, "r@3")
	if reset, news, _ := read(t, subscribe(t, c, id), "r@3"); reset || fmt.Sprint(news) != "[r@2 r@3]" {
		t.Errorf("resumed with reset %v, %v", reset, news)
	}
	for _, lastID := range []string{"ABCDEFGH-1", "99999999999999-0", "x", "--5"} {
		sub := subscribe(t, c, lastID)
		if b, err := sub.Next(ctx); err != nil || !b.Reset || len(b.Events) != 0 {
			t.Errorf("%s: %+v, %v", lastID, b, err)
		}
	}
}

func waiting(t *testing.T, c coordinator) {
	sub := subscribe(t, c, "")
	if b, err := sub.Next(ctx); err != nil || !b.Reset {
		t.Fatalf("%+v, %v", b, err)
	}
	got := make(chan Batch, 1)
	go func() {
		b, err := sub.Next(ctx)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	publish(t, c, state("w", 1))
	if b := <-got; len(b.Events) != 1 || b.Events[0].ID != b.ID {
		t.Errorf("got %+v", b)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := sub.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}

// Publishers never wait for subscribers, and each of these sees all, or is told to read
// everything again: on a busy machine, a Redis may seem to be down for a while.
func manyAtOnce(t *testing.T, c coordinator) {
	const writers, each = 16, 50
	_, mayReset := c.(*Redis)
	var subs, pubs sync.WaitGroup
	for range 8 {
		sub := subscribe(t, c, "")
		subs.Go(func() {
			within, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			last := map[string]bool{} // the writers whose last version was seen
			for seen, begun := 0, false; len(last) < writers; {
				b, err := sub.Next(within)
				if mayReset && begun && (b.Reset || errors.Is(err, ErrDown)) {
					return
				}
				if err != nil {
					t.Errorf("after %d: %v", seen, err)
					return
				}
				for _, e := range b.Events {
					if name, ok := strings.CutSuffix(said(e.Data), fmt.Sprintf("@%d", each)); ok {
						last[name] = true
					}
				}
				seen += len(b.Events)
				begun = true
				if len(last) == writers && seen < writers*each && !mayReset {
					t.Errorf("saw %d of %d", seen, writers*each)
				}
			}
		})
	}
	for w := range writers {
		pubs.Go(func() {
			for v := range int64(each) {
				// A Redis may be too slow for now, and publish it later.
				if err := c.Publish(ctx, state(fmt.Sprint("m", w), v+1)); err != nil && !mayReset {
					t.Error(err)
				}
			}
		})
	}
	pubs.Wait()
	subs.Wait()
}

// A limit allows its burst at once, and then one use each interval. Which clock it goes
// by is the coordinator's own affair.
func limits(t *testing.T, open func(func() time.Time) coordinator) {
	c := open(func() time.Time { return t0 })
	limit := Limit{Interval: time.Hour, Burst: 3}
	for i := range 5 {
		wait, err := c.Allow(ctx, "k", limit)
		if err != nil {
			t.Fatal(err)
		}
		if refused := i >= 3; refused != (wait > 0) || wait > time.Hour || refused && wait < time.Hour-5*time.Minute {
			t.Errorf("use %d waits %v", i, wait)
		}
	}
	if wait, _ := c.Allow(ctx, "another", limit); wait != 0 {
		t.Errorf("another key waits %v", wait)
	}
}
