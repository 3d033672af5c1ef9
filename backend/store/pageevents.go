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
	// The most events that are kept of one session. Whoever has its token could fill
	// the database otherwise: events are kept as long as their session.
	maxSessionEvents = 10_000
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

// AddPageEvents records events of the pages of s and adds them to the roll-up. Of a
// session that has [maxSessionEvents], they are only counted.
func (t *Tx) AddPageEvents(ctx context.Context, s session.Session, events []PageEvent, now time.Time) error {
	counts := map[string]int64{}
	for _, e := range events {
		counts[e.Name]++
	}
	kept, err := t.q.CountEventsUpTo(ctx, s.ID, maxSessionEvents)
	if err != nil {
		return fmt.Errorf("counting events: %w", err)
	}
	room := maxSessionEvents - int(kept)
	known := map[string]bool{} // to this session
	if room > 0 {              // otherwise some names are not kept, and none counts as new
		names, err := t.q.ListPageEventNames(ctx, s.ID)
		if err != nil {
			return fmt.Errorf("reading names of events: %w", err)
		}
		for _, name := range names {
			known[name] = true
		}
	}
	// Sorted by name, so that concurrent writers do not deadlock.
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		var first int64
		if room > 0 && !known[name] {
			first = 1
		}
		if err := t.countPageEvents(ctx, s, name, counts[name], first, now); err != nil {
			return fmt.Errorf("counting events: %w", err)
		}
	}
	for _, e := range events[:min(len(events), room)] {
		err := t.insertEvent(ctx, now, query.InsertEventParams{
			SessionID: s.ID, Source: "page", Name: e.Name, AtMS: e.AtMS, Props: e.Props,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// countPageEvents adds n events to the roll-up. first is 1 if the session had none with
// this name before.
func (t *Tx) countPageEvents(ctx context.Context, s session.Session, name string, n, first int64, now time.Time) error {
	today := now.Unix() / int64(day/time.Second)
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
		ProviderID: s.ProviderID, Day: today, Name: name, Events: n, Sessions: first,
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
