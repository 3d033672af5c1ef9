package backend_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// status reads a session's state, why its clock stands still, and how long it did.
func (w *world) status(id string) (status, standstill string, stood int64, a *answer) {
	w.t.Helper()
	a = w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200)
	return a.str("status"), a.str("standstill"), a.num("standstill_seconds"), a
}

// TestMaintenanceStopsTheClocks: from the moment of the change to the moment of the next,
// however late a session is changed.
func TestMaintenanceStopsTheClocks(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		running, launch := w.sell("duration_limit_seconds", 60)
		token := w.enter(launch)
		pending, link := w.sell("clock", "launch")
		w.later(10 * time.Second)
		w.site(w.provider, map[string]any{"maintenance": map[string]any{"on": true, "message": "Back soon.", "until": w.now().Add(time.Hour).Unix()}}).want(200)
		// The sessions' deadlines pass before the standstill is applied to them.
		w.later(2 * time.Hour)
		if status, why, _, a := w.status(running); status != "paused" || why != "maintenance" || a.num("expires_at")-a.num("paused_at") < 50 {
			t.Errorf("a running session: %s", a.raw)
		}
		if status, why, _, a := w.status(pending); status != "pending" || why != "maintenance" {
			t.Errorf("a session that nobody entered: %s", a.raw)
		}
		w.call("POST", "/api/v1/sessions/"+running+"/resume", token, nil).want(503, "maintenance")
		w.launch(link, "redemption-0000002").want(503, "maintenance")
		w.call("POST", "/api/v1/sessions", w.market, order()).want(503, "maintenance")

		w.site(w.provider, map[string]any{"maintenance": map[string]any{"on": false}}).want(200)
		w.later(45 * time.Second)
		w.call("POST", "/api/v1/sessions/"+running+"/resume", token, nil).want(200) // applies the end
		if status, _, stood, a := w.status(running); status != "active" || stood != 7200 {
			t.Errorf("45 s after the maintenance: %s", a.raw)
		}
		w.launch(link, "redemption-0000002").want(200)
		w.later(10 * time.Second)
		if status, _, _, a := w.status(running); status != "expired" || a.num("settlement", "captured") != 100 {
			t.Errorf("60 s after the maintenance: %s", a.raw)
		}
		w.audit()
	})
}

// TestMaintenanceReachesEverySession: the loop changes sessions that nobody asks for, in
// several batches. A session that is sold afterwards does not stand still.
func TestMaintenanceReachesEverySession(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.run()
		const sold = 150
		ids := make([]string, sold)
		for i := range ids {
			ids[i], _ = w.sell("tokens_allocated", 1, "duration_limit_seconds", 3600)
		}
		all := func(want string) func() bool {
			return func() bool {
				return w.call("GET", demoSite+"/stats", w.provider, nil).want(200).num("live", want) == sold
			}
		}
		w.site(w.provider, map[string]any{"maintenance": map[string]any{"on": true}}).want(200)
		eventually(t, "all sessions stand still", all("paused"))
		w.later(time.Hour)
		w.site(w.provider, map[string]any{"maintenance": map[string]any{"on": false}}).want(200)
		eventually(t, "all sessions go on", all("active"))
		if _, _, stood, a := w.status(ids[sold-1]); stood != 3600 {
			t.Errorf("the last session: %s", a.raw)
		}
		id, _ := w.sell()
		if status, why, stood, a := w.status(id); status != "active" || why != "" || stood != 0 {
			t.Errorf("sold afterwards: %s", a.raw)
		}
		w.audit()
	})
}

// TestPlacesAreSoldOnce: sales at once get as many places as there are, and the refusal says
// when to try again.
func TestPlacesAreSoldOnce(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.site(w.provider, map[string]any{"max_sessions": 10}).want(200)
		w.credit("user_1", 10_000)
		var granted, full, other atomic.Int64
		together(30, func(int) {
			switch a := w.call("POST", "/api/v1/sessions", w.market, order("tokens_allocated", 1)); {
			case a.status == 201:
				granted.Add(1)
			case a.status == 409 && a.str("code") == "provider_full" && a.header.Get("Retry-After") != "":
				full.Add(1)
			default:
				other.Add(1)
			}
		})
		if granted.Load() != 10 || full.Load() != 20 || other.Load() != 0 {
			t.Errorf("%d granted, %d full, %d others", granted.Load(), full.Load(), other.Load())
		}
		w.sellTest(w.testKey("marketplace", "")) // takes no place
		if a := w.call("POST", "/api/v1/sessions", w.market, order()).want(409, "provider_full"); !strings.Contains(a.str("detail"), "allows 10 sessions at once") {
			t.Errorf("the refusal says %s", a.raw)
		}
		w.later(time.Minute + time.Second)
		w.call("GET", "/api/v1/sessions", w.market, nil).want(200) // those that are over are settled
		w.sell()
		w.site(w.provider, map[string]any{"max_sessions": 0}).want(200)
		for range 11 {
			w.sell()
		}
		w.audit()
	})
}
