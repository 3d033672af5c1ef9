package coord

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// statesPerPipeline is how many states one write to Redis stores: its reply comes well
// within [redisTimeout].
const statesPerPipeline = 1000

// Remember stores states, as read from the database, without publishing them. It never
// fails: if Redis is unavailable, they are cached in this process only.
func (r *Redis) Remember(ctx context.Context, list ...State) error {
	r.cache(list...)
	for len(list) > 0 {
		n := min(len(list), statesPerPipeline)
		// On failure, the states stay in the cache of this process.
		if r.do(ctx, func(ctx context.Context) error { return r.store(ctx, list[:n]) }) != nil {
			return nil //nolint:nilerr // what Redis did not store is in the cache
		}
		list = list[n:]
	}
	return nil
}

// store stores states in Redis in one round trip, and in a second one those that a
// server answered without knowing the script.
func (r *Redis) store(ctx context.Context, list []State) error {
	run := func(list []State, eval func(redis.Scripter, State) *redis.Cmd) ([]*redis.Cmd, error) {
		replies := make([]*redis.Cmd, len(list))
		_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, s := range list {
				replies[i] = eval(p, s)
			}
			return nil
		})
		return replies, err
	}
	args := func(s State) []any { return []any{s.Version, s.Data, stateTTL.Milliseconds(), "0"} }
	replies, err := run(list, func(p redis.Scripter, s State) *redis.Cmd {
		return storeScript.EvalSha(ctx, p, []string{stateKey(s.ID)}, args(s)...)
	})
	var unknown []State
	for i, reply := range replies {
		switch e := reply.Err(); {
		case redis.HasErrorPrefix(e, "NOSCRIPT"):
			unknown = append(unknown, list[i])
		case e != nil:
			return e
		}
	}
	if len(unknown) == 0 {
		return err
	}
	_, err = run(unknown, func(p redis.Scripter, s State) *redis.Cmd {
		return storeScript.Eval(ctx, p, []string{stateKey(s.ID)}, args(s)...)
	})
	return err
}

// Published reports, of each version of a session, whether [Redis.Publish] would do
// nothing: it or a newer one arrived on the stream.
func (r *Redis) Published(versions []Version) []bool {
	list := make([]bool, len(versions))
	if r.repeats() {
		return list
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, v := range versions {
		list[i] = v.Version > 0 && r.states[v.ID].published >= v.Version
	}
	return list
}
