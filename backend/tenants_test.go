package backend_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// marketplace registers a marketplace and returns a key of it.
func (w *world) marketplace(id string) (key string) {
	w.t.Helper()
	w.call("POST", "/api/v1/marketplaces", w.admin, map[string]any{"id": id, "name": "The " + id}).want(201)
	_, key = w.made(w.call("POST", "/api/v1/apikeys", w.admin, map[string]any{"role": "marketplace", "marketplace_id": id, "name": "x"}))
	return key
}

// cookie signs somebody in, without a browser.
func (w *world) cookie(in store.SignIn) string {
	w.t.Helper()
	value := "cookie-" + in.KeyID + in.PersonID
	sum := sha256.Sum256([]byte(value))
	in.Hash, in.CreatedAt, in.ExpiresAt = hex.EncodeToString(sum[:]), w.now().Unix(), w.now().Unix()+3600
	if err := w.b.Store().Write(context.Background(), func(tx *store.Tx) error { return tx.InsertSignIn(context.Background(), in) }); err != nil {
		w.t.Fatal(err)
	}
	return "sg_sign_in=" + value
}

// tenant is a marketplace and a provider with rows of every kind, and what names them.
type tenant struct {
	w                *world
	id, market       string
	providerID       string
	provider         string
	user, session    string
	launch           string
	webhook          string
	delivery         string
	person, key      string
	link, personMail string
	// What no answer to somebody else may hold.
	marks []string
}

