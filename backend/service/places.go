package service

import (
	"context"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// takePlace refuses a sale if the provider has as many live sessions as it allows at once.
// Sales of test sessions take no place.
func (w *writeTx) takePlace(ctx context.Context, p store.Provider, mode session.Mode) error {
	if p.Site.MaxSessions == 0 || mode != session.LiveMode {
		return nil
	}
	taken, err := w.PlacesTaken(ctx, p.ID, p.Site.MaxSessions)
	if err != nil || taken < p.Site.MaxSessions {
		return err
	}
	nextEnd, err := w.NextEnd(ctx, p.ID)
	if err != nil {
		return err
	}
	r := &Refusal{Code: protocol.ProviderFull, Detail: fmt.Sprintf("The provider allows %d sessions at once, and none is free. Sell the session later.", p.Site.MaxSessions)}
	if wait := nextEnd.Sub(w.now); wait > 0 {
		r.Detail += " The next one ends by itself at " + nextEnd.UTC().Format(time.RFC3339) + "."
		r.Cause = &WaitError{min(wait, longestWait)}
	}
	return r
}
