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
	// The most distinct event names that are counted per provider and day. Pages
	// choose the names, and a page that sends random names must not fill the
	// roll-up.
	maxEventNames = 500
	// The name under which further names are counted.
	otherEvents = "(other)"
)

// PageEvent is an event that a page reported. Props is JSON.
type PageEvent struct {
	Name  string
	AtMS  int64
	Props string
}

// EventDay counts the page events with one name for a provider and a day. The time of
// arrival decides the day.
type EventDay struct {
	// Days since 1970.
	Day    int64
	Name   string
	Events int64
	// The number of sessions in which the event occurred for the first time.
	Sessions int64
}

// AddPageEvents records events of the pages of s and adds them to the roll-up.
func (t *Tx) AddPageEvents(ctx context.Context, s session.Session, events []PageEvent, now time.Time) error {
	counts := map[string]int64{}
	for _, e := range events {
		counts[e.Name]++
	}
	// Sorted by name, so that concurrent writers do not deadlock.
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

// countPageEvents adds n events to the roll-up. Call it before they are recorded.
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

// PageEventCount returns the number of page events of a session.
func (r Reader) PageEventCount(ctx context.Context, sessionID string) (int64, error) {
	n, err := r.q.CountEvents(ctx, sessionID, "page")
	if err != nil {
		return 0, fmt.Errorf("counting events: %w", err)
	}
	return n, nil
}

// EventDays lists the page event counts of a provider from the first day to the last,
// by day, and within a day the most frequent first.
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
