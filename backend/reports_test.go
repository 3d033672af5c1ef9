package backend_test

import (
	"maps"
	"testing"
	"time"
)

// report sends a batch of an edge's with what it says besides.
func (w *world) report(id string, more map[string]any) {
	w.t.Helper()
	body := map[string]any{"edge_id": id, "beats": []any{}}
	maps.Copy(body, more)
	w.call("POST", "/api/v1/edge/heartbeats", w.edge, body).want(200)
}

func (w *world) edges() (list []map[string]any) {
	w.t.Helper()
	for _, v := range w.call("GET", "/api/v1/edges", w.admin, nil).want(200).at("edges").([]any) {
		list = append(list, v.(map[string]any))
	}
	return list
}

func TestEdgesAreSeen(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		if list := w.edges(); len(list) != 0 {
			t.Fatalf("before any came: %v", list)
		}
		started := w.clock.Now().Unix() - 100
		self := func(started int64, live, lag int) map[string]any {
			return map[string]any{"edge": map[string]any{"version": "v1.2.3", "started_at": started, "live_sessions": live, "stream_lag_ms": lag}}
		}
		w.report("edge-before", nil) // from before edges reported: accepted, and not seen
		w.report("edge-1", self(started, 7, 1500))
		w.report("edge-2", self(started-1, 0, -1))
		w.report("edge with spaces", self(started, 1, 0))
		w.report("edge-3", map[string]any{"edge": map[string]any{"version": "v9", "started_at": started + 1, "live_sessions": -5, "stream_lag_ms": -7, "mood": "good"}, "weather": "fine"})
		list := w.edges()
		if len(list) != 3 || list[0]["id"] != "edge-2" || list[1]["id"] != "edge-1" || list[2]["id"] != "edge-3" {
			t.Fatalf("seen: %v", list)
		}
		if e := list[1]; e["version"] != "v1.2.3" || e["live_sessions"] != 7.0 || e["stream_lag_ms"] != 1500.0 || int64(e["started_at"].(float64)) != started ||
			e["last_seen_at"] != float64(w.clock.Now().Unix()) || e["addresses"].([]any)[0] != "127.0.0.1" {
			t.Errorf("edge-1 is %v", e)
		}
		if list[2]["live_sessions"] != 0.0 || list[2]["stream_lag_ms"] != -1.0 {
			t.Errorf("figures that cannot be are shown: %v", list[2])
		}
		w.clock.Add(59 * time.Minute)
		w.report("edge-1", self(started, 8, 10))
		if list := w.edges(); len(list) != 3 || list[1]["live_sessions"] != 8.0 {
			t.Errorf("59 minutes later: %v", list)
		}
		w.clock.Add(2 * time.Minute)
		if list := w.edges(); len(list) != 1 || list[0]["id"] != "edge-1" {
			t.Errorf("61 minutes later: %v", list)
		}
	})
}
