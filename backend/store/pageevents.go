package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
)

const (
	// How many names of page events are told apart on one day of one provider.
	// Whoever owns the page chooses them, and a page that makes them up at random
	// must not fill the roll-up.
	maxEventNames = 500
	// What the names beyond that are counted as.
	otherEvents = "(other)"
)

// PageEvent is one thing that a page noticed. Props is JSON.
type PageEvent struct {
	Name  string
	AtMS  int64
	Props string
}

// EventDay is how often the pages of a provider noticed something on one day,
// by the time of its arrival.
type EventDay struct {
	// Days since 1970.
	Day    int64
	Name   string
	Events int64
	// In how many sessions it was noticed that had not noticed it before.
	Sessions int64
}

// AddPageEvents records what the pages of s noticed, and counts it.
func (t *Tx) AddPageEvents(ctx context.Context, s session.Session, events []PageEvent, now time.Time) error {
	counts := map[string]int64{}
	for _, e := range events {
		counts[e.Name]++
	}
	// In the order of names, so that writers that meet wait and never lock each
	// other up.
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if err := t.countPageEvents(ctx, s, name, counts[name], now); err != nil {
			return fmt.Errorf("counting events: %w", err)
		}
	}
	for _, e := range events {
		err := t.insertEvent(ctx, query.InsertEventParams{
			SessionID: s.ID, Source: "page", Name: e.Name, AtMS: e.AtMS, Props: e.Props,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// countPageEvents adds to the roll-up what is not yet recorded.
func (t *Tx) countPageEvents(ctx context.Context, s session.Session, name string, n int64, now time.Time) error {
	today := now.Unix() / int64(day/time.Second)
	before, err := t.q.HasSessionEvent(ctx, s.ID, name)
	if err != nil {
		return err
	}
	known, err := t.q.HasEventName(ctx, s.ProviderID, today, name)
	if err != nil {
		return err
	}
	if known == 0 {
		names, err := t.q.CountEventNames(ctx, s.ProviderID, today)
		if err != nil {
			return err
		}
		if names >= maxEventNames {
			name = otherEvents
		}
	}
	return t.q.AddProviderEvents(ctx, query.AddProviderEventsParams{
		ProviderID: s.ProviderID, Day: today, Name: name, Events: n, Sessions: 1 - before,
	})
}

// PageEventCount is how many page events a session has.
func (r Reader) PageEventCount(ctx context.Context, sessionID string) (int64, error) {
	n, err := r.q.CountEvents(ctx, sessionID, "page")
	if err != nil {
		return 0, fmt.Errorf("counting events: %w", err)
	}
	return n, nil
}

// EventDays lists what the pages of a provider noticed from the first day to
// the last, by day, and within one the most frequent first.
func (r Reader) EventDays(ctx context.Context, providerID string, first, last int64) ([]EventDay, error) {
	rows, err := r.q.ListProviderEvents(ctx, providerID, first, last)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	list := make([]EventDay, 0, len(rows))
	for _, row := range rows {
		list = append(list, EventDay(row))
	}
	return list, nil
}
