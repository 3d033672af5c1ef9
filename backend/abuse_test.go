package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
)

// events is a batch of page events with these names.
func events(names ...string) map[string]any {
	list := make([]any, 0, len(names))
	for _, name := range names {
		list = append(list, map[string]any{"name": name, "at": 1})
	}
	return map[string]any{"events": list}
}

// opened sells a session and enters it. It returns the session's own token.
func (w *world) opened(pairs ...any) (id, token string) {
	w.t.Helper()
	id, launch := w.sell(pairs...)
	return id, w.enter(launch)
}

// fresh makes n names that no batch had before.
func fresh(batch, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d_%d", batch, i)
	}
	return names
}

// One session that sends fresh names again and again is refused, by code, and what it was
// granted is all that is ever written. Known names go on, and so do other sessions.
func TestFreshNamesOfEventsAreBounded(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, token := w.opened("tokens_allocated", 1)
		send := func(names ...string) *answer {
			return w.call("POST", "/api/v1/sessions/"+id+"/events", token, events(names...))
		}
		send(fresh(0, 100)...).want(202)
		for batch := range 40 {
			send(fresh(1+batch, 100)...).want(409, "limit_reached")
		}
		send("n0_7", "n0_8").want(202)
		send("n0_7", "another").want(409, "limit_reached")
		if n := w.pageEvents(id); n != 102 {
			t.Errorf("%d events are recorded, want 102", n)
		}
		other, token := w.opened()
		w.call("POST", "/api/v1/sessions/"+other+"/events", token, events(fresh(900, 100)...)).want(202)
	})
}

// A session may send so many events, so many bytes, and so many batches in a minute.
func TestEventsOfASessionAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) {
		c.Limits.EventsPerSession, c.Limits.EventBytesPerSession, c.Limits.EventBatches = 250, 50_000, 10
	}
	w.open()
	id, token := w.opened("duration_limit_seconds", 3600)
	path := "/api/v1/sessions/" + id + "/events"
	same := slices.Repeat([]string{"view"}, 100)
	w.call("POST", path, token, events(same...), "Idempotency-Key", "one").want(202)
	w.call("POST", path, token, events(same...), "Idempotency-Key", "one").want(202) // sent again: one effect
	w.call("POST", path, token, events(same...)).want(202)
	w.call("POST", path, token, events(same...)).want(409, "limit_reached")
	w.call("POST", path, token, events(same[:50]...)).want(202)
	w.call("POST", path, token, events("view")).want(409, "limit_reached")
	w.call("POST", path, token, events(same...), "Idempotency-Key", "one").want(202) // also when it is full
	if n := w.pageEvents(id); n != 250 {
		t.Errorf("%d events are recorded", n)
	}

	big, token := w.opened("duration_limit_seconds", 3600)
	path = "/api/v1/sessions/" + big + "/events"
	large := map[string]any{"events": []any{map[string]any{"name": "a", "at": 1, "props": map[string]string{"a": strings.Repeat("x", 2000)}}}}
	for range 10 {
		w.call("POST", path, token, large).want(202)
	}
	a := w.call("POST", path, token, large).want(429, "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for range 14 {
		w.clock.Add(6 * time.Second)
		w.call("POST", path, token, large).want(202)
	}
	w.clock.Add(6 * time.Second)
	w.call("POST", path, token, large).want(409, "limit_reached") // 25 times 2 KB
}

// All sessions of a provider together send so many events a day; another provider's, and
// the next day's, are not concerned.
func TestEventsOfAProvidersDayAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.Limits.EventsPerProvider = 150 }
	w.open()
	first, one := w.opened("duration_limit_seconds", 2678400)
	second, two := w.opened("duration_limit_seconds", 2678400)
	w.call("POST", "/api/v1/sessions/"+first+"/events", one, events(fresh(1, 100)...)).want(202)
	a := w.call("POST", "/api/v1/sessions/"+second+"/events", two, events(fresh(1, 51)...)).want(429, "rate_limited")
	tomorrow := 86400 - w.clock.Now().Unix()%86400
	if wait := a.header.Get("Retry-After"); wait != fmt.Sprint(tomorrow) {
		t.Errorf("Retry-After is %q, want %d: the rest of the day", wait, tomorrow)
	}
	w.call("POST", "/api/v1/sessions/"+second+"/events", two, events(fresh(1, 50)...)).want(202)
	w.clock.Add(time.Duration(tomorrow) * time.Second)
	w.call("POST", "/api/v1/sessions/"+second+"/events", two, events("n1_1")).want(202)
}

// What a session's own token makes the service remember, and how often it pauses, is
// bounded.
func TestASessionsOwnWritesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) {
		c.Limits.AnswersPerSession, c.Limits.PausesPerSession, c.Limits.SessionRate = 5, 1, -1
	}
	w.open()
	id, launch := w.sell()
	token := w.enter(launch)
	act := func(action, key string) *answer {
		return w.call("POST", "/api/v1/sessions/"+id+"/"+action, token, nil, "Idempotency-Key", key)
	}
	act("pause", "1").want(200)
	for i := range 4 {
		act("pause", fmt.Sprint("again", i)).want(200) // it is paused already
	}
	a := act("pause", "more").want(429, "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.call("POST", "/api/v1/sessions/"+id+"/resume", token, nil).want(200)
	w.call("POST", "/api/v1/sessions/"+id+"/pause", token, nil).want(409, "limit_reached")
}