// newTenant makes one, with figures that nothing else has.
func newTenant(w *world, marketplaceID, market, providerID string, amount int) *tenant {
	w.t.Helper()
	ctx := context.Background()
	x := &tenant{w: w, id: marketplaceID, market: market, providerID: providerID, user: "user_1"}
	if providerID != "prov_demo" {
		if _, err := w.b.CreateProvider(ctx, store.Provider{
			ID: providerID, Name: "Provider of " + marketplaceID, Domains: []string{strings.ReplaceAll(providerID, "_", "-") + ".provider.example"},
			Policies: store.Policies{ReturnHosts: []string{"market.example"}},
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	if x.provider, err = w.b.CreateAPIKey(ctx, backend.RoleProvider, providerID, "test"); err != nil {
		w.t.Fatal(err)
	}
	w.secrets = append(w.secrets, x.provider)
	x.key = w.keyID(x.provider)
	x.link, _ = w.portal(map[string]any{"provider_id": providerID})
	x.personMail = "somebody@" + providerID + ".example"
	x.person = w.addPerson(x.personMail, "provider", providerID)
	hook := w.call("POST", x.path("/webhooks"), x.provider, map[string]any{"url": "http://127.0.0.1:1/"}).want(201)
	x.webhook = hook.str("webhook", "id")
	w.secrets = append(w.secrets, hook.str("secret"))
	w.call("POST", "/api/v1/users/"+x.user+"/tokens", market, map[string]any{"amount": amount}, "Idempotency-Key", "key-of-"+marketplaceID).want(201)
	sold := w.call("POST", "/api/v1/sessions", market, order("provider_id", providerID, "tokens_allocated", amount/2)).want(201)
	x.session, x.launch = sold.str("session", "id"), sold.str("token")
	w.secrets = append(w.secrets, x.launch)
	list := w.call("GET", x.path("/webhooks/"+x.webhook+"/deliveries"), x.provider, nil).want(200).at("deliveries").([]any)
	x.delivery = list[0].(map[string]any)["id"].(string)
	x.marks = []string{x.session, x.webhook, x.delivery, x.key, x.link, x.person, x.personMail, fmt.Sprint(amount), fmt.Sprint(amount - amount/2)}
	return x
}

func (x *tenant) path(rest string) string { return "/api/v1/providers/" + x.providerID + rest }

func (x *tenant) domain() string {
	if x.providerID == "prov_demo" {
		return "app.provider.example"
	}
	return strings.ReplaceAll(x.providerID, "_", "-") + ".provider.example"
}

// subject is the user as everybody but its marketplace names it.
func (x *tenant) subject() string { return protocol.Subject(x.id, x.user) }

// snapshot is everything of the tenant's.
func (x *tenant) snapshot() string {
	x.w.t.Helper()
	var all strings.Builder
	for _, at := range []string{
		"/api/v1/sessions", "/api/v1/sessions/" + x.session, "/api/v1/sessions/" + x.session + "/timeline", "/api/v1/users/" + x.user + "/balance",
		"/api/v1/users/" + x.user + "/ledger", "/api/v1/users/" + x.user + "/export",
	} {
		all.Write(x.w.call("GET", at, x.market, nil).want(200).raw)
	}
	for _, at := range []string{"", "/webhooks", "/webhooks/" + x.webhook + "/deliveries/" + x.delivery, "/apikeys", "/sessions?user_id=" + url.QueryEscape(x.subject()), "/guest-changes"} {
		all.Write(x.w.call("GET", x.path(at), x.provider, nil).want(200).raw)
	}
	return all.String()
}

// named replaces the ids of the document's examples, and of its paths, by the tenant's.
func (x *tenant) named(text string) string {
	return strings.NewReplacer(
		"0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11", x.session, "user_7", x.user, "prov_demo", x.providerID, "wh_7x3kq2m5n4p6r8s9t2va", x.webhook,
		"https://hooks.provider.com/sessiongate", "http://127.0.0.1:1/other", "msg_"+x.session+"_4."+x.webhook, x.delivery, "mkt_default", x.id,
	).Replace(text)
}

func (x *tenant) fill(path string) string {
	id := x.user
	switch {
	case strings.HasPrefix(path, "/api/v1/providers"):
		id = x.providerID
	case strings.HasPrefix(path, "/api/v1/sessions"):
		id = x.session
	case strings.HasPrefix(path, "/api/v1/apikeys"):
		id = x.key
	case strings.HasPrefix(path, "/api/v1/people"):
		id = x.person
	case strings.HasPrefix(path, "/api/v1/marketplaces"):
		id = x.id
	}
	return strings.NewReplacer("{id}", id, "{wid}", x.webhook, "{did}", x.delivery, "{kid}", x.key, "{pid}", "none", "{host}", "app.provider.example", "{domain}", x.domain()).Replace(path)
}

// queries are the ways to name the tenant's rows in an operation's query.
func (x *tenant) queries(op *huma.Operation) []string {
	list := []string{""}
	for _, p := range op.Parameters {
		values := map[string][]string{
			"provider_id": {x.providerID}, "user_id": {x.user, x.subject()}, "session_id": {x.session}, "q": {x.session, x.user, x.subject()},
			"marketplace_id": {x.id}, "cursor": {x.session}, "sessions_before": {x.session}, "id": {x.session},
		}[p.Name]
		if p.In != "query" {
			continue
		}
		for _, v := range values {
			list = append(list, "?"+url.Values{p.Name: {v}}.Encode())
		}
	}
	return list
}

// TestEveryRouteWithTheWrongTenant walks the OpenAPI document with the keys, links and
// people of one tenant, and with the ids of another in path, query and body. Nothing of
// the other's is shown or changed, and what a path names does not exist.
func TestEveryRouteWithTheWrongTenant(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		a := newTenant(w, "mkt_default", w.market, "prov_demo", 741_852)
		b := newTenant(w, "mkt_b", w.marketplace("mkt_b"), "prov_other", 963_258)
		for _, pair := range [][2]*tenant{{a, b}, {b, a}} {
			victim, stranger := pair[0], pair[1]
			before := victim.snapshot()
			walked, hidden := walkWithTheWrongTenant(t, w, victim, stranger)
			if after := victim.snapshot(); after != before {
				t.Errorf("%s is not what it was:\n%s\n%s", victim.id, before, after)
			}
			if walked < 300 || hidden < 200 {
				t.Errorf("only %d requests were made, %d to paths of %s", walked, hidden, victim.id)
			}
		}
		w.audit()
	})
}

func walkWithTheWrongTenant(t *testing.T, w *world, victim, stranger *tenant) (walked, hidden int) {
	t.Helper()
	fromPage := []string{"Sec-Fetch-Site", "same-origin"}
	callers := map[string]struct {
		key     string
		headers []string
	}{
		"another marketplace": {key: stranger.market}, "another provider": {key: stranger.provider}, "an edge": {key: w.edge}, "another session": {key: stranger.launch},
		"another's guest":  {headers: append([]string{"Cookie", w.cookie(store.SignIn{KeyID: stranger.link})}, fromPage...)},
		"another's person": {headers: append([]string{"Cookie", w.cookie(store.SignIn{PersonID: stranger.person})}, fromPage...)},
	}
	for path, item := range w.b.Document().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op == nil {
				continue
			}
			at := victim.fill(path)
			if strings.Contains(at, "{") {
				t.Fatalf("%s: what goes into %s?", op.OperationID, at)
			}
			users := strings.HasPrefix(path, "/api/v1/users/") // each marketplace has users of its own by the same ids
			for name, c := range callers {
				if name == "an edge" && op.Tags[0] == "Edge" { // edges serve every tenant
					continue
				}
				for _, query := range victim.queries(op) {
					for _, key := range []string{"", op.OperationID + " " + name, "key-of-" + victim.id} {
						if key != "" && method == http.MethodGet || strings.HasPrefix(key, "key-of-") && op.OperationID != "credit-user" {
							continue
						}
						key = strings.ReplaceAll(key, " ", "-")
						headers := slices.Clone(c.headers)
						if key != "" {
							headers = append(headers, "Idempotency-Key", key)
						}
						got := w.call(method, at+query, c.key, exampleFor(t, op, victim), headers...)
						walked++
						for _, mark := range victim.marks {
							if strings.Contains(string(got.raw), mark) && got.status < 300 {
								t.Errorf("%s %s%s shows %s the %s: %s", method, at, query, name, mark, got.raw)
							}
						}
						if named := strings.Contains(path, "{") && !users && !strings.Contains(path, "{host}"); named {
							hidden++
							ownCursor := got.status == http.StatusUnprocessableEntity && strings.Contains(query, "cursor=")
							if !ownCursor && got.status != http.StatusNotFound && got.status != http.StatusForbidden && got.status != http.StatusUnauthorized {
								t.Errorf("%s %s%s answers %s %d: %s", method, at, query, name, got.status, got.raw)
							}
						}
						if got.status >= 500 {
							t.Errorf("%s %s%s answers %s %d: %s", method, at, query, name, got.status, got.raw)
						}
					}
				}
			}
		}
	}
	return walked, hidden
}

