package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/internal/token"
)

// forge signs claims for a session with a key that the issuer never had, under
// the kid given (empty: the key's own).
func forge(t testing.TB, kid string, kind token.Kind, c *token.Claims) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if kid == "" {
		if kid, err = token.Thumbprint(&key.PublicKey); err != nil {
			t.Fatal(err)
		}
	}
	j := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	j.Header["typ"], j.Header["kid"] = string(kind), kid
	signed, err := j.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// kidOf is the kid of a token's header.
func kidOf(t testing.TB, raw string) string {
	t.Helper()
	tok, _, err := jwt.NewParser().ParseUnverified(raw, &token.Claims{})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Header["kid"].(string)
}

func claimsOf(t testing.TB, raw string) *token.Claims {
	t.Helper()
	var c token.Claims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	s := Start(t)
	user := s.newUser(t, 500)
	sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	claims, kid := claimsOf(t, sold.Token), kidOf(t, sold.Token)
	parts := strings.Split(sold.Token, ".")

	hmacKey := []byte("the public key as a shared secret")
	hs := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	hs.Header["typ"], hs.Header["kid"] = string(token.Launch), kid
	hsToken, err := hs.SignedString(hmacKey)
	if err != nil {
		t.Fatal(err)
	}
	noneHeader := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"launch+jwt","kid":"` + kid + `"}`))

	other := s.otherProvidersSale(t, user)
	entered := s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL)
	sessionToken := cookieOf(t, entered, s.App)

	short := s.buy(t, terms{User: user, Seconds: 1, Tokens: 1})
	time.Sleep(time.Until(time.Unix(short.Session.ExpiresAt, 0).Add(50 * time.Millisecond)))

	for _, tt := range []struct {
		name, token string
		status      int
	}{
		{"not base64", "eyJ!!!.###.$$$", http.StatusUnauthorized},
		{"one part", "eyJhbGciOiJFUzI1NiJ9", http.StatusUnauthorized},
		{"unsigned", noneHeader + "." + parts[1] + ".", http.StatusUnauthorized},
		{"signed by nobody", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86), http.StatusUnauthorized},
		{"another key under our kid", forge(t, kid, token.Launch, claims), http.StatusUnauthorized},
		{"another key under its own kid", forge(t, "", token.Launch, claims), http.StatusUnauthorized},
		{"HS256", hsToken, http.StatusUnauthorized},
		{"claims of another", parts[0] + "." + strings.Split(other.Token, ".")[1] + "." + parts[2], http.StatusUnauthorized},
		{"too large", "eyJ" + strings.Repeat("A", 6000) + ".a.b", http.StatusUnauthorized},
		{"a session token", sessionToken, http.StatusUnauthorized},
		{"another provider's", other.Token, http.StatusForbidden},
	} {
		b := Browser(t)
		a := b.Do(t, "GET", s.App+"/notes?session="+url.QueryEscape(tt.token)+"&q=1", nil)
		if a.Status != tt.status || !bytes.Contains(a.Body, []byte("<h1>")) {
			t.Errorf("?session= with %s: %d, want the page with %d", tt.name, a.Status, tt.status)
		}
		if bytes.Contains(a.Body, []byte(tt.token)) || len(a.Header["Set-Cookie"]) > 0 {
			t.Errorf("?session= with %s: the answer holds the token or sets a cookie", tt.name)
		}
		// The same token where the session token belongs.
		if tt.name == "a session token" {
			continue
		}
		a = page(Browser(t), t, "GET", s.App+"/status.json", nil, "Cookie", "session_gate="+tt.token)
		if a.Status != http.StatusUnauthorized {
			t.Errorf("cookie with %s: %d %s", tt.name, a.Status, a.Body)
		}
	}
	if a := page(Browser(t), t, "GET", s.App+"/status.json", nil, "Cookie", "session_gate="+sold.Token); a.Status != http.StatusUnauthorized || a.Code() != "session_invalid" {
		t.Errorf("a launch token as a cookie: %d %s", a.Status, a.Body)
	}
	if a := Browser(t).Do(t, "GET", s.App+"/?session="+sold.Token+"&session="+sold.Token, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("two launch tokens at once: %d", a.Status)
	}
	if a := Browser(t).Do(t, "POST", s.App+"/?session="+sold.Token, "x=1"); a.Status != http.StatusMethodNotAllowed {
		t.Errorf("a launch by POST: %d", a.Status)
	}
	if a := Browser(t).Do(t, "GET", short.LaunchURL, nil); a.Status != http.StatusSeeOther || !strings.Contains(a.Header.Get("Location"), short.Session.ID) {
		t.Errorf("an expired launch: %d to %q, want the way back to its receipt", a.Status, a.Header.Get("Location"))
	}
	// None of that spent the token.
	s.enter(t, sold.LaunchURL)
}

// otherProvidersSale sells a session of another provider's.
func (s *System) otherProvidersSale(t testing.TB, user string) sale {
	t.Helper()
	admin := Caller(s.AdminKey)
	market, _ := url.Parse(s.Marketplace)
	a := admin.Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
		"name": "Other", "domains": []string{"other.example"}, "origin_url": "http://127.0.0.1:9",
		"policies": map[string]any{"return_hosts": []string{market.Host}},
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("registering a provider: %d %s", a.Status, a.Body)
	}
	var p struct {
		ID string `json:"id"`
	}
	a.JSON(t, &p)
	theirs := *s
	theirs.ProviderID = p.ID
	return theirs.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
}

// cookieOf is the session token that a browser holds for an address.
func cookieOf(t testing.TB, b *Client, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "session_gate" {
			return c.Value
		}
	}
	t.Fatal("the browser has no session cookie")
	return ""
}

func TestBadKeysAndBodies(t *testing.T) {
	t.Parallel()
	s := Start(t)
	user := s.newUser(t, 10)
	order := func(change map[string]any) map[string]any {
		o := map[string]any{"user_id": user, "provider_id": s.ProviderID, "tokens_allocated": 5,
			"duration_limit_seconds": 60, "return_url": s.Marketplace + "/session/complete"}
		for k, v := range change {
			o[k] = v
		}
		return o
	}
	for _, tt := range []struct {
		name   string
		key    string
		body   any
		status int
		code   string
	}{
		{"no key", "", order(nil), 401, "unauthorized"},
		{"unknown key", "sg_mkt_nobody", order(nil), 401, "unauthorized"},
		{"provider's key", s.ProviderKey, order(nil), 403, "forbidden"},
		{"edge's key", s.EdgeKey, order(nil), 403, "forbidden"},
		{"unknown field", s.MarketplaceKey, order(map[string]any{"tokns": 5}), 422, "invalid_request"},
		{"no JSON", s.MarketplaceKey, "{", 400, "invalid_request"},
		{"negative tokens", s.MarketplaceKey, order(map[string]any{"tokens_allocated": -5}), 422, "invalid_request"},
		{"no time", s.MarketplaceKey, order(map[string]any{"duration_limit_seconds": 0}), 422, "invalid_request"},
		{"return_url elsewhere", s.MarketplaceKey, order(map[string]any{"return_url": "https://evil.example/"}), 422, "return_url_not_allowed"},
		{"return_url is a script", s.MarketplaceKey, order(map[string]any{"return_url": "javascript:alert(1)"}), 422, ""},
		{"too little money", s.MarketplaceKey, order(map[string]any{"tokens_allocated": 11}), 402, "insufficient_tokens"},
		{"no such provider", s.MarketplaceKey, order(map[string]any{"provider_id": "prov_none"}), 422, ""},
	} {
		a := Caller(tt.key).Do(t, "POST", s.API+"/api/v1/sessions", tt.body)
		if a.Status != tt.status || (tt.code != "" && a.Code() != tt.code) {
			t.Errorf("%s: %d %s; want %d %s", tt.name, a.Status, a.Body, tt.status, tt.code)
		}
		if got := a.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/problem+json") {
			t.Errorf("%s: answered as %q", tt.name, got)
		}
	}
	if got := s.balance(t, user); got != (balance{10, 0}) {
		t.Errorf("refused orders moved tokens: %+v", got)
	}
}

func TestGateAPIRefusesOtherSites(t *testing.T) {
	t.Parallel()
	s := Start(t)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a sibling site", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an old browser elsewhere", []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, 403},
		{"no origin at all", []string{"Sec-Fetch-Site", ""}, 403},
		{"an old browser here", []string{"Sec-Fetch-Site", "", "Origin", s.App}, 200},
		{"this site", nil, 200},
	} {
		a := page(b, t, "POST", s.App+"/.session-gate/heartbeat", map[string]any{}, tt.headers...)
		if a.Status != tt.status {
			t.Errorf("%s: %d %s; want %d", tt.name, a.Status, a.Body, tt.status)
		}
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/heartbeat", `{"active":`); a.Status != 400 {
		t.Errorf("half a body: %d %s", a.Status, a.Body)
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/heartbeat", `"`+strings.Repeat("x", 100<<10)+`"`); a.Status != 413 {
		t.Errorf("a large body: %d %s", a.Status, a.Body)
	}
	if a := page(b, t, "GET", s.App+"/.session-gate/nothing", nil); a.Status != 404 {
		t.Errorf("an unknown path: %d", a.Status)
	}
	if a := page(b, t, "GET", s.App+"/.session-gate/end", nil); a.Status != 405 {
		t.Errorf("GET end: %d", a.Status)
	}
}