// Look-ups of hosts, and those for certificates, use up nothing of what an edge's other
// requests have.
func TestLookUpsOfHostsHaveABudgetOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) {
		c.KeyRate, c.Limits.HostRate, c.Limits.CertificateRate = 5, 3, 2
	}
	w.open()
	_, launch := w.sell() // of the marketplace's own budget
	refused := map[string]int{}
	for i := range 40 {
		for _, purpose := range []string{"", "certificate"} {
			if a := w.call("GET", fmt.Sprintf("/api/v1/edge/hosts/h%d.example", i), w.edge, nil, "Session-Gate-Purpose", purpose); a.status == 429 {
				refused[purpose]++
			} else {
				a.want(404, "host_unknown")
			}
		}
	}
	if refused[""] < 30 || refused["certificate"] < 32 {
		t.Errorf("refused: %v", refused)
	}
	w.enter(launch)
	for range 8 {
		w.call("POST", "/api/v1/edge/states", w.edge, map[string]any{"ids": []string{"s"}}).want(200)
	}
	w.call("POST", "/api/v1/edge/states", w.edge, map[string]any{"ids": []string{"s"}}).want(200)
	w.call("POST", "/api/v1/edge/states", w.edge, map[string]any{"ids": []string{"s"}}).want(429, "rate_limited")
}

// Attempts to sign in are limited by address, whatever becomes of them, and sign-ins by
// key.
func TestSignInsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.Limits.SignInsPerAddress, c.Limits.SignInsPerKey = 4, 2 }
	w.open()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	signIn := func(key string) *http.Response {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, w.url+"/auth/key", strings.NewReader(url.Values{"key": {key}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for i, want := range []int{303, 303, 429, 401, 429} {
		key := w.provider
		if i == 3 {
			key = "sg_prv_wrong"
		}
		if resp := signIn(key); resp.StatusCode != want || want == 429 && resp.Header.Get("Retry-After") == "" {
			t.Errorf("attempt %d: %d with Retry-After %q, want %d", i+1, resp.StatusCode, resp.Header.Get("Retry-After"), want)
		}
	}
}

// A caller reads so many lists and exports at once, all callers together so many, and a
// provider's keys are one caller.
func TestExpensiveReadsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.Limits.ReadsPerCaller, c.Limits.Reads = 2, 3 }
	w.open()
	s := w.b.Service()
	begin := func(key string) (func(), error) {
		t.Helper()
		c, err := s.Identify(context.Background(), key)
		if err != nil {
			t.Fatal(err)
		}
		return s.BeginRead(c)
	}
	second, err := w.b.CreateAPIKey(context.Background(), backend.RoleProvider, "prov_demo", "second")
	if err != nil {
		t.Fatal(err)
	}
	w.secrets = append(w.secrets, second)
	endOne, err := begin(w.provider)
	if err != nil {
		t.Fatal(err)
	}
	endTwo, err := begin(second)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{
		"/api/v1/providers/prov_demo/sessions", "/api/v1/providers/prov_demo/sessions.csv", "/api/v1/providers/prov_demo/sessions?q=u",
		"/api/v1/providers/prov_demo/analytics/sessions", "/api/v1/providers/prov_demo/analytics/revenue.csv", "/api/v1/providers/prov_demo/stats",
	}
	for _, path := range paths {
		a := w.call("GET", path, w.provider, nil).want(429, "rate_limited")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	w.call("GET", paths[0], w.admin, nil).want(200)
	endAdmin, err := begin(w.admin)
	if err != nil {
		t.Fatal(err)
	}
	w.call("GET", "/api/v1/sessions", w.market, nil).want(429, "rate_limited") // the total
	endAdmin()
	endOne()
	endOne() // once is enough
	w.call("GET", paths[0], second, nil).want(200)
	endTwo()
	// None is left behind by requests that end.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { w.call("GET", paths[1], w.provider, nil) })
	}
	wg.Wait()
	w.call("GET", paths[1], w.provider, nil).want(200)
}

// Replays of deliveries are limited by provider, a range like a single one.
func TestReplaysAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.Limits.Replays = 3 }
	w.open()
	hook, _ := w.hook("http://127.0.0.1:1/", "session.ended")
	replay := func(key string) *answer {
		return w.call("POST", hooks+"/"+hook+"/replay", w.provider, map[string]any{"since": 0}, "Idempotency-Key", key)
	}
	for i := range 3 {
		replay(fmt.Sprint(i)).want(202)
	}
	replay("2").want(202) // the same request
	if a := replay("4").want(429, "rate_limited"); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.clock.Add(time.Minute)
	replay("5").want(202)
}

// An operator reads the limits in force, and what refuses is counted.
func TestLimitsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) {
		if err := c.Limits.Set("event_names_per_session=1"); err != nil {
			t.Error(err)
		}
	}
	w.open()
	w.call("GET", "/api/v1/limits", w.provider, nil).want(403)
	var list struct {
		Limits []struct {
			Name           string
			Value, Default int64
			Unit, Of       string
		}
	}
	if err := json.Unmarshal(w.call("GET", "/api/v1/limits", w.admin, nil).want(200).raw, &list); err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, l := range list.Limits {
		values[l.Name] = l.Value
		if l.Default < 1 || l.Unit == "" || l.Of == "" {
			t.Errorf("%+v", l)
		}
	}
	if values["event_names_per_session"] != 1 || values["key_rate"] != -1 || values["events_per_session"] != 5000 {
		t.Errorf("values: %v", values)
	}
	id, token := w.opened()
	w.call("POST", "/api/v1/sessions/"+id+"/events", token, events("a", "b")).want(409, "limit_reached")
	if m := w.call("GET", "/metrics", "", nil); !strings.Contains(string(m.raw), `sessiongate_limited_total{limit="event_names_per_session"} 1`) {
		t.Error("the refusal is not counted")
	}
	for _, bad := range []string{"", "events", "events=1", "key_rate=0", "key_rate=-2", "key_rate=x", "key_rate=9999999999999999"} {
		if err := new(backend.Limits).Set(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