// exampleFor is the request body that the document shows, with the tenant's ids.
func exampleFor(t *testing.T, op *huma.Operation, x *tenant) any {
	t.Helper()
	if op.RequestBody == nil {
		return nil
	}
	media := op.RequestBody.Content["application/json"]
	if media == nil || media.Example == nil {
		return nil
	}
	text, err := json.Marshal(media.Example)
	if err != nil {
		t.Fatal(err)
	}
	return x.named(string(text))
}

// Two marketplaces have user_1, each its own: what one credits, sells, lists, exports and
// erases is not the other's, and the same Idempotency-Key is two requests.
func TestMarketplacesHaveUsersOfTheirOwn(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		other := w.marketplace("mkt_books")
		w.credit("user_1", 500)
		if a := w.call("GET", "/api/v1/users/user_1/balance", other, nil).want(200); a.num("available") != 0 {
			t.Fatalf("the other user_1 has %s", a.raw)
		}
		w.call("POST", "/api/v1/sessions", other, order()).want(402, "insufficient_tokens")
		w.call("POST", "/api/v1/users/user_1/tokens", other, map[string]any{"amount": 70}).want(201)
		sold := w.call("POST", "/api/v1/sessions", other, order("tokens_allocated", 60)).want(201)
		id := sold.str("session", "id")
		w.secrets = append(w.secrets, sold.str("token"))
		if sold.str("session", "user_id") != "user_1" || sold.str("session", "marketplace_id") != "mkt_books" {
			t.Errorf("sold %s", sold.raw)
		}
		if available, held := w.balance("user_1"); available != 500 || held != 0 {
			t.Errorf("the sale took %d, %d of the other user_1", available, held)
		}

		// The other's session does not exist.
		for _, try := range []struct {
			method, path string
			body         any
		}{
			{"GET", "", nil}, {"GET", "/timeline", nil}, {"GET", "/extensions", nil}, {"POST", "/complete", nil},
			{"POST", "/extend", map[string]any{"additional_seconds": 60, "tokens_to_deduct": 1}},
			{"POST", "/revoke", map[string]any{"refund": "none"}},
		} {
			w.call(try.method, "/api/v1/sessions/"+id+try.path, w.market, try.body).want(404, "not_found")
		}
		for _, query := range []string{"", "?user_id=user_1", "?status=active", "?provider_id=prov_demo", "?provider_id=prov_demo&status=active"} {
			if a := w.call("GET", "/api/v1/sessions"+query, w.market, nil).want(200); len(a.at("sessions").([]any)) != 0 {
				t.Errorf("%q lists %s", query, a.raw)
			}
			if a := w.call("GET", "/api/v1/sessions"+query, other, nil).want(200); len(a.at("sessions").([]any)) != 1 || strings.Contains(string(a.raw), "~") {
				t.Errorf("%q lists its own as %s", query, a.raw)
			}
		}

		// No marketplace names another's user, by whatever name.
		w.call("GET", "/api/v1/sessions?user_id=mkt_books~user_1", w.market, nil).want(404)
		for _, path := range []string{"balance", "ledger", "export"} {
			w.call("GET", "/api/v1/users/mkt_books~user_1/"+path, w.market, nil).want(422)
		}
		w.call("POST", "/api/v1/users/mkt_books~user_1/tokens", w.market, map[string]any{"amount": 1}).want(422)
		w.call("POST", "/api/v1/users/mkt_books~user_1/erase", w.market, nil).want(404)
		w.call("POST", "/api/v1/sessions", w.market, order("user_id", "mkt_books~user_1")).want(422)

		// Its provider sees both, as two persons.
		list := w.call("GET", "/api/v1/providers/prov_demo/sessions?q=mkt_books", w.provider, nil).want(200).at("sessions").([]any)
		if len(list) != 1 || list[0].(map[string]any)["user_id"] != "mkt_books~user_1" || list[0].(map[string]any)["marketplace_id"] != "mkt_books" {
			t.Errorf("the provider sees %v", list)
		}
		file := w.call("GET", "/api/v1/providers/prov_demo/sessions.csv", w.provider, nil).want(200)
		if !strings.Contains(string(file.raw), "mkt_books~user_1") || !strings.Contains(string(file.raw), ",mkt_books") {
			t.Errorf("%s", file.raw)
		}

		// Erased at one, there at the other.
		w.call("POST", "/api/v1/sessions/"+id+"/complete", other, nil).want(200)
		erased := w.call("POST", "/api/v1/users/user_1/erase", other, nil).want(200).str("pseudonym")
		if !strings.HasPrefix(erased, "erased_") {
			t.Errorf("erased as %s", erased)
		}
		if available, _ := w.balance("user_1"); available != 500 {
			t.Errorf("the other user_1 has %d left", available)
		}
		w.call("POST", "/api/v1/users/user_1/tokens", other, map[string]any{"amount": 5}).want(201)
		byAdmin := w.call("POST", "/api/v1/users/mkt_books~user_1/erase", w.admin, nil).want(200).str("pseudonym")
		if !strings.HasPrefix(byAdmin, "mkt_books~erased_") {
			t.Errorf("an administrator erases as %s", byAdmin)
		}
		w.audit()
	})
}

