package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/internal/token"
)

var now = time.Unix(1_800_000_000, 0)

func newSigner(t testing.TB) *token.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := token.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keysOf(t testing.TB, signers ...*token.Signer) token.KeySet {
	t.Helper()
	var keys []*ecdsa.PublicKey
	for _, s := range signers {
		keys = append(keys, s.Public())
	}
	set, err := token.NewKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func claims(change func(*token.Claims)) *token.Claims {
	c := &token.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: "https://api.example", Subject: "user_7", Audience: jwt.ClaimStrings{"prov_demo"}, ID: "s1",
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
		},
		ProviderID: "prov_demo", TokensAllocated: 500, ReturnURL: "https://market.example/done",
	}
	if change != nil {
		change(c)
	}
	return c
}

func sign(t testing.TB, s *token.Signer, k token.Kind, c *token.Claims) string {
	t.Helper()
	raw, err := s.Sign(k, c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func date(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(now.Add(d)) }

func TestVerify(t *testing.T) {
	t.Parallel()
	s, stranger := newSigner(t), newSigner(t)
	v := token.Verifier{Keys: keysOf(t, s), Issuer: "https://api.example"}
	good := sign(t, s, token.Launch, claims(nil))
	want := token.Expect{Kinds: []token.Kind{token.Launch}, ProviderID: "prov_demo", Now: now}
	at := func(d time.Duration) token.Expect { e := want; e.Now = now.Add(d); return e }
	signed := func(change func(*token.Claims)) string { return sign(t, s, token.Launch, claims(change)) }
	parts := strings.Split(good, ".")

	for name, c := range map[string]struct {
		raw  string
		want token.Expect
		err  error
	}{
		"good":                       {good, want, nil},
		"the last moment":            {good, at(time.Minute - 1), nil},
		"the deadline itself":        {good, at(time.Minute), token.ErrExpired},
		"after it, expiry ignored":   {good, token.Expect{Kinds: want.Kinds, Now: now.Add(time.Hour), IgnoreExpiry: true}, nil},
		"a clock 30 s behind":        {good, at(-30 * time.Second), nil},
		"a clock 31 s behind":        {good, at(-31 * time.Second), token.ErrNotYet},
		"not before":                 {signed(func(c *token.Claims) { c.NotBefore = date(31 * time.Second) }), want, token.ErrNotYet},
		"another kind":               {sign(t, s, token.Session, claims(nil)), want, token.ErrKind},
		"one of several kinds":       {sign(t, s, token.Session, claims(nil)), token.Expect{Kinds: []token.Kind{token.Launch, token.Session}, Now: now}, nil},
		"no kind asked for":          {good, token.Expect{Now: now}, token.ErrKind},
		"another provider":           {good, token.Expect{Kinds: want.Kinds, ProviderID: "prov_x", Now: now}, token.ErrAudience},
		"another issuer":             {signed(func(c *token.Claims) { c.Issuer = "https://x.example" }), want, token.ErrIssuer},
		"aud and provider differ":    {signed(func(c *token.Claims) { c.Audience = jwt.ClaimStrings{"prov_x"} }), want, token.ErrAudience},
		"two audiences":              {signed(func(c *token.Claims) { c.Audience = append(c.Audience, "prov_x") }), want, token.ErrAudience},
		"no id":                      {signed(func(c *token.Claims) { c.ID = "" }), want, token.ErrIncomplete},
		"no user":                    {signed(func(c *token.Claims) { c.Subject = "" }), want, token.ErrIncomplete},
		"no deadline":                {signed(func(c *token.Claims) { c.ExpiresAt = nil }), want, token.ErrIncomplete},
		"no iat":                     {signed(func(c *token.Claims) { c.IssuedAt = nil }), want, token.ErrIncomplete},
		"a stranger's":               {sign(t, stranger, token.Launch, claims(nil)), want, token.ErrUnknownKey},
		"another's signature":        {parts[0] + "." + parts[1] + "." + strings.Split(sign(t, stranger, token.Launch, claims(nil)), ".")[2], want, token.ErrSignature},
		"another's claims":           {parts[0] + "." + strings.Split(signed(func(c *token.Claims) { c.TokensAllocated = 9 }), ".")[1] + "." + parts[2], want, token.ErrSignature},
		"empty":                      {"", want, token.ErrMalformed},
		"two parts":                  {parts[0] + "." + parts[1], want, token.ErrMalformed},
		"no base64":                  {"!." + parts[1] + "." + parts[2], want, token.ErrMalformed},
		"as large as may be, broken": {strings.Repeat("a", token.MaxSize), want, token.ErrMalformed},
		"too large":                  {strings.Repeat("a", token.MaxSize+1), want, token.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(context.Background(), c.raw, c.want)
			if !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if err != nil {
				if c.raw != "" && strings.Contains(err.Error(), c.raw) {
					t.Error("the error quotes the token")
				}
				return
			}
			if got.SessionID() != "s1" || got.UserID() != "user_7" || got.TokensAllocated != 500 || !got.Deadline().Equal(now.Add(time.Minute)) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// The attacks on JWT libraries: an algorithm chosen by the token.
func TestAlgorithmIsPinned(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	v := token.Verifier{Keys: keysOf(t, s)}
	pem, err := token.PEM(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	for method, key := range map[jwt.SigningMethod]any{
		jwt.SigningMethodNone: jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodHS256: []byte(pem),
	} {
		forged := jwt.NewWithClaims(method, claims(nil))
		forged.Header["typ"], forged.Header["kid"] = string(token.Launch), s.KeyID()
		raw, err := forged.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(context.Background(), raw, token.Expect{Kinds: []token.Kind{token.Launch}, Now: now})
		if err == nil {
			t.Errorf("%s was accepted", method.Alg())
		}
	}
}

func TestJWKSThereAndBack(t *testing.T) {
	t.Parallel()
	a, b := newSigner(t), newSigner(t)
	var doc token.JWKS
	for _, s := range []*token.Signer{a, b} {
		k, err := token.NewJWK(s.Public())
		if err != nil {
			t.Fatal(err)
		}
		doc.Keys = append(doc.Keys, k)
	}
	doc.Keys = append(doc.Keys, token.JWK{KeyType: "RSA", KeyID: "rsa"}, token.JWK{KeyType: "EC", Curve: "P-384", KeyID: "p384"})
	body, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	set, err := token.ParseJWKS(body)
	if err != nil || len(set) != 2 || !set[a.KeyID()].Equal(a.Public()) || !set[b.KeyID()].Equal(b.Public()) {
		t.Errorf("got %d keys, %v", len(set), err)
	}
	k := doc.Keys[0]
	for name, harm := range map[string]token.JWK{
		"short":          {KeyType: "EC", Curve: "P-256", KeyID: "k", X: "AA", Y: k.Y},
		"not base64":     {KeyType: "EC", Curve: "P-256", KeyID: "k", X: "*", Y: k.Y},
		"off the curve":  {KeyType: "EC", Curve: "P-256", KeyID: "k", X: k.X, Y: k.X},
		"swapped around": {KeyType: "EC", Curve: "P-256", KeyID: "k", X: k.Y, Y: k.X},
	} {
		body, err := json.Marshal(token.JWKS{Keys: []token.JWK{harm}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := token.ParseJWKS(body); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// RFC 7638's own example is RSA; this vector is RFC 7517's EC key, whose
// thumbprint other libraries publish.
func TestThumbprintOfKnownKey(t *testing.T) {
	t.Parallel()
	set, err := token.ParseJWKS([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1",
		"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := token.Thumbprint(set["1"])
	if err != nil || got != "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s" {
		t.Errorf("got %s, %v", got, err)
	}
}

// issuer serves a key set that the test may change, and counts fetches.
type issuer struct {
	mu      sync.Mutex // guards set, down
	set     []*token.Signer
	down    bool
	fetches atomic.Int64
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	i.fetches.Add(1)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	var doc token.JWKS
	for _, s := range i.set {
		k, err := token.NewJWK(s.Public())
		if err != nil {
			panic(err)
		}
		doc.Keys = append(doc.Keys, k)
	}
	json.NewEncoder(w).Encode(doc)
}

func TestRemoteKeys(t *testing.T) {
	t.Parallel()
	first, second := newSigner(t), newSigner(t)
	from := &issuer{set: []*token.Signer{first}}
	server := httptest.NewServer(from)
	defer server.Close()
	var clock atomic.Int64
	keys := token.NewRemoteKeys(server.URL, server.Client(), func() time.Time { return now.Add(time.Duration(clock.Load())) })
	ctx := context.Background()

	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := keys.Key(ctx, first.KeyID()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := from.fetches.Load(); n != 1 {
		t.Errorf("50 at once fetched %d times", n)
	}
	for i := range 100 {
		if _, err := keys.Key(ctx, fmt.Sprint("forged", i)); !errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("a forged kid: %v", err)
		}
	}
	if n := from.fetches.Load(); n != 1 {
		t.Errorf("forged kids fetched %d times", n-1)
	}

	from.mu.Lock()
	from.set = append(from.set, second)
	from.mu.Unlock()
	clock.Add(int64(token.RefreshInterval))
	if _, err := keys.Key(ctx, second.KeyID()); err != nil {
		t.Errorf("a new key: %v", err)
	}

	from.mu.Lock()
	from.down = true
	from.mu.Unlock()
	clock.Add(int64(token.RefreshInterval))
	if _, err := keys.Key(ctx, "unheard-of"); err == nil || errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("an unknown kid while the issuer is down: %v", err)
	}
	if _, err := keys.Key(ctx, first.KeyID()); err != nil {
		t.Errorf("a known key while the issuer is down: %v", err)
	}
}

// An issuer that swallows questions costs one wait for all who ask meanwhile,
// not one after the other.
func TestSlowFailureIsSharedByAllWhoWait(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	var fetches atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		clock.Add(int64(5 * time.Second))
		http.Error(w, "timeout", http.StatusGatewayTimeout)
	}))
	defer server.Close()
	keys := token.NewRemoteKeys(server.URL, server.Client(), func() time.Time { return now.Add(time.Duration(clock.Load())) })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := keys.Key(context.Background(), "k"); err == nil || errors.Is(err, token.ErrUnknownKey) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if n := fetches.Load(); n != 1 {
		t.Errorf("20 at once waited for %d fetches", n)
	}
	clock.Add(int64(time.Second))
	_, _ = keys.Key(context.Background(), "k")
	if n := fetches.Load(); n != 2 {
		t.Errorf("a second later, %d fetches: it is not tried again", n)
	}
}

func FuzzVerify(f *testing.F) {
	s := newSigner(f)
	v := token.Verifier{Keys: keysOf(f, s)}
	f.Add(sign(f, s, token.Launch, claims(nil)))
	f.Add("a.b.c")
	f.Add("..")
	own := sign(f, s, token.Session, claims(nil))
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := v.Verify(context.Background(), raw, token.Expect{Kinds: []token.Kind{token.Launch}, Now: now})
		if (c == nil) == (err == nil) {
			t.Errorf("claims %v and error %v", c, err)
		}
		if raw == own && err == nil {
			t.Error("a session token passed as a launch token")
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"AA","y":"AA"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := token.ParseJWKS(body)
		if err != nil {
			return
		}
		for kid, k := range set {
			if kid == "" || k == nil {
				t.Errorf("key %q is %v", kid, k)
			}
		}
	})
}

func ExampleVerifier_Verify() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	signer, err := token.NewSigner(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	raw, err := signer.Sign(token.Launch, claims(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := token.NewKeySet(signer.Public())
	if err != nil {
		fmt.Println(err)
		return
	}
	v := token.Verifier{Keys: keys, Issuer: "https://api.example"}
	_, err = v.Verify(context.Background(), raw, token.Expect{Kinds: []token.Kind{token.Session}, Now: now})
	fmt.Println(err)
	c, err := v.Verify(context.Background(), raw, token.Expect{Kinds: []token.Kind{token.Launch}, Now: now})
	fmt.Println(c.UserID(), err)
	// Output:
	// token has the wrong type
	// user_7 <nil>
}
