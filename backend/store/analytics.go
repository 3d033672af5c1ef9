package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
)

const (
	rollupName = "provider_analytics"
	day        = 24 * time.Hour
	// How far before the last roll-up changes are counted again. Transactions may
	// commit in another order than they began, and clocks differ between machines.
	rollupBack = time.Minute
	// countTimeout bounds one query of a roll-up. The first one reads every event.
	countTimeout = 5 * time.Minute
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

// Rollup recounts the days that changed since the last time, and returns how many it
// recounted. Counting reads; only its results are written in transactions, so that
// others that write need not wait for it.
func (s *Store) Rollup(ctx context.Context, now time.Time) (int, error) {
	upTo, err := s.RolledUpTo(ctx)
	if err != nil {
		return 0, err
	}
	limit := now.Add(rollupBack)
	after, before := "", last
	// A mark ahead of the clock was set while the clock was ahead: changes since
	// then may lie before the mark. Every day is counted once more.
	if !upTo.IsZero() && upTo.Before(limit) {
		after, before = FirstID(upTo.Add(-rollupBack)), FirstID(limit)
	}
	rows, err := inTurnWithin(ctx, s, countTimeout, func(ctx context.Context, r Reader) ([]query.TouchedDaysRow, error) {
		return r.q.TouchedDays(ctx, after, before)
	})
	if err != nil {
		return 0, fmt.Errorf("counting days: %w", err)
	}
	type key struct {
		provider, mode string
		day            int64
	}
	created, all := map[key]bool{}, map[key]bool{}
	for _, r := range rows {
		created[key{r.ProviderID, r.Mode, r.CreatedDay}] = true
		all[key{r.ProviderID, r.Mode, r.CreatedDay}], all[key{r.ProviderID, r.Mode, r.EventDay}] = true, true
	}
	for k := range created {
		if k.mode != string(session.LiveMode) {
			continue
		}
		if err := s.countUsers(ctx, k.provider, k.day); err != nil {
			return 0, fmt.Errorf("counting users: %w", err)
		}
	}
	for k := range all {
		d, err := inTurnWithin(ctx, s, countTimeout, func(ctx context.Context, r Reader) (query.CountDayRow, error) {
			return r.q.CountDay(ctx, k.provider, k.day, k.mode)
		})
		if err == nil {
			err = s.Write(ctx, func(tx *Tx) error { return tx.putDay(ctx, k.provider, k.mode, k.day, d) })
		}
		if err != nil {
			return 0, fmt.Errorf("counting days: %w", err)
		}
	}
	err = s.Write(ctx, func(tx *Tx) error {
		return tx.q.SetRollup(ctx, rollupName, now.UnixMilli(), limit.UnixMilli())
	})
	if err != nil {
		return 0, fmt.Errorf("counting days: %w", err)
	}
	return len(all), nil
}

// putDay writes what was counted of a day. Only live sessions are a provider's figures;
// those of other modes have a table of their own.
func (t *Tx) putDay(ctx context.Context, providerID, mode string, of int64, d query.CountDayRow) error {
	if mode != string(session.LiveMode) {
		return t.q.PutModeDay(ctx, query.PutModeDayParams{
			ProviderID: providerID, Mode: mode, Day: of, Sessions: d.Sessions, Entered: d.Entered, Completed: d.Completed, Expired: d.Expired,
			Revoked: d.Revoked, Canceled: d.Canceled, TokensAllocated: d.TokensAllocated, PaidSeconds: d.PaidSeconds, UsedSeconds: d.UsedSeconds,
			Users: d.Users, Captures: d.Captures, Captured: d.Captured, Released: d.Released, Held: d.Held, Extensions: d.Extensions,
		})
	}
	return t.q.PutDay(ctx, query.PutDayParams{
		ProviderID: providerID, Day: of, Sessions: d.Sessions, Entered: d.Entered, Completed: d.Completed, Expired: d.Expired,
		Revoked: d.Revoked, Canceled: d.Canceled, TokensAllocated: d.TokensAllocated, PaidSeconds: d.PaidSeconds, UsedSeconds: d.UsedSeconds,
		Users: d.Users, NewUsers: d.NewUsers, Captures: d.Captures, Captured: d.Captured, Released: d.Released, Held: d.Held,
		Extensions: d.Extensions,
	})
}

// countUsers records the users that came to a provider on a day first.
func (s *Store) countUsers(ctx context.Context, providerID string, of int64) error {
	const seconds = int64(day / time.Second)
	for after := ""; ; {
		users, err := inTurnWithin(ctx, s, countTimeout, func(ctx context.Context, r Reader) ([]string, error) {
			return r.q.ListNewUsers(ctx, query.ListNewUsersParams{
				ProviderID: providerID, Since: of * seconds, Until: (of + 1) * seconds, Day: of, After: after, MaxRows: batchRows,
			})
		})
		if err != nil || len(users) == 0 {
			return err
		}
		err = s.Write(ctx, func(tx *Tx) error {
			for _, user := range users {
				if err := tx.q.PutProviderUser(ctx, providerID, user, of); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = users[len(users)-1]
	}
}

// RolledUpTo returns the time of the last [Store.Rollup], or the zero Time before the
// first.
func (r Reader) RolledUpTo(ctx context.Context) (time.Time, error) { return r.mark(ctx, rollupName) }

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

// Live counts the sessions of a provider and a mode that have not ended, by status.
func (r Reader) Live(ctx context.Context, providerID string, mode session.Mode) (map[session.Status]int64, error) {
	rows, err := r.q.CountLive(ctx, providerID, string(cmp.Or(mode, session.LiveMode)))
	if err != nil {
		return nil, fmt.Errorf("counting sessions: %w", err)
	}
	counts := map[session.Status]int64{}
	for _, row := range rows {
		counts[session.Status(row.Status)] = row.Sessions
	}
	return counts, nil
}
