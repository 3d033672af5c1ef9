package service

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
)

const (
	// The shortest time between two updates of the roll-ups.
	rollupEvery = 5 * time.Second
	// The wait is longer if an update takes long: it is at least rollupShare times as
	// long as the update.
	rollupShare = 20
)

// analyticsLoop updates the roll-ups until ctx ends. Several backends may run it
// at once, because each recounts whole days.
func (s *Service) analyticsLoop(ctx context.Context) {
	for {
		begun := time.Now()
		if _, err := s.Rollup(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("failed to update analytics", zap.Error(err))
		}
		if !sleep(ctx, max(rollupEvery, rollupShare*time.Since(begun)), nil) {
			return
		}
	}
}

// Rollup counts the changes since its last run and returns the number of days that it
// recounted.
func (s *Service) Rollup(ctx context.Context) (int, error) {
	return s.store.Rollup(ctx, s.now())
}

// Days returns every day of a provider's range in a mode, their sum, and the time up to which
// changes are counted.
func (s *Service) Days(ctx context.Context, providerID string, mode Mode, first, last int64) (days []store.Day, total store.Day, asOf time.Time, err error) {
	found, err := s.store.DaysOf(ctx, providerID, mode, first, last)
	if err != nil {
		return nil, total, asOf, err
	}
	if asOf, err = s.store.RolledUpTo(ctx); err != nil {
		return nil, total, asOf, err
	}
	days = make([]store.Day, last-first+1)
	for i := range days {
		days[i].Day = first + int64(i)
	}
	for _, d := range found {
		days[d.Day-first] = d
		total.Sessions += d.Sessions
		total.Entered += d.Entered
		total.Completed += d.Completed
		total.Expired += d.Expired
		total.Revoked += d.Revoked
		total.Canceled += d.Canceled
		total.TokensAllocated += d.TokensAllocated
		total.PaidSeconds += d.PaidSeconds
		total.UsedSeconds += d.UsedSeconds
		total.Users += d.Users
		total.NewUsers += d.NewUsers
		total.Captures += d.Captures
		total.Captured += d.Captured
		total.Released += d.Released
		total.Held += d.Held
		total.Extensions += d.Extensions
	}
	return days, total, asOf, nil
}

// Totals returns a provider's totals over all days, in a mode.
func (s *Service) Totals(ctx context.Context, providerID string, mode Mode) (store.Totals, error) {
	return s.store.TotalsOf(ctx, providerID, mode)
}

// EventDays returns how often each page event occurred in live sessions, by day and name.
func (s *Service) EventDays(ctx context.Context, providerID string, first, last int64) ([]store.EventDay, error) {
	return s.store.EventDays(ctx, providerID, first, last)
}

// LiveCounts counts a provider's sessions of a mode that have not ended.
func (s *Service) LiveCounts(ctx context.Context, providerID string, mode Mode) (shape.LiveCounts, error) {
	counts, err := s.store.Live(ctx, providerID, mode)
	return shape.LiveCounts{Active: counts[session.Active], Paused: counts[session.Paused], Pending: counts[session.Pending]}, err
}
