package backend_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
)

// account is one account of the identity provider.
type account struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Password string `json:"password"`
	Email    string `json:"email"`
	Verified bool   `json:"verified"`
}

// startProvider runs a real OpenID provider with one client, public if secret is
// empty, and returns its issuer. The provider is a program of another module, so
// that its libraries are no dependencies of this one.
func startProvider(t *testing.T, secret string, accounts ...account) (issuer string, stop func()) {
	t.Helper()
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	for i := range accounts {
		accounts[i].Password = "verysecure"
	}
	config, err := json.Marshal(map[string]any{
		"client":   map[string]string{"id": "sessiongate", "secret": secret, "redirect": home + "/auth/callback"},
		"accounts": accounts,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "./openid")
	cmd.Dir = filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "e2e")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the OpenID provider: %v", err)
		}
	})
	t.Cleanup(stop)
	if _, err := in.Write(append(config, '\n')); err != nil {
		t.Fatal(err)
	}
	issuer, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the OpenID provider printed no issuer: %v", err)
	}
	return strings.TrimSpace(issuer), stop
}

// newPeople is a world in real time whose people sign in at issuer.
func newPeople(t *testing.T, o backend.OIDC) *world {
	t.Helper()
	w := newWorld(t)
	w.now = time.Now
	w.tune = func(c *backend.Config) { c.OIDC, c.Issuer = o, home }
	w.open()
	return w
}

// toCallback goes to the identity provider, signs in there and returns the
// address to which that sends the browser back.
func (b *browser) toCallback(to, user string) string {
	b.t.Helper()
	p := b.get(home + "/auth/oidc?to=" + url.QueryEscape(to))
	if p.status != http.StatusSeeOther {
		b.t.Fatalf("no way to the identity provider: %d %s", p.status, p.body)
	}
	authorize, err := url.Parse(p.location())
	if err != nil {
		b.t.Fatal(err)
	}
	if q := authorize.Query(); q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) < 43 || q.Get("nonce") == "" || len(q.Get("state")) < 20 {
		b.t.Errorf("the request has no PKCE, nonce or state: %v", q)
	}
	at := p.location()
	for range 6 {
		p = b.get(at)
		if p.status == http.StatusOK { // the provider's own page
			id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(p.body)
			if id == nil {
				b.t.Fatalf("no sign-in form: %s", p.body)
			}
			here, err := url.Parse(at)
			if err != nil {
				b.t.Fatal(err)
			}
			p = b.do("POST", "http://"+here.Host+"/login/username", url.Values{"id": {id[1]}, "username": {user}, "password": {"verysecure"}})
		}
		next, err := url.Parse(p.location())
		if err != nil || p.location() == "" {
			b.t.Fatalf("nowhere to go: %d %s", p.status, p.body)
		}
		base, err := url.Parse(at)
		if err != nil {
			b.t.Fatal(err)
		}
		at = base.ResolveReference(next).String()
		if strings.HasPrefix(at, home+"/auth/callback") {
			return at
		}
	}
	b.t.Fatal("the identity provider never answered")
	return ""
}

// Authorization code with PKCE against a real OpenID provider: in, as one role
// and another, out, and at once when the role is taken away.
func TestPeopleSignInWithAnIdentityProvider(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{"confidential client": "s3cret+of/client", "public client": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer, _ := startProvider(t, secret, account{ID: "1", Name: "ada", Email: "Ada@Example.com", Verified: true})
			w := newPeople(t, backend.OIDC{Issuer: issuer, ClientID: "sessiongate", ClientSecret: secret, Name: "Example & Co"})
			w.secrets = append(w.secrets, "s3cret+of/client")
			w.addPerson("ada@example.com", "provider", "prov_demo")
			adminID := w.addPerson("ADA@example.com ", "admin", "")

			b := newBrowser(w)
			b.get(home+"/auth/?to=/docs").mustSay(t, 200, `href="/auth/oidc?to=%2fdocs">Sign in with Example &amp; Co`)
			back := b.toCallback("/api/v1/me?x=1", "ada")
			in := b.get(back)
			if in.status != http.StatusSeeOther || in.location() != "/api/v1/me?x=1" {
				t.Fatalf("got %d to %q: %s", in.status, in.location(), in.body)
			}
			code := mustParse(t, back).Query().Get("code")
			w.secrets = append(w.secrets, code)
			who, status := b.me()
			if status != 200 || who["name"] != "ada@example.com" || who["role"] != "provider" || who["provider_id"] != "prov_demo" || who["person"] != true {
				t.Fatalf("signed in as %v", who)
			}
			for _, c := range in.header.Values("Set-Cookie") {
				if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || !strings.Contains(c, "Path=/") {
					t.Errorf("cookie %s", c)
				}
				value, _, _ := strings.Cut(strings.SplitN(c, "=", 2)[1], ";")
				if value != "" {
					w.secrets = append(w.secrets, value)
				}
			}
			// The role is what it may do, and no more.
			if p := b.get(home + "/api/v1/providers/prov_demo/stats"); p.status != 200 {
				t.Errorf("a provider's person cannot see its figures: %d", p.status)
			}
			if p := b.get(home + "/api/v1/audit"); p.status != http.StatusForbidden {
				t.Errorf("a provider's person sees the audit log: %d", p.status)
			}
			// The same answer opens nothing twice, and nothing in another browser.
			b.get(back).mustSay(t, 403, "This sign-in attempt has expired or was started in another browser")
			newBrowser(w).get(back).mustSay(t, 403, "This sign-in attempt has expired or was started in another browser")

			other := b.do("POST", home+"/auth/switch", url.Values{"person": {adminID}, "to": {"/docs"}})
			if who, _ = b.me(); other.location() != "/docs" || who["role"] != "admin" {
				t.Errorf("after switching: %q, %v", other.location(), who)
			}
			if p := b.do("POST", home+"/api/v1/providers", nil, "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"); p.status != 400 {
				t.Errorf("an admin's person may not write: %d %s", p.status, p.body)
			}
			w.call("DELETE", "/api/v1/people/"+adminID, w.admin, nil).want(204)
			if _, status = b.me(); status != http.StatusUnauthorized {
				t.Errorf("who has no role any more gets %d", status)
			}
		})
	}
}

