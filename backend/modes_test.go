package backend_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend"
)

// testKey makes a test key by the API.
func (w *world) testKey(role, provider string) (key string) {
	w.t.Helper()
	body := map[string]any{"role": role, "name": "test mode", "test": true}
	if provider != "" {
		body["provider_id"] = provider
	}
	a := w.call("POST", "/api/v1/apikeys", w.admin, body).want(201)
	if a.at("key", "test") != true || !strings.Contains(a.str("key", "hint"), "_test_") || !strings.HasPrefix(a.str("secret"), a.str("key", "hint")) {
		w.t.Fatalf("the key is no test key: %s", a.raw)
	}
	w.secrets = append(w.secrets, a.str("secret"))
	return a.str("secret")
}

// sellTest credits a test user and sells a session to it.
func (w *world) sellTest(key string, pairs ...any) (id, launch string) {
	w.t.Helper()
	w.call("POST", "/api/v1/users/user_1/tokens", key, map[string]any{"amount": 1000}).want(201)
	a := w.call("POST", "/api/v1/sessions", key, order(pairs...)).want(201)
	w.secrets = append(w.secrets, a.str("token"))
	return a.str("session", "id"), a.str("token")
}

// advance moves the clock of a test session.
func (w *world) advance(key, id string, seconds int) *answer {
	w.t.Helper()
	return w.call("POST", "/api/v1/sessions/"+id+"/advance", key, map[string]any{"seconds": seconds})
}

func ids(a *answer) string {
	var list []string
	for _, s := range a.at("sessions").([]any) {
		list = append(list, s.(map[string]any)["id"].(string))
	}
	return strings.Join(list, " ")
}

// A test key sees and changes nothing that is live, and a live key nothing of test
// sessions, except that it lists and reads them if it asks for the mode.
func TestTestKeysAndLiveKeysAreApart(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		test := w.testKey("marketplace", "")
		live, _ := w.sell()
		mine, _ := w.sellTest(test)
		if got := w.call("GET", "/api/v1/sessions/"+mine, test, nil).want(200); got.str("mode") != "test" || got.str("user_id") != "user_1" || got.str("marketplace_id") != "mkt_default" {
			t.Errorf("the test session is %s", got.raw)
		}
		if got := w.call("GET", "/api/v1/sessions/"+live, w.market, nil).want(200); got.str("mode") != "live" {
			t.Errorf("the live session is %s", got.raw)
		}
		for key, foreign := range map[string]string{test: live, w.market: mine} {
			for _, at := range []string{"", "/timeline", "/extensions"} {
				w.call("GET", "/api/v1/sessions/"+foreign+at, key, nil).want(404)
			}
			w.call("POST", "/api/v1/sessions/"+foreign+"/extend", key, map[string]any{"additional_seconds": 60, "tokens_to_deduct": 1}).want(404)
			w.call("POST", "/api/v1/sessions/"+foreign+"/revoke", key, map[string]any{"refund": "full"}).want(404)
			w.call("POST", "/api/v1/sessions/"+foreign+"/complete", key, nil).want(404)
			w.call("POST", "/api/v1/sessions/"+foreign+"/relaunch", key, nil).want(404)
		}
		for _, query := range []string{"", "?user_id=user_1", "?provider_id=prov_demo", "?status=active", "?provider_id=prov_demo&status=active"} {
			with := func(mode string) string {
				if query == "" {
					return "?mode=" + mode
				}
				return query + "&mode=" + mode
			}
			for _, want := range []struct{ key, query, ids string }{
				{w.market, query, live}, {w.market, with("live"), live}, {w.market, with("test"), mine}, {w.market, with("staff"), ""}, {w.market, with("preview"), ""},
				{test, query, mine}, {test, with("test"), mine},
			} {
				if got := ids(w.call("GET", "/api/v1/sessions"+want.query, want.key, nil).want(200)); got != want.ids {
					t.Errorf("%s lists %q, want %q", want.query, got, want.ids)
				}
			}
		}
		w.call("GET", "/api/v1/sessions?mode=live", test, nil).want(403)
		w.call("GET", "/api/v1/sessions/"+mine+"?mode=live", test, nil).want(403)
		w.call("GET", "/api/v1/sessions/"+mine+"?mode=test", w.market, nil).want(200)
		w.call("GET", "/api/v1/sessions/"+live+"?mode=test", w.market, nil).want(404)
		w.call("GET", "/api/v1/sessions/"+mine+"?mode=demo", w.market, nil).want(422)
		w.call("GET", "/api/v1/sessions/"+mine, w.admin, nil).want(200)
		w.call("GET", "/api/v1/sessions/"+mine, w.provider, nil).want(404)
		w.call("GET", "/api/v1/sessions/"+mine+"/timeline?mode=test", w.provider, nil).want(200)

		// The balances are apart, and so are the ledgers.
		if available, held := w.balance("user_1"); available != 900 || held != 100 {
			t.Errorf("the live balance is %d and %d", available, held)
		}
		w.call("POST", "/api/v1/users/user_2/tokens", test, map[string]any{"amount": 5}).want(201)
		if available, _ := w.balance("user_2"); available != 0 {
			t.Errorf("a test credit is worth %d live tokens", available)
		}
		w.call("POST", "/api/v1/sessions", w.market, order("user_id", "user_2", "tokens_allocated", 1)).want(402)
		for _, account := range w.call("GET", "/api/v1/users/user_1/ledger", test, nil).want(200).at("entries").([]any) {
			e := account.(map[string]any)
			if !strings.Contains(e["debit"].(string), "mkt_default.test") || !strings.Contains(e["credit"].(string), "mkt_default.test") {
				t.Errorf("a test entry is in a live account: %v", e)
			}
		}
		w.audit()
	})
}

