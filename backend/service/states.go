package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// States returns the live states of sessions in the order of the request, and
// the ids of those that never existed. It counts no heartbeat.
func (s *Service) States(ctx context.Context, in protocol.StatesRequest) (protocol.StatesAnswer, error) {
	out := protocol.StatesAnswer{States: []protocol.LiveState{}}
	states, err := s.live(ctx, in.IDs)
	if err != nil {
		return out, err
	}
	for i, state := range states {
		if state.ID == "" {
			out.Unknown = append(out.Unknown, in.IDs[i])
			continue
		}
		l, err := decodeState(state)
		if err != nil {
			return out, err
		}
		out.States = append(out.States, l)
	}
	out.ServerTimeMS = s.now().UnixMilli()
	return out, nil
}

func decodeState(state coord.State) (protocol.LiveState, error) {
	var l protocol.LiveState
	if err := json.Unmarshal(state.Data, &l); err != nil {
		return l, fmt.Errorf("reading live state: %w", err)
	}
	return l, nil
}

const (
	// statesAtOnce is how many live states are read with one query.
	statesAtOnce = 1000
	// stateReads is how many such queries run at once, stateReadWait how long a request
	// waits in all to run its own. After a reset, all edges ask for all their sessions: those
	// beyond what the database can answer are told to come back, and the others are
	// answered before their edges give up.
	stateReads    = 4
	stateReadWait = 2 * time.Second
)

// live returns the live states of ids in their order, with a zero state for each
// session that never existed. It reads states that are not in memory from the database.
func (s *Service) live(ctx context.Context, ids []string) ([]coord.State, error) {
	list := make([]coord.State, 0, len(ids))
	until := time.Now().Add(stateReadWait)
	for part := range slices.Chunk(ids, statesAtOnce) {
		states, err := s.coord.States(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("reading live states: %w", err)
		}
		for i, id := range part {
			if strings.HasPrefix(id, protocol.SiteIDPrefix) { // the site settings of a provider
				states[i] = coord.State{}
			}
		}
		if err := s.readMissing(ctx, part, states, until); err != nil {
			return nil, err
		}
		list = append(list, states...)
	}
	return list, nil
}

// readMissing reads the states of ids that are zero from the database, all at once, and
// remembers them. It waits until a time for its turn.
func (s *Service) readMissing(ctx context.Context, ids []string, states []coord.State, until time.Time) error {
	var missing []string
	for i, id := range ids {
		if states[i].ID == "" && len(id) <= maxSessionID {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := s.readSessions(ctx, missing, until)
	if err != nil {
		return err
	}
	read := make(map[string]coord.State, len(found))
	for id, c := range found {
		if read[id], err = s.state(c); err != nil {
			return err
		}
	}
	for i, id := range ids {
		if states[i].ID == "" {
			states[i] = read[id]
		}
	}
	if err := s.coord.Remember(ctx, slices.Collect(maps.Values(read))...); err != nil {
		return fmt.Errorf("keeping live states: %w", err)
	}
	return nil
}

// readSessions reads sessions in its turn.
func (s *Service) readSessions(ctx context.Context, ids []string, until time.Time) (map[string]session.Session, error) {
	end, err := s.beginStateRead(ctx, until)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.store.SessionsOf(ctx, ids)
}

// beginStateRead makes room for one of [stateReads], until end is called. It waits for
// it until a time.
func (s *Service) beginStateRead(ctx context.Context, until time.Time) (end func(), err error) {
	end = func() { <-s.stateReads }
	select {
	case s.stateReads <- struct{}{}:
		return end, nil
	default:
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case s.stateReads <- struct{}{}:
		return end, nil
	case <-timer.C:
		s.metric.stateReadsShed.Inc()
		return nil, &Refusal{
			Code: protocol.Unavailable, Detail: "Too many live states are read from the database. Try again.", Cause: &WaitError{time.Second},
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to read live states: %w", ctx.Err())
	}
}

// maxSessionID is longer than any session id. Longer ids are not looked up.
const maxSessionID = 64
