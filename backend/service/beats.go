package service

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	beatInterval = time.Second
	// The most sessions whose heartbeats are buffered while the database is down.
	maxBeats = 200_000
	// Sessions per transaction. The limit bounds how long other writers wait.
	beatBatch = 500
)

// beatBuffer collects heartbeats, one counter per session, until they are written in
// batches. A crash loses about one second of statistics.
type beatBuffer struct {
	mu    sync.Mutex // guards beats
	beats map[string]store.Beats
}

func newBeatBuffer() *beatBuffer { return &beatBuffer{beats: map[string]store.Beats{}} }

// add counts a heartbeat. One message may stand for several, up to 1000. Heartbeats
// of further sessions are dropped once the buffer holds maxBeats sessions.
func (b *beatBuffer) add(beat protocol.Heartbeat, now time.Time) {
	count := min(max(1, beat.Count), 1000)
	b.mu.Lock()
	defer b.mu.Unlock()
	sum, known := b.beats[beat.ID]
	if !known && len(b.beats) >= maxBeats {
		return
	}
	sum.SessionID = beat.ID
	sum.LastAt = max(sum.LastAt, min(beat.At, now.Unix())) // a browser's clock may be ahead
	sum.Count += count
	if beat.Active {
		sum.Active += count
	}
	b.beats[beat.ID] = sum
}

// drain returns the collected heartbeats and empties the buffer.
func (b *beatBuffer) drain() []store.Beats {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]store.Beats, 0, len(b.beats))
	for _, sum := range b.beats {
		list = append(list, sum)
	}
	clear(b.beats)
	return list
}

// FlushBeats writes the collected heartbeats. Heartbeats that cannot be written are
// logged and dropped, since they are statistics only.
func (s *Service) FlushBeats(ctx context.Context) {
	list := s.beats.drain()
	for len(list) > 0 {
		n := min(len(list), beatBatch)
		batch := list[:n]
		list = list[n:]
		if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.AddBeats(ctx, batch) }); err != nil {
			s.log.Warn("failed to record heartbeats", zap.Int("sessions", n), zap.Error(err))
			continue
		}
		for _, b := range batch {
			s.metric.beats.Add(float64(b.Count))
		}
	}
}

// beatLoop writes heartbeats and reports periodically until ctx ends, and once more
// before it returns.
func (s *Service) beatLoop(ctx context.Context) {
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	reports := time.NewTicker(reportInterval)
	defer reports.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			s.FlushBeats(last)
			s.flushReports(last)
			return
		case <-reports.C:
			s.flushReports(ctx)
		case <-tick.C:
			s.FlushBeats(ctx)
		}
	}
}