// Test sessions, and those of passes, are in no figure of a provider: not in analytics,
// statistics, counts of events, lists, files or metrics. Asked for their mode, it shows
// them.
func TestOnlyLiveSessionsAreFigures(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		test := w.testKey("marketplace", "")
		live, _ := w.sell("tokens_allocated", 10)
		w.call("POST", "/api/v1/sessions/"+live+"/complete", w.market, nil).want(200)
		figures := func() string {
			w.clock.Add(time.Second)
			w.rollup()
			var all []string
			for _, path := range []string{
				"/analytics/sessions", "/analytics/revenue", "/analytics/users", "/analytics/events", "/analytics/sessions.csv", "/analytics/revenue.csv", "/stats",
				"/sessions", "/sessions.csv", "/sessions?status=active", "/sessions?user_id=user_1", "/sessions?q=user", "/sessions?q=mkt_",
			} {
				a := w.call("GET", "/api/v1/providers/prov_demo"+path, w.provider, nil).want(200)
				delete(a.body, "as_of")
				if a.body != nil {
					all = append(all, fmt.Sprintf("%s %v", path, a.body))
				} else {
					all = append(all, path+" "+string(a.raw))
				}
			}
			for _, line := range strings.Split(string(w.call("GET", "/metrics", "", nil).raw), "\n") {
				if strings.HasPrefix(line, "sessiongate_sessions_") {
					all = append(all, line)
				}
			}
			return strings.Join(all, "\n")
		}
		before := figures()
		mine, launch := w.sellTest(test, "tokens_allocated", 70)
		token := w.enter(launch)
		w.call("POST", "/api/v1/sessions/"+mine+"/events", token, map[string]any{"events": []any{map[string]any{"name": "test_click", "at": w.now().UnixMilli()}}}).want(202)
		second, _ := w.sellTest(test, "tokens_allocated", 30)
		w.call("POST", "/api/v1/sessions/"+second+"/extend", test, map[string]any{"additional_seconds": 60, "tokens_to_deduct": 5}).want(200)
		w.advance(test, mine, 100).want(200)
		_, secret := w.pass(w.provider, "preview")
		shown := w.openPass(secret)
		if after := figures(); after != before {
			t.Errorf("the figures were\n%s\nand are\n%s", before, after)
		}
		// The same, of the mode that was asked for.
		sums := w.call("GET", "/api/v1/providers/prov_demo/analytics/revenue?mode=test", w.provider, nil).want(200)
		if sums.num("total", "captured") != 70 || sums.num("total", "held") != 105 || sums.num("total", "settlements") != 1 {
			t.Errorf("test revenue is %s", sums.raw)
		}
		if n := w.call("GET", "/api/v1/providers/prov_demo/analytics/sessions?mode=test", w.provider, nil).want(200); n.num("total", "sessions") != 2 || n.num("total", "extensions") != 1 || n.num("total", "expired") != 1 {
			t.Errorf("test sessions are %s", n.raw)
		}
		if n := w.call("GET", "/api/v1/providers/prov_demo/stats?mode=preview", w.provider, nil).want(200); n.num("live", "pending") != 1 || n.num("total", "sessions") != 1 || n.num("total", "captured") != 0 {
			t.Errorf("previews are %s", n.raw)
		}
		for mode, want := range map[string]string{"test": second + " " + mine, "preview": shown, "staff": ""} {
			if got := ids(w.call("GET", "/api/v1/providers/prov_demo/sessions?mode="+mode, w.provider, nil).want(200)); got != want {
				t.Errorf("mode %s lists %q, want %q", mode, got, want)
			}
		}
		if file := string(w.call("GET", "/api/v1/providers/prov_demo/sessions.csv?mode=test", w.provider, nil).want(200).raw); strings.Count(file, ",test") != 2 || !strings.Contains(file, ",mode") {
			t.Errorf("the file of test sessions is %s", file)
		}
		w.audit()
	})
}

