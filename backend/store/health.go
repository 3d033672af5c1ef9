package store

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// failureLasts is how long a write that the database refused counts against
	// its readiness. A small write may succeed on a full disk between two that fail.
	failureLasts = 10 * time.Second
	// probeEvery bounds how often a readiness check writes: anybody may ask.
	probeEvery = time.Second
	probeName  = "ready"
)

// health is what is known of whether the database accepts writes. Its zero value is
// ready to use. It is safe for concurrent use.
type health struct {
	mu       sync.Mutex // guards failedAt, failure
	failedAt time.Time
	failure  error

	probing  sync.Mutex // guards the rest
	probedAt time.Time
	probe    error
}

// wrote takes the outcome of a write into account.
func (h *health) wrote(err error, now time.Time) {
	if !refusesWrites(err) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failedAt, h.failure = now, err
}

// refused returns why a recent write failed, or nil.
func (h *health) refused(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure == nil || now.Sub(h.failedAt) >= failureLasts {
		return nil
	}
	return h.failure
}

// Refused returns why the database refused a write within the last [failureLasts], or
// nil.
func (s *Store) Refused() error { return s.health.refused(time.Now()) }

// Ready reports whether the database answers and accepts writes. It writes a row of
// its own, at most once per second.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.Refused(); err != nil {
		return fmt.Errorf("writing to the database failed within the last %v: %w", failureLasts, err)
	}
	if err := s.Ping(ctx); err != nil {
		return err
	}
	h := &s.health
	h.probing.Lock()
	defer h.probing.Unlock()
	if now := time.Now(); now.Sub(h.probedAt) >= probeEvery {
		err := s.Write(ctx, func(tx *Tx) error { return tx.q.PutRollup(ctx, probeName, now.UnixMilli()) })
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("writing to the database: %w", err) // too slow for this caller
		}
		h.probedAt, h.probe = time.Now(), err
	}
	if h.probe != nil {
		return fmt.Errorf("writing to the database: %w", h.probe)
	}
	return nil
}
