package backend

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	// How old figures may be, at least.
	rollupEvery = 5 * time.Second
	// And longer if counting takes long: it may take this share of the time.
	rollupShare = 20
)

// analyticsLoop keeps the roll-ups, until ctx ends. Several backends may do so
// at once: each recounts days as a whole.
func (s *service) analyticsLoop(ctx context.Context) {
	for {
		begun := time.Now()
		if _, err := s.store.Rollup(ctx, begun, idAt); err != nil && ctx.Err() == nil {
			s.log.Warn("analytics could not be counted", zap.Error(err))
		}
		timer := time.NewTimer(max(rollupEvery, rollupShare*time.Since(begun)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
