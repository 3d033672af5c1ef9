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
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/redisurl"
)

const (
	// How long a request waits for Redis before the database answers instead.
	redisTimeout = 250 * time.Millisecond
	dialTimeout  = 500 * time.Millisecond
	// stateTTL is how long a state is used before it is read from the database
	// again. It bounds how long a change stays unnoticed if the process that made it
	// crashed before it could publish to Redis.
	stateTTL = 60 * time.Second
	// How long after a failed command no other command is tried.
	breakFor = time.Second
	// How often, by how many goroutines and with what timeout failed publishes are
	// tried again. The timeout is longer because no request waits for it.
	republishEvery   = 250 * time.Millisecond
	republishers     = 32
	republishTimeout = 2 * time.Second
	// The most changes that wait to be published. If there are more, all subscribers
	// are reset instead.
	maxUnpublished = 100_000
)

// Redis keys. The braces are cluster hash tags: all keys of one session share a
// slot, and so do the stream and its counter.
const (
	streamKey  = "sg:{events}"
	counterKey = "sg:{events}:n"
	proofKey   = "sg:{events}:proof"
)

func stateKey(id string) string   { return "sg:{" + id + "}" }
func limitKey(name string) string { return "sg:limit:{" + name + "}" }

// storeScript stores a state unless a newer one is stored. With publish set to 1, it
// marks the version as published and returns 1 if it was not marked before.
// KEYS: state. ARGV: version, data, ttl in ms, publish (0 or 1).
var storeScript = redis.NewScript(`
local have = redis.call('HMGET', KEYS[1], 'v', 't')
local version = tonumber(ARGV[1])
if not have[1] or tonumber(have[1]) < version then
  redis.call('HSET', KEYS[1], 'v', ARGV[1], 'd', ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if ARGV[4] == '0' then return 0 end
if have[2] and tonumber(have[2]) >= version then return 0 end
redis.call('HSET', KEYS[1], 't', ARGV[1])
return 1`)

// appendScript appends an event with the next number of the current life of the
// stream, so that readers notice gaps. A life begins when the counter is created.
// KEYS: stream, counter. ARGV: data, number of events to keep, name of a new life.
var appendScript = redis.NewScript(`
local n = redis.call('HINCRBY', KEYS[2], 'n', 1)
if n == 1 then redis.call('HSET', KEYS[2], 'life', ARGV[3]) end
local life = redis.call('HGET', KEYS[2], 'life')
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'n', n, 'life', life, 'd', ARGV[1])`)

// limitScript does the same as [limitUse], in microseconds of Redis' own clock: those
// of the processes differ. KEYS: limit. ARGV: interval, burst.
var limitScript = redis.NewScript(`
local time = redis.call('TIME')
local now, interval, burst = tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(ARGV[1]), tonumber(ARGV[2])
local due = tonumber(redis.call('GET', KEYS[1]) or '0')
if due < now or due - now > interval * (burst + 1) then due = now end
local wait = due + interval - now - interval * burst
if wait > 0 then return wait end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000) + 1)
return 0`)

// Redis is a coordinator for many processes. Each process caches the states it has
// seen and follows one Redis stream for all its subscribers. It is safe for
// concurrent use.
//
// Redis is available while what is published arrives; see [Redis.proveLoop]. While it
// is not, States returns nothing, so that callers read the database, and each process
// applies rate limits on its own. The stream then carries the changes that callers
// find in the database and publish, as long as they say so by [Redis.Reconciled];
// otherwise Subscribe returns [ErrDown], so that edges poll.
type Redis struct {
	client  redis.UniversalClient
	log     *zap.Logger
	size    int
	events  *eventLog
	limits  *Memory // used while Redis is unavailable
	started time.Time
	timeout time.Duration // of a command that a request waits for

	// In nanoseconds since started: a clock that is set moves none of them.
	cutUntil     atomic.Int64 // no commands are sent before this
	doubtUntil   atomic.Int64 // Redis may hold stale states until this
	provenAt     atomic.Int64 // when something published last arrived
	reconciledAt atomic.Int64 // when [Redis.Reconciled] was called last; 0 for never
	recordSince  atomic.Int64 // when the stream last began to carry what is published in this process

	refusal    atomic.Pointer[error] // why Redis refused the last proof
	lost       atomic.Bool           // Redis is unavailable, and the log says so
	fromRecord atomic.Bool           // the stream carries what is published in this process

	mu          sync.Mutex // guards all below
	states      map[string]cachedState
	sweep       time.Time
	unpublished map[string]waitingState // changes that wait to be published
	overflowed  bool                    // more changes waited than maxUnpublished; all subscribers must be reset
	recorded    int64                   // number of the last event of this process's own

	// Used only by Run.
	cursor  cursor
	proofID string    // of the last proof read
	skipOld bool      // do not offer the events already in the stream to subscribers
	readAt  time.Time // when events were read last
}

