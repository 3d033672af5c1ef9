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
	// The most sessions whose beats wait in memory while the database is down.
	maxBeats = 200_000
	// Sessions per transaction: other writers wait no longer than that takes.
	beatBatch = 500
)

// beatBuffer gathers heartbeats, one counter per session, until they are
// written together. A crash loses a second of statistics and nothing else.
type beatBuffer struct {
	mu    sync.Mutex // guards beats
	beats map[string]store.Beats
}

func newBeatBuffer() *beatBuffer { return &beatBuffer{beats: map[string]store.Beats{}} }

// add counts one beat, or the several that it stands for.
func (b *beatBuffer) add(beat protocol.Heartbeat, now time.Time) {
	count := min(max(1, beat.Count), 1000)
	b.mu.Lock()
	defer b.mu.Unlock()
	sum, known := b.beats[beat.ID]
	if !known && len(b.beats) >= maxBeats {
		return
	}
	sum.SessionID = beat.ID
	sum.LastAt = max(sum.LastAt, min(beat.At, now.Unix())) // no browser beats in the future
	sum.Count += count
	if beat.Active {
		sum.Active += count
	}
	b.beats[beat.ID] = sum
}

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

// FlushBeats writes what has gathered. What cannot be written is counted as
// lost: the next second brings new beats.
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

// beatLoop flushes heartbeats and reports until ctx ends, and once more then.
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
