package backend_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
)

// pages reads a list page by page and returns a field of each entry.
func (w *world) pages(path, bearer, list, field string) (all []string) {
	w.t.Helper()
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	for cursor := ""; ; {
		a := w.call("GET", path+mark+"limit=3"+cursor, bearer, nil).want(200)
		page := a.at(list).([]any)
		if len(page) > 3 {
			w.t.Fatalf("%s: a page of %d", path, len(page))
		}
		for _, one := range page {
			all = append(all, fmt.Sprint(one.(map[string]any)[field]))
		}
		next := a.str("next_cursor")
		if next == "" {
			return all
		}
		if len(page) == 0 || len(all) > 1000 {
			w.t.Fatalf("%s never ends", path)
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
}

// Every list ends, has each entry once, and has the newest.
func TestEveryListIsPaged(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		const n = 8
		var newest string
		for i := range n {
			newest = w.call("POST", "/api/v1/providers/prov_demo/apikeys", w.provider, map[string]any{"name": fmt.Sprint("key ", i)}).want(201).str("key", "id")
			w.call("POST", "/api/v1/portal", w.admin, map[string]any{"provider_id": "prov_demo"}).want(201)
			w.hook(fmt.Sprint("http://127.0.0.1:9/", i), "session.ended")
			w.addPerson(fmt.Sprintf("ada%d@example.com", i), "admin", "")
			w.call("POST", "/api/v1/providers", w.admin, map[string]any{"id": fmt.Sprint("prov_", i), "name": "P"}).want(201)
			w.report(fmt.Sprint("edge-", i), map[string]any{"edge": map[string]any{"version": "v1", "started_at": 1_799_999_000 + i/2, "live_sessions": 0, "stream_lag_ms": 0}})
		}
		hook := w.pages(hooks, w.provider, "webhooks", "id")[0]
		id, launch := w.sell("duration_limit_seconds", 1000)
		w.enter(launch)
		for range n {
			w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 1}).want(200)
			other, _ := w.sell("tokens_allocated", 1)
			w.call("POST", "/api/v1/sessions/"+other+"/complete", w.market, nil).want(200)
		}
		newestKey := func(list []string) bool { return list[0] == newest }
		for _, c := range []struct {
			path, bearer, list, field string
			want                      int
			good                      func([]string) bool
		}{
			{"/api/v1/providers/prov_demo/apikeys?kind=key&status=active", w.provider, "keys", "id", n + 1, newestKey},
			{"/api/v1/providers/prov_demo/apikeys?kind=link", w.provider, "keys", "id", n, nil},
			{"/api/v1/providers/prov_demo/apikeys", w.provider, "keys", "id", 2*n + 1, nil},
			{"/api/v1/apikeys?kind=key", w.admin, "keys", "id", n + 4, newestKey},
			{"/api/v1/apikeys", w.admin, "keys", "id", 2*n + 4, nil},
			{hooks, w.provider, "webhooks", "id", n, nil},
			{hooks + "/" + hook + "/deliveries", w.provider, "deliveries", "id", n, nil},
			{"/api/v1/people", w.admin, "people", "id", n, nil},
			{"/api/v1/providers", w.admin, "providers", "id", n + 1, nil},
			{"/api/v1/edges", w.admin, "edges", "id", n, func(list []string) bool { return list[0] == "edge-7" && list[n-1] == "edge-0" }},
			{"/api/v1/sessions", w.market, "sessions", "id", n + 1, nil},
			{"/api/v1/providers/prov_demo/sessions?status=completed", w.provider, "sessions", "id", n, nil},
			{"/api/v1/users/user_1/ledger?session_id=" + id, w.market, "entries", "id", 1, nil},
			{"/api/v1/users/user_1/ledger", w.market, "entries", "id", 1 + n + 1 + n + n, nil},
			{"/api/v1/sessions/" + id + "/extensions", w.market, "extensions", "extended_at", n, nil},
			{"/api/v1/audit", w.admin, "entries", "id", 4*n + 0, nil},
		} {
			got := w.pages(c.path, c.bearer, c.list, c.field)
			if len(got) != c.want || (c.good != nil && !c.good(got)) {
				t.Errorf("%s: %d entries, want %d: %v", c.path, len(got), c.want, got)
			}
			once := slices.Compact(slices.Sorted(slices.Values(got)))
			if c.field == "id" && len(once) != len(got) {
				t.Errorf("%s lists an entry twice: %v", c.path, got)
			}
		}
		for _, bad := range []string{"x", "!!", "MTIz"} {
			w.call("GET", "/api/v1/edges?cursor="+bad, w.admin, nil).want(422, "invalid_request")
			w.call("GET", hooks+"?cursor="+bad, w.provider, nil).want(422, "invalid_request")
		}
	})
}

