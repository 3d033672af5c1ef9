package store

import (
	"context"
	"fmt"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
)

// DaysOf is [Reader.Days] for a mode. New users are counted of live sessions only.
func (r Reader) DaysOf(ctx context.Context, providerID string, mode session.Mode, first, last int64) ([]Day, error) {
	if mode == session.LiveMode || mode == "" {
		return r.Days(ctx, providerID, first, last)
	}
	rows, err := r.q.ListModeDays(ctx, query.ListModeDaysParams{ProviderID: providerID, Mode: string(mode), FirstDay: first, LastDay: last})
	if err != nil {
		return nil, fmt.Errorf("listing days: %w", err)
	}
	list := make([]Day, 0, len(rows))
	for _, d := range rows {
		list = append(list, Day{
			Day: d.Day, Sessions: d.Sessions, Entered: d.Entered, Completed: d.Completed, Expired: d.Expired, Revoked: d.Revoked,
			Canceled: d.Canceled, TokensAllocated: d.TokensAllocated, PaidSeconds: d.PaidSeconds, UsedSeconds: d.UsedSeconds,
			Users: d.Users, Captures: d.Captures, Captured: d.Captured, Released: d.Released, Held: d.Held, Extensions: d.Extensions,
		})
	}
	return list, nil
}

// TotalsOf is [Reader.Totals] for a mode.
func (r Reader) TotalsOf(ctx context.Context, providerID string, mode session.Mode) (Totals, error) {
	if mode == session.LiveMode || mode == "" {
		return r.Totals(ctx, providerID)
	}
	row, err := r.q.SumModeDays(ctx, providerID, string(mode))
	if err != nil {
		return Totals{}, fmt.Errorf("summing days: %w", err)
	}
	return Totals{Sessions: row.Sessions, Captured: row.Captured, Released: row.Released, UsedSeconds: row.UsedSeconds}, nil
}
