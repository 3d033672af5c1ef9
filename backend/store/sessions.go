package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// last is greater than every id, under every collation.
const last = "zzzzzzzz"

// Session returns the session with this id, or [ErrNotFound].
func (r Reader) Session(ctx context.Context, id string) (session.Session, error) {
	row, err := r.q.GetSession(ctx, id)
	if err != nil {
		return session.Session{}, fmt.Errorf("reading session: %w", found(err))
	}
	return r.fromRow(ctx, row)
}

// NextDue returns when the next session is due, in Unix seconds, or 0 if none is.
func (r Reader) NextDue(ctx context.Context) (int64, error) {
	due, err := r.q.NextDue(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading deadlines: %w", err)
	}
	return due, nil
}

// Due lists up to limit sessions that are due at or before now, the earliest due
// first.
func (r Reader) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	ids, err := r.q.DueSessions(ctx, now.Unix(), int32(limit))
	if err != nil {
		return nil, fmt.Errorf("reading deadlines: %w", err)
	}
	return ids, nil
}

// Insert writes a new session, as returned by [session.New]. Post its hold with
// [Tx.Post] afterwards.
func (t *Tx) Insert(ctx context.Context, tr session.Transition, now time.Time) error {
	s := tr.Session
	terms, err := json.Marshal(s.Terms)
	if err != nil {
		return fmt.Errorf("writing session: %w", err)
	}
	purchases, err := purchasesOf(s)
	if err != nil {
		return err
	}
	err = t.q.InsertSession(ctx, query.InsertSessionParams{
		ID: s.ID, UserID: s.UserID, ProviderID: s.ProviderID, Status: string(s.Status), Version: s.Version,
		Clock: string(s.Clock), Tokens: s.Tokens, DurationSeconds: s.Duration, ReturnUrl: s.ReturnURL,
		ConsentUrl: s.ConsentURL, Terms: string(terms), OfferUsed: s.OfferUsed, CreatedAt: s.CreatedAt,
		LaunchBy: s.LaunchBy, StartedAt: s.StartedAt, ExpiresAt: s.ExpiresAt, PausedAt: s.PausedAt,
		PausedSeconds: s.PausedSeconds, PauseCount: s.PauseCount, RedemptionID: s.RedemptionID,
		RedeemedAt: s.RedeemedAt, DueAt: s.Due(), EndedAt: s.EndedAt, EndReason: s.EndReason, WarnAt: s.WarnAt,
		MarketplaceID: protocol.MarketplaceOf(s.UserID),
		Purchases:     purchases, StartedUs: s.Meter.StartedUS, PausedAtUs: s.Meter.PausedAtUS, PausedUs: s.Meter.PausedUS, EnteredAt: s.EnteredAt,
		Mode: string(s.Purpose()), PassID: s.PassID,
	})
	if err != nil {
		return fmt.Errorf("writing session: %w", err)
	}
	return t.recordTransition(ctx, tr, now)
}

