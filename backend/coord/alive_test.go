package coord

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
)

// halfDown are ways in which a Redis answers reads and refuses writes, and what ends
// them.
var halfDown = map[string]struct {
	args         []string
	refuse, mend func(t *testing.T, server *coordtest.Redis)
}{
	"NOREPLICAS": {
		refuse: do("CONFIG", "SET", "min-replicas-to-write", "1"), mend: do("CONFIG", "SET", "min-replicas-to-write", "0"),
	},
	"OOM": {
		args:   []string{"--maxmemory-policy", "noeviction"},
		refuse: do("CONFIG", "SET", "maxmemory", "1"), mend: do("CONFIG", "SET", "maxmemory", "0"),
	},
	"READONLY": {
		refuse: do("REPLICAOF", "127.0.0.1", "1"), mend: do("REPLICAOF", "NO", "ONE"),
	},
	"MISCONF": {
		args:   []string{"--save", "3600 1000000"},
		refuse: failToSave, mend: do("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"),
	},
	"writes that hang": {
		refuse: do("CLIENT", "PAUSE", "600000", "WRITE"), mend: do("CLIENT", "UNPAUSE"),
	},
}

func do(args ...any) func(*testing.T, *coordtest.Redis) {
	return func(t *testing.T, server *coordtest.Redis) {
		t.Helper()
		server.Do(t, args...)
	}
}

// failToSave takes the folder from under a server and lets it notice.
func failToSave(t *testing.T, server *coordtest.Redis) {
	t.Helper()
	client := server.Client()
	defer client.Close()
	dir, err := client.ConfigGet(ctx, "dir").Result()
	if err == nil {
		err = os.RemoveAll(dir["dir"])
	}
	if err == nil {
		err = client.BgSave(ctx).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	coordtest.Eventually(t, "saving fails", func() error {
		info, err := client.Info(ctx, "persistence").Result()
		if err == nil && !strings.Contains(info, "rdb_last_bgsave_status:err") {
			err = errors.New("it is not known yet")
		}
		return err
	})
}

// A Redis that answers reads and refuses writes looks alive. The stream of a process
// that only reads must end all the same: others' changes are not on it.
func TestRedisThatRefusesWritesIsDown(t *testing.T) {
	t.Parallel()
	for name, how := range halfDown {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := coordtest.Start(t, how.args...)
			a, b := openRedis(t, server.URL(), 100), openRedis(t, server.URL(), 100)
			run(t, a)
			run(t, b)
			onB := subscribe(t, b, "")
			publish(t, a, state("x", 1))
			read(t, onB, "x@1")
			how.refuse(t, server)
			waitDown(t, onB)
			if b.Trouble() == "" {
				t.Error("nobody is told")
			}
			if got, err := b.States(ctx, []string{"x"}); err != nil || got[0].ID != "" {
				t.Errorf("a state is taken from memory: %+v, %v", got, err)
			}
			_ = a.Publish(ctx, state("x", 2)) // it is published later
			how.mend(t, server)
			coordtest.Eventually(t, "the stream is back", func() error { _, err := b.Subscribe(""); return err })
			coordtest.Eventually(t, "the change is published", func() error {
				got, err := b.States(ctx, []string{"x"})
				if err == nil && got[0].Version != 2 && len(a.waitingIDs()) > 0 {
					err = fmt.Errorf("b knows version %d", got[0].Version)
				}
				return err
			})
			if b.Trouble() != "" {
				t.Error(b.Trouble())
			}
		})
	}
}

func waitDown(t *testing.T, s *Subscription) {
	t.Helper()
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if _, err := s.Next(within); errors.Is(err, ErrDown) {
			return
		} else if err != nil {
			t.Fatalf("the stream goes on: %v", err)
		}
	}
}

// waitingIDs are the sessions whose states wait to be published.
func (r *Redis) waitingIDs() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.unpublished {
		ids = append(ids, id)
	}
	return ids
}

