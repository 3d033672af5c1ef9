package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
)

// Lists, searches and counts may read many rows. They run on connections of their own,
// a few at a time, with callers taking turns, so that a sale never waits for them. The
// methods of [Store] below are those of [Reader] with these limits.

// inTurn runs a list.
func inTurn[T any](ctx context.Context, s *Store, read func(context.Context, Reader) (T, error)) (T, error) {
	return inTurnWithin(ctx, s, listTimeout, read)
}

func inTurnWithin[T any](ctx context.Context, s *Store, timeout time.Duration, read func(context.Context, Reader) (T, error)) (T, error) {
	var none T
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := s.listTurns.take(ctx); err != nil {
		return none, fmt.Errorf("reading a list: %w", err)
	}
	defer s.listTurns.give()
	list, err := read(ctx, s.lists)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err) // SQLite says only that it was interrupted
	}
	return list, err
}

// Sessions lists sessions, newest first.
func (s *Store) Sessions(ctx context.Context, f SessionFilter) ([]session.Session, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) ([]session.Session, error) { return r.Sessions(ctx, f) })
}

// Deliveries lists deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) ([]Delivery, error) { return r.Deliveries(ctx, f) })
}

// Entries lists ledger entries, newest first.
func (s *Store) Entries(ctx context.Context, f EntryFilter) ([]ledger.Transfer, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) ([]ledger.Transfer, error) { return r.Entries(ctx, f) })
}

// EventsOfUser lists what happened in a user's sessions, oldest first, from after the
// event with this id.
func (s *Store) EventsOfUser(ctx context.Context, userID, after string, limit int) ([]UserEvent, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) ([]UserEvent, error) {
		return r.EventsOfUser(ctx, userID, after, limit)
	})
}

// Days lists the days of a provider from first to last.
func (s *Store) Days(ctx context.Context, providerID string, first, last int64) ([]Day, error) {
	return s.DaysOf(ctx, providerID, session.LiveMode, first, last)
}

// DaysOf lists the days of a provider from first to last, in a mode.
func (s *Store) DaysOf(ctx context.Context, providerID string, mode session.Mode, first, last int64) ([]Day, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) ([]Day, error) {
		return r.DaysOf(ctx, providerID, mode, first, last)
	})
}

// EventDays lists what the pages of a provider noticed, by day and name.
func (s *Store) EventDays(ctx context.Context, providerID string, first, last int64) ([]EventDay, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) ([]EventDay, error) {
		return r.EventDays(ctx, providerID, first, last)
	})
}

// Totals sums a provider's days.
func (s *Store) Totals(ctx context.Context, providerID string) (Totals, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) (Totals, error) { return r.Totals(ctx, providerID) })
}

// TotalsOf sums a provider's days in a mode.
func (s *Store) TotalsOf(ctx context.Context, providerID string, mode session.Mode) (Totals, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) (Totals, error) { return r.TotalsOf(ctx, providerID, mode) })
}

// Live counts a provider's sessions of a mode that are not over, by status.
func (s *Store) Live(ctx context.Context, providerID string, mode session.Mode) (map[session.Status]int64, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) (map[session.Status]int64, error) {
		return r.Live(ctx, providerID, mode)
	})
}

// AuditLog lists what was done, newest first.
func (s *Store) AuditLog(ctx context.Context, before string, limit int) ([]AuditEntry, error) {
	return inTurn(ctx, s, func(ctx context.Context, r Reader) ([]AuditEntry, error) { return r.AuditLog(ctx, before, limit) })
}
