package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Edge is what an edge said of itself last.
type Edge struct {
	ID         string
	Version    string
	Address    string // where it calls from
	StartedAt  int64
	LastSeenAt int64
	// Sessions that it admits.
	LiveSessions int64
	// Since it heard its event stream, which speaks every 2 s; -1: never.
	StreamLagMS int64
}

// SeeEdges writes what edges said of themselves, unless something newer stands
// there.
func (t *Tx) SeeEdges(ctx context.Context, list []Edge) error {
	// In one order, so that two backends do not wait for each other.
	slices.SortFunc(list, func(a, b Edge) int { return cmp.Compare(a.ID, b.ID) })
	for _, e := range list {
		if err := t.q.UpsertEdge(ctx, query.UpsertEdgeParams(e)); err != nil {
			return fmt.Errorf("recording edges: %w", err)
		}
	}
	return nil
}

// Edges lists the edges that reported since then, the oldest process first.
func (r Reader) Edges(ctx context.Context, since time.Time) ([]Edge, error) {
	rows, err := r.q.ListEdges(ctx, since.Unix())
	if err != nil {
		return nil, fmt.Errorf("listing edges: %w", err)
	}
	list := make([]Edge, 0, len(rows))
	for _, row := range rows {
		list = append(list, Edge(row))
	}
	return list, nil
}

// ForgetEdges removes those that did not report since then, and returns how many.
func (t *Tx) ForgetEdges(ctx context.Context, since time.Time) (int64, error) {
	n, err := t.q.DeleteOldEdges(ctx, since.Unix())
	if err != nil {
		return 0, fmt.Errorf("forgetting edges: %w", err)
	}
	return n, nil
}