// Update writes a transition. It returns [ErrConflict] if the session changed since it
// was read.
func (t *Tx) Update(ctx context.Context, tr session.Transition, now time.Time) error {
	s := tr.Session
	purchases, err := purchasesOf(s)
	if err != nil {
		return err
	}
	p := query.UpdateSessionParams{
		ID: s.ID, OldVersion: s.Version - 1,
		Status: string(s.Status), Version: s.Version, Tokens: s.Tokens, DurationSeconds: s.Duration,
		OfferUsed: s.OfferUsed, StartedAt: s.StartedAt, ExpiresAt: s.ExpiresAt, PausedAt: s.PausedAt,
		PausedSeconds: s.PausedSeconds, PauseCount: s.PauseCount, RedemptionID: s.RedemptionID,
		RedeemedAt: s.RedeemedAt, DueAt: s.Due(), EndedAt: s.EndedAt, EndReason: s.EndReason, WarnAt: s.WarnAt,
		Purchases: purchases, StartedUs: s.Meter.StartedUS, PausedAtUs: s.Meter.PausedAtUS, PausedUs: s.Meter.PausedUS, EnteredAt: s.EnteredAt,
	}
	if s.Settlement != nil {
		p.Captured, p.Released, p.UsedSeconds = s.Settlement.Captured, s.Settlement.Released, s.Settlement.UsedSeconds
	}
	n, err := t.q.UpdateSession(ctx, p)
	if err != nil {
		return fmt.Errorf("writing session: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("writing session: %w", ErrConflict)
	}
	if err := t.updateStandstill(ctx, s); err != nil {
		return err
	}
	if s.Relaunches > 0 {
		err := t.q.UpdateLinks(ctx, query.UpdateLinksParams{
			ID: s.ID, Relaunches: s.Relaunches, RedeemedLink: s.RedeemedLink, RelaunchedAt: s.RelaunchedAt,
		})
		if err != nil {
			return fmt.Errorf("writing session: %w", err)
		}
	}
	if tr.Name == session.Advanced {
		if err := t.q.MoveSession(ctx, s.LaunchBy, s.ID); err != nil {
			return fmt.Errorf("writing session: %w", err)
		}
	}
	if x := tr.Extension; x != nil {
		err := t.q.InsertExtension(ctx, query.InsertExtensionParams{
			SessionID: s.ID, Version: s.Version, Actor: string(x.By), Seconds: x.Seconds, Tokens: x.Tokens, CreatedAt: now.Unix(),
		})
		if err != nil {
			return fmt.Errorf("writing extension: %w", err)
		}
	}
	return t.recordTransition(ctx, tr, now)
}

// recordTransition adds a transition to the session's events.
func (t *Tx) recordTransition(ctx context.Context, tr session.Transition, now time.Time) error {
	props := map[string]any{"status": tr.Session.Status, "version": tr.Session.Version}
	if tr.Session.EndReason != "" {
		props["reason"] = tr.Session.EndReason
	}
	if tr.Session.StandsStill() {
		props["reason"] = tr.Session.Standstill.Reason
	}
	body, err := json.Marshal(props)
	if err != nil {
		return fmt.Errorf("recording event: %w", err)
	}
	return t.insertEvent(ctx, now, query.InsertEventParams{
		SessionID: tr.Session.ID, Source: "session", Name: string(tr.Name), AtMS: now.UnixMilli(), Props: string(body),
	})
}

func (t *Tx) insertEvent(ctx context.Context, now time.Time, p query.InsertEventParams) error {
	p.ID = NewID(now)
	if err := t.q.InsertEvent(ctx, p); err != nil {
		return fmt.Errorf("recording event: %w", err)
	}
	return nil
}

// Extension is the stored form of an extension.
type Extension struct {
	session.Extension
	Version int64 // of the session that it made
	At      int64
}

// Extensions lists a session's extensions, oldest first, starting after the one that
// made the session's version after.
func (r Reader) Extensions(ctx context.Context, sessionID string, after int64, limit int) ([]Extension, error) {
	rows, err := r.q.ListExtensions(ctx, sessionID, after, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing extensions: %w", err)
	}
	list := make([]Extension, 0, len(rows))
	for _, row := range rows {
		list = append(list, Extension{session.Extension{By: session.Actor(row.Actor), Seconds: row.Seconds, Tokens: row.Tokens}, row.Version, row.CreatedAt})
	}
	return list, nil
}

// Beats is the heartbeat count of a session.
type Beats struct {
	SessionID string
	LastAt    int64
	Count     int64
	Active    int64
}

// AddBeats adds heartbeats to sessions. Unknown ids are ignored.
func (t *Tx) AddBeats(ctx context.Context, list []Beats) error {
	for _, b := range list {
		err := t.q.UpsertBeat(ctx, query.UpsertBeatParams{LastAt: b.LastAt, Beats: b.Count, Active: b.Active, SessionID: b.SessionID})
		if err != nil {
			return fmt.Errorf("recording heartbeats: %w", err)
		}
	}
	return nil
}

// Beats returns the heartbeat count of a session. It is zero if there were none.
func (r Reader) Beats(ctx context.Context, sessionID string) (Beats, error) {
	row, err := r.q.GetBeats(ctx, sessionID)
	if err = found(err); errors.Is(err, ErrNotFound) {
		return Beats{SessionID: sessionID}, nil
	}
	if err != nil {
		return Beats{}, fmt.Errorf("reading heartbeats: %w", err)
	}
	return Beats{SessionID: row.SessionID, LastAt: row.LastAt, Count: row.Beats, Active: row.Active}, nil
}

// The sources of a session's events.
const (
	FromSession = "session" // a transition of the session
	FromPages   = "page"    // an event that a page reported
)

// SessionEvent is an event of a session or of its pages.
type SessionEvent struct {
	Name string
	AtMS int64
	// A JSON object.
	Props string
}

// EventsOfSession lists the last limit events of a session from one source, oldest
// first.
func (r Reader) EventsOfSession(ctx context.Context, sessionID, source string, limit int) ([]SessionEvent, error) {
	rows, err := r.q.ListEventsOfSource(ctx, sessionID, source, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	list := make([]SessionEvent, 0, len(rows))
	for _, row := range rows {
		list = append(list, SessionEvent{row.Name, row.AtMS, row.Props})
	}
	slices.Reverse(list)
	return list, nil
}

// EntriesOfSession lists the last limit ledger entries of a session, oldest first.
func (r Reader) EntriesOfSession(ctx context.Context, sessionID string, limit int) ([]ledger.Transfer, error) {
	rows, err := r.q.ListEntriesOfSession(ctx, sessionID, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing ledger entries: %w", err)
	}
	list := make([]ledger.Transfer, 0, len(rows))
	for _, row := range rows {
		list = append(list, transferFrom(row))
	}
	slices.Reverse(list)
	return list, nil
}

// DeliveriesOfSession lists the last limit webhook deliveries about a session, oldest
// first.
func (r Reader) DeliveriesOfSession(ctx context.Context, sessionID string, limit int) ([]Delivery, error) {
	rows, err := r.q.ListDeliveriesOfSession(ctx, sessionID, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	list := make([]Delivery, 0, len(rows))
	for _, row := range rows {
		list = append(list, Delivery(row))
	}
	slices.Reverse(list)
	return list, nil
}
