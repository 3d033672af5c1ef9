package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Pass is a way into a provider's app without a sale.
type Pass struct {
	ID         string
	ProviderID string
	Kind       string // of the sessions that it opens: staff or preview
	Label      string
	// SHA-256 of the secret in the pass's link, in hex. The secret has 256 random bits.
	Hash       string
	CreatedBy  string // the id of the key or person
	CreatedAt  int64
	ExpiresAt  int64
	RevokedAt  int64 // 0 for never
	Entries    int64
	LastUsedAt int64 // 0 for never
}

// Live reports whether the pass may be used at the time now.
func (p Pass) Live(now time.Time) bool { return p.RevokedAt == 0 && now.Unix() < p.ExpiresAt }

// Pass returns the pass with this id, or [ErrNotFound].
func (r Reader) Pass(ctx context.Context, id string) (Pass, error) {
	row, err := r.q.GetPass(ctx, id)
	if err != nil {
		return Pass{}, fmt.Errorf("reading pass: %w", found(err))
	}
	return Pass(row), nil
}

// PassByHash returns the pass whose secret has this hash, or [ErrNotFound].
func (r Reader) PassByHash(ctx context.Context, hash string) (Pass, error) {
	row, err := r.q.GetPassByHash(ctx, hash)
	if err != nil {
		return Pass{}, fmt.Errorf("reading pass: %w", found(err))
	}
	return Pass(row), nil
}

// PassFilter selects the passes of one provider.
type PassFilter struct {
	ProviderID string
	Before     string // the id of a pass; older passes follow. Empty: from the newest
	Limit      int
}

// Passes lists passes, newest first.
func (r Reader) Passes(ctx context.Context, f PassFilter) ([]Pass, error) {
	if f.Before == "" {
		f.Before = last
	}
	rows, err := r.q.ListPasses(ctx, f.ProviderID, f.Before, int32(f.Limit))
	if err != nil {
		return nil, fmt.Errorf("listing passes: %w", err)
	}
	list := make([]Pass, 0, len(rows))
	for _, row := range rows {
		list = append(list, Pass(row))
	}
	return list, nil
}

// LivePasses counts the passes of a provider that may be used at the time now.
func (r Reader) LivePasses(ctx context.Context, providerID string, now time.Time) (int64, error) {
	n, err := r.q.CountLivePasses(ctx, providerID, now.Unix())
	if err != nil {
		return 0, fmt.Errorf("counting passes: %w", err)
	}
	return n, nil
}

// SessionsOfPass lists up to limit sessions of a pass that have not ended.
func (r Reader) SessionsOfPass(ctx context.Context, passID string, limit int) ([]string, error) {
	ids, err := r.q.ListLiveSessionsOfPass(ctx, passID, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing a pass's sessions: %w", err)
	}
	return ids, nil
}

// OpenOfPass counts the sessions of a pass that have not ended.
func (r Reader) OpenOfPass(ctx context.Context, passID string) (int64, error) {
	n, err := r.q.CountLiveSessionsOfPass(ctx, passID)
	if err != nil {
		return 0, fmt.Errorf("counting a pass's sessions: %w", err)
	}
	return n, nil
}

// EntriesOfPass counts the sessions that a pass has opened since a time, up to a maximum.
func (r Reader) EntriesOfPass(ctx context.Context, passID string, since time.Time, most int) (int64, error) {
	n, err := r.q.CountEntriesOfPass(ctx, passID, since.Unix(), int32(most))
	if err != nil {
		return 0, fmt.Errorf("counting a pass's sessions: %w", err)
	}
	return n, nil
}

// InsertPass writes a new pass.
func (t *Tx) InsertPass(ctx context.Context, p Pass) error {
	err := t.q.InsertPass(ctx, query.InsertPassParams{
		ID: p.ID, ProviderID: p.ProviderID, Kind: p.Kind, Label: p.Label, Hash: p.Hash, CreatedBy: p.CreatedBy, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt,
	})
	if err != nil {
		return fmt.Errorf("writing pass: %w", err)
	}
	return nil
}

// UsePass counts an entry. It returns [ErrNotFound] if the pass may not be used. Entries
// and the revocation of a pass wait for one another, so that a revocation finds every
// session.
func (t *Tx) UsePass(ctx context.Context, id string, now time.Time) error {
	n, err := t.q.UsePass(ctx, now.Unix(), id)
	if err != nil {
		return fmt.Errorf("using pass: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("using pass: %w", ErrNotFound)
	}
	return nil
}

// RevokePass revokes a pass, and reports whether it was not revoked before.
func (t *Tx) RevokePass(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := t.q.RevokePass(ctx, now.Unix(), id)
	if err != nil {
		return false, fmt.Errorf("revoking pass: %w", err)
	}
	return n > 0, nil
}

// ForgetPasses removes the passes that ended before a time.
func (s *Store) ForgetPasses(ctx context.Context, before time.Time) error {
	_, err := s.inBatches(ctx, "removing old passes", func(tx *Tx) (int64, error) {
		return tx.q.DeletePasses(ctx, before.Unix(), batchRows)
	})
	return err
}
