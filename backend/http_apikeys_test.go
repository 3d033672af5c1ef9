package backend_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

const ofKeys = "/api/v1/providers/prov_demo/apikeys"

// made is the id and the secret of a key that was made.
func (w *world) made(a *answer) (id, secret string) {
	w.t.Helper()
	a.want(201)
	w.secrets = append(w.secrets, a.str("secret"))
	return a.str("key", "id"), a.str("secret")
}

// auditLines is the audit log as "action target actor" lines, newest first.
func (w *world) auditLines() (lines []string) {
	w.t.Helper()
	for _, v := range w.call("GET", "/api/v1/audit", w.admin, nil).want(200).at("entries").([]any) {
		e := v.(map[string]any)
		lines = append(lines, e["action"].(string)+" "+e["target"].(string)+" "+e["actor"].(string))
	}
	return lines
}

// keyID is a key's own id, as its holder is told.
func (w *world) keyID(key string) string {
	w.t.Helper()
	return w.call("GET", "/api/v1/me", key, nil).want(200).str("key_id")
}

func TestAdministratorsMakeKeys(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		for role, prefix := range map[string]string{"marketplace": "sg_mkt_", "provider": "sg_prv_", "edge": "sg_edge_", "admin": "sg_adm_"} {
			body := map[string]any{"role": role, "name": "Ünï " + role}
			if role == "provider" {
				body["provider_id"] = "prov_demo"
			}
			id, secret := w.made(w.call("POST", "/api/v1/apikeys", w.admin, body, "Idempotency-Key", "x"))
			if !strings.HasPrefix(secret, prefix) || len(secret) < 40 {
				t.Errorf("a key of role %s begins with %.8s", role, secret)
			}
			if lines := w.auditLines(); lines[0] != "create-api-key "+id+" "+w.keyID(w.admin) {
				t.Errorf("audited as %q", lines[0])
			}
			if list := w.call("GET", "/api/v1/apikeys", w.admin, nil).want(200); strings.Contains(string(list.raw), secret) || !strings.Contains(string(list.raw), id) {
				t.Errorf("listed as %s", list.raw)
			}
			if role == "provider" || role == "admin" {
				if me := w.call("GET", "/api/v1/me", secret, nil).want(200); me.str("role") != role || me.str("key_id") != id || me.at("guest") != false {
					t.Errorf("it is %s", me.raw)
				}
			}
			w.call("DELETE", "/api/v1/apikeys/"+id, w.admin, nil).want(204)
			w.call("GET", "/api/v1/me", secret, nil).want(401)
		}
		make := func(body map[string]any) *answer { return w.call("POST", "/api/v1/apikeys", w.admin, body) }
		make(map[string]any{"role": "provider", "name": "x"}).want(422, "invalid_request")
		make(map[string]any{"role": "edge", "name": "x", "provider_id": "prov_demo"}).want(422, "invalid_request")
		make(map[string]any{"role": "root", "name": "x"}).want(422, "invalid_request")
		make(map[string]any{"role": "edge"}).want(422, "invalid_request")
		make(map[string]any{"role": "edge", "name": "a\nb"}).want(422, "invalid_request")
		make(map[string]any{"role": "provider", "name": "x", "provider_id": "prov_none"}).want(404)
	})
}

