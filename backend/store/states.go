package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sessiongate/sessiongate/backend/session"
)

// idsPerQuery is how many sessions one query reads.
const idsPerQuery = 1000

// SessionsOf returns those of ids that exist, by their ids. It reads up to
// [idsPerQuery] of them with one query.
func (r Reader) SessionsOf(ctx context.Context, ids []string) (map[string]session.Session, error) {
	found := make(map[string]session.Session, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), idsPerQuery)
		asked := make(map[string]int, n)
		for _, id := range ids[:n] {
			// One id that no text of the database can contain must not fail the others.
			if utf8.ValidString(id) && !strings.Contains(id, "\x00") {
				asked[id] = 0
			}
		}
		ids = ids[n:]
		if len(asked) == 0 {
			continue
		}
		keys, err := json.Marshal(asked)
		if err != nil {
			return nil, fmt.Errorf("reading sessions: %w", err)
		}
		rows, err := r.q.ListSessionsOfIDs(ctx, string(keys))
		if err != nil {
			return nil, fmt.Errorf("reading sessions: %w", err)
		}
		list, err := r.fromRows(ctx, rows)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			found[s.ID] = s
		}
	}
	return found, nil
}

// Change is one change of a session.
type Change struct {
	ID        string // in the order of time
	SessionID string
	Version   int64 // of the session since the change; 0 if it is not recorded
}

// Changes lists up to limit changes of sessions between two times, from after the one
// with the id after. The times are those of the changes' ids, in whose order they come.
// It reads no session.
func (r Reader) Changes(ctx context.Context, from, to time.Time, after string, limit int) ([]Change, error) {
	rows, err := r.q.ListChanges(ctx, max(FirstID(from), after), FirstID(to), int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing changes: %w", err)
	}
	list := make([]Change, 0, len(rows))
	for _, row := range rows {
		var props struct {
			Version int64 `json:"version"`
		}
		_ = json.Unmarshal([]byte(row.Props), &props) // without a version, the session says what it is
		list = append(list, Change{row.ID, row.SessionID, props.Version})
	}
	return list, nil
}