// Whoever the operator did not name, or who cannot prove the address, stays out
// and is told why.
func TestIdentityProviderRefusals(t *testing.T) {
	t.Parallel()
	issuer, stop := startProvider(t, "secret",
		account{ID: "1", Name: "ada", Email: "ada@example.com", Verified: true},
		account{ID: "2", Name: "eve", Email: "eve@example.com", Verified: true},
		account{ID: "3", Name: "mallory", Email: "bob@example.com"},
		account{ID: "4", Name: "new-ada", Email: "ada@example.com", Verified: true},
		account{ID: "5", Name: "nameless", Verified: true},
	)
	w := newPeople(t, backend.OIDC{Issuer: issuer, ClientID: "sessiongate", ClientSecret: "secret"})
	ada := w.addPerson("ada@example.com", "admin", "")
	w.addPerson("bob@example.com", "admin", "")
	try := func(user string) page { b := newBrowser(w); return b.get(b.toCallback("/", user)) }

	try("eve").mustSay(t, 403, "eve@example.com does not have access")
	try("mallory").mustSay(t, 403, "has not verified your e-mail address")
	try("nameless").mustSay(t, 403, "did not send your e-mail address")
	if p := try("ada"); p.status != http.StatusSeeOther {
		t.Fatalf("ada: %d %s", p.status, p.body)
	}
	// The address was given to somebody else: that account is not ada's.
	try("new-ada").mustSay(t, 403, "Another account has signed in as ada@example.com")
	w.call("DELETE", "/api/v1/people/"+ada, w.admin, nil).want(204)
	w.addPerson("ada@example.com", "admin", "")
	if p := try("new-ada"); p.status != http.StatusSeeOther {
		t.Errorf("after it was added again: %d %s", p.status, p.body)
	}

	b := newBrowser(w)
	back := mustParse(t, b.toCallback("/", "new-ada"))
	for change, say := range map[string]string{
		"state=forged":              "was started in another browser",
		"iss=https://evil.example":  "different identity provider",
		"error=access_denied":       "canceled",
		"error=server_error&code=x": "refused",
		"code=":                     "incomplete",
	} {
		b := newBrowser(w)
		here := mustParse(t, b.toCallback("/", "new-ada"))
		q := here.Query()
		for _, pair := range strings.Split(change, "&") {
			name, value, _ := strings.Cut(pair, "=")
			q.Set(name, value)
		}
		here.RawQuery = q.Encode()
		b.get(here.String()).mustSay(t, 403, say)
	}
	q := back.Query()
	q.Set("code", "never-issued")
	back.RawQuery = q.Encode()
	b.get(back.String()).mustSay(t, 403, "rejected the authorization code")

	stop()
	w.open() // one that has not asked for its addresses
	down := newBrowser(w).get(home + "/auth/oidc")
	down.mustSay(t, 503, "The identity provider is unavailable")
	if down.header.Get("Retry-After") == "" {
		t.Error("when to try again is not said")
	}
	if p := newBrowser(w).do("POST", home+"/auth/key", url.Values{"key": {w.admin}}); p.status != http.StatusSeeOther {
		t.Errorf("keys do not work without it: %d", p.status)
	}
}
