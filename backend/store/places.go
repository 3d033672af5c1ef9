package store

import (
	"context"
	"fmt"
	"time"
)

// PlacesTaken returns how many live sessions of a provider are not over, up to most. Until
// the transaction ends, others that ask wait, so that the number holds.
func (t *Tx) PlacesTaken(ctx context.Context, providerID string, most int64) (int64, error) {
	if err := t.q.LockProvider(ctx, providerID); err != nil {
		return 0, fmt.Errorf("locking provider: %w", err)
	}
	taken, err := t.q.PlacesTaken(ctx, providerID, int32(most))
	if err != nil {
		return 0, fmt.Errorf("counting sessions: %w", err)
	}
	return taken, nil
}

// NextEnd returns when the first active live session of a provider ends by itself; zero if
// none is active.
func (r Reader) NextEnd(ctx context.Context, providerID string) (time.Time, error) {
	at, err := r.q.NextEnd(ctx, providerID)
	if err != nil || at == 0 {
		return time.Time{}, wrapped("reading deadlines", err)
	}
	return time.Unix(at, 0), nil
}