// While somebody reads the changes from the database, the stream goes on without Redis,
// and begins anew when Redis is back.
func TestStreamGoesOnFromTheRecord(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	r := openRedis(t, server.URL(), 100)
	run(t, r)
	first := subscribe(t, r, "")
	publish(t, r, state("x", 1))
	read(t, first, "x@1")
	reconcile := func() { r.Reconciled() }
	server.Do(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	waitDown(t, first)
	var onRecord *Subscription
	coordtest.Eventually(t, "the stream goes on", func() (err error) {
		reconcile()
		onRecord, err = r.Subscribe("")
		return err
	})
	_ = r.Publish(ctx, state("x", 2)) // as the reconciliation does; Redis refuses it
	_ = r.Publish(ctx, state("x", 2)) // and again
	_ = r.Publish(ctx, state("y", 1))
	// Twice at first: edges that come a moment later hear it, too.
	if reset, news, _ := read(t, onRecord, "y@1"); !reset || fmt.Sprint(slices.Compact(news)) != "[x@2 y@1]" {
		t.Errorf("reset %v, %v", reset, news)
	}
	if got, err := r.States(ctx, []string{"x"}); err != nil || got[0].ID != "" {
		t.Errorf("a state that only the database knows: %+v, %v", got, err)
	}
	server.Do(t, "CONFIG", "SET", "min-replicas-to-write", "0")
	coordtest.Eventually(t, "Redis is trusted again", func() error {
		reconcile()
		if trouble := r.Trouble(); trouble != "" {
			return errors.New(trouble)
		}
		return nil
	})
	_ = r.Publish(ctx, state("z", 1)) // perhaps in the background
	if reset, _, _ := read(t, onRecord, "z@1"); !reset {
		t.Error("whoever followed is not told to ask again")
	}
}

// Without a reconciliation, a stream without Redis ends again.
func TestStreamEndsWithoutReconciliation(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	r := openRedis(t, server.URL(), 100)
	run(t, r)
	server.Do(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	waitDown(t, subscribe(t, r, ""))
	var s *Subscription
	coordtest.Eventually(t, "the stream goes on", func() (err error) {
		r.Reconciled()
		s, err = r.Subscribe("")
		return err
	})
	waitDown(t, s) // nobody reconciles any more
}

// Where proofs arrive and one state cannot be published, the stream is not alive
// either.
func TestStateThatCannotBePublished(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	r := openRedis(t, server.URL(), 100)
	run(t, r)
	s := subscribe(t, r, "")
	server.Do(t, "SET", stateKey("x"), "something else")
	if err := r.Publish(ctx, state("x", 1)); err == nil {
		t.Fatal("it was published")
	}
	waitDown(t, s)
	server.Do(t, "DEL", stateKey("x"))
	coordtest.Eventually(t, "the stream is back", func() error { _, err := r.Subscribe(""); return err })
	if ids := r.waitingIDs(); len(ids) != 0 {
		t.Errorf("%v still wait", ids)
	}
}

// Limits in Redis go by Redis' clock, whatever the clocks of the processes say.
func TestLimitsIgnoreClocksOfProcesses(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	limit := Limit{Interval: time.Minute, Burst: 100}
	for i, ahead := range []time.Duration{time.Hour, 0, -time.Hour} {
		now := func() time.Time { return t0.Add(ahead) }
		r, err := NewRedis(server.URL(), 100, now, zapNop())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for range 20 {
			if wait, err := r.Allow(ctx, "k", limit); wait != 0 || err != nil {
				t.Errorf("process %d waits %v, %v", i, wait, err)
			}
		}
	}
}

// A limit that was used by a clock far ahead, such as that of a server that failed over
// or of an earlier version, does not refuse until that time.
func TestLimitOfAClockAheadIsForgotten(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	r := openRedis(t, server.URL(), 100)
	defer r.Close()
	server.Do(t, "SET", limitKey("k"), fmt.Sprint(time.Now().Add(time.Hour).UnixMicro()))
	if wait, err := r.Allow(ctx, "k", Limit{Interval: time.Second, Burst: 2}); wait != 0 || err != nil {
		t.Errorf("it waits %v, %v", wait, err)
	}
}
