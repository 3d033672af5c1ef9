package coord

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

const (
	// How long one read waits for news.
	readBlock = 500 * time.Millisecond
	// How long between attempts to find a stream that is gone.
	retryEvery = 200 * time.Millisecond
	maxRead    = 1000
)

// cursor is the last event read: its id, its number, and the life of the stream
// that counts it. A stream that was emptied begins a new life.
type cursor struct {
	id     string
	life   string
	number int64
}

// errGap: events were lost between the last one read and the next.
var errGap = errors.New("the stream has a gap")

// Run follows the stream and publishes what could not be, until ctx ends.
func (r *Redis) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { r.republishLoop(ctx) })
	for ctx.Err() == nil {
		err := r.attach(ctx)
		for err == nil {
			err = r.follow(ctx)
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errGap):
			r.log.Warn("changes were lost in Redis; edges will read every state again", zap.Error(err))
			r.forget()
		default:
			// Once more at once: a connection may have died of age. A server that
			// does not answer then is down.
			if err := r.attach(ctx); err != nil && ctx.Err() == nil {
				r.lose(err)
				sleep(ctx, retryEvery)
			}
		}
	}
	loops.Wait()
	r.events.setDown(true)
}

// lose notes that the stream is down: nobody learns what others change, so no
// state is believed, and when Redis is back everybody asks anew.
func (r *Redis) lose(err error) {
	r.events.setDown(true)
	if !r.lost { // said once, also of a Redis that never answered
		r.log.Warn("Redis is unavailable; reading states from the database", zap.Error(err))
	}
	r.lost = true
	r.forget()
}

// found notes that the stream is there, and says so if it was said to be down.
func (r *Redis) found() {
	if r.lost {
		r.log.Info("Redis is available again")
	}
	r.lost = false
}

// forget makes the next [Redis.attach] begin anew, where nobody resumes. What Redis holds then may be
// older than the record, until it has expired.
func (r *Redis) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cursor, r.anew = cursor{}, true
	r.states = map[string]kept{}
	r.doubtUntil.Store(time.Now().Add(stateTTL + readBlock).UnixNano())
}

// attach makes sure that the stream continues where it was left, or begins anew
// with what it holds, which resets all subscribers.
func (r *Redis) attach(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, 2*redisTimeout)
	defer cancel()
	c := r.cursor
	if c.id != "" {
		same, err := r.has(within, c)
		if err != nil {
			return err
		}
		if same {
			r.events.setDown(false)
			r.found()
			return nil
		}
		r.log.Warn("Redis lost the stream; edges will read every state again")
		r.forget()
	}
	list, err := r.client.XRevRangeN(within, streamKey, "+", "-", int64(r.size)).Result()
	if err != nil {
		return err
	}
	slices.Reverse(list)
	for i := len(list) - 1; i > 0; i-- { // only what is whole may be resumed
		a, _ := parse(list[i-1])
		if b, _ := parse(list[i]); a.life != b.life || b.number != a.number+1 {
			list = list[i:]
			break
		}
	}
	next := cursor{id: "0-0"}
	if len(list) == 0 {
		// An empty stream: what comes has the number after the counter's.
		if next, err = r.counted(within); err != nil {
			return err
		}
	}
	r.events.restart("start-" + rand.Text()[:8])
	for _, m := range list {
		at, event := parse(m)
		if !r.anew {
			r.events.add(event)
		}
		next = at
	}
	r.cursor, r.anew = next, false
	r.found()
	return nil
}

// has reports whether the stream still holds the event at c and counts on from
// there.
func (r *Redis) has(ctx context.Context, c cursor) (bool, error) {
	if c.id == "0-0" { // nothing was read yet
		counted, err := r.counted(ctx)
		return counted.life == c.life && counted.number >= c.number, err
	}
	list, err := r.client.XRangeN(ctx, streamKey, c.id, c.id, 1).Result()
	if err != nil || len(list) == 0 {
		return false, err
	}
	at, _ := parse(list[0])
	return at == c, nil
}

