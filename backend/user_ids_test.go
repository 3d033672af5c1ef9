package backend_test

import (
	"context"
	"testing"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store"
)

// User ids that a path cannot name are not made any more.
func TestUserIDsOfDotsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, want := range map[string]int{
		".": 422, "..": 422, "...": 422, "": 422, "%2e%2e": 422, "a/b": 422, "a b": 422, "\u00fc": 422,
		"a..b": 201, "..a": 201, ".a.": 201, "+": 201, "a|b": 201, "-x": 201, "@": 201, "A:B": 201, "_": 201,
	} {
		w.call("POST", "/api/v1/sessions", w.market, order("user_id", id, "tokens_allocated", 0)).want(want)
	}
	w.call("POST", "/api/v1/users/%2E%2E/tokens", w.market, map[string]any{"amount": 5}).want(422)
	w.call("POST", "/api/v1/users/a..b/tokens", w.market, map[string]any{"amount": 5}).want(201)
}

// Users that were made with such an id can be read, exported and erased, however
// a client spells the path.
func TestUsersWithDotIDsAreErased(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		for id, spelled := range map[string][]string{".": {".", "%2e", "%2E"}, "..": {"..", "%2E%2E", ".%2e"}} {
			for i, at := range spelled {
				err := w.b.Store().Write(context.Background(), func(tx *store.Tx) error {
					p, err := ledger.Credit("credit-"+id+at, id, int64(10+i), w.clock.Now())
					if err != nil {
						return err
					}
					return tx.Post(context.Background(), p)
				})
				if err != nil {
					t.Fatal(err)
				}
				path := "/api/v1/users/" + at
				if a := w.call("GET", path+"/balance", w.market, nil).want(200); a.str("user_id") != id || a.num("available") != int64(10+i) {
					t.Errorf("%s: %s", at, a.raw)
				}
				if a := w.call("GET", path+"/export", w.market, nil).want(200); len(a.at("ledger").([]any)) != 1 {
					t.Errorf("%s: %s", at, a.raw)
				}
				w.call("GET", path+"/ledger?limit=1", w.market, nil).want(200)
				w.call("POST", path+"/erase", w.market, nil).want(200)
				w.call("POST", path+"/erase", w.market, nil).want(404, "not_found")
			}
		}
		w.call("GET", "/api/v1/users/../sessions", w.market, nil).want(404) // no such action; nothing else is reached
		w.call("GET", "/api/v1/users/../../v1/sessions", w.market, nil).want(404)
		w.audit()
	})
}
