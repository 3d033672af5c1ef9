package service

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store"
)

// Credit gives a user tokens and returns the balance after it.
func (s *Service) Credit(ctx context.Context, req Request, userID string, amount int64) (ledger.Balance, error) {
	return write(ctx, s, req, func(w *writeTx) (ledger.Balance, error) {
		id, err := uuid.NewV7()
		if err != nil {
			return ledger.Balance{}, fmt.Errorf("making an entry id: %w", err)
		}
		posting, err := ledger.Credit(id.String(), userID, amount, w.now)
		if err != nil {
			return ledger.Balance{}, err
		}
		if err := w.Post(ctx, posting); err != nil {
			return ledger.Balance{}, err
		}
		return w.Balance(ctx, userID)
	})
}

// Balance is what a user has.
func (s *Service) Balance(ctx context.Context, userID string) (ledger.Balance, error) {
	return s.store.Balance(ctx, userID)
}

// Entries lists ledger entries, newest first.
func (s *Service) Entries(ctx context.Context, f store.EntryFilter) ([]ledger.Transfer, error) {
	return s.store.Entries(ctx, f)
}