// elapsed is how long r exists, in nanoseconds of monotonic time; never 0.
func (r *Redis) elapsed() int64 { return int64(time.Since(r.started)) + 1 }

// cachedState is a state and when its cache entry expires.
type cachedState struct {
	State
	until     time.Time
	published int64 // newest version that arrived on the stream
}

// waitingState is a state that could not be published at a time.
type waitingState struct {
	State
	since time.Time
}

// NewRedis returns a coordinator that uses the Redis at address, in the syntax of
// [redisurl.Connect]. Redis need not be reachable yet. The stream is followed only
// while [Redis.Run] runs.
func NewRedis(address string, logSize int, now func() time.Time, log *zap.Logger) (*Redis, error) {
	// Commands are not retried and have short timeouts. If one fails, the database
	// answers, and the client reconnects in the background.
	client, err := redisurl.Connect(address, redisurl.Patience{Timeout: dialTimeout})
	if err != nil {
		return nil, err
	}
	r := &Redis{
		client: client, log: log, size: logSize, events: newEventLog(logSize, "start-"+rand.Text()[:8]),
		limits: NewMemory(1, now), started: time.Now(), timeout: redisTimeout, states: map[string]cachedState{}, unpublished: map[string]waitingState{},
	}
	r.events.setDown(true) // until Run follows the stream
	return r, nil
}

// Close closes all connections. Call it after [Redis.Run] has returned.
func (r *Redis) Close() error {
	if err := r.client.Close(); err != nil {
		return fmt.Errorf("closing Redis: %w", err)
	}
	return nil
}

// Ping returns an error if Redis does not answer.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("asking Redis: %w", err)
	}
	return nil
}

// Publish stores s and sends it to the subscribers of all processes. It does
// nothing if this version or a newer one was already published. If Redis does not
// accept s now, Publish returns an error and s is published later; the caller need
// not try again.
func (r *Redis) Publish(ctx context.Context, s State) error {
	if r.published(s) && !r.repeats() {
		return nil
	}
	r.cache(s)
	r.publishHere(s)
	err := r.do(ctx, func(ctx context.Context) error { return r.publish(ctx, s, false) })
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.unpublished[s.ID]; !ok || old.Version < s.Version {
		if !ok && len(r.unpublished) >= maxUnpublished {
			r.overflowed = true
		} else {
			since := old.since
			if !ok {
				since = time.Now()
			}
			r.unpublished[s.ID] = waitingState{s, since}
		}
	}
	if r.fromRecord.Load() {
		return nil // it is on the stream of this process, and others reconcile
	}
	return fmt.Errorf("publishing, to be tried again: %w", err)
}

// publish stores s and appends it to the stream. These are two commands, since the
// state and the stream may be on different nodes of a cluster. With always set, the
// event is appended even if that version was already published.
func (r *Redis) publish(ctx context.Context, s State, always bool) error {
	fresh, err := storeScript.Run(ctx, r.client, []string{stateKey(s.ID)}, s.Version, s.Data, stateTTL.Milliseconds(), "1").Int()
	if err != nil || (fresh == 0 && !always) {
		return err
	}
	return r.appendEvent(ctx, s.Data)
}

// appendEvent appends an event to the stream. Empty data resets all subscribers.
func (r *Redis) appendEvent(ctx context.Context, data []byte) error {
	return appendScript.Run(ctx, r.client, []string{streamKey, counterKey}, data, r.size, rand.Text()[:8]).Err()
}

