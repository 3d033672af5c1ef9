package store

import (
	"context"
	"fmt"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
)

// maxStandstills is how many standstills of one provider are read: the one that lasts, and
// those whose end has not been applied to all sessions.
const maxStandstills = 1000

// Standstill is a time in which a provider's app cannot be used.
type Standstill struct {
	ProviderID string
	// Unix microseconds; UntilUS is 0 while it lasts.
	SinceUS, UntilUS int64
	Reason           string
	// The last session that it was applied to, in the order of ids.
	LastID string
}

func standstillFrom(r query.Standstill) Standstill {
	return Standstill{ProviderID: r.ProviderID, SinceUS: r.SinceUs, UntilUS: r.UntilUs, Reason: r.Reason, LastID: r.LastID}
}

// Standstills lists the standstills of a provider that may not have been applied to all of
// its sessions, the earliest first.
func (r Reader) Standstills(ctx context.Context, providerID string) ([]Standstill, error) {
	rows, err := r.q.Standstills(ctx, providerID, maxStandstills)
	if err != nil {
		return nil, fmt.Errorf("reading standstills: %w", err)
	}
	list := make([]Standstill, len(rows))
	for i, row := range rows {
		list[i] = standstillFrom(row)
	}
	return list, nil
}

// PendingStandstill returns a standstill that must still be applied to sessions, of the next
// provider after the given one; false if there is none. It leaves out one whose time, by
// another machine's clock, has not come yet.
func (r Reader) PendingStandstill(ctx context.Context, after string, nowUS int64) (Standstill, bool, error) {
	rows, err := r.q.PendingStandstill(ctx, after, nowUS)
	if err != nil || len(rows) == 0 {
		return Standstill{}, false, wrapped("reading standstills", err)
	}
	return standstillFrom(rows[0]), true, nil
}

// LiveSessionsOf lists ids of a provider's sessions that are not over, after an id.
func (r Reader) LiveSessionsOf(ctx context.Context, providerID, after string, limit int) ([]string, error) {
	ids, err := r.q.LiveSessionsOf(ctx, providerID, after, int32(limit))
	return ids, wrapped("listing live sessions", err)
}

// BeginStandstill records that a provider's app cannot be used from a moment on.
func (t *Tx) BeginStandstill(ctx context.Context, s Standstill) error {
	return wrapped("writing standstill", t.q.InsertStandstill(ctx, s.ProviderID, s.SinceUS, s.Reason))
}

// EndStandstill records that it can be used again. It reports whether it could not before.
func (t *Tx) EndStandstill(ctx context.Context, providerID string, untilUS int64) (bool, error) {
	n, err := t.q.EndStandstill(ctx, untilUS, providerID)
	return n > 0, wrapped("writing standstill", err)
}

// AdvanceStandstill records that a standstill is applied to sessions up to the id last; with
// done, to all of them. It returns false if another process has applied it to these, or the
// standstill has ended meanwhile.
func (t *Tx) AdvanceStandstill(ctx context.Context, s Standstill, last string, done bool) (bool, error) {
	pending := int64(1)
	if done {
		pending = 0
	}
	n, err := t.q.AdvanceStandstill(ctx, query.AdvanceStandstillParams{
		LastID: last, Pending: pending, ProviderID: s.ProviderID, SinceUs: s.SinceUS, UntilUs: s.UntilUS, WasLastID: s.LastID,
	})
	return n > 0, wrapped("writing standstill", err)
}

// DeleteStandstill deletes a standstill whose end has been applied to all sessions.
func (t *Tx) DeleteStandstill(ctx context.Context, s Standstill) error {
	return wrapped("writing standstill", t.q.DeleteStandstill(ctx, s.ProviderID, s.SinceUS))
}

// updateStandstill writes how the clock of s stands still, if it ever did.
func (t *Tx) updateStandstill(ctx context.Context, s session.Session) error {
	x := s.Standstill
	if x == (session.Standstill{}) {
		return nil
	}
	paused := int64(0)
	if x.Paused {
		paused = 1
	}
	return wrapped("writing session", t.q.UpdateStandstill(ctx, query.UpdateStandstillParams{
		ID: s.ID, Standstill: x.Reason, StandstillSinceUs: x.SinceUS, StandstillUntilUs: x.UntilUS, StoodUs: x.StoodUS, StandstillPaused: paused,
	}))
}

func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
