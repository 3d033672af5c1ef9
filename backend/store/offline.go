package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// offlineEvent names an entry that an edge admitted while it could not reach the service.
const offlineEvent = "admitted_offline"

// offlineLook is how many of a session's latest events are looked at for a report that
// was made before.
const offlineLook = 20

// RecordOffline adds an entry that an edge admitted at a time to the session's events. It
// returns false if that was recorded before.
func (t *Tx) RecordOffline(ctx context.Context, id, outcome string, admittedMS int64, served time.Duration, now time.Time) (bool, error) {
	body, err := json.Marshal(map[string]any{"outcome": outcome, "admitted_at_ms": admittedMS, "served_ms": served.Milliseconds()})
	if err != nil {
		return false, fmt.Errorf("recording offline entry: %w", err)
	}
	before, err := t.EventsOfSession(ctx, id, FromSession, offlineLook)
	if err != nil {
		return false, err
	}
	for _, e := range before {
		var props struct {
			AdmittedMS int64 `json:"admitted_at_ms"`
		}
		if e.Name == offlineEvent && json.Unmarshal([]byte(e.Props), &props) == nil && props.AdmittedMS == admittedMS {
			return false, nil
		}
	}
	return true, t.insertEvent(ctx, now, query.InsertEventParams{
		SessionID: id, Source: FromSession, Name: offlineEvent, AtMS: now.UnixMilli(), Props: string(body),
	})
}