// counted is where an empty stream stands.
func (r *Redis) counted(ctx context.Context) (cursor, error) {
	reply, err := r.client.HMGet(ctx, counterKey, "life", "n").Result()
	if err != nil {
		return cursor{}, err
	}
	c := cursor{id: "0-0"}
	if life, ok := reply[0].(string); ok {
		c.life = life
	}
	if n, ok := reply[1].(string); ok {
		c.number, _ = strconv.ParseInt(n, 10, 64) // ours: digits
	}
	return c, nil
}

// follow waits for news once and hands it on.
func (r *Redis) follow(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, readBlock+2*redisTimeout)
	defer cancel()
	reply, err := r.client.XRead(within, &redis.XReadArgs{Streams: []string{streamKey, r.cursor.id}, Count: maxRead, Block: readBlock}).Result()
	if errors.Is(err, redis.Nil) {
		// Silence: or somebody emptied the stream.
		same, err := r.has(within, r.cursor)
		if err == nil && !same {
			err = errGap
		}
		return err
	}
	if err != nil {
		return err
	}
	for _, m := range reply[0].Messages {
		at, event := parse(m)
		continues := at.life == r.cursor.life && at.number == r.cursor.number+1
		begins := r.cursor.life == "" && at.number == 1
		if !continues && !begins {
			return fmt.Errorf("%w before %s", errGap, at.id)
		}
		r.cursor = at
		if len(event.Data) == 0 { // a publisher has more to tell than it kept
			r.events.restart(at.id)
			r.mu.Lock()
			r.states = map[string]kept{}
			r.mu.Unlock()
			continue
		}
		r.learn(event.Data)
		r.events.add(event)
	}
	return nil
}

// learn keeps the state that an event tells.
func (r *Redis) learn(data []byte) {
	var s struct {
		ID      string `json:"id"`
		Version int64  `json:"version"`
	}
	if json.Unmarshal(data, &s) == nil && s.ID != "" {
		r.keepTold(State{ID: s.ID, Version: s.Version, Data: data}, true)
	}
}

func parse(m redis.XMessage) (cursor, Event) {
	c := cursor{id: m.ID}
	c.life, _ = m.Values["life"].(string)
	n, _ := m.Values["n"].(string)
	c.number, _ = strconv.ParseInt(n, 10, 64) // ours: digits
	data, _ := m.Values["d"].(string)
	return c, Event{ID: m.ID, Data: []byte(data)}
}

// republishLoop tells what could not be told when it happened.
func (r *Redis) republishLoop(ctx context.Context) {
	for sleep(ctx, republishEvery) {
		r.mu.Lock()
		list := make([]State, 0, len(r.untold))
		for _, s := range r.untold {
			list = append(list, s)
		}
		overs := r.overs
		r.mu.Unlock()
		if overs && r.patiently(ctx, func(ctx context.Context) error { return r.tell(ctx, nil) }) == nil {
			r.mu.Lock()
			r.overs = false
			r.mu.Unlock()
		}
		r.republish(ctx, list)
	}
}

// republish tells list, as far as Redis takes it.
func (r *Redis) republish(ctx context.Context, list []State) {
	var failed atomic.Bool
	var all sync.WaitGroup
	next := make(chan State)
	for range min(republishers, len(list)) {
		all.Go(func() {
			for s := range next {
				// Always: another process may have read it from the record, which
				// tells nobody.
				if r.patiently(ctx, func(ctx context.Context) error { return r.publish(ctx, s, true) }) != nil {
					failed.Store(true)
					continue
				}
				r.mu.Lock()
				if r.untold[s.ID].Version == s.Version {
					delete(r.untold, s.ID)
				}
				r.mu.Unlock()
			}
		})
	}
	for _, s := range list {
		if failed.Load() {
			break // the rest would fare no better now
		}
		next <- s
	}
	close(next)
	all.Wait()
}

func (r *Redis) patiently(ctx context.Context, f func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, republishTimeout)
	defer cancel()
	return f(within)
}

// sleep reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