// The same name at the origin never means two persons: tokens, live states and webhooks
// carry the subject.
func TestUsersOfTwoMarketplacesAreTwoPersonsAtTheOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t)
	w.hook(r.URL, "session.started")
	w.run()
	subjects := map[string]bool{}
	for market, want := range map[string]string{w.market: "user_1", w.marketplace("mkt_a"): "mkt_a~user_1", w.marketplace("mkt_b"): "mkt_b~user_1"} {
		w.call("POST", "/api/v1/users/user_1/tokens", market, map[string]any{"amount": 100}).want(201)
		sold := w.call("POST", "/api/v1/sessions", market, order()).want(201)
		launch := sold.str("token")
		w.secrets = append(w.secrets, launch)
		state := w.launch(launch, "redemption-000001"+want).want(200)
		w.secrets = append(w.secrets, state.str("session_token"))
		for what, token := range map[string]string{"launch": launch, "session": state.str("session_token")} {
			if got := claimOf(t, token, "sub"); got != want {
				t.Errorf("the %s token is of %s, want %s", what, got, want)
			}
		}
		if got := state.str("session", "user_id"); got != want {
			t.Errorf("the edge tells the origin %s, want %s", got, want)
		}
		subjects[state.str("session", "user_id")] = true
		own := w.call("POST", "/api/v1/sessions/validate", state.str("session_token"), map[string]any{"jti": sold.str("session", "id")}).want(200)
		if got := own.str("session", "user_id"); got != want {
			t.Errorf("the page is told %s, want %s", got, want)
		}
	}
	for range 3 {
		subject := messageOf(t, r.next(t)).Data.Session["user_id"].(string)
		if !subjects[subject] {
			t.Errorf("the webhook names %s", subject)
		}
		delete(subjects, subject)
	}
	if len(subjects) != 0 {
		t.Errorf("no message names %v", subjects)
	}
}

// claimOf is a claim of a token, whose signature others check.
func claimOf(t *testing.T, jwt, name string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	value, _ := claims[name].(string)
	return value
}

