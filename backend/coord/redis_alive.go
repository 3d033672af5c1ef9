package coord

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// proofEvery is how often something must arrive on the stream. If no event does,
	// a process publishes a proof.
	proofEvery = time.Second
	// proofWithin is how long nothing may arrive before the stream counts as down.
	proofWithin = 3 * time.Second
	// stuckAfter is how long a change may wait to be published.
	stuckAfter = 3 * time.Second
	// recordWithin is how old the last reconciliation may be for the stream to carry
	// what it finds.
	recordWithin = 4 * time.Second
	// repeatFor is how long changes are repeated on a stream that goes on without
	// Redis: edges open it anew, each at its own time.
	repeatFor  = 5 * time.Second
	keepProofs = 16
)

var (
	errSilent = errors.New("what is published does not arrive")
	errStuck  = errors.New("changes cannot be published")
)

// proveLoop publishes proofs, until ctx ends. A Redis that answers reads may refuse
// every write: it is full, its disk fails, it lost its replicas, or it became a replica
// itself. What others change would then be missing from a stream that looks alive. The
// stream is alive only while something arrives on it, whoever published it.
func (r *Redis) proveLoop(ctx context.Context) {
	for sleep(ctx, proofEvery/2) {
		if r.elapsed()-r.provenAt.Load() < int64(proofEvery) || r.lost.Load() {
			continue
		}
		_, err := r.prove(ctx)
		if _, answered := errors.AsType[redis.Error](err); answered {
			r.refusal.Store(&err) // otherwise silence decides
		}
	}
}

// prove publishes a proof and returns its id. Proofs have a stream of their own, in the
// same slot, so that they displace no events.
func (r *Redis) prove(ctx context.Context) (id string, err error) {
	err = r.doSlow(ctx, func(ctx context.Context) (err error) {
		id, err = r.client.XAdd(ctx, &redis.XAddArgs{Stream: proofKey, MaxLen: keepProofs, Values: []any{"p", "1"}}).Result()
		return err
	})
	return id, err
}

// readBack returns an error if a proof that Redis accepted cannot be read.
func (r *Redis) readBack(ctx context.Context, id string) error {
	list, err := r.client.XRangeN(ctx, proofKey, id, id, 1).Result()
	if err == nil && len(list) == 0 {
		err = errSilent
	}
	return err
}

// proven notes that something arrived.
func (r *Redis) proven() {
	r.provenAt.Store(r.elapsed())
	r.refusal.Store(nil)
}

// alive returns why the stream must not be trusted, or nil.
func (r *Redis) alive() error {
	if err := r.refusal.Load(); err != nil {
		return fmt.Errorf("publishing a proof: %w", *err)
	}
	if r.elapsed()-r.provenAt.Load() > int64(proofWithin) {
		return errSilent
	}
	return r.stuck()
}

// stuck returns an error if changes of this process have waited too long to be
// published: proofs may arrive where states do not, such as on another node of a
// cluster.
func (r *Redis) stuck() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.unpublished {
		if time.Since(s.since) > stuckAfter {
			return fmt.Errorf("%w: %d wait", errStuck, len(r.unpublished))
		}
	}
	return nil
}

// Reconciled says that all recent changes in the database were published just now,
// whoever made them. While Redis is unavailable and this is said again and again, the
// stream goes on with them.
func (r *Redis) Reconciled() { r.reconciledAt.Store(r.elapsed()) }

// Trouble describes an unavailable Redis; "" while it is available.
func (r *Redis) Trouble() string {
	if !r.lost.Load() {
		return ""
	}
	return "Redis is unavailable or refuses writes. States and changes are read from the database, and each service applies rate limits by itself."
}

// useRecord has the stream carry the changes that are published in this process, as
// long as the database is reconciled. Subscribers begin with a reset.
func (r *Redis) useRecord() {
	at := r.reconciledAt.Load()
	if at == 0 || r.elapsed()-at > int64(recordWithin) {
		r.fromRecord.Store(false)
		r.events.setDown(true)
		return
	}
	if !r.fromRecord.Load() {
		r.recordSince.Store(r.elapsed())
		r.fromRecord.Store(true)
		r.events.restart("record-" + rand.Text()[:8])
	}
}

// repeats reports whether what is on the stream already is added once more.
func (r *Redis) repeats() bool {
	return r.fromRecord.Load() && r.elapsed()-r.recordSince.Load() < int64(repeatFor)
}

// publishHere adds s to the log of this process while Redis is unavailable, unless this
// version or a newer one is there.
func (r *Redis) publishHere(s State) {
	if !r.fromRecord.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.states[s.ID]
	if k.published >= s.Version && s.Version > 0 && !r.repeats() {
		return
	}
	k.published = max(k.published, s.Version)
	if k.ID == "" || k.Version <= s.Version {
		k.State, k.until = s, time.Now().Add(stateTTL)
	}
	r.states[s.ID] = k
	r.recorded++
	event, _ := newEvent("record-"+strconv.FormatInt(r.recorded, 10)+"-"+rand.Text()[:8], s.Data)
	r.events.add(event)
}

// republishLoop publishes the changes whose first publish failed.
func (r *Redis) republishLoop(ctx context.Context) {
	for sleep(ctx, republishEvery) {
		r.mu.Lock()
		list := make([]State, 0, len(r.unpublished))
		for _, s := range r.unpublished {
			list = append(list, s.State)
		}
		overflowed := r.overflowed
		r.mu.Unlock()
		if overflowed && r.doSlow(ctx, func(ctx context.Context) error { return r.appendEvent(ctx, nil) }) == nil {
			r.mu.Lock()
			r.overflowed = false
			r.mu.Unlock()
		}
		r.republish(ctx, list)
	}
}

// republish publishes list. It stops at the first failure; the rest stays for the
// next round.
func (r *Redis) republish(ctx context.Context, list []State) {
	var failed atomic.Bool
	var all sync.WaitGroup
	next := make(chan State)
	for range min(republishers, len(list)) {
		all.Go(func() {
			for s := range next {
				// Append even if the version is marked as published: the first try may
				// have marked it and then failed to append the event.
				if r.doSlow(ctx, func(ctx context.Context) error { return r.publish(ctx, s, true) }) != nil {
					failed.Store(true)
					continue
				}
				r.mu.Lock()
				if r.unpublished[s.ID].Version == s.Version {
					delete(r.unpublished, s.ID)
				}
				r.mu.Unlock()
			}
		})
	}
	for _, s := range list {
		if failed.Load() {
			break // the rest would most likely fail, too
		}
		next <- s
	}
	close(next)
	all.Wait()
}

// doSlow runs f with the timeout for work that no request waits for.
func (r *Redis) doSlow(ctx context.Context, f func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, republishTimeout)
	defer cancel()
	return f(within)
}
