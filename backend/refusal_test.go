package backend_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/token"
)

func TestLaunch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("duration_limit_seconds", 600)
	if _, err := w.b.CreateProvider(context.Background(), store.Provider{ID: "prov_other", Name: "O", Domains: []string{"other.example"}}); err != nil {
		t.Fatal(err)
	}
	at := func(pairs ...any) *answer {
		body := map[string]any{"token": launch, "redemption_id": "redemption-0000001"}
		for i := 0; i+1 < len(pairs); i += 2 {
			body[pairs[i].(string)] = pairs[i+1]
		}
		return w.call("POST", "/api/v1/edge/launch", w.edge, body)
	}
	at("provider_id", "prov_other").want(403, "wrong_provider")
	at("host", "other.example").want(403, "wrong_provider")
	at("host", "nobody.example").want(404, "host_unknown")
	at().want(422, "invalid_request")
	at("provider_id", "prov_demo", "redemption_id", "short").want(422, "invalid_request")

	first := at("host", "APP.provider.example:443").want(200)
	if first.str("session", "id") != id || first.num("session", "version") != 2 || first.num("server_time_ms") != w.clock.Now().UnixMilli() {
		t.Errorf("launched as %s", first.raw)
	}
	w.secrets = append(w.secrets, first.str("session_token"))
	w.clock.Add(59 * time.Second)
	if again := at("provider_id", "prov_demo").want(200); again.num("session", "version") != 2 {
		t.Errorf("launched again as %s", again.raw)
	}
	spent := at("provider_id", "prov_demo", "redemption_id", "redemption-0000002").want(409, "launch_spent")
	if spent.str("session_id") != id {
		t.Errorf("refused as %s", spent.raw)
	}
	w.clock.Add(2 * time.Second)
	at("provider_id", "prov_demo").want(409, "launch_spent")

	w.clock.Add(time.Hour) // nobody has settled it yet: the answer is right all the same
	over := at("provider_id", "prov_demo").want(409, "session_expired")
	if over.str("return_url") != "https://market.example/done" || over.str("session_id") != id {
		t.Errorf("refused as %s", over.raw)
	}
}

func TestPendingSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell("clock", "launch")
	w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(400, "session_pending")
	w.clock.Add(10 * time.Minute) // beyond its duration, within its launch window
	a := w.launch(launch, "redemption-0000001").want(200)
	if got, want := a.num("session", "expires_at"), w.clock.Now().Unix()+1+60; got != want {
		t.Errorf("the clock ends at %d, want %d", got, want)
	}

	late, launch := w.sell("clock", "launch")
	w.clock.Add(16 * time.Minute)
	if n, err := w.b.AdvanceDue(context.Background()); n != 2 || err != nil {
		t.Errorf("settled %d, %v", n, err)
	}
	w.launch(launch, "redemption-0000001").want(409, "session_canceled")
	got := w.call("GET", "/api/v1/sessions/"+late, w.market, nil).want(200)
	if got.str("status") != "canceled" || got.num("settlement", "released") != 100 {
		t.Errorf("ended as %s", got.raw)
	}
	w.audit()
}

func TestKeysAndRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	other, _ := w.sell("tokens_allocated", 1)
	for name, c := range map[string]struct {
		method, path, key string
		body              any
		status            int
		code              string
	}{
		"no key":                        {"GET", "/api/v1/sessions", "", nil, 401, "unauthorized"},
		"unknown key":                   {"GET", "/api/v1/sessions", "sg_mkt_nobody", nil, 401, "unauthorized"},
		"not a key":                     {"GET", "/api/v1/sessions", "nonsense", nil, 401, "unauthorized"},
		"a session where a key is due":  {"GET", "/api/v1/sessions", launch, nil, 401, "unauthorized"},
		"an edge lists sessions":        {"GET", "/api/v1/sessions", w.edge, nil, 403, "forbidden"},
		"a provider sells":              {"POST", "/api/v1/sessions", w.provider, order(), 403, "forbidden"},
		"a marketplace launches":        {"POST", "/api/v1/edge/launch", w.market, nil, 403, "forbidden"},
		"a marketplace adds providers":  {"POST", "/api/v1/providers", w.market, nil, 403, "forbidden"},
		"a provider revokes":            {"POST", "/api/v1/sessions/" + id + "/revoke", w.provider, nil, 403, "forbidden"},
		"a user revokes":                {"POST", "/api/v1/sessions/" + id + "/revoke", launch, nil, 401, "unauthorized"},
		"a marketplace beats":           {"POST", "/api/v1/sessions/" + id + "/heartbeat", w.market, nil, 403, "forbidden"},
		"a user beats for another":      {"POST", "/api/v1/sessions/" + other + "/heartbeat", launch, nil, 401, "token_mismatch"},
		"a user validates another":      {"POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": other}, 401, "token_mismatch"},
		"validating without a token":    {"POST", "/api/v1/sessions/validate", "", map[string]any{"jti": id}, 401, "unauthorized"},
		"validating without a jti":      {"POST", "/api/v1/sessions/validate", launch, map[string]any{}, 400, "invalid_request"},
		"validating nonsense":           {"POST", "/api/v1/sessions/validate", launch, "{", 400, "invalid_request"},
		"a session that does not exist": {"GET", "/api/v1/sessions/nobody", w.market, nil, 404, "not_found"},
		"a path that does not exist":    {"GET", "/api/v2/sessions", w.market, nil, 404, "not_found"},
		"a method that does not exist":  {"PUT", "/api/v1/sessions", w.market, nil, 405, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.call(c.method, c.path, c.key, c.body).want(c.status, c.code)
		})
	}
	w.t = t
}

func TestValidateFindsWhatIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	good := w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(200)
	if good.at("valid") != true || good.str("session", "status") != "active" || good.num("session", "tokens_allocated") != 100 {
		t.Errorf("validate answered %s", good.raw)
	}
	ghost := sign(t, w.signer(), token.Launch, claims("0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11", w.now()))
	w.call("POST", "/api/v1/sessions/validate", ghost, map[string]any{"jti": "0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11"}).want(404, "not_found")
	w.launch(ghost, "redemption-0000001").want(401, "launch_invalid")
	w.clock.Add(time.Minute + time.Second)
	over := w.call("POST", "/api/v1/sessions/validate", launch, map[string]any{"jti": id}).want(400, "session_expired")
	if over.at("valid") != false || over.str("error") != "Session is not active" || over.str("return_url") == "" {
		t.Errorf("validate answered %s", over.raw)
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.credit("user_1", 1000)
	for name, c := range map[string]struct {
		body   any
		status int
		code   string
		names  string // what the answer must name
	}{
		"unknown field":     {order("surprise", "hunter2"), 422, "invalid_request", "surprise"},
		"wrong type":        {order("tokens_allocated", "hunter2"), 422, "invalid_request", "tokens_allocated"},
		"missing field":     {map[string]any{"user_id": "u"}, 422, "invalid_request", "provider_id"},
		"negative":          {order("tokens_allocated", -1), 422, "invalid_request", "tokens_allocated"},
		"no time":           {order("duration_limit_seconds", 0), 422, "invalid_request", "duration_limit_seconds"},
		"control character": {order("user_id", "u\u0000hunter2"), 422, "invalid_request", "user_id"},
		"unknown clock":     {order("clock", "hunter2"), 422, "invalid_request", "clock"},
		"unknown provider":  {order("provider_id", "prov_hunter2"), 422, "invalid_request", "provider_id"},
		"foreign return":    {order("return_url", "https://evil.example/hunter2"), 422, "return_url_not_allowed", ""},
		"other port":        {order("return_url", "https://market.example:444/"), 422, "return_url_not_allowed", ""},
		"user info":         {order("return_url", "https://hunter2@market.example/"), 422, "return_url_not_allowed", ""},
		"script":            {order("return_url", "javascript:hunter2"), 422, "return_url_not_allowed", ""},
		"foreign consent":   {order("consent_url", "https://evil.example/"), 422, "return_url_not_allowed", ""},
		"empty offer":       {order("extension", map[string]any{"tokens": 1}), 422, "invalid_request", "extension"},
		"not JSON":          {"hunter2", 400, "invalid_request", ""},
		"too large":         {order("return_url", strings.Repeat("x", 70_000)), 413, "too_large", ""},
		"too poor":          {order("tokens_allocated", 1001), 402, "insufficient_tokens", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			a := w.call("POST", "/api/v1/sessions", w.market, c.body).want(c.status, c.code)
			if strings.Contains(string(a.raw), "hunter2") {
				t.Errorf("the answer echoes what it refuses: %s", a.raw)
			}
			if !strings.Contains(string(a.raw), c.names) {
				t.Errorf("the answer does not name %s: %s", c.names, a.raw)
			}
		})
	}
	w.t = t
	for name, body := range map[string]string{
		"wrong type":    `{"edge_id":"e","beats":[{"id":"hunter2","version":"hunter2"}]}`,
		"more after it": `{"edge_id":"e","beats":[]} {}`,
	} {
		a := w.call("POST", "/api/v1/edge/heartbeats", w.edge, body).want(422, "invalid_request")
		if strings.Contains(string(a.raw), "hunter2") {
			t.Errorf("%s: the answer echoes what it refuses: %s", name, a.raw)
		}
	}
	w.call("POST", "/api/v1/edge/heartbeats", w.edge, "[").want(400, "invalid_request")
	w.audit()
}

func TestProvidersSeeTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.sell()
	made := w.call("POST", "/api/v1/providers", w.admin, map[string]any{
		"name": "Ünïcode", "domains": []string{"Bücher.Example.", "app.provider.example"}, "origin_url": "https://10.0.0.1:8443",
		"policies": map[string]any{"return_hosts": []string{"Market.example"}, "warning_seconds": []int{30, 120}},
	}).want(201)
	if d := made.at("domains").([]any); d[0] != "xn--bcher-kva.example" {
		t.Errorf("domains are %v", d)
	}
	other := made.str("id")
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{"id": "prov_demo", "name": "again"}).want(409, "already_exists")
	if id := w.call("GET", "/api/v1/edge/hosts/app.provider.example", w.edge, nil).want(200).str("provider_id"); id != "prov_demo" {
		t.Errorf("the later claim has the domain: %s", id)
	}
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{"name": "x", "origin_url": "ftp://x"}).want(422, "invalid_request")
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{"name": "x", "domains": []string{"a b"}}).want(422, "invalid_request")

	theirs, err := w.b.CreateAPIKey(context.Background(), backend.RoleProvider, other, "")
	if err != nil {
		t.Fatal(err)
	}
	w.call("GET", "/api/v1/providers/prov_demo", theirs, nil).want(404, "not_found")
	w.call("PATCH", "/api/v1/providers/prov_demo", theirs, map[string]any{"name": "mine"}).want(404, "not_found")
	w.call("GET", "/api/v1/sessions/"+id, theirs, nil).want(404, "not_found")
	w.call("GET", "/api/v1/sessions?provider_id=prov_demo", theirs, nil).want(404, "not_found")
	if list := w.call("GET", "/api/v1/sessions", theirs, nil).want(200); len(list.at("sessions").([]any)) != 0 {
		t.Errorf("they see %s", list.raw)
	}
	if list := w.call("GET", "/api/v1/sessions", w.provider, nil).want(200); len(list.at("sessions").([]any)) != 1 {
		t.Errorf("we see %s", list.raw)
	}
	if list := w.call("GET", "/api/v1/providers", theirs, nil).want(200); len(list.at("providers").([]any)) != 1 {
		t.Errorf("they see %s", list.raw)
	}
	if list := w.call("GET", "/api/v1/providers", w.admin, nil).want(200); len(list.at("providers").([]any)) != 2 {
		t.Errorf("the administrator sees %s", list.raw)
	}
	patched := w.call("PATCH", "/api/v1/providers/"+other, theirs, map[string]any{"name": "New", "policies": map[string]any{"settlement": "prorated"}}).want(200)
	if patched.str("name") != "New" || patched.at("policies", "return_hosts").([]any)[0] != "market.example" {
		t.Errorf("patched to %s", patched.raw)
	}
	w.call("PATCH", "/api/v1/providers/"+other, theirs, map[string]any{"policies": map[string]any{"return_hosts": []string{"evil.example"}}}).want(403, "forbidden")

	host := w.call("GET", "/api/v1/edge/hosts/APP.provider.example", w.edge, nil).want(200)
	if host.str("provider_id") != "prov_demo" || host.str("origin_url") != "http://127.0.0.1:3000" || host.str("host") != "app.provider.example" {
		t.Errorf("the host is %s", host.raw)
	}
	w.call("GET", "/api/v1/edge/hosts/nobody.example", w.edge, nil).want(404, "host_unknown")
}

func TestRequestIDsAndSpecKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.call("GET", "/healthz", "", nil, "X-Request-Id", "abc-1").want(200); a.header.Get("X-Request-Id") != "abc-1" {
		t.Errorf("request id is %q", a.header.Get("X-Request-Id"))
	}
	if a := w.call("GET", "/readyz", "", nil, "X-Request-Id", "a\tb").want(200); len(a.header.Get("X-Request-Id")) < 16 {
		t.Errorf("request id is %q", a.header.Get("X-Request-Id"))
	}
	key := w.call("GET", "/api/v1/keys/public", "", nil).want(200)
	if key.str("algorithm") != "ES256" || !strings.HasPrefix(key.str("key"), "-----BEGIN PUBLIC KEY-----") || key.str("kid") != w.signer().KeyID() {
		t.Errorf("the key is %s", key.raw)
	}
	set, err := token.ParseJWKS(w.call("GET", "/.well-known/jwks.json", "", nil).want(200).raw)
	if err != nil || len(set) != 2 {
		t.Errorf("the set has %d keys, %v", len(set), err)
	}
	if _, err := set.Key(context.Background(), w.signer().KeyID()); err != nil {
		t.Error(err)
	}
	if a := w.call("GET", "/metrics", "", nil); a.status != 200 || !strings.Contains(string(a.raw), "sessiongate_http_request_seconds") {
		t.Errorf("metrics: %d", a.status)
	}
	if a := w.call("GET", "/docs", "", nil); a.status != 200 || strings.Contains(string(a.raw), "http://") || strings.Contains(string(a.raw), "https://") || !strings.Contains(string(a.raw), "/api/v1/edge/launch") {
		t.Errorf("docs: %d, or they load from elsewhere", a.status)
	}
	var doc struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(w.call("GET", "/openapi.json", "", nil).want(200).raw, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) < 20 {
		t.Errorf("openapi %s with %d paths, %v", doc.OpenAPI, len(doc.Paths), err)
	}
}

// Text that no database of ours keeps finds nothing, or is refused; it is no
// failure of the service.
func TestTextThatCannotBe(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, _ := w.hook("http://127.0.0.1:1/")
		for _, bad := range []string{"%00", "a%00b", "%ff", "%c3%28"} {
			for path, key := range map[string]string{
				"/api/v1/sessions/" + bad:                             w.market,
				"/api/v1/sessions?user_id=" + bad:                     w.market,
				"/api/v1/sessions?provider_id=" + bad:                 w.market,
				"/api/v1/users/u/ledger?session_id=" + bad:            w.market,
				"/api/v1/providers/" + bad:                            w.admin,
				"/api/v1/providers/prov_demo/sessions?user_id=" + bad: w.provider,
				hooks + "/" + bad:                                     w.provider,
				hooks + "/" + id + "/deliveries/" + bad:               w.provider,
			} {
				if a := w.call("GET", path, key, nil); a.status >= 500 {
					t.Errorf("GET %s: %d %s", path, a.status, a.raw)
				}
			}
			for path, key := range map[string]string{
				"/api/v1/sessions/" + bad + "/complete": w.market, "/api/v1/users/u" + bad + "/erase": w.market,
			} {
				if a := w.call("POST", path, key, nil); a.status >= 500 {
					t.Errorf("POST %s: %d %s", path, a.status, a.raw)
				}
			}
			if a := w.call("DELETE", "/api/v1/people/"+bad, w.admin, nil); a.status >= 500 {
				t.Errorf("DELETE person %s: %d %s", bad, a.status, a.raw)
			}
		}
		const nul = "a\x00b"
		for _, c := range []struct {
			method, path, key string
			body              any
		}{
			{"POST", "/api/v1/people", w.admin, map[string]any{"email": nul + "@x.example", "role": "admin"}},
			{"POST", "/api/v1/people", w.admin, map[string]any{"email": "a@x.example", "role": "provider", "provider_id": nul}},
			{"POST", "/api/v1/portal", w.admin, map[string]any{"provider_id": nul}},
			{"POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": nul}},
			{"PATCH", hooks + "/" + id, w.provider, map[string]any{"description": nul}},
			{"PATCH", "/api/v1/providers/prov_demo", w.provider, map[string]any{"app_url": "https://x.example/?" + nul}},
			{"POST", "/api/v1/edge/launch", w.edge, map[string]any{"token": "t", "provider_id": nul, "redemption_id": nul + "012345678901234567"}},
			{"POST", "/api/v1/edge/heartbeats", w.edge, map[string]any{"beats": []any{map[string]any{"id": nul, "version": 1}}}},
			{"POST", "/api/v1/sessions", w.market, order("return_url", "https://market.example/"+nul)},
			{"POST", "/api/v1/sessions", w.market, order("consent_url", "https://market.example/?"+nul)},
		} {
			if a := w.call(c.method, c.path, c.key, c.body); a.status >= 500 {
				t.Errorf("%s %s %v: %d %s", c.method, c.path, c.body, a.status, a.raw)
			}
		}
		for _, form := range []string{"key=sg_adm_%00", "key=sg_%ff"} {
			r := httptest.NewRequest("POST", "http://backend.test/auth/key", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec := httptest.NewRecorder()
			if w.b.Handler().ServeHTTP(rec, r); rec.Code >= 500 {
				t.Errorf("%s: %d", form, rec.Code)
			}
		}
	})
}
