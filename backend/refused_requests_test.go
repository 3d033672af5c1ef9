package backend_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store"
)

// A filter that is misspelled selects nothing: it is refused.
func TestUnknownQueryParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sell()
	for query, want := range map[string]string{
		"?from=2030-01-01&nonsense=1":  "query.from query.nonsense",
		"?Limit=5":                     "query.Limit",
		"?limit=5&limit=6":             "query.limit",
		"?status[]=active":             "query.status[]",
		"?=x":                          "query.",
		"?" + strings.Repeat("n", 500): "query." + strings.Repeat("n", 64) + "…",
		"?limit=5;status=active":       "",
		"?user_id=%zz":                 "",
	} {
		a := w.call("GET", "/api/v1/sessions"+query, w.market, nil).want(422, "invalid_request")
		var got []string
		list, _ := a.at("errors").([]any)
		for _, e := range list {
			got = append(got, e.(map[string]any)["location"].(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	w.call("GET", "/api/v1/sessions?status=active&user_id=user_1&limit=5", w.market, nil).want(200)
	w.call("GET", "/api/v1/sessions?", w.market, nil).want(200)
	// Not before it is known who asks.
	w.call("GET", "/api/v1/sessions?nonsense=1", "", nil).want(401)
	w.call("GET", "/api/v1/sessions?nonsense=1", w.edge, nil).want(403)
}

// A page that a service worker controls sends a nonce with each GET, as the npm package
// does, so that the worker cannot answer from its cache. The nonce selects nothing.
func TestReadsTakeANonce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _ := w.sell()
	own := "/api/v1/providers/prov_demo/"
	for path, bearer := range map[string]string{
		own + "stats":                          w.provider,
		own + "sessions":                       w.provider,
		own + "sessions?limit=5&status=active": w.provider,
		own + "sessions.csv?q=user_1":          w.provider,
		own + "analytics/revenue":              w.provider,
		"/api/v1/sessions?limit=1":             w.market,
		"/api/v1/sessions/" + id:               w.market,
		"/api/v1/users/user_1/balance":         w.market,
		"/api/v1/keys/public":                  "",
	} {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		plain, nonce := w.call("GET", path, bearer, nil), w.call("GET", path+separator+"nonce=k3v9x", bearer, nil)
		if plain.status != 200 || nonce.status != 200 {
			t.Errorf("%s answers %d, and %d with a nonce: %s", path, plain.status, nonce.status, nonce.raw)
		}
	}
	w.call("GET", own+"stats?nonce=1&nonce=2", w.provider, nil).want(422, "invalid_request")
	w.call("GET", own+"stats?nonce=1&nonsense=2", w.provider, nil).want(422, "invalid_request")
	// No cache answers a POST.
	w.call("POST", "/api/v1/sessions/"+id+"/complete?nonce=1", w.market, nil).want(422, "invalid_request")
}

// Every operation of the document refuses what it does not document, reads and
// writes alike, and takes every parameter that it documents.
func TestEveryOperationKnowsItsQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	session := w.enter(launch)
	place := strings.NewReplacer("{id}", "prov_demo", "{host}", "app.provider.example", "{wid}", "wh_1", "{did}", "msg_1", "{kid}", "k_1")
	seen := 0
	for path, item := range w.b.Document().Paths {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			op := operation(item, method)
			if op == nil {
				continue
			}
			seen++
			at := path
			if strings.HasPrefix(path, "/api/v1/sessions/") {
				at = strings.Replace(at, "{id}", id, 1)
			}
			at = place.Replace(at) + "?nonsense=1"
			refused := false
			for _, bearer := range []string{"", w.market, w.provider, w.edge, w.admin, session} {
				a := w.call(method, at, bearer, nil)
				refused = refused || a.status == 422 && strings.Contains(string(a.raw), "query.nonsense")
				if a.status < 400 {
					t.Errorf("%s answers %d to a query that it does not know", op.OperationID, a.status)
				}
			}
			if !refused {
				t.Errorf("%s: no caller was told that its query is unknown", op.OperationID)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d operations were looked at", seen)
	}
}

// Acting on a session that is over is a conflict with its state. The caller is
// known, so it is never 401.
func TestActingOnAnEndedSessionIsAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ends := map[string]func(id, token string){
		"session_completed": func(id, _ string) {
			w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
		},
		"session_revoked": func(id, _ string) {
			w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.admin, map[string]any{"refund": "none"}).want(200)
		},
		"session_expired": func(string, string) { w.clock.Add(2 * time.Minute) },
	}
	for code, end := range ends {
		id, launch := w.sell()
		token := w.enter(launch)
		end(id, token)
		path := "/api/v1/sessions/" + id + "/"
		acts := []struct {
			action, bearer string
			body           any
		}{
			{"extend", w.market, map[string]any{"additional_seconds": 60, "tokens_to_deduct": 1}},
			{"extend", token, nil},
			{"pause", token, nil},
			{"resume", token, nil},
			{"launch", launch, nil},
			{"revoke", w.market, map[string]any{"refund": "full"}},
			{"revoke", w.admin, map[string]any{"refund": "full"}},
		}
		for _, act := range acts {
			a := w.call("POST", path+act.action, act.bearer, act.body).want(409, code)
			if a.num("status") != 409 || a.str("title") != "Conflict" || a.str("session_id") != id || a.str("return_url") == "" {
				t.Errorf("%s: refused as %s", act.action, a.raw)
			}
			if a.header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: the caller is asked for other credentials", act.action)
			}
		}
		w.launch(launch, "redemption-0000002").want(409) // the edge's entry
		// Ending twice is no conflict: the answer is the same settlement.
		w.call("POST", path+"end", token, nil).want(200)
		w.call("POST", path+"complete", w.market, nil).want(200)
	}
	// A session that was never entered.
	id, launch := w.sell("clock", "launch")
	w.clock.Add(time.Hour)
	w.call("POST", "/api/v1/sessions/"+id+"/launch", launch, nil).want(409, "session_canceled")
	w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 60}).want(409, "session_canceled")
	w.audit()
}

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