func TestProvidersMakeAndRevokeTheirKeys(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		own := w.keyID(w.provider)
		id, secret := w.made(w.call("POST", ofKeys, w.provider, map[string]any{"name": "billing"}))
		if lines := w.auditLines(); lines[0] != "create-provider-api-key "+id+" "+own {
			t.Errorf("audited as %q", lines[0])
		}
		w.call("GET", "/api/v1/providers/prov_demo/stats", secret, nil).want(200)
		w.call("GET", "/api/v1/apikeys", secret, nil).want(403)
		list := w.call("GET", ofKeys, w.provider, nil).want(200)
		if keys := list.at("keys").([]any); len(keys) != 2 || strings.Contains(string(list.raw), secret) || strings.Contains(string(list.raw), "sg_adm") {
			t.Errorf("listed as %s", list.raw)
		}
		if asAdmin := w.call("GET", ofKeys, w.admin, nil).want(200); len(asAdmin.at("keys").([]any)) != 2 {
			t.Errorf("the administrator sees %s", asAdmin.raw)
		}
		// Another's key is not there, whoever's it is.
		for _, other := range []string{w.keyID(w.admin), "none"} {
			w.call("DELETE", ofKeys+"/"+other, w.provider, nil).want(404)
		}
		w.call("DELETE", ofKeys+"/"+id, w.provider, nil).want(204)
		w.call("GET", "/api/v1/me", secret, nil).want(401)
		w.call("DELETE", ofKeys+"/"+id, w.provider, nil).want(404)
		if lines := w.auditLines(); lines[0] != "revoke-provider-api-key "+id+" "+own {
			t.Errorf("audited as %q", lines[0])
		}
		w.call("POST", ofKeys, w.provider, map[string]any{"name": ""}).want(422)

		// The key one came with can be revoked, too, and then it is over.
		w.call("DELETE", ofKeys+"/"+own, w.provider, nil).want(204)
		w.call("GET", ofKeys, w.provider, nil).want(401)
	})
}

func TestAProviderHasOnlySoManyKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var last string
	for range 49 { // and the one it has
		last, _ = w.made(w.call("POST", ofKeys, w.provider, map[string]any{"name": "x"}))
	}
	w.call("POST", ofKeys, w.provider, map[string]any{"name": "x"}).want(422, "invalid_request")
	w.call("DELETE", ofKeys+"/"+last, w.provider, nil).want(204)
	w.made(w.call("POST", ofKeys, w.provider, map[string]any{"name": "x"}))
}

// A guest's right ends with its link: no key made by it may stay.
func TestAPortalGuestMakesNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, link := w.portal(map[string]any{"provider_id": "prov_demo", "expires_in_seconds": 3600})
	b := newBrowser(w)
	openPortal(b, link)
	who, _ := b.me()
	if who["guest"] != true || int64(who["expires_at"].(float64)) != w.clock.Now().Unix()+3600 {
		t.Errorf("the guest is %v", who)
	}
	send := func(method, path, body string) page {
		t.Helper()
		req, err := http.NewRequest(method, home+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var p struct{ Detail string }
		_ = json.NewDecoder(resp.Body).Decode(&p) // no refusal: no detail
		return page{status: resp.StatusCode, body: p.Detail}
	}
	send("POST", ofKeys, `{"name":"mine"}`).mustSay(t, 403, "Portal links cannot create API keys")
	send("DELETE", ofKeys+"/"+w.keyID(w.provider), "").mustSay(t, 403, "Portal links cannot revoke API keys")
	var list struct{ Keys []map[string]any }
	if p := b.get(home + ofKeys); p.status != 200 || json.Unmarshal([]byte(p.body), &list) != nil || len(list.Keys) != 2 {
		t.Errorf("the guest reads %d: %s", p.status, p.body)
	}
	w.call("GET", ofKeys, w.provider, nil).want(200)
}

// A key that another took the place of ends: what it makes must not stay either.
func TestAKeyInGraceMakesNoKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next, _, err := backend.RotateAPIKey(t.Context(), w.b.Store(), w.keyID(w.provider), time.Hour, w.now())
	if err != nil {
		t.Fatal(err)
	}
	w.secrets = append(w.secrets, next)
	w.call("POST", ofKeys, w.provider, map[string]any{"name": "x"}).want(403, "forbidden")
	w.made(w.call("POST", ofKeys, next, map[string]any{"name": "x"}))
}

