package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What a session costs that nobody entered is what its sale said, in the API, in the
// ledger and in the list of purchases.
func TestUnenteredSessionCostsWhatTheSaleSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order    []any
		said     string
		enter    func(w *world, id, launch string)
		complete bool
		status   string
		captured int64
	}{
		"nothing said":                 {nil, "capture", nil, false, "expired", 100},
		"capture":                      {[]any{"unentered", "capture"}, "capture", nil, false, "expired", 100},
		"capture, completed early":     {[]any{"unentered", "capture"}, "capture", nil, true, "completed", 50},
		"release":                      {[]any{"unentered", "release"}, "release", nil, false, "canceled", 0},
		"release, completed early":     {[]any{"unentered", "release"}, "release", nil, true, "canceled", 0},
		"clock launch":                 {[]any{"clock", "launch"}, "release", nil, true, "canceled", 0},
		"release, entered at the edge": {[]any{"unentered", "release"}, "release", func(w *world, _, launch string) { w.enter(launch) }, true, "completed", 50},
		"release, entered without an edge": {[]any{"unentered", "release"}, "release", func(w *world, id, launch string) {
			w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil).want(200)
		}, true, "completed", 50},
		"release, validated by a server": {[]any{"unentered", "release"}, "release", func(w *world, id, launch string) {
			w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(200)
		}, true, "completed", 50},
		"release, a page's heartbeat": {[]any{"unentered", "release"}, "release", func(w *world, id, launch string) {
			w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", launch, map[string]any{}).want(200)
		}, true, "completed", 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id, launch := w.sell(c.order...)
			if c.enter != nil {
				c.enter(w, id, launch)
			}
			w.clock.Add(30500 * time.Millisecond) // to …031, the clock began at …001
			if got := w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200); got.str("unentered") != c.said || (got.num("entered_at") != 0) != (c.enter != nil) {
				t.Errorf("said to be %s", got.raw)
			}
			if c.complete {
				w.clock.Add(-time.Millisecond) // reads of the clock move it
				w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
			}
			w.clock.Add(time.Hour)
			got := w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200)
			if got.str("status") != c.status || got.num("settlement", "captured") != c.captured || got.num("settlement", "released") != 100-c.captured {
				t.Errorf("ended as %s, want %s with %d captured", got.raw, c.status, c.captured)
			}
			bought := got.at("purchases").([]any)[0].(map[string]any)
			if bought["captured"] != float64(c.captured) || bought["released"] != float64(100-c.captured) {
				t.Errorf("the purchase is settled as %v", bought)
			}
			if available, held := w.balance("user_1"); available != 1000-c.captured || held != 0 {
				t.Errorf("the user has %d, and %d held", available, held)
			}
			w.audit()
		})
	}
	w := newWorld(t)
	w.credit("user_1", 1000)
	refused := w.call("POST", "/api/v1/sessions", w.market, order("clock", "launch", "unentered", "capture")).want(422, "invalid_request")
	if !strings.Contains(refused.str("detail"), "release") {
		t.Errorf("refused with %s", refused.raw)
	}
	w.call("POST", "/api/v1/sessions", w.market, order("unentered", "half")).want(422)
}

// The receipt lists each purchase with its seconds, price, use, and how it was settled.
func TestPurchasesAreListedWithTheirSettlement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("tokens_allocated", 100, "duration_limit_seconds", 10,
		"extension", map[string]any{"additional_seconds": 3600, "tokens": 1, "max_count": 1})
	session := w.enter(launch)
	w.clock.Add(8700 * time.Millisecond) // 8.2 s after the clock's first second
	w.call("POST", "/api/v1/sessions/"+id+"/extend", session, map[string]any{}).want(200)
	w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 600, "tokens_to_deduct": 0}).want(200)
	ended := w.call("POST", "/api/v1/sessions/"+id+"/end", session, map[string]any{}).want(200)
	var got []string
	for _, p := range ended.at("session", "purchases").([]any) {
		p := p.(map[string]any)
		got = append(got, fmt.Sprint(p["kind"], " by ", p["by"], ": ", p["seconds"], " s for ", p["tokens"], ", used ", p["used_seconds"], ", ", p["captured"], " + ", p["released"]))
	}
	want := "sale by marketplace: 10 s for 100, used 9, 90 + 10; extension by user: 3600 s for 1, used 0, 0 + 1; extension by marketplace: 600 s for 0, used 0, 0 + 0"
	if strings.Join(got, "; ") != want {
		t.Errorf("the purchases are\n%s, want\n%s", strings.Join(got, "; "), want)
	}
	if ended.num("session", "settlement", "captured") != 90 {
		t.Errorf("settled as %s", ended.raw)
	}
	w.audit()
}

