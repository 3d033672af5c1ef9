package backend_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

// bodies are requests that pass validation, so that what refuses them is whose
// they are.
var bodies = map[string]any{
	"update-provider":       map[string]any{"name": "Mine"},
	"create-webhook":        map[string]any{"url": "http://127.0.0.1:1/"},
	"update-webhook":        map[string]any{"enabled": false},
	"replay-deliveries":     map[string]any{"since": 0},
	"test-webhook":          map[string]any{"webhook_id": "{wid}"},
	"rotate-webhook-secret": map[string]any{},
	"replay-delivery":       map[string]any{},
	"confirm-guest-changes": map[string]any{"items": []string{"app_url"}},

	"create-pass":     map[string]any{"kind": "preview"},
	"advance-session": map[string]any{"seconds": 1},

	"create-api-key":          map[string]any{"role": "edge", "name": "x"},
	"create-provider-api-key": map[string]any{"name": "x"},
}

// TestEveryRouteWithTheWrongKey walks the OpenAPI document: each operation
// refuses everybody whom it does not name, by 401 or 403, and, where it serves
// providers, hides one's rows from another by 404.
func TestEveryRouteWithTheWrongKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	session := w.enter(launch)
	_, unspent := w.sell()
	other, err := w.b.CreateProvider(context.Background(), store.Provider{ID: "prov_other", Name: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := w.b.CreateAPIKey(context.Background(), backend.RoleProvider, other.ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	wid, _ := w.hook("http://127.0.0.1:1/")
	w.sell()
	did := w.deliveries(wid, "")[0]["id"].(string)
	_, foreign := w.sell("user_id", "user_1")
	foreign = w.launch(foreign, "redemption-0000002").want(200).str("session_token")
	keys := map[string]string{
		"marketplace": w.market, "provider": w.provider, "edge": w.edge, "admin": w.admin, "session": session, "launch": unspent,
	}
	fill := func(path string) string {
		switch {
		case strings.HasPrefix(path, "/api/v1/providers"):
			path = strings.Replace(path, "{id}", "prov_demo", 1)
		case strings.HasPrefix(path, "/api/v1/sessions"):
			path = strings.Replace(path, "{id}", id, 1)
		}
		return strings.NewReplacer("{id}", "user_1", "{wid}", wid, "{did}", did, "{host}", "app.provider.example", "{domain}", "app.provider.example", "{kid}", "none", "{pid}", "none").Replace(path)
	}
	walked, hidden := 0, 0
	for path, item := range w.b.Document().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op == nil || op.OperationID == "validate-session" { // its caller is the token it validates
				continue
			}
			_, named, guarded := strings.Cut(op.Description, "Callers: ")
			if !guarded {
				if !strings.HasPrefix(path, "/healthz") && !strings.HasPrefix(path, "/readyz") && op.Tags[0] != "Keys" {
					t.Errorf("%s is open to everybody", op.OperationID)
				}
				continue
			}
			named, _, _ = strings.Cut(named, ".")
			walked++
			at := fill(path)
			if strings.Contains(at, "{") {
				t.Fatalf("%s: what goes into %s?", op.OperationID, at)
			}
			body := bodies[op.OperationID]
			if m, ok := body.(map[string]any); ok && m["webhook_id"] == "{wid}" {
				body = map[string]any{"webhook_id": wid}
			}
			for name, key := range map[string]string{"nobody": "", "a key that never was": "sg_adm_" + strings.Repeat("A", 43), "nonsense": "x.y.z"} {
				if a := w.call(method, at, key, body); a.status != http.StatusUnauthorized {
					t.Errorf("%s answers %s %d: %s", op.OperationID, name, a.status, a.raw)
				}
			}
			allowed := map[string]bool{}
			for _, role := range strings.Split(named, ", ") {
				allowed[role] = true
			}
			for role, key := range keys {
				if allowed[role] {
					continue
				}
				if a := w.call(method, at, key, body); a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
					t.Errorf("%s answers the %s %d: %s", op.OperationID, role, a.status, a.raw)
				}
			}
			if allowed["session"] {
				if a := w.call(method, at, foreign, body); a.status != http.StatusUnauthorized {
					t.Errorf("%s answers another session %d: %s", op.OperationID, a.status, a.raw)
				}
			}
			if allowed["provider"] && (strings.Contains(path, "{") || op.OperationID == "test-webhook") {
				hidden++
				if a := w.call(method, at, stranger, body); a.status != http.StatusNotFound {
					t.Errorf("%s answers another provider %d: %s", op.OperationID, a.status, a.raw)
				}
			}
		}
	}
	for _, path := range []string{"/api/v1/sessions", "/api/v1/providers"} { // lists have nothing to hide behind
		if a := w.call("GET", path, stranger, nil).want(200); strings.Contains(string(a.raw), "prov_demo") {
			t.Errorf("%s shows another provider's rows", path)
		}
	}
	if walked < 60 || hidden < 30 {
		t.Errorf("only %d operations were walked, %d with another provider's key", walked, hidden)
	}
}
