package backend

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/sessiongate/sessiongate/backend/ledger"
)

// credit gives a user tokens and returns the balance after it.
func (s *service) credit(ctx context.Context, req request, userID string, amount int64) (ledger.Balance, error) {
	return write(ctx, s, req, func(w *work) (ledger.Balance, error) {
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
