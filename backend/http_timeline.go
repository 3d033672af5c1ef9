package backend

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// maxTimeline is how many entries a timeline has at most. What pages noticed
// makes room for the rest.
const maxTimeline = 1000

// timelineEntry is one thing that happened to a session. What stands in its
// detail depends on its kind; the document says what.
type timelineEntry struct {
	AtMS   int64          `json:"at_ms"`
	Kind   string         `json:"kind" enum:"session,page,extension,ledger,delivery,heartbeats"`
	Name   string         `json:"name" example:"started" doc:"session: created, started, redeemed (entered), warning, extended, paused, resumed or ended. page: as the page named it. extension: bought. ledger: hold, capture or release. delivery: the event's type. heartbeats: heartbeats"`
	Detail map[string]any `json:"detail" doc:"session: status, version, reason. page: what the page said. extension: by, seconds, tokens. ledger: amount, debit, credit. delivery: webhook_id, delivery_id, status, attempts, last_status. heartbeats: count, active, last_at (Unix seconds)"`
}

type timelineOutput struct {
	Body struct {
		SessionID string          `json:"session_id"`
		Entries   []timelineEntry `json:"entries" nullable:"false" doc:"Oldest first, at most 1000; what pages noticed is left out first"`
	}
}

func (a *api) routeTimeline() {
	register(a, route{
		method: http.MethodGet, path: protocol.Sessions + "/{id}/timeline", id: "get-session-timeline", tag: "Sessions",
		summary: "All that happened to a session, in order", roles: []Role{RoleMarketplace, RoleProvider, RoleAdmin}, errors: []int{404},
	}, a.timeline)
}

func (a *api) timeline(ctx context.Context, in *SessionPath) (*timelineOutput, error) {
	c, err := a.s.session(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := ownProvider(ctx, c.ProviderID); err != nil {
		return nil, err
	}
	out := &timelineOutput{}
	out.Body.SessionID = c.ID
	out.Body.Entries, err = a.s.timeline(ctx, c.ID)
	return out, err
}

// timeline gathers what is recorded of a session, oldest first.
func (s *service) timeline(ctx context.Context, id string) ([]timelineEntry, error) {
	list := []timelineEntry{}
	add := func(atMS int64, kind, name string, detail map[string]any) {
		list = append(list, timelineEntry{AtMS: atMS, Kind: kind, Name: name, Detail: detail})
	}
	transitions, err := s.store.EventsOfSession(ctx, id, store.FromSession, maxTimeline)
	if err != nil {
		return nil, err
	}
	extensions, err := s.store.Extensions(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, e := range transitions {
		add(e.AtMS, "session", e.Name, propsOf(e))
		// Each extension was written with a transition, which knows the millisecond.
		if e.Name == string(session.Extended) && len(extensions) > 0 {
			x := extensions[0]
			extensions = extensions[1:]
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
	slices.SortStableFunc(list, func(x, y timelineEntry) int { return cmp.Compare(x.AtMS, y.AtMS) })
	return list[:min(len(list), maxTimeline)], nil
}

// propsOf reads an event's properties, which were a JSON object when written.
func propsOf(e store.SessionEvent) map[string]any {
	props := map[string]any{}
	if json.Unmarshal([]byte(e.Props), &props) != nil || props == nil {
		return map[string]any{}
	}
	return props
}
