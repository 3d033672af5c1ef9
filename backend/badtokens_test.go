package backend_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/keyring"
	"github.com/sessiongate/sessiongate/internal/token"
)

// signer signs with the backend's own current key, as nobody else can.
func (w *world) signer() *token.Signer {
	w.t.Helper()
	keyStore, err := backend.KeyStore(backend.Config{DataDir: w.dir}, w.b.Store())
	if err != nil {
		w.t.Fatal(err)
	}
	ring, err := keyring.Existing(context.Background(), keyStore, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return ring.Signer()
}

func claims(jti string, now time.Time) *token.Claims {
	return &token.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: "http://backend.test", Subject: "user_1", Audience: jwt.ClaimStrings{"prov_demo"}, ID: jti,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		},
		ProviderID: "prov_demo", TokensAllocated: 100, ReturnURL: "https://market.example/done",
	}
}

func sign(t testing.TB, s *token.Signer, kind token.Kind, c *token.Claims) string {
	t.Helper()
	raw, err := s.Sign(kind, c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// badTokens are tokens that look right and are not.
func (w *world) badTokens(good, id string) map[string]string {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	stranger, err := token.NewSigner(key)
	if err != nil {
		w.t.Fatal(err)
	}
	own, now := w.signer(), w.now()
	foreign := claims(id, now)
	foreign.Issuer = "http://elsewhere.test"
	split := claims(id, now)
	split.Audience = jwt.ClaimStrings{"prov_other"}
	future := claims(id, now.Add(time.Hour))
	incomplete := claims(id, now)
	incomplete.Subject = ""
	none := jwt.NewWithClaims(jwt.SigningMethodNone, claims(id, now))
	none.Header["typ"], none.Header["kid"] = string(token.Launch), own.KeyID()
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		w.t.Fatal(err)
	}
	hmac := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(id, now))
	hmac.Header["typ"], hmac.Header["kid"] = string(token.Launch), own.KeyID()
	pem, err := token.PEM(own.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	confused, err := hmac.SignedString([]byte(pem)) // the public key as HMAC secret
	if err != nil {
		w.t.Fatal(err)
	}
	return map[string]string{
		"malformed":             "a.b.c",
		"no JWT":                "hello",
		"oversized":             strings.Repeat("x", 4097),
		"signature cut":         good[:len(good)-4],
		"payload changed":       tampered(w.t, good),
		"a stranger's key":      sign(w.t, stranger, token.Launch, claims(id, now)),
		"another issuer":        sign(w.t, own, token.Launch, foreign),
		"aud is not provider":   sign(w.t, own, token.Launch, split),
		"from the future":       sign(w.t, own, token.Launch, future),
		"without a subject":     sign(w.t, own, token.Launch, incomplete),
		"an assertion":          sign(w.t, own, token.Assertion, claims(id, now)),
		"alg none":              unsigned,
		"HS256 with public key": confused,
	}
}

func tampered(t testing.TB, good string) string {
	t.Helper()
	parts := strings.Split(good, ".")
	c := []byte(parts[1])
	c[10] ^= 1
	return parts[0] + "." + string(c) + "." + parts[2]
}

func TestBadTokensAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	for name, raw := range w.badTokens(launch, id) {
		t.Run(name, func(t *testing.T) {
			if len(raw) > 64 {
				w.secrets = append(w.secrets, raw)
			}
			code := "launch_invalid"
			status := 401
			if len(raw) > token.MaxSize {
				status, code = 422, "invalid_request"
			}
			a := w.launch(raw, "redemption-0000001").want(status, code)
			if strings.Contains(string(a.raw), raw) {
				t.Errorf("the refusal echoes the token: %s", a.raw)
			}
			w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", raw, map[string]any{}).want(401, "token_invalid")
			v := w.call("POST", "/api/v1/sessions/validate", raw, map[string]any{"jti": id}).want(401, "token_invalid")
			if v.at("valid") != false || v.str("error") != "Invalid or expired token" {
				t.Errorf("validate answered %s", v.raw)
			}
		})
	}
}

func TestKindsOfTokensAreNotExchangeable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, launch := w.sell()
	session := w.enter(launch)
	w.launch(session, "redemption-0000002").want(401, "launch_invalid")
}