// A key belongs to one marketplace: the one it names, or mkt_default.
func TestKeysBelongToAMarketplace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.marketplace("mkt_books")
	for _, tt := range []struct {
		body   map[string]any
		status int
		want   string
	}{
		{map[string]any{"role": "marketplace", "name": "x"}, 201, "mkt_default"},
		{map[string]any{"role": "marketplace", "marketplace_id": "mkt_books", "name": "x"}, 201, "mkt_books"},
		{map[string]any{"role": "marketplace", "marketplace_id": "mkt_none", "name": "x"}, 404, ""},
		{map[string]any{"role": "marketplace", "provider_id": "prov_demo", "name": "x"}, 422, ""},
		{map[string]any{"role": "edge", "marketplace_id": "mkt_books", "name": "x"}, 422, ""},
		{map[string]any{"role": "provider", "provider_id": "prov_demo", "marketplace_id": "mkt_books", "name": "x"}, 422, ""},
	} {
		a := w.call("POST", "/api/v1/apikeys", w.admin, tt.body).want(tt.status)
		if a.status == 201 {
			w.secrets = append(w.secrets, a.str("secret"))
		}
		if got := a.str("key", "marketplace_id"); got != tt.want {
			t.Errorf("%v is of %q, want %q", tt.body, got, tt.want)
		}
	}
	for _, id := range []string{"books", "mkt_", "mkt_Books", "mkt_a~b", "mkt_a:b", "mkt_" + strings.Repeat("a", 33)} {
		w.call("POST", "/api/v1/marketplaces", w.admin, map[string]any{"id": id, "name": "x"}).want(422)
	}
	w.call("POST", "/api/v1/marketplaces", w.admin, map[string]any{"id": "mkt_books", "name": "x"}).want(409, "already_exists")
	made := w.call("POST", "/api/v1/marketplaces", w.admin, map[string]any{"name": "Random"}).want(201)
	if !strings.HasPrefix(made.str("id"), "mkt_") || len(made.str("id")) != 20 {
		t.Errorf("%s", made.raw)
	}
	list := w.call("GET", "/api/v1/marketplaces?limit=2", w.admin, nil).want(200)
	if n := len(list.at("marketplaces").([]any)); n != 2 || list.str("next_cursor") == "" {
		t.Errorf("%s", list.raw)
	}
	// A rotated key stays with its marketplace.
	keys, err := w.b.Store().APIKeys(context.Background(), store.KeyFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.MarketplaceID != "mkt_books" {
			continue
		}
		fresh, kept, err := backend.RotateAPIKey(context.Background(), w.b.Store(), k.ID, 0, w.now())
		if err != nil || kept.MarketplaceID != "mkt_books" {
			t.Errorf("rotated into %+v, %v", kept, err)
		}
		w.secrets = append(w.secrets, fresh)
		break
	}
}

// A key that names no marketplace, such as one that an earlier program writes while this
// one is already running, is the default marketplace's and sees no other.
func TestAKeyWithoutAMarketplaceIsTheDefaultOnes(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		other := w.marketplace("mkt_books")
		w.call("POST", "/api/v1/users/user_1/tokens", other, map[string]any{"amount": 70}).want(201)
		sold := w.call("POST", "/api/v1/sessions", other, order("tokens_allocated", 60)).want(201)
		id := sold.str("session", "id")
		bare := "sg_mkt_written-by-an-earlier-program"
		w.secrets = append(w.secrets, sold.str("token"), bare)
		sum := sha256.Sum256([]byte(bare))
		err := w.b.Store().Write(context.Background(), func(tx *store.Tx) error {
			return tx.InsertAPIKey(context.Background(), store.APIKey{ID: store.NewID(w.now()), Hash: hex.EncodeToString(sum[:]), Role: "marketplace", CreatedAt: w.now().Unix()})
		})
		if err != nil {
			t.Fatal(err)
		}
		w.call("GET", "/api/v1/sessions/"+id, bare, nil).want(404)
		w.call("POST", "/api/v1/sessions/"+id+"/revoke", bare, map[string]any{"refund": "full"}).want(404)
		if a := w.call("GET", "/api/v1/sessions", bare, nil).want(200); strings.Contains(string(a.raw), id) {
			t.Errorf("it lists %s", a.raw)
		}
		w.credit("user_1", 5)
		if a := w.call("GET", "/api/v1/users/user_1/balance", bare, nil).want(200); a.num("available") != 5 {
			t.Errorf("user_1 has %s", a.raw)
		}
	})
}
