package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// EventCaps bound what the pages of a session, and those of a provider on a day (UTC),
// may report.
type EventCaps struct {
	SessionEvents, SessionBytes, SessionNames int64
	DayEvents, DayBytes                       int64
}

// EventBound names the cap that an [EventsFullError] is about.
type EventBound string

// The caps of [EventCaps].
const (
	SessionEvents EventBound = "events of a session"
	SessionNames  EventBound = "event names of a session"
	DayEvents     EventBound = "events of a provider's day"
)

// EventsFullError is returned for page events that exceed a cap. None of them is
// recorded.
type EventsFullError struct{ Bound EventBound }

func (e *EventsFullError) Error() string { return "too many " + string(e.Bound) }

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

// eventBatch is what a batch of page events adds.
type eventBatch struct {
	names  []string // sorted, so that concurrent writers do not deadlock
	counts map[string]int64
	events int64
	bytes  int64
}

func batchOf(events []PageEvent) eventBatch {
	b := eventBatch{counts: map[string]int64{}, events: int64(len(events))}
	for _, e := range events {
		if b.counts[e.Name] == 0 {
			b.names = append(b.names, e.Name)
		}
		b.counts[e.Name]++
		b.bytes += int64(len(e.Name) + len(e.Props))
	}
	slices.Sort(b.names)
	return b
}

// fits returns an [EventsFullError] if a batch does not fit beside what is recorded.
func (c EventCaps) fits(b eventBatch, use query.SessionEventUse, day query.ProviderEventDay, known []string) error {
	fresh := int64(0)
	for _, name := range b.names {
		if !slices.Contains(known, name) {
			fresh++
		}
	}
	switch {
	case use.Events+b.events > c.SessionEvents || use.Bytes+b.bytes > c.SessionBytes:
		return &EventsFullError{SessionEvents}
	case fresh > 0 && int64(len(known))+fresh > c.SessionNames:
		return &EventsFullError{SessionNames}
	case day.Events+b.events > c.DayEvents || day.Bytes+b.bytes > c.DayBytes:
		return &EventsFullError{DayEvents}
	}
	return nil
}

// of returns the caps for the pages of s. Those of sessions that are not live may use half
// of their provider's day, so that the rest is left to live ones.
func (c EventCaps) of(s session.Session) EventCaps {
	if s.Purpose() != session.LiveMode {
		c.DayEvents /= 2
		c.DayBytes /= 2
	}
	return c
}

// CheckPageEvents returns an [EventsFullError] if the pages of s cannot report these
// events now. It reads two rows by their keys, so that a flood of events that are
// refused anyway does not wait for the writer, and nobody waits for the flood.
func (r Reader) CheckPageEvents(ctx context.Context, s session.Session, events []PageEvent, caps EventCaps, now time.Time) error {
	use, err := r.q.GetSessionEventUse(ctx, s.ID)
	if err = found(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("reading counts of events: %w", err)
	}
	day, err := r.q.GetProviderEventDay(ctx, s.ProviderID, dayNumber(now))
	if err = found(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("reading counts of events: %w", err)
	}
	return caps.of(s).fits(batchOf(events), use, day, namesOf(use.Names))
}

