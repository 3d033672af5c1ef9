package service

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// rates are the request limits of one caller. A limit without an interval does not
// apply.
type rates struct {
	key     coord.Limit // of one API key
	address coord.Limit // of one address without a key: open endpoints, wrong keys
}

// sessionLimit limits the calls of one session on its own behalf. Pages send a
// heartbeat every 30 s; the limit stops pages that call without pause.
var sessionLimit = coord.Limit{Interval: 50 * time.Millisecond, Burst: 100}

// perSecond returns a limit of n a second on average, with a burst of two seconds'
// worth.
func perSecond(n int) coord.Limit {
	if n < 0 {
		return coord.Limit{}
	}
	return coord.Limit{Interval: time.Second / time.Duration(n), Burst: 2 * n}
}

// limited refuses a use that exceeds a limit.
func (s *Service) limited(ctx context.Context, key string, l coord.Limit) error {
	if l.Interval == 0 {
		return nil
	}
	wait, err := s.limit.Allow(ctx, key, l)
	if err != nil {
		return fmt.Errorf("limiting: %w", err)
	}
	if wait > 0 {
		return &Refusal{Code: protocol.RateLimited, Detail: "Too many requests.", Cause: &WaitError{wait}}
	}
	return nil
}

// LimitAddress refuses requests without a key that exceed the limit of their address.
func (s *Service) LimitAddress(ctx context.Context, address string) error {
	return s.limited(ctx, "address:"+address, s.rates.address)
}

// LimitCaller refuses requests that exceed the limit of their caller.
func (s *Service) LimitCaller(ctx context.Context, c Caller) error {
	if c.Role != RoleSession && c.Role != RoleLaunch {
		return s.limited(ctx, c.Scope, s.rates.key)
	}
	wait, err := s.limit.Allow(ctx, c.Scope, sessionLimit)
	if err != nil {
		return fmt.Errorf("limiting: %w", err)
	}
	if wait > 0 {
		return &Refusal{Code: protocol.RateLimited, Detail: "Too many requests for this session.", Cause: &WaitError{wait}}
	}
	return nil
}

// keyUse collects the times at which keys were used, until they are written.
type keyUse struct {
	mu   sync.Mutex // guards used
	used map[string]int64
}

// note records a use of a key, at most once a minute.
func (u *keyUse) note(k store.APIKey, now time.Time) {
	at := now.Unix() / 60 * 60
	if at <= k.LastUsedAt {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used[k.ID] = at
}

func (u *keyUse) drain() map[string]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	used := u.used
	u.used = map[string]int64{}
	return used
}

// FlushKeyUse writes the collected times.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	used := s.used.drain()
	if len(used) == 0 {
		return nil
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.TouchAPIKeys(ctx, used) })
}