// A provider's test key reads what test sessions left, and nothing that is live. No test
// key gets past a route that does not name it.
func TestProvidersTestKeysReadTestSessionsAlone(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		market := w.testKey("marketplace", "")
		a := w.call("POST", "/api/v1/providers/prov_demo/apikeys", w.provider, map[string]any{"name": "x", "test": true}).want(201)
		key := a.str("secret")
		if !strings.HasPrefix(key, "sg_prv_test_") {
			t.Errorf("the key begins with %s", key[:12])
		}
		w.secrets = append(w.secrets, key)
		live, _ := w.sell()
		mine, _ := w.sellTest(market)
		liveHook, _ := w.hook("http://127.0.0.1:1/")
		testHook := w.call("POST", hooks, w.provider, map[string]any{"url": "http://127.0.0.1:1/", "mode": "test"}).want(201).str("webhook", "id")
		if got := ids(w.call("GET", "/api/v1/providers/prov_demo/sessions", key, nil).want(200)); got != mine {
			t.Errorf("it lists %q", got)
		}
		if got := ids(w.call("GET", "/api/v1/sessions", key, nil).want(200)); got != mine {
			t.Errorf("it lists %q", got)
		}
		for _, path := range []string{"/api/v1/providers/prov_demo/sessions", "/api/v1/sessions"} {
			if got := ids(w.call("GET", path+"?user_id=user_1", key, nil).want(200)); got != "" {
				t.Errorf("of a live user, %s lists %q", path, got)
			}
		}
		if got := string(w.call("GET", "/api/v1/providers/prov_demo/sessions.csv?user_id=user_1", key, nil).want(200).raw); strings.Contains(got, live) {
			t.Errorf("the file has a live session: %s", got)
		}
		if got := ids(w.call("GET", "/api/v1/providers/prov_demo/sessions?mode=test&user_id=user_1", w.provider, nil).want(200)); got != "" {
			t.Errorf("of test sessions, a live user has %q", got)
		}
		w.call("GET", "/api/v1/sessions/"+mine, key, nil).want(200)
		w.call("GET", "/api/v1/sessions/"+live, key, nil).want(404)
		for _, path := range []string{"/sessions?mode=live", "/stats?mode=live", "/analytics/revenue?mode=staff", "/webhooks?mode=live"} {
			w.call("GET", "/api/v1/providers/prov_demo"+path, key, nil).want(403)
		}
		if n := w.call("GET", "/api/v1/providers/prov_demo/stats", key, nil).want(200); n.num("live", "active") != 1 {
			t.Errorf("its statistics are %s", n.raw)
		}
		for id, want := range map[string]int{liveHook: 404, testHook: 200} {
			w.call("GET", hooks+"/"+id, key, nil).want(want)
			w.call("GET", hooks+"/"+id+"/deliveries", key, nil).want(want)
		}
		if list := w.call("GET", hooks, key, nil).want(200).at("webhooks").([]any); len(list) != 1 {
			t.Errorf("it lists %v", list)
		}
		w.call("POST", "/api/v1/sessions/"+mine+"/advance", key, map[string]any{"seconds": 1}).want(403)
		walked := 0
		for path, item := range w.b.Document().Paths {
			for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete} {
				if op == nil || op.OperationID == "validate-session" || strings.Contains(op.Description, "Test keys, too.") || !strings.Contains(op.Description, "Callers: ") {
					continue
				}
				walked++
				at := strings.NewReplacer("{id}", "prov_demo", "{wid}", testHook, "{did}", "x", "{host}", "app.provider.example", "{domain}", "app.provider.example", "{kid}", "none", "{pid}", "none").Replace(path)
				for _, key := range []string{key, market} {
					if a := w.call(method, at, key, bodies[op.OperationID]); a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
						t.Errorf("%s answers a test key %d", op.OperationID, a.status)
					}
				}
			}
		}
		if walked < 40 {
			t.Errorf("%d routes", walked)
		}
	})
}

