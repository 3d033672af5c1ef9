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
	// How often what edges report is written.
	reportInterval = 5 * time.Second
	// How long an edge is shown that reports no more.
	keepEdges = time.Hour
	// The most edges whose reports wait in memory. An edge's id lives as long as
	// its process.
	maxEdges = 1000
	// How long a page is shown that nobody sees any more.
	keepPages = 30 * 24 * time.Hour
	// The most different pages that wait in memory.
	maxPages = 5000
)

// reportBuffer gathers what edges report until it is written together. A crash
// loses some seconds of it, and the next report tells it again.
type reportBuffer struct {
	mu    sync.Mutex // guards all below
	edges map[string]store.Edge
	pages map[pageKey]store.PageReport
}

type pageKey struct{ provider, host, path, outcome string }

func newReportBuffer() *reportBuffer {
	return &reportBuffer{edges: map[string]store.Edge{}, pages: map[pageKey]store.PageReport{}}
}

// edge takes what an edge says of itself. Figures that cannot be are cut to what
// can.
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
		LiveSessions: max(0, r.LiveSessions), StreamLagMS: max(-1, r.StreamLagMS),
	}
}

// page takes what an edge says of a page. Paths are reduced here too: what is
// not to be kept must not depend on who reports.
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

func (b *reportBuffer) drain() ([]store.Edge, []store.PageReport) {
	b.mu.Lock()
	defer b.mu.Unlock()
	edges, pages := slices.Collect(maps.Values(b.edges)), slices.Collect(maps.Values(b.pages))
	clear(b.edges)
	clear(b.pages)
	return edges, pages
}

// flushReports writes what has gathered. What cannot be written is forgotten:
// edges tell it again.
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

// PageReports lists what became of the clock in a provider's pages.
func (s *Service) PageReports(ctx context.Context, providerID string) ([]store.PageReport, error) {
	s.flushReports(ctx)
	return s.store.PageReports(ctx, providerID)
}

// EdgeReports lists the edges of the last hour.
func (s *Service) EdgeReports(ctx context.Context) ([]store.Edge, error) {
	s.flushReports(ctx) // other backends' are at most some seconds old
	return s.store.Edges(ctx, s.now().Add(-keepEdges))
}

// printable reports whether s is of visible ASCII alone.
func printable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
