package backend_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// A page without an edge before it starts the paid clock itself: once, when it
// asks for that and not when its token is merely checked.
func TestPageStartsPendingSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("clock", "launch")
	path := "/api/v1/sessions/" + id
	waiting := w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(400, "session_pending")
	if waiting.at("valid") != false || waiting.str("session", "status") != "pending" || waiting.num("server_time_ms") != w.clock.Now().UnixMilli() {
		t.Errorf("validate answered %s", waiting.raw)
	}
	w.clock.Add(10 * time.Minute)
	w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(400, "session_pending")

	begun := w.call("POST", path+"/launch", launch, nil).want(200)
	deadline := w.clock.Now().Unix() + 1 + 60
	if begun.str("session", "status") != "active" || begun.num("session", "expires_at") != deadline || begun.num("server_time_ms") == 0 {
		t.Errorf("launched as %s", begun.raw)
	}
	session := begun.str("session_token")
	w.clock.Add(30 * time.Second) // a reload: the clock runs on
	if again := w.call("POST", path+"/launch", session, nil).want(200); again.num("session", "expires_at") != deadline || again.at("session_token") != nil {
		t.Errorf("launched again as %s", again.raw)
	}
	good := w.call("POST", "/api/v1/sessions/validate", session, map[string]any{"jti": id}).want(200)
	if good.num("session", "expires_at") != deadline || good.num("server_time_ms") != w.clock.Now().UnixMilli() {
		t.Errorf("validate answered %s", good.raw)
	}
	w.launch(launch, "redemption-0000001").want(409, "launch_spent") // an edge does not admit it, too
	w.clock.Add(time.Minute)
	over := w.call("POST", path+"/launch", session, nil).want(409, "session_expired")
	if over.str("return_url") == "" {
		t.Errorf("refused as %s", over.raw)
	}

	late, token := w.sell("clock", "launch")
	w.clock.Add(16 * time.Minute)
	w.call("POST", "/api/v1/sessions/"+late+"/launch", token, nil).want(409, "session_canceled")
	w.audit()
}

// However many tabs redeem a launch token at once, one of them has the session.
func TestPageStartsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("clock", "launch")
	answers := make([]*answer, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil) })
	}
	all.Wait()
	entered := 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			entered++
			continue
		}
		a.want(409, "launch_spent")
	}
	if entered != 1 {
		t.Errorf("%d tabs entered, want 1", entered)
	}
}

// A page whose response was lost asks again with the same key, and receives a token of the
// session again: for a minute, and not with another key or a guessable one.
func TestPageRepeatsALostEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, key := range []string{"0123456789abcdef", "short"} {
		id, launch := w.sell("duration_limit_seconds", 600)
		enter := func(key string) *answer {
			return w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil, "Idempotency-Key", key)
		}
		enter(key).want(200)
		again := enter(key)
		if key == "short" {
			again.want(409, "launch_spent")
			continue
		}
		session := again.want(200).str("session_token")
		w.call("POST", "/api/v1/sessions/validate", session, map[string]any{"jti": id}).want(200)
		enter("another-key-0000000").want(409, "launch_spent")
		w.clock.Add(61 * time.Second)
		enter(key).want(409, "launch_spent")
	}
}

// What a page has redeemed, no edge redeems, and the reverse.
func TestPageAndEdgeShareOneEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil).want(200)
	w.launch(launch, "redemption-0000001").want(409, "launch_spent")
	id, launch = w.sell()
	w.enter(launch)
	w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil).want(409, "launch_spent")
}

// A paused session shows its page what stands still.
func TestValidateShowsPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	session := w.enter(launch)
	w.clock.Add(10 * time.Second)
	w.call("POST", "/api/v1/sessions/"+id+"/pause", session, nil).want(200)
	shown := w.call("POST", "/api/v1/sessions/validate", session, map[string]any{"jti": id}).want(400, "session_paused")
	if shown.num("session", "paused_at") == 0 || shown.num("session", "expires_at") == 0 {
		t.Errorf("validate answered %s", shown.raw)
	}
	if a := w.call("POST", "/api/v1/sessions/"+id+"/launch", session, nil).want(200); a.str("session", "status") != "paused" {
		t.Errorf("launched as %s", a.raw)
	}
}

func TestPagesOfOtherOriginsMayLaunch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodOptions, "/api/v1/sessions/x/launch", nil)
	r.Header.Set("Origin", "https://app.provider.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	rec := httptest.NewRecorder()
	w.b.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusNoContent || rec.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("answered %d %v", rec.Code, rec.Header())
	}
}