// A rotated test key is a test key, an administrator has none, and none signs in.
func TestTestKeysStayTestKeys(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		w.marketplace("mkt_books")
		made := w.call("POST", "/api/v1/apikeys", w.admin, map[string]any{"role": "marketplace", "marketplace_id": "mkt_books", "name": "x", "test": true}).want(201)
		if made.str("key", "marketplace_id") != "mkt_books" {
			t.Errorf("the key is %s", made.raw)
		}
		again, kept, err := backend.RotateAPIKey(context.Background(), w.b.Store(), made.str("key", "id"), time.Hour, w.now())
		if err != nil {
			t.Fatal(err)
		}
		w.secrets = append(w.secrets, made.str("secret"), again)
		if !strings.HasPrefix(again, "sg_mkt_test_") || kept.Test != 1 {
			t.Errorf("the new key is %s…, %+v", again[:12], kept)
		}
		id, _ := w.sellTest(again)
		w.call("GET", "/api/v1/sessions/"+id, made.str("secret"), nil).want(200)
		w.call("GET", "/api/v1/sessions/"+id, w.testKey("marketplace", ""), nil).want(404) // of another marketplace
		for _, role := range []string{"admin", "edge"} {
			w.call("POST", "/api/v1/apikeys", w.admin, map[string]any{"role": role, "name": "x", "test": true}).want(422)
		}
		newBrowser(w).do("POST", home+"/auth/key", map[string][]string{"key": {w.testKey("provider", "prov_demo")}}).mustSay(t, 403, "Test keys cannot sign in")
		w.call("POST", "/api/v1/marketplaces", w.admin, map[string]any{"id": "mkt_default.test", "name": "x"}).want(422)
	})
}

