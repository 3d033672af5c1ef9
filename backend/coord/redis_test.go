package coord

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
)

// What one process publishes another's subscribers are told, ids are the same
// in both, and each finds the other's states.
func TestProcessesShareRedis(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	a, b := openRedis(t, server.URL(), 100), openRedis(t, server.URL(), 100)
	run(t, a)
	run(t, b)
	onA, onB := subscribe(t, a, ""), subscribe(t, b, "")
	publish(t, a, state("x", 1))
	_, _, idB := read(t, onB, "x@1")
	_, _, idA := read(t, onA, "x@1")
	if idA != idB {
		t.Errorf("ids differ: %s, %s", idA, idB)
	}
	publish(t, b, state("x", 2), state("y", 1))
	read(t, onA, "y@1")
	// An edge that was on B goes on at A, and at one that starts only now.
	if reset, news, _ := read(t, subscribe(t, a, idB), "y@1"); reset || fmt.Sprint(news) != "[x@2 y@1]" {
		t.Errorf("reset %v, %v", reset, news)
	}
	late := openRedis(t, server.URL(), 100)
	run(t, late)
	if reset, news, _ := read(t, subscribe(t, late, idB), "y@1"); reset || fmt.Sprint(news) != "[x@2 y@1]" {
		t.Errorf("at a new process: reset %v, %v", reset, news)
	}
	got, err := late.States(ctx, []string{"x", "y", "z"})
	if err != nil || got[0].Version != 2 || got[1].Version != 1 || got[2].ID != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if wait, err := a.Allow(ctx, "shared", Limit{Interval: time.Minute, Burst: 1}); wait != 0 || err != nil {
		t.Error(wait, err)
	}
	if wait, err := b.Allow(ctx, "shared", Limit{Interval: time.Minute, Burst: 1}); wait > time.Minute || wait < 30*time.Second || err != nil {
		t.Errorf("the other process waits %v, %v", wait, err)
	}
}

// A Redis that is killed takes the stream with it; what is published meanwhile
// is told when it is back, and whoever asks before then is told by the record.
func TestRedisKilledAndRestarted(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"with its data": {"--appendonly", "yes", "--appendfsync", "always"}, "empty": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := coordtest.Start(t, args...)
			a, b := openRedis(t, server.URL(), 100), openRedis(t, server.URL(), 100)
			run(t, a)
			run(t, b)
			onB := subscribe(t, b, "")
			publish(t, a, state("x", 1))
			_, _, id := read(t, onB, "x@1")
			server.Kill(t)
			if _, err := onB.Next(ctx); !errors.Is(err, ErrDown) {
				t.Errorf("the stream goes on: %v", err)
			}
			coordtest.Eventually(t, "both notice", func() error {
				if !a.events.isDown() || !b.events.isDown() {
					return errors.New("a stream seems to live")
				}
				return nil
			})
			if err := a.Publish(ctx, state("x", 2)); err == nil {
				t.Error("published to nobody")
			}
			for _, c := range []*Redis{a, b} {
				if got, err := c.States(ctx, []string{"x"}); err != nil || got[0].ID != "" {
					t.Errorf("believes %+v, %v", got, err)
				}
				if err := c.Remember(ctx, state("x", 1)); err != nil {
					t.Error(err)
				}
				if wait, err := c.Allow(ctx, "k", Limit{Interval: time.Minute, Burst: 1}); err != nil || wait != 0 {
					t.Error(wait, err)
				}
			}
			server.Run(t)
			var sub *Subscription
			coordtest.Eventually(t, "the stream is back", func() (err error) { sub, err = b.Subscribe(id); return err })
			// What a published while Redis was away, b hears of by the stream if it was
			// attached by then, and else finds after its reset: either is right.
			batch, err := sub.Next(ctx)
			if err != nil || !batch.Reset {
				t.Errorf("not reset: %+v, %v", batch, err)
			}
			coordtest.Eventually(t, "b believes nothing old", func() error {
				got, err := b.States(ctx, []string{"x"})
				if err == nil && got[0].Version == 1 {
					err = fmt.Errorf("it believes %+v", got[0])
				}
				return err
			})
			// The stream works again, whoever attached first.
			coordtest.Eventually(t, "a publishes again", func() error { return a.Publish(ctx, state("x", 3)) })
			if _, news, _ := read(t, sub, "x@3"); slices.Contains(news, "x@1") {
				t.Errorf("old news: %v", news)
			}
		})
	}
}

func TestRedisEmptied(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	a, b := openRedis(t, server.URL(), 100), openRedis(t, server.URL(), 100)
	run(t, a)
	run(t, b)
	sub := subscribe(t, b, "")
	publish(t, a, state("x", 1), state("y", 1))
	read(t, sub, "y@1")
	server.Do(t, "FLUSHALL")
	for {
		batch, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if batch.Reset {
			break
		}
	}
	if got, err := b.States(ctx, []string{"x"}); err != nil || got[0].ID != "" {
		t.Errorf("believes %+v, %v", got, err)
	}
	publish(t, a, state("x", 2))
	readOrReset(t, sub, "x@2")
	if got, err := b.States(ctx, []string{"x"}); err != nil || got[0].Version == 1 {
		t.Errorf("believes %+v, %v", got, err)
	}
}

