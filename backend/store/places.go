package store

import (
	"context"
	"time"
)

// PlacesTaken returns how many live sessions of a provider are not over, and when the
// first of those ends by itself; zero if none does. Until the transaction ends, others that
// ask wait: what is counted stays so.
func (t *Tx) PlacesTaken(ctx context.Context, providerID string) (taken int64, nextEnd time.Time, err error) {
	if err := t.q.LockProvider(ctx, providerID); err != nil {
		return 0, nextEnd, wrapped("counting sessions", err)
	}
	row, err := t.q.PlacesTaken(ctx, providerID)
	if err == nil && row.NextEnd != 0 {
		nextEnd = time.Unix(row.NextEnd, 0)
	}
	return row.Taken, nextEnd, wrapped("counting sessions", err)
}
