package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/store"
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

// live returns the live states of ids in their order, with a zero state for each
// session that never existed. It reads states that are not in memory from the database.
func (s *Service) live(ctx context.Context, ids []string) ([]coord.State, error) {
	states, err := s.coord.States(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("reading live states: %w", err)
	}
	for i := range states {
		if states[i].ID != "" || len(ids[i]) > maxSessionID {
			continue
		}
		c, err := s.store.Session(ctx, ids[i])
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if states[i], err = s.state(c); err != nil {
			return nil, err
		}
		if err := s.coord.Remember(ctx, states[i]); err != nil {
			return nil, fmt.Errorf("keeping live state: %w", err)
		}
	}
	return states, nil
}

// maxSessionID is longer than any session id. Longer ids are not looked up.
const maxSessionID = 64