// What a test user's clock is moved over happens as it would: the same warnings, end,
// settlement and messages as in a session that was waited for.
func TestAdvanceIsLikeWaiting(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		test := w.testKey("marketplace", "")
		live, _ := w.hook("http://127.0.0.1:1/")
		hook := w.call("POST", hooks, w.provider, map[string]any{"url": "http://127.0.0.1:1/", "mode": "test"}).want(201).str("webhook", "id")
		moved, launch := w.sellTest(test, "duration_limit_seconds", 700, "tokens_allocated", 70)
		token := w.enter(launch)
		a := w.advance(test, moved, 401).want(200)
		if a.str("session", "status") != "active" || a.num("session", "expires_at")-a.num("server_time_ms")/1000 != 700-401+1 {
			t.Errorf("after 401 s: %s", a.raw)
		}
		w.call("POST", "/api/v1/sessions/"+moved+"/pause", token, nil).want(200)
		if a = w.advance(test, moved, 60).want(200); a.str("session", "status") != "paused" {
			t.Errorf("in the pause: %s", a.raw)
		}
		if a = w.advance(test, moved, 60).want(200); a.str("session", "status") != "active" { // the policy allows 100 s
			t.Errorf("after the pause: %s", a.raw)
		}
		a = w.advance(test, moved, 2_000_000).want(200)
		if a.str("session", "status") != "expired" || a.str("session", "end_reason") != "deadline" || a.num("session", "settlement", "captured") != 70 || a.num("session", "settlement", "used_seconds") != 700 {
			t.Errorf("at the end: %s", a.raw)
		}
		w.advance(test, moved, 1).want(409)
		var kinds []string
		byVersion := map[int64]string{} // some have one time: the version is their order
		for _, d := range w.deliveries(hook, "") {
			version, err := strconv.ParseInt(d["message_id"].(string)[strings.LastIndex(d["message_id"].(string), "_")+1:], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			byVersion[version] = d["type"].(string)
		}
		for _, version := range slices.Sorted(maps.Keys(byVersion)) {
			kinds = append(kinds, byVersion[version])
		}
		if got := strings.Join(kinds, " "); got != "session.started session.warning session.paused session.resumed session.warning session.ended" {
			t.Errorf("the messages are %s", got)
		}
		if list := w.deliveries(live, ""); len(list) != 0 {
			t.Errorf("a live webhook was told %v", list)
		}
		payload := w.call("GET", hooks+"/"+hook+"/deliveries/"+w.deliveries(hook, "")[0]["id"].(string), w.provider, nil).want(200).str("payload")
		if !strings.Contains(payload, `"mode":"test","data"`) || !strings.Contains(payload, `"mode":"test"`) {
			t.Errorf("the message is %s", payload)
		}

		// A launch window, too.
		pending, _ := w.sellTest(test, "clock", "launch")
		if a = w.advance(test, pending, 899).want(200); a.str("session", "status") != "pending" {
			t.Errorf("within the launch window: %s", a.raw)
		}
		if a = w.advance(test, pending, 2).want(200); a.str("session", "status") != "canceled" || a.num("session", "settlement", "released") != 100 {
			t.Errorf("after the launch window: %s", a.raw)
		}
		w.audit()
	})
}

// No live session's clock is moved, by no key.
func TestAdvanceIsForTestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	test := w.testKey("marketplace", "")
	live, launch := w.sell()
	session := w.enter(launch)
	mine, _ := w.sellTest(test)
	w.advance(w.market, live, 10).want(403)
	w.advance(w.market, mine, 10).want(403)
	w.advance(test, live, 10).want(404)
	w.advance(w.admin, mine, 10).want(403)
	w.advance(w.provider, mine, 10).want(403)
	w.advance(session, live, 10).want(401)
	for _, seconds := range []int{0, -5, 2678401} {
		w.advance(test, mine, seconds).want(422)
	}
	for range 30 {
		w.advance(test, mine, 1).want(200)
	}
	if a := w.advance(test, mine, 1).want(429); a.header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	_, secret := w.pass(w.provider, "staff")
	w.advance(test, w.openPass(secret), 10).want(404)
}

// The edge hears a test session's mode, and nothing of a live one's.
func TestLiveStatesSayTheMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, _ := w.sell()
	mine, _ := w.sellTest(w.testKey("marketplace", ""))
	for id, want := range map[string]any{live: nil, mine: "test"} {
		state := w.states(id).want(200).at("states").([]any)[0].(map[string]any)
		if state["mode"] != want {
			t.Errorf("the mode is %v, want %v", state["mode"], want)
		}
	}
	if user := w.states(mine).at("states").([]any)[0].(map[string]any)["user_id"]; user != "mkt_default.test~user_1" {
		t.Errorf("the app sees the test user as %v, which may be a live one", user)
	}
}

// Erasing a test user leaves the live user of the same id alone.
func TestErasingATestUser(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		test := w.testKey("marketplace", "")
		w.sell()
		id, _ := w.sellTest(test)
		w.call("POST", "/api/v1/sessions/"+id+"/complete", test, nil).want(200)
		w.call("POST", "/api/v1/users/user_1/erase", test, nil).want(200)
		if got := w.call("GET", "/api/v1/users/user_1/export", test, nil).want(200); len(got.at("sessions").([]any)) != 0 {
			t.Errorf("what is left: %s", got.raw)
		}
		if available, held := w.balance("user_1"); available != 900 || held != 100 {
			t.Errorf("the live user has %d and %d", available, held)
		}
		if got := w.call("GET", "/api/v1/sessions/"+id, test, nil).want(200).str("user_id"); !strings.HasPrefix(got, "erased_") {
			t.Errorf("the session is %s's", got)
		}
		w.audit()
	})
}