// AddPageEvents records events of the pages of s and adds them to the roll-up. If they
// exceed a cap, it returns an [EventsFullError] and the transaction must not be
// committed. It reads rows by their keys only, however many events there are.
func (t *Tx) AddPageEvents(ctx context.Context, s session.Session, events []PageEvent, caps EventCaps, now time.Time) error {
	b, today := batchOf(events), dayNumber(now)
	caps = caps.of(s)
	if len(events) == 0 {
		return nil
	}
	// The first batch of a session or day meets no row that could refuse it.
	if err := caps.fits(b, query.SessionEventUse{}, query.ProviderEventDay{}, nil); err != nil {
		return err
	}
	first, err := t.useSessionEvents(ctx, s.ID, b, caps, now)
	if err != nil {
		return err
	}
	if s.Purpose() != session.LiveMode {
		b.names = nil // only live sessions are counted by name
	}
	if err := t.countPageEvents(ctx, s.ProviderID, b, first, caps, today); err != nil {
		return err
	}
	for _, e := range events {
		err := t.insertEvent(ctx, now, query.InsertEventParams{
			SessionID: s.ID, Source: FromPages, Name: e.Name, AtMS: e.AtMS, Props: e.Props,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// useSessionEvents adds a batch to the counts of its session. It returns the names that
// are new to the session.
func (t *Tx) useSessionEvents(ctx context.Context, id string, b eventBatch, caps EventCaps, now time.Time) (first map[string]bool, err error) {
	names, err := t.q.AddSessionEventUse(ctx, query.AddSessionEventUseParams{
		SessionID: id, Events: b.events, Bytes: b.bytes, UpdatedAt: now.Unix(), MaxEvents: caps.SessionEvents, MaxBytes: caps.SessionBytes,
	})
	if err = found(err); errors.Is(err, ErrNotFound) {
		return nil, &EventsFullError{SessionEvents}
	}
	if err != nil {
		return nil, fmt.Errorf("counting events: %w", err)
	}
	known := namesOf(names)
	first = map[string]bool{}
	for _, name := range b.names {
		if !slices.Contains(known, name) {
			first[name] = true
			known = append(known, name)
		}
	}
	if len(first) == 0 {
		return first, nil
	}
	if int64(len(known)) > caps.SessionNames {
		return nil, &EventsFullError{SessionNames}
	}
	text, err := json.Marshal(known)
	if err == nil {
		err = t.q.SetSessionEventNames(ctx, string(text), id)
	}
	if err != nil {
		return nil, fmt.Errorf("recording names of events: %w", err)
	}
	return first, nil
}

// countPageEvents adds a batch to the roll-up of a provider's day. first has the names
// that are new to the batch's session.
func (t *Tx) countPageEvents(ctx context.Context, providerID string, b eventBatch, first map[string]bool, caps EventCaps, today int64) error {
	names, err := t.q.AddProviderEventDay(ctx, query.AddProviderEventDayParams{
		ProviderID: providerID, Day: today, Events: b.events, Bytes: b.bytes, MaxEvents: caps.DayEvents, MaxBytes: caps.DayBytes,
	})
	if err = found(err); errors.Is(err, ErrNotFound) {
		return &EventsFullError{DayEvents}
	}
	if err != nil {
		return fmt.Errorf("counting events: %w", err)
	}
	before := names
	for _, name := range b.names {
		p := query.AddProviderEventsParams{ProviderID: providerID, Day: today, Name: name, Events: b.counts[name]}
		if first[name] {
			p.Sessions = 1
		}
		known, err := t.q.HasEventName(ctx, providerID, today, name)
		if err != nil {
			return fmt.Errorf("counting events: %w", err)
		}
		switch {
		case known > 0:
		case names >= maxEventNames:
			p.Name = otherEvents
		default:
			names++
		}
		if err := t.q.AddProviderEvents(ctx, p); err != nil {
			return fmt.Errorf("counting events: %w", err)
		}
	}
	if names == before {
		return nil
	}
	if err := t.q.AddProviderEventNames(ctx, names-before, providerID, today); err != nil {
		return fmt.Errorf("counting events: %w", err)
	}
	return nil
}

// namesOf decodes the names in a row of session_event_use.
func namesOf(text string) (names []string) {
	_ = json.Unmarshal([]byte(text), &names) // only this package writes them
	return names
}

func dayNumber(now time.Time) int64 { return now.Unix() / int64(day/time.Second) }

// PageEventCount returns the number of page events of a session.
func (r Reader) PageEventCount(ctx context.Context, sessionID string) (int64, error) {
	n, err := r.q.CountEvents(ctx, sessionID, FromPages)
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

// ForgetPageEvents removes the page events that arrived before a time, and the counts of
// sessions that had none since. Figures by day are removed before the day firstDay.
func (s *Store) ForgetPageEvents(ctx context.Context, before time.Time, firstDay int64) error {
	for _, remove := range []func(*Tx) (int64, error){
		func(tx *Tx) (int64, error) { return tx.q.DeletePageEvents(ctx, FirstID(before), batchRows) },
		func(tx *Tx) (int64, error) { return tx.q.DeleteSessionEventUse(ctx, before.Unix(), batchRows) },
		func(tx *Tx) (int64, error) { return tx.q.DeleteProviderEvents(ctx, firstDay, batchRows) },
		func(tx *Tx) (int64, error) { return tx.q.DeleteProviderEventDays(ctx, firstDay, batchRows) },
	} {
		if _, err := s.inBatches(ctx, "removing old page events", remove); err != nil {
			return err
		}
	}
	return nil
}
