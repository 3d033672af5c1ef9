package service

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// How often edge reports are written.
	reportInterval = 5 * time.Second
	// How long an edge is listed after its last report.
	keepEdges = time.Hour
	// The most edges in the buffer. Each start of an edge has a new id.
	maxEdges = 1000
	// How long a page is listed after its last report.
	keepPages = 30 * 24 * time.Hour
	// The most pages in the buffer.
	maxPages = 5000
)

// reportBuffer collects the reports of edges until they are written in batches. A
// crash loses a few seconds of reports; edges report again.
type reportBuffer struct {
	mu    sync.Mutex // guards all below
	edges map[string]store.Edge
	pages map[pageKey]store.PageReport
}

type pageKey struct{ provider, host, path, outcome string }

func newReportBuffer() *reportBuffer {
	return &reportBuffer{edges: map[string]store.Edge{}, pages: map[pageKey]store.PageReport{}}
}

// edge adds the report of an edge about itself. Numbers out of range are clamped.
// Reports that are not valid, and further edges beyond maxEdges, are dropped.
func (b *reportBuffer) edge(id, address string, r *protocol.EdgeReport, now time.Time) {
	if r == nil || id == "" || !printable(id) || !printable(r.Version) || len(r.Version) > 64 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.edges[id]; !known && len(b.edges) >= maxEdges {
		return
	}
	b.edges[id] = store.Edge{
		ID: id, Version: r.Version, Address: address, StartedAt: max(0, min(r.StartedAt, now.Unix())), LastSeenAt: now.Unix(),
		LiveSessions: max(0, r.LiveSessions), StreamLagMS: max(-1, r.StreamLagMS), Sites: siteOptionsText(r.Sites),
	}
}

// page adds the report of an edge about a page. The edge has already removed personal
// parts of the path; page does so again, so that none is stored whatever the edge
// sends. Reports that are not valid, and further pages beyond maxPages, are dropped.
func (b *reportBuffer) page(p protocol.PageReport, now time.Time) {
	host := strings.ToLower(p.Host)
	if p.ProviderID == "" || len(p.ProviderID) > 128 || host == "" || len(host) > 255 || !printable(host) || p.Outcome == "" || len(p.Outcome) > 32 || !printable(p.Outcome) {
		return
	}
	path := protocol.ReducePath(p.Path, "")
	key := pageKey{p.ProviderID, host, path, p.Outcome}
	b.mu.Lock()
	defer b.mu.Unlock()
	sum, known := b.pages[key]
	if !known && len(b.pages) >= maxPages {
		return
	}
	b.pages[key] = store.PageReport{
		ProviderID: p.ProviderID, Host: host, Path: path, Outcome: p.Outcome,
		Pages: sum.Pages + max(1, min(p.Count, 1_000_000)), LastAt: max(sum.LastAt, 1, min(p.LastAt, now.Unix())),
	}
}

// drain returns the collected reports and empties the buffer.
func (b *reportBuffer) drain() ([]store.Edge, []store.PageReport) {
	b.mu.Lock()
	defer b.mu.Unlock()
	edges, pages := slices.Collect(maps.Values(b.edges)), slices.Collect(maps.Values(b.pages))
	clear(b.edges)
	clear(b.pages)
	return edges, pages
}

// flushReports writes the collected reports. Reports that cannot be written are logged
// and dropped, since edges report again.
func (s *Service) flushReports(ctx context.Context) {
	edges, pages := s.reports.drain()
	if len(edges) == 0 && len(pages) == 0 {
		return
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SeeEdges(ctx, edges); err != nil {
			return err
		}
		return tx.AddPageReports(ctx, pages)
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("failed to record edge reports", zap.Error(err))
	}
}

// PageReports lists the injection outcomes of a provider's pages.
func (s *Service) PageReports(ctx context.Context, providerID string) ([]store.PageReport, error) {
	s.flushReports(ctx)
	return s.store.PageReports(ctx, providerID)
}

// EdgeReports lists edges that reported within the last hour, the one that started
// last first.
func (s *Service) EdgeReports(ctx context.Context, f store.EdgeFilter) ([]store.Edge, error) {
	s.flushReports(ctx) // other backends write theirs every reportInterval
	f.Since = s.now().Add(-keepEdges)
	return s.store.Edges(ctx, f)
}

// printable reports whether s consists of visible ASCII characters only.
func printable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
