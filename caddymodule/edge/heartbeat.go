package edge

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	maxBatch = 10_000
	// idleInterval is how often an edge without heartbeats asks for the time.
	idleInterval = 10 * time.Second
	flushTimeout = 3 * time.Second
)

// Heartbeats collects the heartbeats of pages, one per session, and sends them to
// the backend in batches. A batch that fails is merged into the next one.
type Heartbeats struct {
	edgeID   string
	interval time.Duration
	backend  *BackendClient
	logger   *zap.Logger
	// onAnswer takes what the backend said to a batch that left at sentAt, in
	// monotonic ms.
	onAnswer func(batch []protocol.Heartbeat, answer *protocol.HeartbeatsAnswer, sentAt int64)
	// What the edge says of itself with its batches; nil for nothing.
	reporter *reporter

	mu      sync.Mutex // guards pending
	pending map[string]protocol.Heartbeat
}

// Add takes one beat of a page.
func (h *Heartbeats) Add(b protocol.Heartbeat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mergeLocked(b)
}

func (h *Heartbeats) mergeLocked(b protocol.Heartbeat) {
	if old, ok := h.pending[b.ID]; ok {
		b.Count += old.Count
		b.Active = b.Active || old.Active
		b.At = max(b.At, old.At)
		b.Version = max(b.Version, old.Version)
	}
	h.pending[b.ID] = b
}

// run sends until ctx ends, and then what is left.
func (h *Heartbeats) run(ctx context.Context) {
	tick := time.NewTicker(h.interval)
	defer tick.Stop()
	var last time.Time
	failing := false
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
			defer cancel()
			if err := h.flush(ctx, false); err != nil {
				h.logger.Warn("sending the last heartbeats failed", zap.Error(err))
			}
			return
		case now := <-tick.C:
			h.reporter.drainPages(now)
			idle := now.Sub(last) >= idleInterval
			if h.empty() && !idle {
				continue
			}
			last = now
			err := h.flush(ctx, true)
			if err != nil && !failing && ctx.Err() == nil {
				h.logger.Warn("sending heartbeats failed; they are kept and sent again", zap.Error(err))
			}
			failing = err != nil
		}
	}
}

// flush sends what is pending, in batches; ask also sends an empty one, for
// the time.
func (h *Heartbeats) flush(ctx context.Context, ask bool) error {
	for {
		batch := h.takeBatch()
		if len(batch) == 0 && !ask {
			return nil
		}
		ask = false
		sentAt := MonotonicMS()
		answer, err := h.send(ctx, batch)
		if err != nil {
			h.putBack(batch)
			return err
		}
		h.onAnswer(batch, answer, sentAt)
	}
}

// send sends one batch with what the edge has to report. A backend from before
// edges reported refuses what it does not know: it gets the beats alone.
func (h *Heartbeats) send(ctx context.Context, batch []protocol.Heartbeat) (*protocol.HeartbeatsAnswer, error) {
	req := &protocol.HeartbeatsRequest{EdgeID: h.edgeID, Beats: batch}
	reported := h.reporter.add(req, time.Now())
	answer, err := h.backend.heartbeats(ctx, req)
	for reported && req.Edge != nil && isInvalid(err) {
		h.reporter.refused(req, time.Now())
		answer, err = h.backend.heartbeats(ctx, req)
	}
	if err != nil {
		h.reporter.putBack(req)
	}
	return answer, err
}

// isInvalid reports whether the backend did not understand a request.
func isInvalid(err error) bool {
	p, ok := errors.AsType[*protocol.Problem](err)
	return ok && p.Code == protocol.InvalidRequest
}

func (h *Heartbeats) takeBatch() []protocol.Heartbeat {
	h.mu.Lock()
	defer h.mu.Unlock()
	batch := make([]protocol.Heartbeat, 0, min(len(h.pending), maxBatch))
	for id, b := range h.pending {
		if len(batch) == maxBatch {
			break
		}
		batch = append(batch, b)
		delete(h.pending, id)
	}
	return batch
}

func (h *Heartbeats) putBack(batch []protocol.Heartbeat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range batch {
		h.mergeLocked(b)
	}
}

func (h *Heartbeats) empty() bool { return h.len() == 0 }

// len counts the sessions whose beats are pending.
func (h *Heartbeats) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.pending)
}
