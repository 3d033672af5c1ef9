package backend_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

const passes = "/api/v1/providers/prov_demo/passes"

// idOf reads the session's id in a launch token.
func idOf(t testing.TB, launch string) string {
	t.Helper()
	parts := strings.Split(launch, ".")
	if len(parts) != 3 {
		t.Fatal("the launch token is no JWT")
	}
	var claims struct {
		ID string `json:"jti"`
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims.ID
}

// pass makes a pass of prov_demo and returns its id and the secret of its link.
func (w *world) pass(key, kind string, pairs ...any) (id, secret string) {
	w.t.Helper()
	body := map[string]any{"kind": kind, "label": "QA"}
	for i := 0; i+1 < len(pairs); i += 2 {
		body[pairs[i].(string)] = pairs[i+1]
	}
	a := w.call("POST", passes, key, body).want(201)
	at, secret, ok := strings.Cut(a.str("url"), "#")
	if !ok || at != "http://backend.test/auth/pass" || !strings.HasPrefix(secret, "sg_pass_") {
		w.t.Fatalf("the link is %s", a.str("url"))
	}
	w.secrets = append(w.secrets, secret)
	return a.str("id"), secret
}

// press presses the button on the page of a pass.
func (w *world) press(secret string) page {
	w.t.Helper()
	return newBrowser(w).do("POST", home+"/auth/pass", url.Values{"pass": {secret}})
}

// openPass opens a session with a pass, and returns its id.
func (w *world) openPass(secret string) (id string) {
	w.t.Helper()
	id, _ = w.follows(w.press(secret))
	return id
}

// follows reads the launch link that a pass leads to.
func (w *world) follows(p page) (id, launch string) {
	w.t.Helper()
	to, err := url.Parse(p.location())
	if err != nil || p.status != http.StatusSeeOther || to.Host != "app.provider.example" {
		w.t.Fatalf("a pass answers %d and leads to %s: %s", p.status, p.location(), p.body)
	}
	launch = to.Query().Get("session")
	w.secrets = append(w.secrets, launch)
	return idOf(w.t, launch), launch
}

// A staff pass opens sessions of 12 hours, a preview pass some of two minutes with the
// warning halfway. Each entry is a session of its own, without tokens.
func TestPassesOpenSessions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		for kind, want := range map[string]struct{ seconds, warning int64 }{"staff": {12 * 3600, 0}, "preview": {120, 60}} {
			passID, secret := w.pass(w.provider, kind)
			first, launch := w.follows(w.press(secret))
			second := w.openPass(secret)
			if first == second {
				t.Errorf("%s: two entries are one session", kind)
			}
			a := w.launch(launch, "redemption-"+passID[:12]+kind).want(200)
			c := w.call("GET", "/api/v1/sessions/"+first+"?mode="+kind, w.provider, nil).want(200)
			if c.str("mode") != kind || c.str("pass_id") != passID || c.num("tokens_allocated") != 0 || c.num("duration_limit_seconds") != want.seconds || c.str("status") != "active" || c.at("marketplace_id") != nil {
				t.Errorf("%s: the session is %s", kind, c.raw)
			}
			if a.str("session", "mode") != kind {
				t.Errorf("%s: the edge hears %s", kind, a.raw)
			}
			if warnings, _ := c.at("warning_seconds").([]any); want.warning != 0 && (len(warnings) != 1 || int64(warnings[0].(float64)) != want.warning) {
				t.Errorf("%s: warnings at %v", kind, warnings)
			}
			w.launch(launch, "redemption-another-browser").want(409, "launch_spent") // a launch link is good once
			w.call("GET", "/api/v1/sessions/"+first, w.market, nil).want(404)
			w.call("GET", "/api/v1/sessions/"+first+"?mode="+kind, w.market, nil).want(404)
			w.call("POST", "/api/v1/sessions/"+first+"/revoke", w.market, map[string]any{"refund": "full"}).want(404)
			for _, p := range w.call("GET", passes, w.provider, nil).want(200).at("passes").([]any) {
				if p := p.(map[string]any); p["id"] == passID && (p["entries"] != 2.0 || p["kind"] != kind || p["label"] != "QA" || p["last_used_at"] == nil) {
					t.Errorf("the pass is %v", p)
				}
			}
		}
		if list := string(w.call("GET", passes, w.provider, nil).raw); strings.Contains(list, "sg_pass_") || strings.Contains(list, "hash") {
			t.Errorf("the list shows secrets: %s", list)
		}
		w.audit()
	})
}

