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
	// A Redis that takes longer is as good as none: SQL answers instead.
	redisTimeout = 250 * time.Millisecond
	dialTimeout  = 500 * time.Millisecond
	// stateTTL is how long a state is believed without asking the record again.
	// It bounds what a process that crashed while it could not reach Redis may
	// have left untold.
	stateTTL = 60 * time.Second
	// A command that failed keeps others from waiting too, for this long.
	breakFor = time.Second
	// What could not be published is tried again this often, by so many at once,
	// and with more patience: nobody waits for it.
	republishEvery   = 250 * time.Millisecond
	republishers     = 32
	republishTimeout = 2 * time.Second
	// More untold changes than this, and all edges are told to reset instead.
	maxUntold = 100_000
)

// Keys. A session's has its id in braces, so that whatever concerns one session
// shares a slot in a cluster; so do the stream and its counter.
const (
	streamKey  = "sg:{events}"
	counterKey = "sg:{events}:n"
)

func stateKey(id string) string   { return "sg:{" + id + "}" }
func limitKey(name string) string { return "sg:limit:{" + name + "}" }

// keepScript keeps a state unless a newer one is there, and says whether this
// version is yet to be told. KEYS: state. ARGV: version, data, ttl ms, tell.
var keepScript = redis.NewScript(`
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

// tellScript appends an event under the next number of this stream's life, so
// that a reader sees what it missed. KEYS: stream, counter. ARGV: data, how many
// to keep, a name for a new life.
var tellScript = redis.NewScript(`
local n = redis.call('HINCRBY', KEYS[2], 'n', 1)
if n == 1 then redis.call('HSET', KEYS[2], 'life', ARGV[3]) end
local life = redis.call('HGET', KEYS[2], 'life')
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'n', n, 'life', life, 'd', ARGV[1])`)

// limitScript is [take], in microseconds. KEYS: limit. ARGV: now, interval, burst.
var limitScript = redis.NewScript(`
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = tonumber(redis.call('GET', KEYS[1]) or '0')
if due < now then due = now end
local wait = due + interval - now - interval * burst
if wait > 0 then return wait end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000) + 1)
return 0`)

// Redis coordinates many processes. Each keeps the states it has seen, follows
// one stream for all its subscribers, and does without Redis when it must: then
// states come from the record, limits are this process's own, and there is no
// stream, so that edges ask. Safe for concurrent use.
type Redis struct {
	client redis.UniversalClient
	now    func() time.Time
	log    *zap.Logger
	size   int
	events *eventLog
	limits *Memory // while Redis cannot be asked

	cutUntil   atomic.Int64 // Unix nanoseconds: no command before this
	doubtUntil atomic.Int64 // Unix nanoseconds: Redis may hold old states until this

	mu     sync.Mutex // guards all below
	states map[string]kept
	sweep  time.Time
	untold map[string]State
	overs  bool // more was untold than we keep

	// Run's alone.
	cursor cursor
	anew   bool // what the stream held before is not to be resumed
	lost   bool // it is said that Redis is down
}

// kept is a state with the moment until which it is believed.
type kept struct {
	State
	until time.Time
	told  int64 // the version that the stream brought
}

// NewRedis returns a coordinator over the Redis at address, which see
// [redisurl.Connect] for. It need not answer yet. Nothing is followed until
// [Redis.Run] runs.
func NewRedis(address string, logSize int, now func() time.Time, log *zap.Logger) (*Redis, error) {
	// No command is tried twice, and none waits long: what fails is answered from
	// SQL, and the connection is mended beside the requests.
	client, err := redisurl.Connect(address, redisurl.Patience{Timeout: dialTimeout})
	if err != nil {
		return nil, err
	}
	r := &Redis{
		client: client, now: now, log: log, size: logSize, events: newEventLog(logSize, "start-"+rand.Text()[:8]),
		limits: NewMemory(1, now), states: map[string]kept{}, untold: map[string]State{},
	}
	r.events.setDown(true) // until Run has found the stream
	return r, nil
}

// Close closes all connections. Call it when [Redis.Run] has returned.
func (r *Redis) Close() error {
	if err := r.client.Close(); err != nil {
		return fmt.Errorf("closing Redis: %w", err)
	}
	return nil
}

// Ping asks Redis whether it is there.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("asking Redis: %w", err)
	}
	return nil
}

// Publish keeps s and tells all subscribers of all processes, unless s is old
// news. What Redis does not take now is told later; the error only says so.
func (r *Redis) Publish(ctx context.Context, s State) error {
	if r.told(s) {
		return nil
	}
	r.keep(s)
	err := r.do(ctx, func(ctx context.Context) error { return r.publish(ctx, s, false) })
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.untold[s.ID]; !ok || old.Version < s.Version {
		if !ok && len(r.untold) >= maxUntold {
			r.overs = true
		} else {
			r.untold[s.ID] = s
		}
	}
	return fmt.Errorf("publishing, to be tried again: %w", err)
}

// publish does so in two steps, since a state and the stream may live on two
// nodes. always tells it whether or not that version was told before.
func (r *Redis) publish(ctx context.Context, s State, always bool) error {
	fresh, err := keepScript.Run(ctx, r.client, []string{stateKey(s.ID)}, s.Version, s.Data, stateTTL.Milliseconds(), "1").Int()
	if err != nil || (fresh == 0 && !always) {
		return err
	}
	return r.tell(ctx, s.Data)
}

func (r *Redis) tell(ctx context.Context, data []byte) error {
	return tellScript.Run(ctx, r.client, []string{streamKey, counterKey}, data, r.size, rand.Text()[:8]).Err()
}

// Remember keeps s, read from the record, and tells nobody.
func (r *Redis) Remember(ctx context.Context, s State) error {
	r.keep(s)
	// Without Redis it is remembered here.
	_ = r.do(ctx, func(ctx context.Context) error {
		return keepScript.Run(ctx, r.client, []string{stateKey(s.ID)}, s.Version, s.Data, stateTTL.Milliseconds(), "0").Err()
	})
	return nil
}

// States returns the states of ids, in their order; the zero State where none
// is known, which is all that a missing Redis makes of it.
func (r *Redis) States(ctx context.Context, ids []string) ([]State, error) {
	list := make([]State, len(ids))
	var missing []int
	now := time.Now()
	if r.events.isDown() {
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
	if len(missing) == 0 || now.UnixNano() < r.doubtUntil.Load() {
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
	for n, i := range missing {
		if s, ok := stateOf(ids[i], replies[n].Val()); ok {
			list[i] = s
			r.keep(s)
		}
	}
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

// keep remembers s in this process, while it would learn of a newer one.
func (r *Redis) keep(s State) { r.keepTold(s, false) }

func (r *Redis) keepTold(s State, told bool) {
	if r.events.isDown() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	k := r.states[s.ID]
	if told {
		k.told = max(k.told, s.Version)
	}
	if k.ID == "" || k.Version <= s.Version {
		k.State, k.until = s, now.Add(stateTTL)
	}
	r.states[s.ID] = k
	if now.After(r.sweep) {
		r.sweep = now.Add(sweepEvery)
		for id, k := range r.states {
			if now.After(k.until) {
				delete(r.states, id)
			}
		}
	}
}

// told reports whether the stream has brought this version already.
func (r *Redis) told(s State) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[s.ID].told >= s.Version && s.Version > 0
}

// Subscribe returns a subscription to all changes after the event lastID, from
// now on, after a reset, when lastID is empty or no longer known. Ids are the
// same in every process.
func (r *Redis) Subscribe(lastID string) (*Subscription, error) { return r.events.subscribe(lastID) }

// Allow takes one use of the limit named key. It returns how long to wait, 0
// when allowed. Without Redis each process limits by itself.
func (r *Redis) Allow(ctx context.Context, key string, l Limit) (time.Duration, error) {
	var wait int64
	err := r.do(ctx, func(ctx context.Context) (err error) {
		wait, err = limitScript.Run(ctx, r.client, []string{limitKey(key)},
			r.now().UnixMicro(), l.Interval.Microseconds(), max(1, l.Burst)).Int64()
		return err
	})
	if err != nil {
		return r.limits.Allow(ctx, key, l)
	}
	return time.Duration(wait) * time.Microsecond, nil
}

var errCut = errors.New("Redis did not answer recently")

// do runs commands with little patience, and none at all right after a failure:
// requests go on without Redis, at their usual pace.
func (r *Redis) do(ctx context.Context, f func(context.Context) error) error {
	if time.Now().UnixNano() < r.cutUntil.Load() {
		return errCut
	}
	within, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	err := f(within)
	if err != nil && !errors.Is(err, redis.Nil) && ctx.Err() == nil {
		r.cutUntil.Store(time.Now().Add(breakFor).UnixNano())
	}
	return err
}
