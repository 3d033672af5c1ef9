package backend_test

import (
	"strings"
	"testing"
	"time"
)

// actionsOfASession are the endpoints that take a session's JWT, with a body each.
var actionsOfASession = []struct {
	method, path string
	body         any
}{
	{"POST", "heartbeat", nil},
	{"POST", "extend", map[string]any{}},
	{"POST", "pause", nil},
	{"POST", "resume", nil},
	{"POST", "events", map[string]any{"events": []any{map[string]any{"name": "a", "at": 1}}}},
	{"GET", "extensions", nil},
	{"POST", "launch", nil},
	{"POST", "end", nil},
}

// A mail or a ticket with a launch link that was opened is worth nothing: the token spends,
// reads, pauses and ends nothing, whoever redeemed it.
func TestSpentLaunchTokenIsWorthNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	offer := map[string]any{"additional_seconds": 30, "tokens": 50, "max_count": 3}
	redeem := map[string]func(id, launch string) (session string){
		"an edge": func(_, launch string) string { return w.enter(launch) },
		"a page": func(id, launch string) string {
			return w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil).want(200).str("session_token")
		},
	}
	for who, redeem := range redeem {
		id, launch := w.sell("extension", offer, "duration_limit_seconds", 600)
		session := redeem(id, launch)
		before, _ := w.balance("user_1")
		for _, action := range actionsOfASession {
			w.call(action.method, "/api/v1/sessions/"+id+"/"+action.path, launch, action.body).want(409, "launch_spent")
		}
		bad := w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(401, "launch_spent")
		if strings.Contains(string(bad.raw), "user_1") || bad.at("valid") != false {
			t.Errorf("redeemed by %s: validate answered %s", who, bad.raw)
		}
		if after, _ := w.balance("user_1"); after != before {
			t.Errorf("redeemed by %s: the spent link took %d tokens", who, before-after)
		}
		good := w.call("POST", "/api/v1/sessions/validate", session, map[string]any{"jti": id}).want(200)
		if good.num("session", "duration_limit_seconds") != 600 {
			t.Errorf("redeemed by %s: the session is %s", who, good.raw)
		}
		w.call("POST", "/api/v1/sessions/"+id+"/extend", session, map[string]any{}).want(200)
	}
	w.audit()
}

// A launch token is good for one entry: before it was redeemed, it checks its session and
// sends heartbeats, and neither spends nor ends.
func TestLaunchTokenOnlyEnters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("extension", map[string]any{"additional_seconds": 30, "tokens": 50, "max_count": 3})
	for _, action := range actionsOfASession {
		a := w.call(action.method, "/api/v1/sessions/"+id+"/"+action.path, launch, action.body)
		switch action.path {
		case "heartbeat":
			a.want(200)
		case "launch":
		default:
			if a.want(401, "token_invalid"); !strings.Contains(a.str("detail"), "/launch") {
				t.Errorf("%s answered %s", action.path, a.raw)
			}
		}
		if action.path == "extensions" {
			break
		}
	}
	w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(200)
	w.enter(launch)
}

// The marketplace makes a new link to a live session: earlier links and tokens are void,
// and the time runs on.
func TestRelaunchMovesTheSession(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, launch := w.sell("duration_limit_seconds", 600, "extension", map[string]any{"additional_seconds": 30, "tokens": 50, "max_count": 3})
		session := w.enter(launch)
		before := w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200)
		w.clock.Add(time.Minute)
		path := "/api/v1/sessions/" + id + "/relaunch"
		again := w.call("POST", path, w.market, nil).want(200)
		second := again.str("token")
		w.secrets = append(w.secrets, second)
		if second == launch || !strings.Contains(again.str("launch_url"), second) || again.num("session", "relaunches") != 1 ||
			again.num("session", "expires_at") != before.num("expires_at") || again.num("session", "tokens_allocated") != before.num("tokens_allocated") {
			t.Errorf("relaunched as %s", again.raw)
		}
		for _, action := range actionsOfASession {
			w.call(action.method, "/api/v1/sessions/"+id+"/"+action.path, session, action.body).want(401, "session_moved")
			w.call(action.method, "/api/v1/sessions/"+id+"/"+action.path, launch, action.body).want(409, "launch_spent")
		}
		w.call("POST", "/api/v1/sessions/validate", session, map[string]any{"jti": id}).want(401, "session_moved")
		w.launch(launch, "redemption-0000001").want(409, "launch_spent")

		moved := w.launch(second, "redemption-0000002").want(200)
		w.secrets = append(w.secrets, moved.str("session_token"))
		w.launch(second, "redemption-0000002").want(200) // a lost response
		w.launch(second, "redemption-0000003").want(409, "launch_spent")
		if moved.num("session", "relaunches") != 1 || moved.num("session", "expires_at") != before.num("expires_at") {
			t.Errorf("entered as %s", moved.raw)
		}
		w.call("POST", "/api/v1/sessions/"+id+"/extend", moved.str("session_token"), map[string]any{}).want(200)
		kinds := w.call("GET", "/api/v1/sessions/"+id+"/timeline", w.market, nil).want(200)
		if !strings.Contains(string(kinds.raw), `"relaunched"`) {
			t.Errorf("the story of the session is %s", kinds.raw)
		}
		w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
		w.call("POST", path, w.market, nil).want(409, "session_completed")
		w.audit()
	})
}