// A provider with more keys and links than any page is still told of its newest
// key, and has at most 50 that work.
func TestTheNewestKeyIsListed(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		err := w.b.Store().Write(ctx, func(tx *store.Tx) error {
			for i := range 1005 {
				k := store.APIKey{
					ID: fmt.Sprintf("01900000-0000-7000-8000-%012x", i), Hash: fmt.Sprint("hash", i), Kind: store.KindLink, Role: "provider",
					ProviderID: "prov_demo", CreatedAt: 1, ExpiresAt: w.clock.Now().Unix() + 60,
				}
				if err := tx.InsertAPIKey(ctx, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		const path = "/api/v1/providers/prov_demo/apikeys"
		id := w.call("POST", path, w.provider, map[string]any{"name": "new server"}).want(201).str("key", "id")
		for name, list := range map[string]string{"the provider's": path, "the administrator's": "/api/v1/apikeys"} {
			bearer := w.provider
			if list != path {
				bearer = w.admin
			}
			keys := w.call("GET", list, bearer, nil).want(200).at("keys").([]any)
			if keys[0].(map[string]any)["id"] != id {
				t.Errorf("%s list begins with %v", name, keys[0])
			}
		}
		made := 0
		for w.call("POST", path, w.provider, map[string]any{"name": "k"}).status == 201 {
			if made++; made > 60 {
				t.Fatal("more than 60 keys")
			}
		}
		if made != 48 { // the world's, the one above, and these
			t.Errorf("%d keys were made beyond the first two", made)
		}
		// A key that is revoked makes room.
		w.call("DELETE", path+"/"+id, w.provider, nil).want(204)
		w.call("POST", path, w.provider, map[string]any{"name": "k"}).want(201)
		w.call("POST", path, w.provider, map[string]any{"name": "k"}).want(422, "invalid_request")
	})
}

// Portal links that ended a month ago are forgotten; keys and links that work are
// not, nor is a key that was revoked.
func TestEndedPortalLinksAreForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		link := func(seconds int) string {
			return w.call("POST", "/api/v1/portal", w.admin, map[string]any{"provider_id": "prov_demo", "expires_in_seconds": seconds}).want(201).str("id")
		}
		link(60)
		revoked := link(604800)
		w.call("DELETE", "/api/v1/apikeys/"+revoked, w.admin, nil).want(204)
		key := w.call("POST", "/api/v1/providers/prov_demo/apikeys", w.provider, map[string]any{"name": "old"}).want(201).str("key", "id")
		w.call("DELETE", "/api/v1/apikeys/"+key, w.admin, nil).want(204)
		w.clock.Add(29 * 24 * time.Hour)
		late := link(60)
		forget := func() []string {
			if err := w.b.Forget(context.Background()); err != nil {
				t.Fatal(err)
			}
			return w.pages("/api/v1/apikeys?kind=link", w.admin, "keys", "id")
		}
		if got := forget(); len(got) != 3 {
			t.Errorf("after 29 days: %v", got)
		}
		w.clock.Add(3 * 24 * time.Hour)
		if got := forget(); !slices.Equal(got, []string{late}) {
			t.Errorf("after 32 days: %v, want %v", got, late)
		}
		if got := w.pages("/api/v1/apikeys?kind=key", w.admin, "keys", "id"); !slices.Contains(got, key) || len(got) != 5 {
			t.Errorf("keys: %v", got)
		}
	})
}

// Ids carry the service's time, whatever the machine's clock shows: lists are in the
// order of ids.
func TestIDsCarryTheTimeOfTheService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Add(48 * time.Hour)
	from := store.FirstID(w.clock.Now().Add(-time.Second))
	session, _ := w.sell()
	made := map[string]string{
		"session": session,
		"key":     w.call("POST", "/api/v1/providers/prov_demo/apikeys", w.provider, map[string]any{"name": "k"}).want(201).str("key", "id"),
		"link":    w.call("POST", "/api/v1/portal", w.admin, map[string]any{"provider_id": "prov_demo"}).want(201).str("id"),
		"person":  w.addPerson("ada@example.com", "admin", ""),
		"credit":  strings.TrimPrefix(w.pages("/api/v1/users/user_1/ledger", w.market, "entries", "id")[1], "credit:"),
		"audit":   w.pages("/api/v1/audit", w.admin, "entries", "id")[0],
	}
	to := store.FirstID(w.clock.Now().Add(time.Second))
	for what, id := range made {
		if id < from || id >= to {
			t.Errorf("the id of a %s is %s, not from %s to %s", what, id, from, to)
		}
	}
}