// Looking at a pass's link opens nothing: programs that show previews of links, and
// pages of other sites, press no button.
func TestAPassWaitsForTheButton(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, secret := w.pass(w.provider, "staff")
	p := newBrowser(w).get(home + "/auth/pass")
	if p.status != 200 || !strings.Contains(p.body, "Open the app") || p.header.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(p.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page is %d %v %s", p.status, p.header, p.body)
	}
	newBrowser(w).do("POST", home+"/auth/pass", url.Values{"pass": {secret}}, "Sec-Fetch-Site", "cross-site").mustSay(t, 403, "Cross-site")
	for _, wrong := range []string{"", "sg_pass_", secret + "x", w.provider, w.admin, id} {
		w.press(wrong).mustSay(t, 401, "The pass has expired or was revoked")
	}
	if n := w.call("GET", "/api/v1/providers/prov_demo/sessions?mode=staff", w.provider, nil).want(200); len(n.at("sessions").([]any)) != 0 {
		t.Errorf("sessions were opened: %s", n.raw)
	}
	w.call("GET", "/api/v1/providers/prov_demo", secret, nil).want(401) // a pass is no key
	if h := w.press(secret).header; h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("the redirect has %v", h)
	}
}

// Revoking a pass ends its sessions, entered or not, and no others; a pass that is over
// opens nothing.
func TestRevokingAPassEndsItsSessions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		id, secret := w.pass(w.provider, "staff")
		_, other := w.pass(w.provider, "staff")
		entered, launch := w.follows(w.press(secret))
		w.enter(launch)
		waiting := w.openPass(secret)
		apart := w.openPass(other)
		w.call("DELETE", passes+"/"+id, w.provider, nil).want(204)
		w.call("DELETE", passes+"/"+id, w.provider, nil).want(204)
		for session, want := range map[string]string{entered: "revoked", waiting: "revoked", apart: "pending"} {
			c := w.call("GET", "/api/v1/sessions/"+session, w.admin, nil).want(200)
			if c.str("status") != want {
				t.Errorf("%s is %s, want %s", session, c.str("status"), want)
			}
			if want == "revoked" && c.str("end_reason") != "pass_revoked" {
				t.Errorf("it ended by %s", c.str("end_reason"))
			}
		}
		w.press(secret).mustSay(t, 401, "revoked")
		w.call("DELETE", passes+"/none", w.provider, nil).want(404)
		w.call("DELETE", "/api/v1/providers/prov_other/passes/"+id, w.admin, nil).want(404)
		var actions []string
		for _, line := range w.auditLines() {
			if strings.Contains(line, "-pass") {
				actions = append(actions, line)
			}
		}
		if len(actions) != 4 {
			t.Errorf("the audit log has %v", actions)
		}
		w.audit()
	})
}

// An entry at the moment of the revocation is refused, or its session is ended.
func TestEntriesAtTheMomentOfRevocation(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		id, secret := w.pass(w.provider, "staff")
		var opened atomic.Int64
		together(9, func(i int) {
			if i == 4 {
				w.call("DELETE", passes+"/"+id, w.provider, nil).want(204)
				return
			}
			if w.press(secret).status == http.StatusSeeOther {
				opened.Add(1)
			}
		})
		list := w.call("GET", "/api/v1/providers/prov_demo/sessions?mode=staff", w.provider, nil).want(200).at("sessions").([]any)
		if int64(len(list)) != opened.Load() {
			t.Errorf("%d sessions, of %d entries", len(list), opened.Load())
		}
		for _, s := range list {
			if s := s.(map[string]any); s["status"] != "revoked" {
				t.Errorf("a session is %v after the revocation", s["status"])
			}
		}
	})
}

// A pass, and the sessions that it opened, end by time.
func TestAPassEndsByTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.pass(w.provider, "staff", "expires_in_seconds", 7200)
	first := w.openPass(secret)
	w.clock.Add(7100 * time.Second)
	last, launch := w.follows(w.press(secret))
	w.enter(launch)
	until := int64(1_800_000_000 + 7200)
	for _, id := range []string{first, last} {
		c := w.call("GET", "/api/v1/sessions/"+id, w.admin, nil).want(200)
		if end := c.num("launch_by") + c.num("duration_limit_seconds"); c.num("expires_at") > until+1 || end > until+1 {
			t.Errorf("the session outlives its pass: %s", c.raw)
		}
	}
	w.clock.Add(101 * time.Second)
	w.press(secret).mustSay(t, 401, "expired")
	if c := w.call("GET", "/api/v1/sessions/"+last, w.admin, nil).want(200); c.str("status") != "expired" {
		t.Errorf("the last session is %s", c.raw)
	}
	if n := w.call("GET", passes, w.provider, nil).want(200); len(n.at("passes").([]any)) != 1 {
		t.Errorf("the list is %s", n.raw)
	}
	w.clock.Add(91 * 24 * time.Hour)
	if err := w.b.Forget(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := w.call("GET", passes, w.provider, nil).want(200); len(n.at("passes").([]any)) != 0 {
		t.Errorf("90 days later the list is %s", n.raw)
	}
	for _, seconds := range []int{59, 31536001} {
		w.call("POST", passes, w.provider, map[string]any{"kind": "staff", "expires_in_seconds": seconds}).want(422)
	}
	w.call("POST", passes, w.provider, map[string]any{"kind": "test"}).want(422)
}

