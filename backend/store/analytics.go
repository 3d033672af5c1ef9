package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
)

const (
	rollupName = "provider_analytics"
	day        = 24 * time.Hour
	// How far before the last roll-up changes are counted again. Transactions may
	// commit in another order than they began, and clocks differ between machines.
	rollupBack = time.Minute
)

// Day is the statistics of a provider for one day (UTC). Session figures belong to the
// day on which the session was created, and the last three fields to the day of their
// ledger entries.
type Day struct {
	// Days since 1970.
	Day                                   int64
	Sessions                              int64
	Entered                               int64
	Completed, Expired, Revoked, Canceled int64
	TokensAllocated                       int64
	PaidSeconds, UsedSeconds              int64
	Users, NewUsers                       int64
	Captures, Captured, Released, Held    int64
	// Extensions of the sessions of the day.
	Extensions int64
}

// Rollup counts the days that changed since the last roll-up again and returns how
// many there were. idAt returns the smallest event id of a time.
func (s *Store) Rollup(ctx context.Context, now time.Time, idAt func(time.Time) string) (int, error) {
	after := ""
	last, err := s.RolledUpTo(ctx)
	if err != nil {
		return 0, err
	}
	if !last.IsZero() {
		after = idAt(last.Add(-rollupBack))
	}
	rows, err := s.q.TouchedDays(ctx, after)
	if err != nil {
		return 0, fmt.Errorf("counting days: %w", err)
	}
	type key struct {
		provider string
		day      int64
	}
	created, all := map[key]bool{}, map[key]bool{}
	for _, r := range rows {
		created[key{r.ProviderID, r.CreatedDay}] = true
		all[key{r.ProviderID, r.CreatedDay}], all[key{r.ProviderID, r.EventDay}] = true, true
	}
	const seconds = int64(day / time.Second)
	for k := range created {
		err := s.Write(ctx, func(tx *Tx) error {
			return tx.q.CountProviderUsers(ctx, k.provider, k.day*seconds, (k.day+1)*seconds)
		})
		if err != nil {
			return 0, fmt.Errorf("counting users: %w", err)
		}
	}
	for k := range all {
		// One transaction per day, so that other writers do not wait for long.
		if err := s.Write(ctx, func(tx *Tx) error { return tx.q.CountDay(ctx, k.provider, k.day) }); err != nil {
			return 0, fmt.Errorf("counting days: %w", err)
		}
	}
	err = s.Write(ctx, func(tx *Tx) error { return tx.q.SetRollup(ctx, rollupName, now.UnixMilli()) })
	if err != nil {
		return 0, fmt.Errorf("counting days: %w", err)
	}
	return len(all), nil
}

// RolledUpTo returns the time of the last [Store.Rollup], or the zero Time before the
// first.
func (r Reader) RolledUpTo(ctx context.Context) (time.Time, error) {
	ms, err := r.q.GetRollup(ctx, rollupName)
	if err = found(err); errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading roll-ups: %w", err)
	}
	return time.UnixMilli(ms), nil
}

// Days lists the days of a provider from first to last. Days without data are left
// out.
func (r Reader) Days(ctx context.Context, providerID string, first, last int64) ([]Day, error) {
	rows, err := r.q.ListDays(ctx, providerID, first, last)
	if err != nil {
		return nil, fmt.Errorf("listing days: %w", err)
	}
	list := make([]Day, 0, len(rows))
	for _, d := range rows {
		list = append(list, Day{
			Day: d.Day, Sessions: d.Sessions, Entered: d.Entered, Completed: d.Completed, Expired: d.Expired, Revoked: d.Revoked,
			Canceled: d.Canceled, TokensAllocated: d.TokensAllocated, PaidSeconds: d.PaidSeconds, UsedSeconds: d.UsedSeconds,
			Users: d.Users, NewUsers: d.NewUsers, Captures: d.Captures, Captured: d.Captured, Released: d.Released, Held: d.Held,
			Extensions: d.Extensions,
		})
	}
	return list, nil
}

// Totals is the sum of all days of a provider.
type Totals struct {
	Sessions, Captured, Released, UsedSeconds, Users int64
}

// Totals returns the sum of all days of a provider.
func (r Reader) Totals(ctx context.Context, providerID string) (Totals, error) {
	row, err := r.q.SumDays(ctx, providerID)
	if err != nil {
		return Totals{}, fmt.Errorf("summing days: %w", err)
	}
	return Totals(row), nil
}

// Live counts the sessions of a provider that have not ended, by status.
func (r Reader) Live(ctx context.Context, providerID string) (map[session.Status]int64, error) {
	rows, err := r.q.CountLive(ctx, providerID)
	if err != nil {
		return nil, fmt.Errorf("counting sessions: %w", err)
	}
	counts := map[session.Status]int64{}
	for _, row := range rows {
		counts[session.Status(row.Status)] = row.Sessions
	}
	return counts, nil
}
