package store

import (
	"context"
	"fmt"

	"github.com/sessiongate/sessiongate/backend/ledger"
)

// Sources of a session's events.
const (
	FromSession = "session" // its own transitions
	FromPages   = "page"    // what its pages noticed
)

// SessionEvent is something that happened to a session or in its pages.
type SessionEvent struct {
	Name string
	AtMS int64
	// A JSON object.
	Props string
}

// EventsOfSession lists a session's first events from one source, oldest first.
func (r Reader) EventsOfSession(ctx context.Context, sessionID, source string, limit int) ([]SessionEvent, error) {
	rows, err := r.q.ListEventsOfSource(ctx, sessionID, source, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	list := make([]SessionEvent, 0, len(rows))
	for _, row := range rows {
		list = append(list, SessionEvent{row.Name, row.AtMS, row.Props})
	}
	return list, nil
}

// EntriesOfSession lists a session's first ledger entries, oldest first.
func (r Reader) EntriesOfSession(ctx context.Context, sessionID string, limit int) ([]ledger.Transfer, error) {
	rows, err := r.q.ListEntriesOfSession(ctx, sessionID, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing ledger entries: %w", err)
	}
	list := make([]ledger.Transfer, 0, len(rows))
	for _, row := range rows {
		list = append(list, transferFrom(row))
	}
	return list, nil
}

// DeliveriesOfSession lists the first webhook deliveries that tell of a session,
// oldest first.
func (r Reader) DeliveriesOfSession(ctx context.Context, sessionID string, limit int) ([]Delivery, error) {
	rows, err := r.q.ListDeliveriesOfSession(ctx, sessionID, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	list := make([]Delivery, 0, len(rows))
	for _, row := range rows {
		list = append(list, Delivery(row))
	}
	return list, nil
}
