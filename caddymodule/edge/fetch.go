package edge

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// legacyFor is how long a backend that lacks an endpoint is taken to lack it.
const legacyFor = 10 * time.Minute

// ErrUnknownSession is returned by [Edge.FetchSession] when the backend has no
// such session.
var ErrUnknownSession = errors.New("session is unknown to the backend")

// FetchSession fetches a session's state from the backend. Concurrent calls share
// requests, and those for one session an answer. If the backend sends requests away for a
// moment, a session that is not known here waits for the next try.
func (e *Edge) FetchSession(ctx context.Context, id string) (*live.Session, error) {
	return e.states.fetch(ctx, id, e.Sessions.ByID(id) == nil)
}

// fetchStates asks for the states of sessions: by the endpoint for states, or, where the
// backend is older than that, by heartbeats that count for none.
func (e *Edge) fetchStates(ctx context.Context, ids []string) ([]protocol.LiveState, error) {
	if MonotonicMS() >= e.heartbeatsUntil.Load() {
		answer, err := e.Backend.states(ctx, ids...)
		if err == nil {
			return answer.States, nil
		}
		if !lacksEndpoint(err) {
			return nil, err
		}
		e.heartbeatsUntil.Store(MonotonicMS() + legacyFor.Milliseconds())
	}
	beats := make([]protocol.Heartbeat, len(ids))
	for i, id := range ids {
		beats[i].ID = id
	}
	answer, err := e.Backend.heartbeats(ctx, &protocol.HeartbeatsRequest{EdgeID: e.id, Beats: beats})
	if err != nil {
		return nil, err
	}
	return answer.States, nil
}

// Act performs a session's own action at the backend, with the session's token,
// and takes over the state that the backend answers. The body may be empty.
func (e *Edge) Act(ctx context.Context, s *live.Session, action, sessionToken, idempotencyKey string, body json.RawMessage) error {
	confirmedAt := MonotonicMS()
	if idempotencyKey != "" {
		// The answer to a request that was made before is repeated, and says
		// nothing of what happened since then.
		confirmedAt = s.ConfirmedAt()
	}
	answer, err := e.Backend.act(ctx, s.ID(), action, sessionToken, idempotencyKey, body)
	if err != nil || action == protocol.ActionEvents {
		return err
	}
	if st := &answer.Session; st.ID == s.ID() && st.ProviderID != "" && st.Status != "" {
		e.Sessions.Put(st, confirmedAt)
		return nil
	}
	if _, err := e.FetchSession(ctx, s.ID()); err != nil {
		// It was done; the event stream will say so in a moment.
		e.logger.Warn("fetching a session's new state failed", zap.String("session", s.ID()), zap.Error(err))
	}
	return nil
}
