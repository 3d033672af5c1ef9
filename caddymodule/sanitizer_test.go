package caddymodule

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// TestLaunchReachesTheGateBehindASanitizer: in a route block, what covers one provider's
// gate runs before the gate of the next. A launch link is redeemed by the gate that it
// is for, once, and no handler after it sees the token.
func TestLaunchReachesTheGateBehindASanitizer(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewKeySet(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	e := testEdge(t)
	e.Verifier = &token.Verifier{Keys: keys}
	gateOf := func(provider string) *Gate {
		g := &Gate{Provider: provider, edge: e, maxStaleness: time.Hour, logger: zap.NewNop(), ForwardIdentity: identityOff}
		g.policy = policyOf(g)
		return g
	}
	first, second := gateOf("prov_a"), gateOf("prov_b")
	launch := func(provider string) string {
		now := time.Now()
		s, err := signer.Sign(token.Launch, &token.Claims{
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer: "https://api.example", Subject: "user_7", Audience: jwt.ClaimStrings{provider}, ID: "sess_b",
				IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
			},
			ProviderID: provider, TokensAllocated: 10, ReturnURL: "https://market.example/done",
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	st := state("sess_b", 1, protocol.Active, time.Hour)
	st.ProviderID = "prov_b"
	e.Sessions.BindToken("current", e.Sessions.Put(st, edge.MonotonicMS()+1))
	for _, tt := range []struct {
		name, query, cookie string
		want                int
		code                protocol.Code
	}{
		{"its own session's link again", "a=1&session=" + launch("prov_b"), "session_gate=current", http.StatusSeeOther, ""},
		{"another provider's link", "session=" + launch("prov_c"), "session_gate=current", http.StatusForbidden, protocol.WrongProvider},
		{"two links", "session=" + launch("prov_b") + "&session=" + launch("prov_c"), "session_gate=current", http.StatusUnauthorized, protocol.LaunchInvalid},
		{"a damaged link", "session=eyJ&a=1", "session_gate=current", http.StatusUnauthorized, protocol.LaunchInvalid},
		{"no link", "a=1", "session_gate=current", http.StatusOK, ""},
		{"no link and no session", "a=1", "", http.StatusUnauthorized, protocol.SessionMissing},
	} {
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/b/x?"+tt.query, nil))
		original := *r
		url := *r.URL
		original.URL = &url
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, original))
		if tt.cookie != "" {
			r.Header.Set("Cookie", tt.cookie)
		}
		w := httptest.NewRecorder()
		app := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			if r.URL.RawQuery != "a=1" || r.Header.Get("Cookie") != "" {
				t.Errorf("%s: the app is asked for %s with %q", tt.name, r.URL, r.Header.Get("Cookie"))
			}
			return nil
		})
		behind := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return second.ServeHTTP(w, r, app) })
		if err := (&Sanitizer{Gate: first}).ServeHTTP(w, r, behind); err != nil {
			t.Fatal(err)
		}
		if w.Code != tt.want || !strings.Contains(w.Body.String(), string(tt.code)) || w.Code == http.StatusSeeOther && w.Header().Get("Location") != "/b/x?a=1" {
			t.Errorf("%s: %d to %q, %s", tt.name, w.Code, w.Header().Get("Location"), w.Body)
		}
	}
}

// TestObserverBehindASanitizerRefusesNoEntry: a parameter of the app's own in a request
// that is no entry passes every handler of the site.
func TestObserverBehindASanitizerRefusesNoEntry(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"session=eyJ&a=1", "a=1&session=" + launchHeader + ".e30.AAAA", "session=eyJ&a=1&session=eyJ"} {
		e := testEdge(t)
		gate := func(provider string) *Gate {
			g := &Gate{Provider: provider, edge: e, logger: zap.NewNop(), ObserveOnly: true}
			g.policy = policyOf(g)
			return g
		}
		first, second := gate("prov_a"), gate("prov_b")
		asked := ""
		chain := caddyhttp.Handler(caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			asked = r.URL.RawQuery
			return nil
		}))
		for _, h := range []caddyhttp.MiddlewareHandler{&Sanitizer{Gate: second}, second, &Sanitizer{Gate: first}} {
			next := chain
			chain = caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return h.ServeHTTP(w, r, next) })
		}
		w := httptest.NewRecorder()
		if err := chain.ServeHTTP(w, withVars(httptest.NewRequest(http.MethodPost, "http://app.example/b?"+query, nil))); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusOK || asked != "a=1" {
			t.Errorf("%s: %d, the app is asked for %q", query, w.Code, asked)
		}
	}
}
