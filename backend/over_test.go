package backend_test

import (
	"testing"
	"time"
)

// Acting on a session that is over is a conflict with its state. The caller is
// known, so it is never 401.
func TestActingOnAnEndedSessionIsAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ends := map[string]func(id, token string){
		"session_completed": func(id, _ string) {
			w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
		},
		"session_revoked": func(id, _ string) {
			w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.admin, map[string]any{"refund": "none"}).want(200)
		},
		"session_expired": func(string, string) { w.clock.Add(2 * time.Minute) },
	}
	for code, end := range ends {
		id, launch := w.sell()
		token := w.enter(launch)
		end(id, token)
		path := "/api/v1/sessions/" + id + "/"
		acts := []struct {
			action, bearer string
			body           any
		}{
			{"extend", w.market, map[string]any{"additional_seconds": 60, "tokens_to_deduct": 1}},
			{"extend", token, nil},
			{"pause", token, nil},
			{"resume", token, nil},
			{"launch", launch, nil},
			{"revoke", w.market, map[string]any{"refund": "full"}},
			{"revoke", w.admin, map[string]any{"refund": "full"}},
		}
		for _, act := range acts {
			a := w.call("POST", path+act.action, act.bearer, act.body).want(409, code)
			if a.num("status") != 409 || a.str("title") != "Conflict" || a.str("session_id") != id || a.str("return_url") == "" {
				t.Errorf("%s: refused as %s", act.action, a.raw)
			}
			if a.header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: the caller is asked for other credentials", act.action)
			}
		}
		w.launch(launch, "redemption-0000002").want(409) // the edge's entry
		// Ending twice is no conflict: the answer is the same settlement.
		w.call("POST", path+"end", token, nil).want(200)
		w.call("POST", path+"complete", w.market, nil).want(200)
	}
	// A session that was never entered.
	id, launch := w.sell("clock", "launch")
	w.clock.Add(time.Hour)
	w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil).want(409, "session_canceled")
	w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 60}).want(409, "session_canceled")
	w.audit()
}
