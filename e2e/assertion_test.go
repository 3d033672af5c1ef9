package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/internal/token"
)

// TestSignedIdentity lets an origin verify who is there, with the key that the
// gate publishes.
func TestSignedIdentity(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL)
	config := strings.Replace(s.caddyfile(""), "provider prov_split", "provider prov_split\n\t\tforward_identity jwt", 1)
	for name, config := range map[string]string{
		"origin": config,
		// At DEBUG, reverse_proxy logs the headers that it sends, this one too; the
		// documentation says so.
		"reverse_proxy": strings.NewReplacer("\t\torigin "+s.origin+"\n\t}", "\t}\n\treverse_proxy "+s.origin, "level DEBUG", "level INFO").Replace(config),
	} {
		t.Run(name, func(t *testing.T) {
			s.reload(t, config)
			s.statesWhoIsThere(t)
		})
	}
}

// statesWhoIsThere verifies what the origin, which answers the headers of requests, is told.
func (s *Split) statesWhoIsThere(t *testing.T) {
	t.Helper()
	user := s.newUser(t, 100)
	sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	seen := func() string {
		var header http.Header
		page(b, t, "GET", s.App+"/", nil, "Session-Gate-Assertion", "forged").JSON(t, &header)
		if len(header["Session-Gate-Assertion"]) != 1 {
			t.Fatalf("the origin sees %q", header["Session-Gate-Assertion"])
		}
		return header.Get("Session-Gate-Assertion")
	}
	raw := seen()
	if again := seen(); again != raw {
		t.Error("a second request costs a second signature")
	}

	// Anybody may fetch the key, without a session.
	a := Caller("").Do(t, "GET", s.App+"/.session-gate/jwks.json", nil)
	keys, err := token.ParseJWKS(a.Body)
	if err != nil || len(keys) != 1 {
		t.Fatalf("the published keys: %d %s: %v", a.Status, a.Body, err)
	}
	var claims jwt.RegisteredClaims
	parsed, err := jwt.ParseWithClaims(raw, &claims, func(tok *jwt.Token) (any, error) {
		return keys.Key(t.Context(), tok.Header["kid"].(string))
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(s.ProviderID), jwt.WithIssuer(strings.TrimPrefix(s.App, "http://")))
	if err != nil || parsed.Header["typ"] != "assertion+jwt" {
		t.Fatalf("verifying: %v, %v", err, parsed.Header)
	}
	if claims.Subject != user || claims.ID != sold.Session.ID {
		t.Errorf("it states %+v", claims)
	}
	if life := claims.ExpiresAt.Sub(claims.IssuedAt.Time); life > time.Minute || life < 30*time.Second {
		t.Errorf("it lives for %s", life)
	}
	// It opens nothing itself.
	if a := page(Browser(t), t, "GET", s.App+"/", nil, "Cookie", "session_gate="+raw); a.Status != http.StatusUnauthorized {
		t.Errorf("an assertion as a cookie: %d", a.Status)
	}
}
