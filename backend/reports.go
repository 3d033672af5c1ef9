package backend

import (
	"context"
	"maps"
	"slices"
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
)

// reportBuffer gathers what edges report until it is written together. A crash
// loses some seconds of it, and the next report tells it again.
type reportBuffer struct {
	mu    sync.Mutex // guards all below
	edges map[string]store.Edge
}

func newReportBuffer() *reportBuffer { return &reportBuffer{edges: map[string]store.Edge{}} }

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

func (b *reportBuffer) take() []store.Edge {
	b.mu.Lock()
	defer b.mu.Unlock()
	edges := slices.Collect(maps.Values(b.edges))
	clear(b.edges)
	return edges
}

// flushReports writes what has gathered. What cannot be written is forgotten:
// edges tell it again.
func (s *service) flushReports(ctx context.Context) {
	edges := s.reports.take()
	if len(edges) == 0 {
		return
	}
	err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.SeeEdges(ctx, edges) })
	if err != nil && ctx.Err() == nil {
		s.log.Warn("what edges reported could not be recorded", zap.Error(err))
	}
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
