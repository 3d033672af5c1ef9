package backend_test

import (
	"context"
	"strings"
	"testing"
)

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