// A link that nobody has opened yet is void, too, once there is a newer one; a double
// click on the marketplace's page makes one link, and a retried request none.
func TestRelaunchBeforeTheEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("clock", "launch")
	path := "/api/v1/sessions/" + id + "/relaunch"
	first := w.call("POST", path, w.market, nil).want(200)
	if first.str("session", "status") != "pending" {
		t.Errorf("relaunched as %s", first.raw)
	}
	w.launch(launch, "redemption-0000001").want(409, "launch_spent")
	again := w.call("POST", path, w.market, nil).want(200)
	if again.num("session", "relaunches") != 1 || again.num("session", "version") != first.num("session", "version") {
		t.Errorf("a double click made %s", again.raw)
	}
	w.clock.Add(11 * time.Second)
	third := w.call("POST", path, w.market, nil, "Idempotency-Key", "once").want(200)
	w.clock.Add(11 * time.Second)
	if retried := w.call("POST", path, w.market, nil, "Idempotency-Key", "once").want(200); retried.num("session", "relaunches") != 2 || third.num("session", "relaunches") != 2 {
		t.Errorf("retried as %s after %s", retried.raw, third.raw)
	}
	w.launch(first.str("token"), "redemption-0000002").want(409, "launch_spent")
	if a := w.launch(third.str("token"), "redemption-0000003").want(200); a.str("session", "status") != "active" {
		t.Errorf("entered as %s", a.raw)
	}
}

// Whoever has an old link of a session, from a mail or a ticket, cannot keep its owner from
// opening the next one by sending requests.
func TestSpentTokenUsesUpNoRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("duration_limit_seconds", 600)
	session := w.enter(launch)
	refused := false
	for range 1000 {
		a := w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", launch, nil)
		if refused = a.status == 429; refused {
			break
		}
		a.want(409, "launch_spent")
	}
	if !refused {
		t.Error("a spent token is not limited")
	}
	w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", session, nil).want(200)
	next := w.call("POST", "/api/v1/sessions/"+id+"/relaunch", w.market, nil).want(200).str("token")
	w.secrets = append(w.secrets, next)
	w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", next, nil).want(200)
	entered := w.call("POST", "/api/v1/sessions/"+id+"/launch", next, nil).want(200)
	w.secrets = append(w.secrets, entered.str("session_token"))
}

// A session may be relaunched so often, and only by a marketplace.
func TestRelaunchIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("duration_limit_seconds", 100_000)
	session := w.enter(launch)
	path := "/api/v1/sessions/" + id + "/relaunch"
	for _, key := range []string{w.provider, w.edge, w.admin} {
		w.call("POST", path, key, nil).want(403, "forbidden")
	}
	w.call("POST", path, session, nil).want(401, "unauthorized")
	w.call("POST", "/api/v1/sessions/0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11/relaunch", w.market, nil).want(404, "not_found")
	for range 100 {
		w.call("POST", path, w.market, nil).want(200)
		w.clock.Add(10 * time.Second)
	}
	w.call("POST", path, w.market, nil).want(409, "illegal_transition")
	w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200)
}
