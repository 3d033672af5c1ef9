package coord

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

const (
	// How long one read waits for new events.
	readBlock = 500 * time.Millisecond
	// How long to wait before attaching to the stream again after a failure.
	retryEvery = 200 * time.Millisecond
	maxRead    = 1000
)

// cursor is a position in the stream: the id of the last event read, its number,
// and the life of the stream in which it was numbered. A stream that was emptied
// begins a new life.
type cursor struct {
	id     string
	life   string
	number int64
}

// errGap is returned when events between the last one read and the next are lost.
var errGap = errors.New("the stream has a gap")

// Run follows the stream and publishes the changes that failed before, until ctx
// ends.
func (r *Redis) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { r.republishLoop(ctx) })
	loops.Go(func() { r.proveLoop(ctx) })
	for ctx.Err() == nil {
		err := r.attach(ctx)
		for err == nil {
			err = r.follow(ctx)
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errGap):
			r.log.Warn("changes were lost in Redis; edges will read every state again", zap.Error(err))
			r.discard()
		default:
			// The connection may have been closed for being idle: try once more
			// before treating Redis as unavailable.
			if err := r.attach(ctx); err != nil && ctx.Err() == nil {
				r.markDown(err)
				sleep(ctx, retryEvery)
				r.useRecord()
			}
		}
	}
	loops.Wait()
	r.events.setDown(true)
}

// markDown marks the stream as down. Changes of other processes no longer arrive,
// so all cached states are dropped, and all subscribers are reset when Redis is
// available again.
func (r *Redis) markDown(err error) {
	if r.lost.Swap(true) { // also if Redis never answered
		r.doubt()
		return
	}
	r.log.Warn("Redis is unavailable or refuses writes; reading states and changes from the database", zap.Error(err))
	r.events.setDown(true)
	r.discard()
}

// markUp logs that Redis is available again, if the log says that it is not.
func (r *Redis) markUp() {
	r.fromRecord.Store(false)
	if r.lost.Swap(false) {
		r.log.Info("Redis is available again")
	}
}

// discard drops all cached states and the position in the stream. After the next
// [Redis.attach], no subscriber can resume. States stored in Redis may be older than
// the database until they expire, so they are not read until then.
func (r *Redis) discard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cursor, r.skipOld = cursor{}, true
	r.states = map[string]cachedState{}
	r.doubt()
}

// doubt has States ignore what Redis holds until it has expired.
func (r *Redis) doubt() { r.doubtUntil.Store(r.elapsed() + int64(stateTTL+readBlock)) }

// attach checks that the stream continues from the cursor. If it does not, attach
// starts again with the events now in the stream, which resets all subscribers.
func (r *Redis) attach(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, 2*r.timeout)
	defer cancel()
	if err := r.stuck(); err != nil {
		return err
	}
	proof, err := r.prove(within)
	if err == nil {
		err = r.readBack(within, proof)
	}
	if err != nil {
		return err
	}
	r.proofID = proof
	r.proven()
	if r.fromRecord.Load() { // what was cached meanwhile may be older than what others published
		r.discard()
	}
	c := r.cursor
	if c.id != "" {
		same, err := r.continuesFrom(within, c)
		if err != nil {
			return err
		}
		if same {
			r.events.setDown(false)
			r.markUp()
			return nil
		}
		r.log.Warn("Redis lost the stream; edges will read every state again")
		r.discard()
	}
	list, err := r.newest(ctx)
	if err != nil {
		return err
	}
	next := cursor{id: "0-0"}
	if len(list) == 0 {
		// The stream is empty. The next event has the number after the counter.
		within, cancel := context.WithTimeout(ctx, 2*r.timeout)
		defer cancel()
		if next, err = r.emptyCursor(within); err != nil {
			return err
		}
	}
	r.events.restart("start-" + rand.Text()[:8])
	for _, m := range list {
		if !r.skipOld && len(m.data) > 0 {
			event, _ := newEvent(m.at.id, m.data)
			r.events.add(event)
		}
		next = m.at
	}
	r.cursor, r.skipOld = next, false
	r.markUp()
	return nil
}

