package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

// guest is a browser that opened a portal link of a provider.
type guest struct {
	w      *world
	cookie string
}

func (w *world) guest(provider string) (g guest, linkID string) {
	w.t.Helper()
	id, _ := w.portal(map[string]any{"provider_id": provider})
	return guest{w, w.cookie(store.SignIn{KeyID: id})}, id
}

func (g guest) call(method, path string, body any) *answer {
	g.w.t.Helper()
	return g.w.call(method, path, "", body, "Cookie", g.cookie, "Sec-Fetch-Site", "same-origin")
}

// guestItems is what guests changed at a provider and nobody confirmed.
func (w *world) guestItems(provider string) string {
	w.t.Helper()
	var items []string
	for _, c := range w.call("GET", "/api/v1/providers/"+provider+"/guest-changes", w.admin, nil).want(200).at("changes").([]any) {
		items = append(items, c.(map[string]any)["item"].(string))
	}
	return strings.Join(items, " ")
}

// A guest of a provider that has a key of its own leaves nothing behind that outlives the
// link: no webhook, no app_url, no origin and no domain.
func TestAGuestLeavesNothingBehind(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		hook, _ := w.hook("http://127.0.0.1:1/")
		g, _ := w.guest("prov_demo")
		at := "/api/v1/providers/prov_demo"
		before := string(w.call("GET", at, w.provider, nil).want(200).raw) + string(w.call("GET", at+"/webhooks", w.provider, nil).want(200).raw)
		for _, try := range []struct {
			method, path string
			body         any
		}{
			{"PATCH", "", map[string]any{"app_url": "https://evil.example/"}},
			{"PATCH", "", map[string]any{"origin_url": "https://evil.example"}},
			{"PATCH", "", map[string]any{"domains": []string{"app.provider.example", "evil.example"}}},
			{"PATCH", "", map[string]any{"domains": []string{}}},
			{"PATCH", "", map[string]any{"name": "Same", "app_url": "https://evil.example/"}},
			{"PATCH", "", map[string]any{"policies": map[string]any{"settlement": "prorated"}}},
			{"PATCH", "", map[string]any{"policies": map[string]any{"pause": map[string]any{"max_count": 1000, "max_seconds": 86400}}}},
			{"POST", "/webhooks", map[string]any{"url": "http://127.0.0.1:2/"}},
			{"PATCH", "/webhooks/" + hook, map[string]any{"url": "http://127.0.0.1:2/"}},
			{"PATCH", "/webhooks/" + hook, map[string]any{"enabled": false}},
			{"POST", "/webhooks/" + hook + "/rotate-secret", map[string]any{}},
			{"DELETE", "/webhooks/" + hook, nil},
			{"POST", "/guest-changes/confirm", map[string]any{"items": []string{"app_url"}}},
		} {
			g.call(try.method, at+try.path, try.body).want(403, "forbidden")
		}
		if after := string(w.call("GET", at, w.provider, nil).want(200).raw) + string(w.call("GET", at+"/webhooks", w.provider, nil).want(200).raw); after != before {
			t.Errorf("a guest changed\n%s\ninto\n%s", before, after)
		}
		// What goes nowhere else is still the guest's to change, and values that stay are no change.
		g.call("PATCH", at, map[string]any{"name": "Renamed", "domains": []string{"app.provider.example"}, "origin_url": "http://127.0.0.1:3000"}).want(200)
		g.call("GET", at+"/webhooks", nil).want(200)
		if items := w.guestItems("prov_demo"); items != "" {
			t.Errorf("unconfirmed: %s", items)
		}
	})
}

// A provider with neither key nor person is set up by its guest. What the guest did is
// listed until the provider confirms it, and ends to be the guest's to change.
func TestAGuestSetsUpAProvider(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		ctx := context.Background()
		if _, err := w.b.CreateProvider(ctx, store.Provider{ID: "prov_new", Name: "New", AppURL: "https://app.new.example/"}); err != nil {
			t.Fatal(err)
		}
		at := "/api/v1/providers/prov_new"
		g, link := w.guest("prov_new")
		g.call("PATCH", at, map[string]any{"domains": []string{"app.new.example"}, "origin_url": "http://127.0.0.1:3000"}).want(200)
		g.call("PATCH", at, map[string]any{"origin_url": "http://127.0.0.1:3001"}).want(200) // its own, once more
		g.call("PATCH", at, map[string]any{"policies": map[string]any{"settlement": "prorated"}}).want(200)
		g.call("PATCH", at, map[string]any{"app_url": "https://evil.example/"}).want(403) // an administrator's
		made := g.call("POST", at+"/webhooks", map[string]any{"url": "http://127.0.0.1:1/"}).want(201)
		w.secrets = append(w.secrets, made.str("secret"))
		hook := made.str("webhook", "id")
		g.call("PATCH", at+"/webhooks/"+hook, map[string]any{"description": "mine"}).want(200)
		if items := w.guestItems("prov_new"); items != "domains origin_url policies webhook:"+hook {
			t.Errorf("unconfirmed: %s", items)
		}
		g.call("POST", at+"/guest-changes/confirm", map[string]any{"items": []string{"domains"}}).want(403)

		// The provider gets a key: the guest changes nothing any more, and the list stays.
		key, err := w.b.CreateAPIKey(ctx, backend.RoleProvider, "prov_new", "test")
		if err != nil {
			t.Fatal(err)
		}
		w.secrets = append(w.secrets, key)
		g.call("PATCH", at, map[string]any{"origin_url": "http://127.0.0.1:3002"}).want(403)
		g.call("DELETE", at+"/webhooks/"+hook, nil).want(403)
		list := w.call("GET", at+"/guest-changes", key, nil).want(200).at("changes").([]any)
		if first := list[0].(map[string]any); len(list) != 4 || first["link_id"] != link || list[3].(map[string]any)["webhook_id"] != hook {
			t.Errorf("the provider sees %v", list)
		}
		w.call("GET", at+"/guest-changes", w.provider, nil).want(404)
		w.call("POST", at+"/guest-changes/confirm", w.provider, map[string]any{"items": []string{"domains"}}).want(404)

		// Confirmed by name, by a change of the provider's own, and with a webhook that is deleted.
		w.call("POST", at+"/guest-changes/confirm", key, map[string]any{"items": []string{"domains"}}).want(204)
		if items := w.guestItems("prov_new"); items != "origin_url policies webhook:"+hook {
			t.Errorf("unconfirmed: %s", items)
		}
		w.call("PATCH", at, key, map[string]any{"policies": map[string]any{"settlement": "full"}}).want(200)
		w.call("PATCH", at, key, map[string]any{"origin_url": "http://127.0.0.1:3003"}).want(200)
		w.call("DELETE", at+"/webhooks/"+hook, key, nil).want(204)
		if items := w.guestItems("prov_new"); items != "" {
			t.Errorf("unconfirmed: %s", items)
		}
	})
}

