package store

import (
	"context"
	"fmt"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
)

// SigningKey is one key of the ring, as kept.
type SigningKey struct {
	KeyID      string
	State      string
	CreatedAt  int64
	RetiredAt  int64
	PrivateKey string
}

// RingVersion grows with every change of the signing keys; 0 before the first.
func (r Reader) RingVersion(ctx context.Context) (int64, error) {
	n, err := r.q.GetRingVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading signing keys: %w", err)
	}
	return n, nil
}

// SigningKeys lists all signing keys, oldest first.
func (r Reader) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	rows, err := r.q.ListSigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading signing keys: %w", err)
	}
	list := make([]SigningKey, 0, len(rows))
	for _, row := range rows {
		list = append(list, SigningKey(row))
	}
	return list, nil
}

// ReplaceSigningKeys writes the ring as a whole. It reports false, and writes
// nothing, when the ring is no longer at this version.
func (t *Tx) ReplaceSigningKeys(ctx context.Context, keys []SigningKey, version int64) (bool, error) {
	n, err := t.q.AdvanceRing(ctx, version)
	if err != nil {
		return false, fmt.Errorf("writing signing keys: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	if err := t.q.DeleteSigningKeys(ctx); err != nil {
		return false, fmt.Errorf("writing signing keys: %w", err)
	}
	for _, k := range keys {
		if err := t.q.InsertSigningKey(ctx, query.InsertSigningKeyParams(k)); err != nil {
			return false, fmt.Errorf("writing signing keys: %w", err)
		}
	}
	return true, nil
}

// ChangedSince lists sessions that changed after the event with this id. Ids
// begin with the time, so that any UUIDv7 of a moment serves.
func (r Reader) ChangedSince(ctx context.Context, after string, limit int) ([]session.Session, error) {
	rows, err := r.q.ListChangedSessions(ctx, after, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing changes: %w", err)
	}
	list := make([]session.Session, 0, len(rows))
	for _, row := range rows {
		s, err := fromRow(row)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}
