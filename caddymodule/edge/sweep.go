package edge

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// sweepWithin is the time within which edges that were reset together begin.
	sweepWithin = time.Second
	sweepBatch  = protocol.MaxStates
	// sweepLeast is the smallest batch, for a backend that cannot answer larger ones.
	sweepLeast = 50
	// After each call, the sweep pauses for sweepPause, and for at least sweepShare times
	// as long as the call took. A backend that is slow is asked more slowly.
	sweepPause   = 100 * time.Millisecond
	sweepShare   = 4
	sweepBackoff = 10 * time.Second
	// What is confirmed in the millisecond of a gap counts as confirmed before it.
	sweepAfter = 2 * time.Millisecond
)

// sweeper confirms the sessions of an edge after a gap in the event stream, and those whose
// providers it covers only now, or cannot cover. Each would be confirmed by its next
// request. But a session that has ended, and whose user sends none, may have a WebSocket
// open, which must not go on to the deadline; and the first request of each should not have
// to wait for the backend.
type sweeper struct {
	edge *Edge
	wake chan struct{}
}

// begin makes the sweeper begin, if it does not have to already.
func (w *sweeper) begin() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run sweeps when it has to, until ctx ends.
func (w *sweeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		if sleep(ctx, sweepAfter+rand.N(sweepWithin)) {
			w.sweep(ctx)
		}
	}
}

// sweep confirms all sessions that need it, by one call after the other.
func (w *sweeper) sweep(ctx context.Context) {
	var list []*live.Session
	w.edge.Sessions.Each(func(s *live.Session) {
		if w.unconfirmed(s) {
			list = append(list, s)
		}
	})
	size, failures := sweepBatch, 0
	for len(list) > 0 && ctx.Err() == nil {
		var batch []protocol.Heartbeat
		rest := list
		for len(rest) > 0 && len(batch) < size {
			if s := rest[0]; w.unconfirmed(s) { // no request confirmed it meanwhile
				batch = append(batch, protocol.Heartbeat{ID: s.ID(), Version: s.Record().Version()})
			}
			rest = rest[1:]
		}
		if len(batch) == 0 {
			return
		}
		began := time.Now()
		err := w.confirm(ctx, batch)
		pause := max(sweepPause, sweepShare*time.Since(began))
		if err != nil {
			failures++
			size = max(sweepLeast, size/2)
			pause = max(pause, retryAfter(err), min(sweepBackoff, time.Second<<min(failures-1, 4)))
			if failures == 1 && ctx.Err() == nil {
				w.edge.logger.Warn("confirming sessions failed; it is tried again", zap.Int("sessions", len(list)), zap.Error(err))
			}
		} else {
			list, failures, size = rest, 0, min(sweepBatch, 2*size)
		}
		if !sleep(ctx, pause+rand.N(pause/2)) {
			return
		}
	}
}

// unconfirmed reports whether a session is to be confirmed: it is open, and changes of it
// may have gone unheard, since the stream had a gap or did not cover its provider. While a
// wider stream cannot be opened, questions take its place, one with each attempt.
func (w *sweeper) unconfirmed(s *live.Session) bool {
	if s.Provisional() || live.IsEnd(s.Refusal()) {
		return false
	}
	confirmed := s.ConfirmedAt()
	since, covered := w.edge.stream.coverage.Load().since(s.ProviderID())
	if !covered {
		return confirmed <= w.edge.resetAt.Load() || w.edge.stream.narrow.Load()
	}
	return confirmed <= max(w.edge.resetAt.Load(), since)
}

// confirm asks by heartbeats that count for none: the backend answers the states of those
// sessions that have changed, and every version of it does.
func (w *sweeper) confirm(ctx context.Context, batch []protocol.Heartbeat) error {
	asked := MonotonicMS()
	answer, err := w.edge.Backend.heartbeats(ctx, &protocol.HeartbeatsRequest{EdgeID: w.edge.id, Beats: batch})
	if err != nil {
		return err
	}
	w.edge.applyAnswer(batch, answer, asked)
	return nil
}

// sleep waits for d. It returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