// A guest's link is over, the provider has no key yet, and another guest comes: it changes
// what guests set, and what was confirmed or set by others it does not.
func TestGuestsOfAProviderWithoutAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	if _, err := w.b.CreateProvider(ctx, store.Provider{ID: "prov_new", Name: "New"}); err != nil {
		t.Fatal(err)
	}
	at := "/api/v1/providers/prov_new"
	first, link := w.guest("prov_new")
	first.call("PATCH", at, map[string]any{"domains": []string{"app.one.example"}, "origin_url": "http://127.0.0.1:3000"}).want(200)
	w.call("DELETE", "/api/v1/apikeys/"+link, w.admin, nil).want(204)
	first.call("PATCH", at, map[string]any{"domains": []string{"app.two.example"}}).want(http.StatusUnauthorized)

	second, _ := w.guest("prov_new")
	second.call("PATCH", at, map[string]any{"domains": []string{"app.two.example"}}).want(200)
	w.call("PATCH", at, w.admin, map[string]any{"origin_url": "http://127.0.0.1:3001"}).want(200) // set by an administrator now
	second.call("PATCH", at, map[string]any{"origin_url": "http://127.0.0.1:3002"}).want(403)
	w.call("PATCH", at, w.admin, map[string]any{"policies": map[string]any{"settlement": "prorated"}}).want(200)
	second.call("PATCH", at, map[string]any{"policies": map[string]any{"settlement": "full"}}).want(403)

	// A person is access of its own, as a key is.
	w.addPerson("ada@new.example", "provider", "prov_new")
	second.call("PATCH", at, map[string]any{"domains": []string{"app.three.example"}}).want(403)
}

// A guest that repeats its requests reads no secret that the provider has made since: the
// remembered answer is the webhook, and its secret is the current one.
func TestAGuestReadsNoLaterSecret(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		ctx := context.Background()
		if _, err := w.b.CreateProvider(ctx, store.Provider{ID: "prov_new", Name: "New"}); err != nil {
			t.Fatal(err)
		}
		at := "/api/v1/providers/prov_new/webhooks"
		g, _ := w.guest("prov_new")
		repeat := func(path string, body any, key string) *answer {
			t.Helper()
			return w.call("POST", at+path, "", body, "Cookie", g.cookie, "Sec-Fetch-Site", "same-origin", "Idempotency-Key", key)
		}
		add := map[string]any{"url": "http://127.0.0.1:1/"}
		made := repeat("", add, "add").want(201)
		hook := "/" + made.str("webhook", "id")
		rotated := repeat(hook+"/rotate-secret", map[string]any{}, "rotate").want(200).str("secret")
		if now := repeat("", add, "add").want(201).str("secret"); now != rotated || now == made.str("secret") {
			t.Error("a guest that sets the provider up cannot repeat its request")
		}

		key, err := w.b.CreateAPIKey(ctx, backend.RoleProvider, "prov_new", "test")
		if err != nil {
			t.Fatal(err)
		}
		own := w.call("POST", at+hook+"/rotate-secret", key, map[string]any{}).want(200).str("secret")
		w.secrets = append(w.secrets, key, made.str("secret"), rotated, own)
		for _, a := range []*answer{repeat("", add, "add"), repeat(hook+"/rotate-secret", map[string]any{}, "rotate")} {
			if a.want(403, "forbidden"); strings.Contains(string(a.raw), "whsec_") {
				t.Errorf("a guest reads %s", a.raw)
			}
		}
	})
}

// A guest that may not add domains does not use up what the provider may add.
func TestAGuestLeavesTheProviderItsLimitOfDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/api/v1/providers/prov_demo"
	g, _ := w.guest("prov_demo")
	names := make([]string, 50)
	for i := range names {
		names[i] = fmt.Sprintf("x%d.evil.example", i)
	}
	for range 2 {
		g.call("PATCH", at, map[string]any{"domains": names}).want(403, "forbidden")
	}
	w.call("PATCH", at, w.provider, map[string]any{"domains": []string{"app.provider.example", "more.provider.example"}}).want(200)
}