// States returns the states of ids, in the same order. An unknown id yields the
// zero State, and so does every id while Redis is unavailable and the state is not
// cached.
func (r *Redis) States(ctx context.Context, ids []string) ([]State, error) {
	list := make([]State, len(ids))
	var missing []int
	now := time.Now()
	if r.events.isDown() || r.fromRecord.Load() {
		return list, nil
	}
	r.mu.Lock()
	for i, id := range ids {
		if k, ok := r.states[id]; ok && now.Before(k.until) {
			list[i] = k.State
		} else {
			missing = append(missing, i)
		}
	}
	r.mu.Unlock()
	if len(missing) == 0 || r.elapsed() < r.doubtUntil.Load() {
		return list, nil
	}
	replies := make([]*redis.SliceCmd, len(missing))
	err := r.do(ctx, func(ctx context.Context) error {
		_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for n, i := range missing {
				replies[n] = p.HMGet(ctx, stateKey(ids[i]), "v", "d")
			}
			return nil
		})
		return err
	})
	if err != nil {
		return list, nil //nolint:nilerr // states that Redis does not return are read from the database
	}
	found := make([]State, 0, len(missing))
	for n, i := range missing {
		if s, ok := stateOf(ids[i], replies[n].Val()); ok {
			list[i] = s
			found = append(found, s)
		}
	}
	r.cache(found...)
	return list, nil
}

func stateOf(id string, reply []any) (State, bool) {
	if len(reply) != 2 {
		return State{}, false
	}
	v, _ := reply[0].(string)
	data, ok := reply[1].(string)
	version, err := strconv.ParseInt(v, 10, 64)
	return State{ID: id, Version: version, Data: []byte(data)}, ok && err == nil
}

// cache stores states in this process. It does nothing while the stream is down, since
// newer states would not arrive.
func (r *Redis) cache(list ...State) { r.cacheStates(list, false) }

// cacheStates stores states in this process. published says that they arrived on the
// stream.
func (r *Redis) cacheStates(list []State, published bool) {
	if r.events.isDown() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, s := range list {
		k := r.states[s.ID]
		if published {
			k.published = max(k.published, s.Version)
		}
		if k.ID == "" || k.Version <= s.Version {
			k.State, k.until = s, now.Add(stateTTL)
		}
		r.states[s.ID] = k
	}
	if now.After(r.sweep) {
		r.sweep = now.Add(sweepEvery)
		for id, k := range r.states {
			if now.After(k.until) {
				delete(r.states, id)
			}
		}
	}
}

// published reports whether this version or a newer one arrived on the stream.
func (r *Redis) published(s State) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[s.ID].published >= s.Version && s.Version > 0
}

// Subscribe returns a subscription to the changes of these providers, or of all if none
// is given, after the event lastID. If lastID is empty or no longer in the log, the
// subscription starts with a reset and continues with new changes. Event ids are the
// same in every process; Subscribe waits a moment for one that this process has not read.
func (r *Redis) Subscribe(lastID string, providers ...string) (*Subscription, error) {
	r.awaitEvent(lastID)
	return r.events.subscribe(lastID, providers)
}

// Allow counts one use against the limit named key. It returns 0 if the use is
// allowed, or how long to wait otherwise. While Redis is unavailable, each process
// applies the limit on its own.
func (r *Redis) Allow(ctx context.Context, key string, l Limit) (time.Duration, error) {
	var wait int64
	err := r.do(ctx, func(ctx context.Context) (err error) {
		wait, err = limitScript.Run(ctx, r.client, []string{limitKey(key)}, l.Interval.Microseconds(), max(1, l.Burst)).Int64()
		return err
	})
	if err != nil {
		return r.limits.Allow(ctx, key, l)
	}
	return time.Duration(wait) * time.Microsecond, nil
}

var errCut = errors.New("Redis did not answer recently")

// do runs Redis commands with a short timeout. For breakFor after a failure it
// returns errCut at once, so that requests do not wait for an unavailable Redis.
func (r *Redis) do(ctx context.Context, f func(context.Context) error) error {
	if r.elapsed() < r.cutUntil.Load() {
		return errCut
	}
	within, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := f(within)
	if err != nil && !errors.Is(err, redis.Nil) && ctx.Err() == nil {
		r.cutUntil.Store(r.elapsed() + int64(breakFor))
	}
	return err
}
