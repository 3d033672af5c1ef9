package backend_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

func TestUsersAreExportedAndErased(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.hook("http://127.0.0.1:1/")
		id, launch := w.sell("return_url", "https://market.example/done?user=user_1")
		w.call("POST", "/api/v1/sessions/"+id+"/events", w.enter(launch), map[string]any{"events": []any{map[string]any{"name": "page_view", "at": 1_800_000_000_000}}}).want(202)
		w.call("POST", "/api/v1/users/user_1/erase", w.market, nil).want(409, "illegal_transition")
		w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
		a := w.call("GET", "/api/v1/users/user_1/export", w.market, nil).want(200)
		if len(a.at("sessions").([]any)) != 1 || len(a.at("ledger").([]any)) < 3 || len(a.at("events").([]any)) < 3 || a.num("available") == 0 {
			t.Errorf("%s", a.raw)
		}
		w.rollup()
		before := a.num("available")
		erased := w.call("POST", "/api/v1/users/user_1/erase", w.admin, nil, "Idempotency-Key", "e").want(200)
		name := erased.str("pseudonym")
		if again := w.call("POST", "/api/v1/users/user_1/erase", w.admin, nil, "Idempotency-Key", "e").want(200).str("pseudonym"); again != name {
			t.Errorf("erased again, as %s", again)
		}
		w.call("POST", "/api/v1/users/user_1/erase", w.market, nil).want(404)
		w.audit()
		if available, held := w.balance(name); available != before || held != 0 {
			t.Errorf("the pseudonym has %d, %d", available, held)
		}
		for _, path := range []string{"/api/v1/users/user_1/export", "/api/v1/sessions/" + id, "/api/v1/users/" + name + "/ledger", "/api/v1/audit"} {
			key := w.market
			if strings.HasSuffix(path, "audit") {
				key = w.admin
			}
			got := strings.ReplaceAll(string(w.call("GET", path, key, nil).want(200).raw), `"user_id":"user_1","available":0`, "")
			if strings.Contains(got, "user_1") {
				t.Errorf("%s still knows the user: %s", path, got)
			}
		}
		if n := len(w.call("GET", "/api/v1/users/user_1/export", w.market, nil).want(200).at("ledger").([]any)); n != 0 {
			t.Errorf("%d entries are left", n)
		}
		for _, d := range w.deliveries(w.call("GET", hooks, w.provider, nil).at("webhooks").([]any)[0].(map[string]any)["id"].(string), "") {
			full, err := w.b.Store().Delivery(context.Background(), d["id"].(string))
			if err != nil || strings.Contains(full.Payload, "user_1") {
				t.Errorf("a message still knows the user: %s, %v", full.Payload, err)
			}
		}
		if strings.Contains(w.log.String(), "user_1") {
			t.Error("the log names a user")
		}
	})
}

func TestAdministratorsAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.sell()
	w.call("PATCH", "/api/v1/providers/prov_demo", w.admin, map[string]any{"name": "New"}, "X-Request-Id", "r-1").want(200)
	w.call("PATCH", "/api/v1/providers/prov_demo", w.provider, map[string]any{"name": "Newer"}).want(200) // its own
	w.call("PATCH", "/api/v1/providers/prov_none", w.admin, map[string]any{"name": "New"}).want(404)      // nothing was done
	w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.admin, map[string]any{"refund": "none"}, "Idempotency-Key", "k").want(200)
	w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.admin, map[string]any{"refund": "none"}, "Idempotency-Key", "k").want(200)
	a := w.call("GET", "/api/v1/audit?limit=1", w.admin, nil).want(200)
	entry := a.at("entries").([]any)[0].(map[string]any)
	if entry["action"] != "revoke-session" || entry["target"] != id || entry["actor"] == "" {
		t.Errorf("%s", a.raw)
	}
	a = w.call("GET", "/api/v1/audit?cursor="+a.str("next_cursor"), w.admin, nil).want(200)
	list := a.at("entries").([]any)
	if len(list) != 1 || list[0].(map[string]any)["request_id"] != "r-1" {
		t.Errorf("%s", a.raw)
	}
}

func TestAPIKeysRotateWithGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	st := w.b.Store()
	w.call("GET", "/api/v1/providers/prov_demo", w.provider, nil).want(200)
	w.b.FlushKeyUse(ctx)
	keys, err := st.APIKeys(ctx, store.KeyFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var old store.APIKey
	for _, k := range keys {
		if k.Role == "provider" {
			old = k
		}
		if used := k.LastUsedAt != 0; used != (k.Role == "provider") {
			t.Errorf("%s was used: %v", k.Role, used)
		}
	}
	fresh, kept, err := backend.RotateAPIKey(ctx, st, old.ID, time.Hour, w.clock.Now())
	if err != nil || kept.ProviderID != "prov_demo" || kept.Role != "provider" {
		t.Fatalf("%+v, %v", kept, err)
	}
	w.secrets = append(w.secrets, fresh)
	w.clock.Add(59 * time.Minute)
	for _, key := range []string{w.provider, fresh} {
		w.call("GET", "/api/v1/providers/prov_demo", key, nil).want(200)
	}
	w.clock.Add(time.Minute)
	w.call("GET", "/api/v1/providers/prov_demo", w.provider, nil).want(401)
	w.call("GET", "/api/v1/providers/prov_demo", fresh, nil).want(200)
	if _, _, err := backend.RotateAPIKey(ctx, st, old.ID, time.Hour, w.clock.Now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("rotated a dead key: %v", err)
	}
}

// TestRotatedKeysKeepTheirIdempotencyKeys: a write whose answer was lost is sent
// again with the key that took the other's place, twice over.
func TestRotatedKeysKeepTheirIdempotencyKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	keys, err := w.b.Store().APIKeys(ctx, store.KeyFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	id := keys[slices.IndexFunc(keys, func(k store.APIKey) bool { return k.Role == "marketplace" })].ID
	credit := func(key string) {
		w.call("POST", "/api/v1/users/rotated/tokens", key, map[string]any{"amount": 7}, "Idempotency-Key", "once").want(201)
	}
	credit(w.market)
	for range 2 {
		fresh, kept, err := backend.RotateAPIKey(ctx, w.b.Store(), id, time.Hour, w.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		w.secrets = append(w.secrets, fresh)
		credit(fresh)
		id = kept.ID
	}
	if a := w.call("GET", "/api/v1/users/rotated/balance", w.market, nil).want(200); a.at("available") != 7.0 {
		t.Errorf("credited once: %s", a.raw)
	}
	other, _, err := backend.CreateAPIKey(ctx, w.b.Store(), backend.RoleMarketplace, "", "another", w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.secrets = append(w.secrets, other)
	credit(other) // another marketplace's keys are its own
	if a := w.call("GET", "/api/v1/users/rotated/balance", w.market, nil).want(200); a.at("available") != 14.0 {
		t.Errorf("another marketplace's credit: %s", a.raw)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.KeyRate, c.AddressRate, c.TrustedProxies = 5, 2, []string{"127.0.0.0/8"} }
	w.open()
	for range 10 {
		w.call("GET", "/api/v1/providers", w.admin, nil).want(200)
	}
	a := w.call("GET", "/api/v1/providers", w.admin, nil).want(429, "rate_limited")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	w.call("GET", "/api/v1/providers", w.provider, nil).want(200) // another key's own
	w.clock.Add(time.Second)
	w.call("GET", "/api/v1/providers", w.admin, nil).want(200)
	from := func(address string) *answer {
		return w.call("GET", "/api/v1/providers", "sg_adm_wrong", nil, "X-Forwarded-For", "6.6.6.6, "+address)
	}
	for range 4 {
		from("192.0.2.1").want(401)
	}
	from("192.0.2.1").want(429, "rate_limited")
	from("192.0.2.2").want(401)
	for n := range 5 { // a cookie is guessed no faster than a key
		a := w.call("GET", "/api/v1/providers", "", nil, "X-Forwarded-For", "192.0.2.4", "Cookie", "sg_sign_in=wrong")
		if want := map[bool]int{false: 401, true: 429}[n == 4]; a.status != want {
			t.Errorf("wrong cookie %d: %d", n, a.status)
		}
	}
	w.call("GET", "/api/v1/providers", w.admin, nil, "X-Forwarded-For", "192.0.2.1").want(200) // who has a key has it there too
	for range 4 {
		w.call("GET", "/.well-known/jwks.json", "", nil, "X-Forwarded-For", "192.0.2.3").want(200)
	}
	w.call("GET", "/.well-known/jwks.json", "", nil, "X-Forwarded-For", "192.0.2.3").want(429)
	w.call("GET", "/healthz", "", nil).want(200)
	if b, err := backend.Open(context.Background(), backend.Config{DataDir: t.TempDir(), TrustedProxies: []string{"x"}}, nil); err == nil {
		b.Close()
		t.Error("x is a proxy")
	}
}
