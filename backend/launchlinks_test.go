package backend_test

import (
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend/resolver/resolvertest"
)

// A provider's launch links lead to its own domains, whatever it calls its app's address.
func TestLaunchLinksLeadToProvenDomains(t *testing.T) {
	t.Parallel()
	w, _, rival := newOwnedWorld(t)
	patch := func(key string, body map[string]any) *answer {
		t.Helper()
		return w.call("PATCH", "/api/v1/providers/prov_rival", key, body)
	}
	w.credit("user_1", 1000)
	sells := func() bool {
		t.Helper()
		a := w.call("POST", "/api/v1/sessions", w.market, order("provider_id", "prov_rival", "tokens_allocated", 1))
		if a.status != 201 {
			a.want(409, "domain_not_proven")
			return false
		}
		w.secrets = append(w.secrets, a.str("token"))
		return true
	}
	patch(rival, map[string]any{"app_url": "https://shop.victim.com/"}).want(422, "invalid_request")
	patch(rival, map[string]any{"domains": []any{"app.acme.com"}, "app_url": "https://app.acme.com:8443/start"}).want(200)
	if sells() {
		t.Error("an app at a pending domain is sold")
	}
	patch(rival, map[string]any{"domains": []any{}}).want(422, "invalid_request") // app_url would be nobody's
	patch(rival, map[string]any{"domains": []any{"app.acme.com", "b.acme.com"}, "app_url": "https://B.acme.com/"}).want(200)
	if sells() {
		t.Error("an app at a pending domain is sold")
	}
	// The user's own machine needs no proof; what the operator sets is the operator's word.
	patch(rival, map[string]any{"app_url": "http://127.0.0.1:3000/"}).want(200)
	if !sells() {
		t.Error("an app at a loopback address is not sold")
	}
	patch(w.admin, map[string]any{"domains": []any{}, "app_url": "https://named.acme.com/"}).want(200)
	if !sells() {
		t.Error("an app that the operator named is not sold")
	}
	patch(rival, map[string]any{"app_url": "https://named.acme.com/other", "name": "x"}).want(200)
	// An administrator who passes on what somebody typed gives no word for it; one who
	// gave it before has given it.
	patch(w.admin, map[string]any{"app_url": "https://shop.victim.com/", "vouch": false}).want(422, "invalid_request")
	patch(w.admin, map[string]any{"app_url": "https://named.acme.com/", "vouch": false}).want(200)
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{
		"name": "Typed", "domains": []string{"typed.acme.com"}, "app_url": "https://shop.victim.com/", "vouch": false,
	}).want(422, "invalid_request")
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{
		"name": "Typed", "domains": []string{"typed.acme.com"}, "app_url": "https://typed.acme.com/", "vouch": false,
	}).want(201)
	// Of several domains, the first that is usable has the launch links.
	patch(w.admin, map[string]any{"domains": []any{"first.acme.com", "second.acme.com"}, "app_url": ""}).want(200)
	w.call("DELETE", "/api/v1/providers/prov_rival/domains/first.acme.com/vouch", w.admin, nil).want(200)
	a := w.call("POST", "/api/v1/sessions", w.market, order("provider_id", "prov_rival", "tokens_allocated", 1)).want(201)
	w.secrets = append(w.secrets, a.str("token"))
	if !strings.HasPrefix(a.str("launch_url"), "https://second.acme.com/") {
		t.Errorf("the launch link is %.40s", a.str("launch_url"))
	}
	// A loopback name is no way out of the proof.
	patch(w.admin, map[string]any{"domains": []any{"third.acme.com", "localhost"}, "vouch": false}).want(200)
	if sells() {
		t.Error("launch links lead to the visitor's own machine instead of the domain that is pending")
	}
}

// A relaunch makes a link, as a sale does: a session that was sold before its domain was
// lost gets no new link to that domain, which may be somebody else's by now. The link that
// the user has stays good.
func TestARelaunchLeadsToProvenDomains(t *testing.T) {
	t.Parallel()
	const vouch = "/api/v1/providers/prov_rival/domains/app.acme.com/vouch"
	for _, tt := range []struct {
		name string
		// prepare returns what makes app.acme.com prov_rival's, and what ends that.
		prepare func(t *testing.T, w *world, dns *resolvertest.Server, rival string) (give, take func())
		detail  string // of the refusal
	}{
		{"an administrator takes the word back", func(_ *testing.T, w *world, _ *resolvertest.Server, _ string) (give, take func()) {
			return func() { w.call("POST", vouch, w.admin, nil).want(200) },
				func() { w.call("DELETE", vouch, w.admin, nil).want(200) }
		}, "app.acme.com is pending"},
		{"the name has a new owner", func(t *testing.T, w *world, dns *resolvertest.Server, rival string) (give, take func()) {
			record := func(id, key string) {
				t.Helper()
				w.dns(id, key, "app.acme.com").set(dns)
				w.checkNow(id, key, "app.acme.com")
				if got := w.served("app.acme.com"); got != id {
					t.Fatalf("%q holds the domain, want %s", got, id)
				}
			}
			return func() { record("prov_rival", rival) }, func() {
				w.claim("prov_demo", w.provider, "app.provider.example", "app.acme.com").want(200)
				record("prov_demo", w.provider)
			}
		}, "app.acme.com is suspended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, dns, rival := newOwnedWorld(t)
			give, take := tt.prepare(t, w, dns, rival)
			w.claim("prov_rival", rival, "app.acme.com").want(200)
			give()
			w.credit("user_1", 1000)
			sold := w.call("POST", "/api/v1/sessions", w.market, order("provider_id", "prov_rival", "duration_limit_seconds", 36000)).want(201)
			w.secrets = append(w.secrets, sold.str("token"))
			of := "/api/v1/sessions/" + sold.str("session", "id")

			take()
			a := w.call("POST", of+"/relaunch", w.market, nil).want(409, "domain_not_proven")
			if !strings.Contains(a.str("detail"), tt.detail) || strings.Contains(string(a.raw), "launch_url") {
				t.Errorf("the marketplace is told %s", a.raw)
			}
			if now := w.call("GET", of, w.market, nil).want(200); now.num("relaunches") != 0 {
				t.Errorf("the refused relaunch voided the link: %s", now.raw)
			}

			give()
			again := w.call("POST", of+"/relaunch", w.market, nil).want(200)
			w.secrets = append(w.secrets, again.str("token"))
			if !strings.HasPrefix(again.str("launch_url"), "https://app.acme.com/?session=") {
				t.Errorf("the new link is %.40s", again.str("launch_url"))
			}
		})
	}
}
