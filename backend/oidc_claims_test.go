package backend_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/backend"
)

// oddProvider is an identity provider that says what a test wants: real ones
// differ in what they put into an ID token.
type oddProvider struct {
	*httptest.Server
	key *ecdsa.PrivateKey

	mu       sync.Mutex // guards the fields below
	claims   map[string]any
	userinfo map[string]any
	token    string // the path of its token endpoint
	asked    int    // for its discovery document
	down     bool
	nonces   map[string]string // by code
}

func newOddProvider(t *testing.T) *oddProvider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &oddProvider{key: key, token: "/token", nonces: map[string]string{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// set changes what the provider says.
func (p *oddProvider) set(change func()) { p.mu.Lock(); defer p.mu.Unlock(); change() }

func (p *oddProvider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	say := func(body any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body) // an error here means that the client is gone
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.asked++
		if p.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		say(map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + p.token, "jwks_uri": p.URL + "/keys",
			"userinfo_endpoint": p.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	case "/keys":
		public, err := p.key.PublicKey.Bytes()
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		say(map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k",
			"x": base64.RawURLEncoding.EncodeToString(public[1:33]), "y": base64.RawURLEncoding.EncodeToString(public[33:]),
		}}})
	case p.token:
		claims := jwt.MapClaims{
			"iss": p.URL, "sub": "ada", "aud": "sessiongate", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
			"nonce": p.nonces[r.PostFormValue("code")], "email": "ada@example.com", "email_verified": true,
		}
		for name, value := range p.claims {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		signed := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
		signed.Header["kid"] = "k"
		text, err := signed.SignedString(p.key)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		say(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": text})
	case "/userinfo":
		if p.userinfo == nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		say(p.userinfo)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// begin sends a browser to the provider and returns the address that it is sent
// back to.
func (p *oddProvider) begin(b *browser, to string) string {
	b.t.Helper()
	page := b.get(home + "/auth/oidc?to=" + url.QueryEscape(to))
	at, err := url.Parse(page.location())
	if err != nil || page.status != http.StatusSeeOther {
		b.t.Fatalf("%d %s", page.status, page.body)
	}
	q := at.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	code := fmt.Sprint("code-", len(p.nonces))
	p.nonces[code] = q.Get("nonce")
	return home + "/auth/callback?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
}

func newOddWorld(t *testing.T, o backend.OIDC) (*world, *oddProvider) {
	t.Helper()
	p := newOddProvider(t)
	o.Issuer, o.ClientID, o.ClientSecret = p.URL, "sessiongate", "secret"
	w := newPeople(t, o)
	w.addPerson("ada@example.com", "admin", "")
	return w, p
}

// Providers differ in how they say that an address is verified, and whose token an
// ID token is.
func TestIDTokensAsProvidersSendThem(t *testing.T) {
	t.Parallel()
	w, p := newOddWorld(t, backend.OIDC{})
	now := time.Now()
	const in = ""
	for name, c := range map[string]struct {
		claims, userinfo map[string]any
		say              string // in: signed in
	}{
		"a boolean":                         {nil, nil, in},
		"verified as a string":              {map[string]any{"email_verified": "true"}, nil, in},
		"verified as a string in capitals":  {map[string]any{"email_verified": "True"}, nil, in},
		"not verified, as a string":         {map[string]any{"email_verified": "false"}, nil, "has not verified"},
		"verified as a number":              {map[string]any{"email_verified": 1}, nil, "response is not valid"},
		"verified as a word":                {map[string]any{"email_verified": "yes"}, nil, "response is not valid"},
		"verified as null":                  {map[string]any{"email_verified": json.RawMessage("null")}, nil, "has not verified"},
		"said by the UserInfo endpoint":     {map[string]any{"email_verified": nil}, map[string]any{"sub": "ada", "email": "Ada@example.com", "email_verified": "true"}, in},
		"both by the UserInfo endpoint":     {map[string]any{"email": nil, "email_verified": nil}, map[string]any{"sub": "ada", "email": "ada@example.com", "email_verified": true}, in},
		"the UserInfo of another address":   {map[string]any{"email_verified": nil}, map[string]any{"sub": "ada", "email": "eve@example.com", "email_verified": true}, "has not verified"},
		"the UserInfo of another account":   {map[string]any{"email_verified": nil}, map[string]any{"sub": "eve", "email": "ada@example.com", "email_verified": true}, "name different accounts"},
		"said nowhere":                      {map[string]any{"email_verified": nil}, nil, "has not verified"},
		"issued to us":                      {map[string]any{"azp": "sessiongate"}, nil, in},
		"issued to us, for several":         {map[string]any{"azp": "sessiongate", "aud": []string{"sessiongate", "api"}}, nil, in},
		"issued to another application":     {map[string]any{"azp": "other"}, nil, "another application"},
		"issued to another, for us as well": {map[string]any{"azp": "other", "aud": []string{"other", "sessiongate"}}, nil, "another application"},
		"for several, issued to nobody":     {map[string]any{"aud": []string{"other", "sessiongate"}}, nil, "another application"},
		"for another application":           {map[string]any{"aud": "other"}, nil, "ID token is not valid"},
		"over for seconds":                  {map[string]any{"exp": now.Add(-30 * time.Second).Unix()}, nil, in},
		"over for minutes":                  {map[string]any{"exp": now.Add(-3 * time.Minute).Unix()}, nil, "ID token is not valid"},
		"valid in a minute":                 {map[string]any{"nbf": now.Add(time.Minute).Unix()}, nil, in},
		"valid in an hour":                  {map[string]any{"nbf": now.Add(time.Hour).Unix()}, nil, "ID token is not valid"},
		"of another attempt":                {map[string]any{"nonce": "other"}, nil, "another sign-in attempt"},
		"of another issuer":                 {map[string]any{"iss": "https://evil.example"}, nil, "ID token is not valid"},
	} {
		p.set(func() { p.claims, p.userinfo = c.claims, c.userinfo })
		b := newBrowser(w)
		page := b.get(p.begin(b, "/docs"))
		switch {
		case c.say == in && (page.status != http.StatusSeeOther || page.location() != "/docs"):
			t.Errorf("%s: %d %s", name, page.status, page.body)
		case c.say != in && (page.status != http.StatusForbidden || !strings.Contains(page.body, c.say)):
			t.Errorf("%s: %d, want %q: %s", name, page.status, c.say, page.body)
		}
	}
}

// A person who begins to sign in in two tabs finishes in each, in any order; and
// one who never comes back fills no cookie jar.
func TestSignInInSeveralTabs(t *testing.T) {
	t.Parallel()
	w, p := newOddWorld(t, backend.OIDC{})
	b := newBrowser(w)
	first, second, third := p.begin(b, "/first"), p.begin(b, "/second"), p.begin(b, "/third")
	for _, tab := range []struct{ back, to string }{{second, "/second"}, {first, "/first"}, {third, "/third"}} {
		if page := b.get(tab.back); page.status != http.StatusSeeOther || page.location() != tab.to {
			t.Errorf("the tab of %s: %d to %q: %s", tab.to, page.status, page.location(), page.body)
		}
		b.get(tab.back).mustSay(t, 403, "has expired or was started in another browser") // once
	}
	// Another tab's cookie is no proof for this one's answer.
	one, other := mustParse(t, p.begin(b, "/")), mustParse(t, p.begin(b, "/"))
	q := one.Query()
	q.Set("code", other.Query().Get("code"))
	one.RawQuery = q.Encode()
	b.get(one.String()).mustSay(t, 403, "another sign-in attempt")
	q = other.Query()
	q.Set("state", q.Get("state")[:8]+"AAAAAAAAAAAAAAAAAA")
	other.RawQuery = q.Encode()
	b.get(other.String()).mustSay(t, 403, "another sign-in attempt")

	for range 40 {
		p.begin(b, "/")
	}
	if n := len(b.client.Jar.Cookies(mustParse(t, home))); n > 12 {
		t.Errorf("the browser keeps %d cookies", n)
	}
	if page := b.get(p.begin(b, "/last")); page.status != http.StatusSeeOther {
		t.Errorf("after many attempts: %d %s", page.status, page.body)
	}
}

// The discovery document is read again: after it failed, after a while, and after
// what it said turned out to be wrong. While the provider is down, what it said
// last is used.
func TestDiscoveryIsReadAgain(t *testing.T) {
	t.Parallel()
	p := newOddProvider(t)
	w := newWorld(t)
	w.clock.now = time.Now()
	w.tune = func(c *backend.Config) {
		c.OIDC, c.Issuer = backend.OIDC{Issuer: p.URL, ClientID: "sessiongate", ClientSecret: "secret"}, home
	}
	w.open()
	w.addPerson("ada@example.com", "admin", "")
	asked := func() (n int) { p.set(func() { n = p.asked }); return n }
	signIn := func(want int) page {
		t.Helper()
		b := newBrowser(w)
		got := b.get(p.begin(b, "/"))
		if got.status != want {
			t.Fatalf("got %d, want %d: %s", got.status, want, got.body)
		}
		return got
	}

	p.set(func() { p.down = true })
	newBrowser(w).get(home+"/auth/oidc").mustSay(t, 503, "The identity provider is unavailable")
	p.set(func() { p.down = false })
	signIn(303)
	n := asked()
	signIn(303)
	if asked() != n {
		t.Error("it is read for each sign-in")
	}

	// The provider moves an endpoint. The first sign-in finds out.
	w.clock.Add(5 * time.Minute)
	p.set(func() { p.token = "/v2/token"; p.claims = map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()} })
	signIn(403)
	signIn(303)

	// It moves once more, and nobody signs in for a while.
	p.set(func() { p.token = "/v3/token" })
	w.clock.Add(11 * time.Minute)
	signIn(303)

	// The document cannot be read, and what it names works.
	p.set(func() { p.down = true })
	w.clock.Add(11 * time.Minute)
	n = asked()
	signIn(303)
	signIn(303)
	if got := asked() - n; got != 1 {
		t.Errorf("a document that cannot be read was asked for %d times", got)
	}
}
