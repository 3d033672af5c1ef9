package backend_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

// portal makes a portal link and returns its id and its secret.
func (w *world) portal(body map[string]any) (id, secret string) {
	w.t.Helper()
	a := w.call("POST", "/api/v1/portal", w.admin, body).want(201)
	at, secret, ok := strings.Cut(a.str("url"), "#")
	if !ok || at != "http://backend.test/auth/portal" || !strings.HasPrefix(secret, "sg_link_") {
		w.t.Fatalf("the link is %s", a.str("url"))
	}
	w.secrets = append(w.secrets, secret)
	return a.str("id"), secret
}

func openPortal(b *browser, secret string) page {
	b.t.Helper()
	return b.do("POST", home+"/auth/portal", url.Values{"link": {secret}})
}

// TestPortalLinksSignIn opens a portal link, as its provider's guest, and sees
// it end by time and by revocation.
func TestPortalLinksSignIn(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.t = t
		id, secret := w.portal(map[string]any{"provider_id": "prov_demo"})
		b := newBrowser(w)
		for range 2 { // good until its end, not once
			if p := openPortal(b, secret); p.status != http.StatusSeeOther || strings.Contains(p.location(), secret) {
				t.Fatalf("%d to %s: %s", p.status, p.location(), p.body)
			}
		}
		who, _ := b.me()
		if who["role"] != "provider" || who["provider_id"] != "prov_demo" || who["person"] != false || who["name"] != "Portal guest" {
			t.Errorf("signed in as %v", who)
		}
		if p := b.get(home + "/api/v1/providers/prov_demo/stats"); p.status != 200 {
			t.Errorf("its provider's figures: %d", p.status)
		}
		if p := b.get(home + "/api/v1/audit"); p.status != 403 {
			t.Errorf("what administrators see: %d", p.status)
		}
		// No program uses it, and no key form takes it.
		w.call("GET", "/api/v1/me", secret, nil).want(401)
		b2 := newBrowser(w)
		b2.do("POST", home+"/auth/key", url.Values{"key": {secret}}).mustSay(t, 401, "unknown or revoked")
		openPortal(b2, w.provider).mustSay(t, 401, "The link has expired or was revoked")
		openPortal(b2, "").mustSay(t, 401, "The link has expired or was revoked")
		if p := b2.do("POST", home+"/auth/portal", url.Values{"link": {secret}}, "Sec-Fetch-Site", "cross-site"); p.status != 403 || p.header.Get("Set-Cookie") != "" {
			t.Errorf("another site opens it: %d", p.status)
		}
		if _, _, err := backend.RotateAPIKey(context.Background(), w.b.Store(), id, time.Hour, w.clock.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a link was rotated into a key: %v", err)
		}

		w.clock.Add(23 * time.Hour)
		if _, status := b.me(); status != 200 {
			t.Errorf("an hour before its end: %d", status)
		}
		w.clock.Add(time.Hour)
		if _, status := b.me(); status != 401 {
			t.Errorf("after its end: %d", status)
		}
		openPortal(b, secret).mustSay(t, 401, "The link has expired")

		id, secret = w.portal(map[string]any{"provider_id": "prov_demo", "expires_in_seconds": 60})
		openPortal(b, secret)
		if _, status := b.me(); status != 200 {
			t.Errorf("with another link: %d", status)
		}
		w.call("DELETE", "/api/v1/apikeys/"+id, w.admin, nil).want(204)
		if _, status := b.me(); status != 401 {
			t.Errorf("after its link was revoked: %d", status)
		}
		if a := w.call("GET", "/api/v1/audit", w.admin, nil).want(200); strings.Contains(string(a.raw), secret) || !strings.Contains(string(a.raw), "create-portal-link") {
			t.Errorf("audited as %s", a.raw)
		}
		w.call("POST", "/api/v1/portal", w.admin, map[string]any{"provider_id": "prov_none"}).want(404)
		w.call("POST", "/api/v1/portal", w.admin, map[string]any{"provider_id": "prov_demo", "expires_in_seconds": 604801}).want(422)
	})
}

// TestPortalPage holds what the page promises: nobody frames it, nothing else
// runs on it, and what it answers is the same for everybody.
func TestPortalPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newBrowser(w).get(home + "/auth/portal")
	p.mustSay(t, 200, "Open the portal")
	policy := p.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'sha256-") || strings.Contains(policy, "unsafe") ||
		p.header.Get("Referrer-Policy") != "no-referrer" || p.header.Get("X-Frame-Options") != "DENY" || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", p.header)
	}
}