// TestAdministratorsReadWhatIsAProviders reads all of it with an admin's key,
// and changes none.
func TestAdministratorsReadWhatIsAProviders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wid, secret := w.hook("http://127.0.0.1:1/hook?token=between-us")
	w.sell()
	did := w.deliveries(wid, "")[0]["id"].(string)
	const of = "/api/v1/providers/prov_demo"
	for _, path := range []string{
		"/stats", "/sessions", "/sessions.csv", "/analytics/sessions", "/analytics/revenue", "/analytics/users", "/analytics/events",
		"/analytics/sessions.csv", "/analytics/revenue.csv", "/analytics/users.csv", "/analytics/events.csv", "/pages", "/dns", "/apikeys",
		"/webhooks", "/webhooks/" + wid, "/webhooks/" + wid + "/deliveries", "/webhooks/" + wid + "/deliveries/" + did,
	} {
		a := w.call("GET", of+path, w.admin, nil)
		if a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
		if strings.Contains(string(a.raw), secret) || strings.Contains(string(a.raw), "between-us") {
			t.Errorf("%s shows a secret", path)
		}
		if !strings.Contains(path, wid) { // of a webhook, too, but there the webhook's own id is unknown first
			w.call("GET", "/api/v1/providers/prov_none"+path, w.admin, nil).want(404)
		}
	}
	if a := w.call("GET", of+"/webhooks/"+wid, w.admin, nil); a.str("url") != "http://127.0.0.1:1/hook?…" {
		t.Errorf("the administrator sees %s", a.str("url"))
	}
	if a := w.call("GET", of+"/webhooks/"+wid, w.provider, nil); a.str("url") != "http://127.0.0.1:1/hook?token=between-us" {
		t.Errorf("the provider sees %s", a.str("url"))
	}
	if a := w.call("GET", of+"/sessions", w.admin, nil); len(a.at("sessions").([]any)) != 1 {
		t.Errorf("sessions: %s", a.raw)
	}
	other, err := w.b.CreateProvider(t.Context(), store.Provider{ID: "prov_other", Name: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	w.call("GET", "/api/v1/providers/"+other.ID+"/webhooks/"+wid, w.admin, nil).want(404)
}

// keyLines reads the list of API keys, by role.
func (w *world) keyLines() map[string]map[string]any {
	w.t.Helper()
	lines := map[string]map[string]any{}
	for _, v := range w.call("GET", "/api/v1/apikeys", w.admin, nil).want(200).at("keys").([]any) {
		k := v.(map[string]any)
		lines[k["role"].(string)] = k
	}
	return lines
}

func TestAdministratorsSeeAndRevokeKeys(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.call("GET", "/api/v1/providers/prov_demo", w.provider, nil).want(200)
		if err := w.b.FlushKeyUse(context.Background()); err != nil {
			t.Fatal(err)
		}
		a := w.call("GET", "/api/v1/apikeys", w.admin, nil).want(200)
		for _, secret := range w.secrets {
			if strings.Contains(string(a.raw), secret) {
				t.Errorf("the list holds a key: %.12s…", secret)
			}
		}
		lines := w.keyLines()
		own := lines["provider"]
		if len(lines) != 4 || own["provider_id"] != "prov_demo" || own["kind"] != "key" || own["last_used_at"] == nil || !strings.HasPrefix(w.provider, own["hint"].(string)) {
			t.Errorf("the list is %v", lines)
		}
		id := own["id"].(string)
		w.call("DELETE", "/api/v1/apikeys/"+id, w.admin, nil).want(204)
		w.call("GET", "/api/v1/providers/prov_demo", w.provider, nil).want(401)
		w.call("DELETE", "/api/v1/apikeys/"+id, w.admin, nil).want(404)
		if w.keyLines()["provider"]["revoked_at"] == nil {
			t.Error("a revoked key looks alive")
		}
		entry := w.call("GET", "/api/v1/audit", w.admin, nil).want(200).at("entries").([]any)[0].(map[string]any)
		if entry["action"] != "revoke-api-key" || entry["target"] != id {
			t.Errorf("audited as %v", entry)
		}
	})
}

func TestAdministratorsSeeSigningKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public := w.call("GET", "/api/v1/keys/public", "", nil).want(200).str("kid")
	a := w.call("GET", "/api/v1/keys/signing", w.admin, nil).want(200)
	states := map[any]any{}
	for _, v := range a.at("keys").([]any) {
		states[v.(map[string]any)["state"]] = v.(map[string]any)["kid"]
	}
	if len(states) != 2 || states["current"] != public || states["next"] == nil || strings.Contains(string(a.raw), "PRIVATE") {
		t.Errorf("the keys are %s", a.raw)
	}
}