// A visit of less than a second is billed, however often it is repeated.
func TestShortVisitsAreNotFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const visits = 5
	w.credit("user_2", 1000)
	for i := range visits {
		sold := w.call("POST", "/api/v1/sessions", w.market, order("user_id", "user_2")).want(201)
		token := w.launch(sold.str("token"), fmt.Sprint("redemption-000000", i)).want(200).str("session_token")
		w.clock.Add(300 * time.Millisecond) // from …000.5: before the clock's first second
		w.call("POST", "/api/v1/sessions/"+sold.str("session", "id")+"/end", token, map[string]any{}).want(200)
		w.clock.Add(700 * time.Millisecond)
	}
	if available, held := w.balance("user_2"); available != 1000-2*visits || held != 0 { // 1 s of 60 for 100 is 2 tokens
		t.Errorf("%d visits leave %d available and %d held", visits, available, held)
	}
	w.audit()
}

// Where an edge served a session before it could redeem the launch, the service learns of
// it: time that was served counts, and what was served after the end is told.
func TestOfflineEntriesAreToldAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	offline := func(launch string, servedMS int64) *answer {
		return w.call("POST", "/api/v1/edge/launch", w.edge, map[string]any{
			"token": launch, "provider_id": "prov_demo", "redemption_id": "redemption-0000001",
			"offline": map[string]any{"admitted_at_ms": 1_800_000_100_000, "served_ms": servedMS},
		})
	}
	told := func(id string) (outcomes []string) {
		for _, e := range w.call("GET", "/api/v1/sessions/"+id+"/timeline", w.market, nil).want(200).at("entries").([]any) {
			e := e.(map[string]any)
			if e["name"] == "admitted_offline" {
				outcomes = append(outcomes, fmt.Sprint(e["detail"].(map[string]any)["outcome"], " ", e["detail"].(map[string]any)["served_ms"]))
			}
		}
		return outcomes
	}

	counted, launch := w.sell("clock", "launch")
	w.clock.Add(100 * time.Second)
	offline(launch, 20_000).want(200)
	offline(launch, 20_000).want(200) // the answer was lost
	ended := w.call("POST", "/api/v1/sessions/"+counted+"/complete", w.market, nil).want(200)
	if used := ended.num("session", "settlement", "used_seconds"); used != 20 {
		t.Errorf("20 s that an edge served count as %d", used)
	}
	if got := strings.Join(told(counted), ", "); got != "counted 20000" {
		t.Errorf("told of %q", got)
	}

	refunded, launch := w.sell()
	w.call("POST", "/api/v1/sessions/"+refunded+"/revoke", w.market, map[string]any{"refund": "full"}).want(200)
	offline(launch, 5000).want(409, "session_revoked")
	offline(launch, 5000).want(409, "session_revoked")
	if got := strings.Join(told(refunded), ", "); got != "after_end 5000" {
		t.Errorf("told of %q", got)
	}

	elsewhere, launch := w.sell()
	w.launch(launch, "redemption-of-another").want(200)
	offline(launch, 7000).want(409, "launch_spent")
	if got := strings.Join(told(elsewhere), ", "); got != "elsewhere 7000" {
		t.Errorf("told of %q", got)
	}
	metrics := string(w.call("GET", "/metrics", "", nil).raw)
	for _, line := range []string{"counted", "after_end", "elsewhere"} {
		if !strings.Contains(metrics, `sessiongate_offline_entries_total{outcome="`+line+`"} 1`) {
			t.Errorf("the metrics do not count %s", line)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "after_end") {
		t.Error("the log does not tell of what was served after the end")
	}
	w.audit()
}