// What a pass can grow has bounds: entries in an hour, sessions at once, passes of a
// provider.
func TestPassesHaveBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.Limits.SignInsPerAddress = -1 }
	w.open()
	_, secret := w.pass(w.provider, "preview")
	for range 60 {
		w.openPass(secret)
	}
	p := w.press(secret)
	p.mustSay(t, 429, "60 times within an hour")
	if p.header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	w.clock.Add(time.Hour + time.Second)
	w.openPass(secret)

	_, secret = w.pass(w.provider, "staff", "expires_in_seconds", 30*86400)
	for i := range 50 {
		_, launch := w.follows(w.press(secret))
		w.launch(launch, fmt.Sprintf("redemption-%07d", i)).want(200)
	}
	w.press(secret).mustSay(t, 409, "50 open sessions")
	w.clock.Add(13 * time.Hour)
	if _, err := w.b.AdvanceDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.openPass(secret)

	for range 48 { // two exist
		w.pass(w.provider, "preview")
	}
	w.call("POST", passes, w.provider, map[string]any{"kind": "preview"}).want(409, "limit_reached")
}

// Who makes passes: administrators, the provider's own keys and people. A guest makes
// previews that end with its link, and no key that was rotated makes any.
func TestWhoMakesPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pass(w.admin, "staff")
	g, link := w.guest("prov_demo")
	g.call("POST", passes, map[string]any{"kind": "staff"}).want(403)
	a := g.call("POST", passes, map[string]any{"kind": "preview", "expires_in_seconds": 31536000}).want(201)
	linked, err := w.b.Store().APIKey(context.Background(), link)
	if err != nil {
		t.Fatal(err)
	}
	if a.num("expires_at") != linked.ExpiresAt {
		t.Errorf("a guest's pass ends at %d, its link at %d", a.num("expires_at"), linked.ExpiresAt)
	}
	id, _ := w.pass(w.provider, "staff")
	g.call("DELETE", passes+"/"+id, nil).want(403)
	other, err := w.b.CreateProvider(context.Background(), store.Provider{ID: "prov_other", Name: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := w.b.CreateAPIKey(context.Background(), backend.RoleProvider, other.ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	w.call("GET", passes, stranger, nil).want(404)
	w.call("DELETE", passes+"/"+id, stranger, nil).want(404)
	w.call("DELETE", "/api/v1/providers/prov_other/passes/"+id, stranger, nil).want(404)
	person := w.cookie(store.SignIn{PersonID: w.addPerson("ada@example.com", "provider", "prov_demo")})
	w.call("POST", passes, "", map[string]any{"kind": "staff"}, "Cookie", person, "Sec-Fetch-Site", "same-origin").want(201)
	for _, key := range []string{w.market, w.edge, w.testKey("provider", "prov_demo")} {
		w.call("POST", passes, key, map[string]any{"kind": "preview"}).want(403)
	}
	if _, _, err := backend.RotateAPIKey(context.Background(), w.b.Store(), w.keyID(w.provider), time.Hour, w.now()); err != nil {
		t.Fatal(err)
	}
	w.call("POST", passes, w.provider, map[string]any{"kind": "preview"}).want(403)
	w.call("GET", passes, w.provider, nil).want(200)
}

// A pass leads to proven domains only, as a sale does.
func TestAPassNeedsAProvenDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.pass(w.provider, "preview")
	w.call("PATCH", "/api/v1/providers/prov_demo", w.provider, map[string]any{"domains": []string{"new.provider.example"}}).want(200)
	w.press(secret).mustSay(t, 409, "new.provider.example")
	w.call("POST", passes, w.provider, map[string]any{"kind": "preview"}).want(409, "domain_not_proven")
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{"id": "prov_bare", "name": "Bare"}).want(201)
	w.call("POST", "/api/v1/providers/prov_bare/passes", w.admin, map[string]any{"kind": "preview"}).want(409, "domain_not_proven")
}
