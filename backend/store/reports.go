package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Edge is the last report of an edge about itself.
type Edge struct {
	ID         string
	Version    string
	Address    string // the IP address of its requests
	StartedAt  int64
	LastSeenAt int64
	// The number of sessions that the edge admits.
	LiveSessions int64
	// Time since the last event on its stream, which sends one at least every 2 s; -1
	// if there was none.
	StreamLagMS int64
	// Which site settings its configuration sets itself: a JSON array; "" is none.
	Sites string
}

// SeeEdges writes the reports of edges, unless a newer one is stored.
func (t *Tx) SeeEdges(ctx context.Context, list []Edge) error {
	// Sorted, so that two backends do not deadlock.
	slices.SortFunc(list, func(a, b Edge) int { return cmp.Compare(a.ID, b.ID) })
	for _, e := range list {
		e.Sites = cmp.Or(e.Sites, "[]")
		if err := t.q.UpsertEdge(ctx, query.UpsertEdgeParams(e)); err != nil {
			return fmt.Errorf("recording edges: %w", err)
		}
	}
	return nil
}

// EdgeFilter selects edges.
type EdgeFilter struct {
	Since time.Time // of the last report
	// Edges that started before the one with this time and id. Zero: from the newest.
	BeforeAt int64
	BeforeID string
	Limit    int
}

// Edges lists edges, the one that started last first.
func (r Reader) Edges(ctx context.Context, f EdgeFilter) ([]Edge, error) {
	if f.BeforeAt == 0 {
		f.BeforeAt = math.MaxInt64
	}
	rows, err := r.q.ListEdges(ctx, query.ListEdgesParams{Since: f.Since.Unix(), BeforeAt: f.BeforeAt, BeforeID: f.BeforeID, MaxRows: int32(f.Limit)})
	if err != nil {
		return nil, fmt.Errorf("listing edges: %w", err)
	}
	list := make([]Edge, 0, len(rows))
	for _, row := range rows {
		list = append(list, Edge(row))
	}
	return list, nil
}

// keepPages is the most page reports that are kept per provider.
const keepPages = 500

// PageReport counts the pages of one path with one injection outcome.
type PageReport struct {
	ProviderID string
	Host       string
	Path       string // without personal parts, such as names and numbers
	Outcome    string
	Pages      int64 // a lower bound
	LastAt     int64
}

// AddPageReports adds to the stored page reports. Reports of unknown providers are
// ignored. If a provider has more than keepPages, the oldest are removed.
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

// PageReports lists the newest 200 page reports of a provider, newest first.
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

// ForgetPageReports removes reports of pages that were last seen before since, and
// returns how many.
func (t *Tx) ForgetPageReports(ctx context.Context, since time.Time) (int64, error) {
	n, err := t.q.DeleteOldPageReports(ctx, since.Unix())
	if err != nil {
		return 0, fmt.Errorf("forgetting pages: %w", err)
	}
	return n, nil
}

// ForgetEdges removes edges that last reported before since, and returns how many.
func (t *Tx) ForgetEdges(ctx context.Context, since time.Time) (int64, error) {
	n, err := t.q.DeleteOldEdges(ctx, since.Unix())
	if err != nil {
		return 0, fmt.Errorf("forgetting edges: %w", err)
	}
	return n, nil
}
