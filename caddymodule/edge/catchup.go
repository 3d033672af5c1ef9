package edge

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	catchUpBatch    = 1000
	catchUpRetryMin = 200 * time.Millisecond
	catchUpRetryMax = 10 * time.Second
	nextMonotonicMS = 2 * time.Millisecond
)

// catchUp confirms sessions whose provider the event stream did not cover when they were
// confirmed last. Their next request would do so, too; but a session that has ended, and
// whose user sends none, may have a WebSocket open, which must not go on to the deadline.
type catchUp struct {
	edge *Edge
	wake chan struct{} // receives when the stream covers further providers
}

// begin has the sessions of providers that are covered from now on confirmed.
func (c *catchUp) begin() {
	select {
	case c.wake <- struct{}{}:
	default: // it has not begun with the last ones
	}
}

// run confirms sessions when there is need, until ctx ends.
func (c *catchUp) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			// What is confirmed in the moment in which the coverage began counts as confirmed
			// before it.
			time.Sleep(nextMonotonicMS)
			c.confirm(ctx, c.behind())
		}
	}
}

// behind returns what to ask the backend: about each session that may have changed before
// the stream covered its provider.
func (c *catchUp) behind() (list []protocol.Heartbeat) {
	coverage := c.edge.stream.coverage.Load()
	c.edge.Sessions.Each(func(s *live.Session) {
		since, covered := coverage.since(s.ProviderID())
		if !covered || s.ConfirmedAt() > since || s.Provisional() || live.IsEnd(s.Refusal()) {
			return
		}
		// A version and no time: a question, and no heartbeat of a page.
		list = append(list, protocol.Heartbeat{ID: s.ID(), Version: s.Record().Version()})
	})
	return list
}

// confirm asks in batches, one after the other. A batch that fails is asked again: every
// backend knows heartbeats.
func (c *catchUp) confirm(ctx context.Context, list []protocol.Heartbeat) {
	wait := catchUpRetryMin
	for len(list) > 0 && ctx.Err() == nil {
		batch := list[:min(len(list), catchUpBatch)]
		asked := MonotonicMS()
		answer, err := c.edge.Backend.heartbeats(ctx, &protocol.HeartbeatsRequest{EdgeID: c.edge.id, Beats: batch})
		if err == nil {
			c.edge.applyAnswer(batch, answer, asked)
			list, wait = list[len(batch):], catchUpRetryMin
			continue
		}
		c.edge.logger.Warn("confirming sessions of a provider that is new here failed; trying again", zap.Int("sessions", len(list)), zap.Error(err))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, catchUpRetryMax)
	}
}
