package service

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
)

// maxTimeline is the largest number of entries in a timeline. The newest entries are
// kept, and page events are dropped before others.
const maxTimeline = 1000

// Timeline returns the latest records of a session, oldest first.
func (s *Service) Timeline(ctx context.Context, id string) ([]shape.TimelineEntry, error) {
	list := []shape.TimelineEntry{}
	add := func(atMS int64, kind, name string, detail map[string]any) {
		list = append(list, shape.TimelineEntry{AtMS: atMS, Kind: kind, Name: name, Detail: detail})
	}
	transitions, err := s.store.EventsOfSession(ctx, id, store.FromSession, maxTimeline)
	if err != nil {
		return nil, err
	}
	bought, err := s.extensionsOf(ctx, id, transitions)
	if err != nil {
		return nil, err
	}
	for _, e := range transitions {
		props := propsOf(e)
		add(e.AtMS, "session", e.Name, props)
		// Each extension was written with a transition, which knows the millisecond.
		if x, ok := bought[versionOf(props)]; ok && e.Name == string(session.Extended) {
			add(e.AtMS, "extension", "bought", map[string]any{"by": x.By, "seconds": x.Seconds, "tokens": x.Tokens})
		}
	}
	entries, err := s.store.EntriesOfSession(ctx, id, maxTimeline)
	if err != nil {
		return nil, err
	}
	for _, t := range entries {
		add(t.At/1000, "ledger", string(t.Kind), map[string]any{"amount": t.Amount, "debit": t.Debit, "credit": t.Credit})
	}
	deliveries, err := s.store.DeliveriesOfSession(ctx, id, maxTimeline)
	if err != nil {
		return nil, err
	}
	for _, d := range deliveries {
		add(d.CreatedMS, "delivery", d.Type, map[string]any{
			"webhook_id": d.WebhookID, "delivery_id": d.ID, "status": d.Status, "attempts": d.Attempts, "last_status": d.LastStatus,
		})
	}
	beats, err := s.store.Beats(ctx, id)
	if err != nil {
		return nil, err
	}
	if beats.Count > 0 {
		add(beats.LastAt*1000, "heartbeats", "heartbeats", map[string]any{"count": beats.Count, "active": beats.Active, "last_at": beats.LastAt})
	}
	if room := maxTimeline - len(list); room > 0 {
		noticed, err := s.store.EventsOfSession(ctx, id, store.FromPages, room)
		if err != nil {
			return nil, err
		}
		for _, e := range noticed {
			add(e.AtMS, "page", e.Name, propsOf(e))
		}
	}
	slices.SortStableFunc(list, func(x, y shape.TimelineEntry) int { return cmp.Compare(x.AtMS, y.AtMS) })
	return list[max(0, len(list)-maxTimeline):], nil
}

// extensionsOf maps the session versions that extensions created to those extensions,
// as far back as transitions go.
func (s *Service) extensionsOf(ctx context.Context, id string, transitions []store.SessionEvent) (map[int64]store.Extension, error) {
	bought := map[int64]store.Extension{}
	if len(transitions) == 0 {
		return bought, nil
	}
	list, err := s.store.Extensions(ctx, id, versionOf(propsOf(transitions[0]))-1, maxTimeline)
	for _, x := range list {
		bought[x.Version] = x
	}
	return bought, err
}

// versionOf returns the version in a transition's properties, or 0.
func versionOf(props map[string]any) int64 {
	version, _ := props["version"].(float64)
	return int64(version)
}

// propsOf decodes an event's properties, which are stored as a JSON object.
func propsOf(e store.SessionEvent) map[string]any {
	props := map[string]any{}
	if json.Unmarshal([]byte(e.Props), &props) != nil || props == nil {
		return map[string]any{}
	}
	return props
}
