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

// keepPages is how many reports a provider keeps: the newest.
const keepPages = 500

// PageReport is what became of the clock in pages of one path.
type PageReport struct {
	ProviderID string
	Host       string
	Path       string // reduced: nobody's name and number
	Outcome    string
	Pages      int64 // how many, at least
	LastAt     int64
}

// AddPageReports adds to what is known of pages. Providers that do not exist are
// passed over; of one that has too many pages, the oldest are forgotten.
func (t *Tx) AddPageReports(ctx context.Context, list []PageReport) error {
	slices.SortFunc(list, func(a, b PageReport) int {
		return cmp.Or(cmp.Compare(a.ProviderID, b.ProviderID), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Outcome, b.Outcome))
	})
	for i, p := range list {
		err := t.q.AddPageReport(ctx, query.AddPageReportParams{
			ProviderID: p.ProviderID, Host: p.Host, Path: p.Path, Outcome: p.Outcome, Pages: p.Pages, LastAt: p.LastAt,
		})
		if err == nil && (i+1 == len(list) || list[i+1].ProviderID != p.ProviderID) {
			_, err = t.q.TrimPageReports(ctx, p.ProviderID, keepPages)
		}
		if err != nil {
			return fmt.Errorf("recording pages: %w", err)
		}
	}
	return nil
}

// PageReports lists what is known of a provider's pages, the newest 200 first.
func (r Reader) PageReports(ctx context.Context, providerID string) ([]PageReport, error) {
	rows, err := r.q.ListPageReports(ctx, providerID)
	if err != nil {
		return nil, fmt.Errorf("listing pages: %w", err)
	}
	list := make([]PageReport, 0, len(rows))
	for _, row := range rows {
		list = append(list, PageReport(row))
	}
	return list, nil
}

// ForgetPageReports removes those of pages that nobody saw since then, and
// returns how many.
func (t *Tx) ForgetPageReports(ctx context.Context, since time.Time) (int64, error) {
	n, err := t.q.DeleteOldPageReports(ctx, since.Unix())
	if err != nil {
		return 0, fmt.Errorf("forgetting pages: %w", err)
	}
	return n, nil
}

// ForgetEdges removes those that did not report since then, and returns how many.
func (t *Tx) ForgetEdges(ctx context.Context, since time.Time) (int64, error) {
	n, err := t.q.DeleteOldEdges(ctx, since.Unix())
	if err != nil {
		return 0, fmt.Errorf("forgetting edges: %w", err)
	}
	return n, nil
}