// A stream that begins between two looks at it has no gap; one that lost its beginning
// has.
func TestStreamThatHasJustBegun(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	r := openRedis(t, server.URL(), 100)
	none, err := r.emptyCursor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, want bool) {
		t.Helper()
		got, err := r.continuesFrom(ctx, cursor{id: "0-0", life: none.life, number: none.number})
		if err != nil || got != want {
			t.Errorf("%s: it continues: %v, %v; want %v", when, got, err, want)
		}
	}
	check("empty", true)
	publish(t, r, state("x", 1))
	check("begun", true)
	publish(t, r, state("x", 2))
	check("with two events", true)
	server.Do(t, "XTRIM", streamKey, "MAXLEN", "1")
	check("without its first event", false)
	server.Do(t, "DEL", streamKey)
	check("emptied", false)
}

// Slow is not down; too slow is.
func TestRedisSlow(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	proxy := coordtest.NewProxy(t, server.Addr())
	a, b := openRedis(t, "redis://"+proxy.Addr(), 100), openRedis(t, server.URL(), 100)
	a.timeout = redisTimeout
	run(t, a)
	run(t, b)
	onB := subscribe(t, b, "")
	_ = a.Publish(ctx, state("x", 1)) // as below
	read(t, onB, "x@1")
	proxy.Delay(20 * time.Millisecond)
	_ = a.Publish(ctx, state("x", 2)) // on a busy machine, in the background
	read(t, onB, "x@2")
	proxy.Delay(120 * time.Millisecond) // too slow for a request to wait; told all the same
	if err := a.Publish(ctx, state("slow", 1)); err == nil {
		t.Error("waited for a slow server")
	}
	read(t, onB, "slow@1")
	proxy.Delay(2 * time.Second)
	begun := time.Now()
	if err := a.Publish(ctx, state("x", 3)); err == nil {
		t.Error("published in no time")
	}
	for range 100 {
		if _, err := a.States(ctx, []string{"unknown"}); err != nil {
			t.Error(err)
		}
		if _, err := a.Allow(ctx, "k", Limit{Interval: time.Second, Burst: 1}); err != nil {
			t.Error(err)
		}
	}
	// Each answer takes Redis 2 s: 200 that waited for it would take 400 s.
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("200 questions took %v", took)
	}
	proxy.Delay(0)
	proxy.Cut(true) // what hangs in it is lost
	proxy.Cut(false)
	read(t, onB, "x@3")
}

// A gap in the stream, however it came about, is never passed over.
func TestGapsReset(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	a := openRedis(t, server.URL(), 100)
	run(t, a)
	sub := subscribe(t, a, "")
	publish(t, a, state("x", 1))
	read(t, sub, "x@1")
	server.Do(t, "HINCRBY", counterKey, "n", "1") // as if one event had been lost
	publish(t, a, state("x", 2))
	b, err := sub.Next(ctx)
	if err != nil || !b.Reset {
		t.Errorf("%+v, %v", b, err)
	}
	publish(t, a, state("x", 3))
	read(t, sub, "x@3")
}

// More untold changes than are kept become one reset for everybody.
func TestTooMuchUntoldResets(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	a, b := openRedis(t, server.URL(), 100), openRedis(t, server.URL(), 100)
	run(t, b)
	sub := subscribe(t, b, "")
	publish(t, b, state("x", 1))
	read(t, sub, "x@1")
	a.overflowed = true
	run(t, a)
	if batch, err := sub.Next(ctx); err != nil || !batch.Reset {
		t.Errorf("%+v, %v", batch, err)
	}
}

// TestRedisThatNeverAnswered: a wrong address is said once, in the log, rather
// than looking like a service without edges.
func TestRedisThatNeverAnswered(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	core, logs := observer.New(zap.InfoLevel)
	r, err := NewRedis("redis://"+address, 8, time.Now, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	coordtest.Eventually(t, "the log says that Redis is unavailable", func() error {
		if n := logs.FilterMessageSnippet("Redis is unavailable").Len(); n != 1 {
			return fmt.Errorf("it is said %d times", n)
		}
		return nil
	})
	cancel()
	<-done
	r.Close()
}

func TestAddressesOfRedis(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "127.0.0.1:6379", "http://x", "redis+magic://x", "redis://u:hunter2@h:x", "redis+sentinel://u:hunter2@h:1", "redis://h/notanumber"} {
		r, err := NewRedis(bad, 1, time.Now, zap.NewNop())
		if err == nil {
			r.Close()
			t.Errorf("%q was taken", bad)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error tells the password", bad)
		}
	}
	for _, good := range []string{"redis://h", "rediss://u:p@h:1/2", "redis+cluster://h:1?addr=i:2", "rediss+sentinel://h:1?master_name=m"} {
		r, err := NewRedis(good, 1, time.Now, zap.NewNop())
		if err != nil {
			t.Errorf("%q: %v", good, err)
			continue
		}
		r.Close()
	}
}