// newest returns the events in the stream after its last gap, the newest last, as many as
// the log holds; the newest one alone if subscribers are offered none. It reads them in pages: all of
// them may take longer than one command should.
func (r *Redis) newest(ctx context.Context) ([]message, error) {
	limit, end, size := r.size, "+", 0
	if r.skipOld {
		limit = 1
	}
	var list []message // the newest first
	for more := true; more && len(list) < limit && size < maxLogBytes; {
		within, cancel := context.WithTimeout(ctx, 2*r.timeout)
		page, err := r.client.XRevRangeN(within, streamKey, end, "-", maxRead).Result()
		cancel()
		if err != nil {
			return nil, err
		}
		more = len(page) == maxRead
		for _, x := range page {
			if x.ID == end { // the last one of the previous page
				continue
			}
			m := parse(x)
			if n := len(list); n == limit || n > 0 && !m.at.before(list[n-1].at) {
				more = false
				break
			}
			list = append(list, m)
			size += len(m.data)
			end = x.ID
			if len(m.data) == 0 { // a publisher dropped changes here
				more = false
				break
			}
		}
	}
	slices.Reverse(list)
	return list, nil
}

// continuesFrom reports whether the stream still contains the event at c and
// continues its numbering.
func (r *Redis) continuesFrom(ctx context.Context, c cursor) (bool, error) {
	if c.id == "0-0" { // no event was read yet
		now, err := r.emptyCursor(ctx)
		if err != nil || c.life != "" || now.life == "" {
			return now.life == c.life && now.number >= c.number, err
		}
		// The stream has begun since: its first event must still be there.
		first, err := r.client.XRangeN(ctx, streamKey, "-", "+", 1).Result()
		if err != nil || len(first) == 0 {
			return false, err
		}
		at := parse(first[0]).at
		return at.life == now.life && at.number == 1, nil
	}
	list, err := r.client.XRangeN(ctx, streamKey, c.id, c.id, 1).Result()
	if err != nil || len(list) == 0 {
		return false, err
	}
	return parse(list[0]).at == c, nil
}

// emptyCursor returns the cursor of an empty stream, from its counter.
func (r *Redis) emptyCursor(ctx context.Context) (cursor, error) {
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

// follow reads the stream once, waiting up to readBlock, and adds the events to the
// log. With the same command it reads the proofs that the stream is alive.
func (r *Redis) follow(ctx context.Context) error {
	if err := r.alive(); err != nil {
		return err
	}
	// In a burst, one read takes many events.
	if wait := gatherFor - time.Since(r.readAt); wait > 0 && !sleep(ctx, wait) {
		return ctx.Err()
	}
	within, cancel := context.WithTimeout(ctx, readBlock+2*r.timeout)
	defer cancel()
	reply, err := r.client.XRead(within, &redis.XReadArgs{
		Streams: []string{streamKey, proofKey, r.cursor.id, r.proofID}, Count: maxRead, Block: readBlock,
	}).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	var events []redis.XMessage
	for _, stream := range reply {
		r.proven()
		if n := len(stream.Messages); stream.Stream == proofKey && n > 0 {
			r.proofID = stream.Messages[n-1].ID
			continue
		}
		events = stream.Messages
	}
	if len(events) == 0 {
		// Either there is no new event, or the stream was emptied.
		same, err := r.continuesFrom(within, r.cursor)
		if err == nil && !same {
			err = errGap
		}
		return err
	}
	r.readAt = time.Now()
	return r.take(events)
}

// take adds events that were read to the log, in one go.
func (r *Redis) take(list []redis.XMessage) error {
	events := make([]Event, 0, len(list))
	defer func() { r.events.add(events...) }()
	for _, x := range list {
		m := parse(x)
		begins := r.cursor.life == "" && m.at.number == 1
		if !r.cursor.before(m.at) && !begins {
			return fmt.Errorf("%w before %s", errGap, m.at.id)
		}
		r.cursor = m.at
		if len(m.data) == 0 { // a publisher dropped changes: reset all subscribers
			events = events[:0]
			r.events.restart(m.at.id)
			r.mu.Lock()
			r.states = map[string]cachedState{}
			r.mu.Unlock()
			continue
		}
		event, head := newEvent(m.at.id, m.data)
		if head.ID != "" {
			r.cacheStates([]State{{ID: head.ID, Version: head.Version, Data: event.Data}}, true)
		}
		events = append(events, event)
	}
	return nil
}

// message is an event as it stands in the stream.
type message struct {
	at   cursor
	data []byte
}

// before reports whether the event at other directly follows the one at c.
func (c cursor) before(other cursor) bool { return c.life == other.life && c.number+1 == other.number }

func parse(x redis.XMessage) message {
	m := message{at: cursor{id: x.ID}}
	m.at.life, _ = x.Values["life"].(string)
	n, _ := x.Values["n"].(string)
	m.at.number, _ = strconv.ParseInt(n, 10, 64) // ours: digits
	data, _ := x.Values["d"].(string)
	m.data = []byte(data)
	return m
}

// sleep waits for d. It returns false if ctx ended first.
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
