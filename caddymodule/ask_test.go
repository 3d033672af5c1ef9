package caddymodule

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// issuer signs tokens that its gate believes.
type issuer struct {
	*token.Signer
	t *testing.T
}

// Key implements [token.Keys].
func (i issuer) Key(context.Context, string) (*ecdsa.PublicKey, error) { return i.Public(), nil }

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{signer, t}
}

// sign returns a token of a session of the given provider.
func (i issuer) sign(kind token.Kind, id, provider string, relaunches int64) string {
	i.t.Helper()
	now := time.Now()
	signed, err := i.Sign(kind, &token.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID: id, Subject: "user", Issuer: "test", Audience: jwt.ClaimStrings{provider},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		},
		ProviderID: provider, Relaunches: relaunches,
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return signed
}

// askingGate is a gate with sessions that are open in browsers: their cookies are their ids.
func askingGate(t *testing.T, by issuer, sessions map[string]*protocol.LiveState) *Gate {
	t.Helper()
	g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{}}
	g.policy = policyOf(g)
	g.edge.Verifier = &token.Verifier{Keys: by}
	for id, st := range sessions {
		g.edge.Sessions.BindToken(id, g.edge.Sessions.Put(st, edge.MonotonicMS()+1))
	}
	return g
}

var formTo = regexp.MustCompile(`name="to" value="([^"]*)"`)

// A link from somebody else replaces no session unasked: not the current one, a paused or
// a kept one, and not one whose cookie only reaches frames. The link is not redeemed.
func TestLinkAsksBeforeItReplacesASession(t *testing.T) {
	t.Parallel()
	by := newIssuer(t)
	g := askingGate(t, by, map[string]*protocol.LiveState{
		"mine": state("mine", 1, protocol.Active, 42*time.Minute-time.Second), "paused": state("paused", 1, protocol.Paused, time.Hour),
		"over": state("over", 1, protocol.Completed, time.Hour), "new": state("new", 1, protocol.Active, time.Hour),
	})
	for _, tt := range []struct {
		name, cookie string
		header       [2]string
		want         int
		form         bool
	}{
		{"a live session", "session_gate=mine", [2]string{}, http.StatusConflict, true},
		{"a paused session", "session_gate=paused", [2]string{}, http.StatusConflict, true},
		{"a kept session", "session_gate=over; session_gate_kept=mine", [2]string{}, http.StatusConflict, true},
		{"a session that was ended", "session_gate=over", [2]string{}, http.StatusServiceUnavailable, false},
		{"none", "", [2]string{}, http.StatusServiceUnavailable, false},
		{"a forged cookie", "session_gate=forged", [2]string{}, http.StatusServiceUnavailable, false},
		{"in a frame, the cookie for other sites' requests", "session_gate_cross=mine", [2]string{"Sec-Fetch-Dest", "iframe"}, http.StatusConflict, false},
		{"a session that only the backend knows, which is down", "session_gate=" + by.sign(token.Session, "unknown", "p", 0), [2]string{}, http.StatusServiceUnavailable, false},
		{"a browser that does not name the frame", "session_gate=mine", [2]string{"Sec-Fetch-Dest", ""}, http.StatusConflict, true},
		{"a script's request", "session_gate=mine", [2]string{"Sec-Fetch-Mode", "cors"}, http.StatusConflict, false},
		{"the same session", "session_gate=new", [2]string{}, http.StatusSeeOther, false},
		{"the same session, another kept", "session_gate=new; session_gate_kept=mine", [2]string{}, http.StatusSeeOther, false},
	} {
		launch := by.sign(token.Launch, "new", "p", 0)
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/a?b=%20c&session="+launch, nil))
		r.Header.Set("Cookie", tt.cookie)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Accept-Language", "de")
		if tt.header[0] != "" {
			r.Header.Set(tt.header[0], tt.header[1])
		}
		if tt.header[1] == "cors" {
			r.Header.Set("Sec-Fetch-Dest", "empty")
		}
		w := httptest.NewRecorder()
		if err := g.ServeHTTP(w, r, nil); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		if cookies, _ := setCookies(t, w.Header()); w.Code != tt.want || len(cookies) > 0 {
			t.Errorf("%s: %d, sets %v", tt.name, w.Code, cookies)
		}
		if w.Code != http.StatusConflict {
			continue
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the page with the link may be stored", tt.name)
		}
		to := formTo.FindStringSubmatch(body)
		// No page of another site can show the form and guide the press.
		framed := strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors *")
		if html := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"); html && framed == tt.form {
			t.Errorf("%s: other sites may frame the page: %v, with a form: %v", tt.name, framed, tt.form)
		}
		if (to != nil) != tt.form {
			t.Errorf("%s: has a form: %v\n%s", tt.name, to != nil, body)
		}
		if tt.form && (!strings.HasSuffix(to[1], "session="+launch) || !strings.Contains(body, `href="/a?b=%20c"`) || !strings.Contains(body, "Neue Sitzung öffnen")) {
			t.Errorf("%s: the page is %s", tt.name, body)
		}
		if tt.cookie == "session_gate=mine" && tt.form && !strings.Contains(body, "42 min") {
			t.Errorf("%s: the page does not say how much time is left: %s", tt.name, body)
		}
	}
}

// Only the page that asked can agree, and its form leads nowhere but into this site.
func TestOnlyTheAskingPageAgrees(t *testing.T) {
	t.Parallel()
	by := newIssuer(t)
	g := askingGate(t, by, map[string]*protocol.LiveState{
		"mine": state("mine", 1, protocol.Active, time.Hour), "new": state("new", 1, protocol.Active, time.Hour),
	})
	kept := by.sign(token.Session, "new", "p", 0) // its launch link was opened before
	launch := by.sign(token.Launch, "new", "p", 0)
	for _, tt := range []struct {
		name, to, site, origin string
		want                   int
		location               string
	}{
		{"its own page", "/a?b=1&session=" + launch, "same-origin", "", http.StatusSeeOther, "/a?b=1"},
		{"an old browser's own page", "/?session=" + launch, "", "http://app.example", http.StatusSeeOther, "/"},
		{"a page of another site", "/?session=" + launch, "cross-site", "", http.StatusForbidden, ""},
		{"a page of a sibling", "/?session=" + launch, "same-site", "", http.StatusForbidden, ""},
		{"another site's page in an old browser", "/?session=" + launch, "", "https://evil.example", http.StatusForbidden, ""},
		{"no page at all", "/?session=" + launch, "", "", http.StatusForbidden, ""},
		{"an address of another host", "//evil.example/?session=" + launch, "same-origin", "", http.StatusSeeOther, "/"},
		{"a scheme", "javascript:alert(1)?session=" + launch, "same-origin", "", http.StatusSeeOther, "/"},
		{"the gate's own API", protocol.GateEnd + "?session=" + launch, "same-origin", "", http.StatusSeeOther, "/"},
		{"no link", "/a", "same-origin", "", http.StatusUnauthorized, ""},
		{"two links", "/a?session=" + launch + "&session=" + launch, "same-origin", "", http.StatusUnauthorized, ""},
		{"a forged link", "/a?session=" + newIssuer(t).sign(token.Launch, "new", "p", 0), "same-origin", "", http.StatusUnauthorized, ""},
		{"a session token", "/a?session=" + kept, "same-origin", "", http.StatusUnauthorized, ""},
		{"another provider's link", "/a?session=" + by.sign(token.Launch, "new", "q", 0), "same-origin", "", http.StatusForbidden, ""},
	} {
		r := withVars(httptest.NewRequest(http.MethodPost, "http://app.example"+protocol.GateEnter, strings.NewReader(url.Values{"to": {tt.to}}.Encode())))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", "session_gate=mine; session_gate_kept="+kept)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Del("Origin")
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		if tt.site != "" {
			r.Header.Set("Sec-Fetch-Site", tt.site)
		}
		w := httptest.NewRecorder()
		if err := g.ServeHTTP(w, r, nil); err != nil {
			t.Fatal(err)
		}
		cookies, _ := setCookies(t, w.Header())
		if w.Code != tt.want || w.Header().Get("Location") != tt.location {
			t.Errorf("%s: %d to %q: %s", tt.name, w.Code, w.Header().Get("Location"), w.Body)
		}
		if tt.want != http.StatusSeeOther {
			if len(cookies) > 0 {
				t.Errorf("%s: sets %v", tt.name, cookies)
			}
			continue
		}
		// Both sessions go on: the other one is kept.
		if cookies["session_gate"] != kept || cookies["session_gate_kept"] != "mine" {
			t.Errorf("%s: sets %v", tt.name, cookies)
		}
	}
}

// Apps of two providers at different paths of one site have their sessions side by side:
// entering one does not end the visit of the other, and asks nothing.
func TestSessionsOfTwoProvidersSideBySide(t *testing.T) {
	t.Parallel()
	by := newIssuer(t)
	g := askingGate(t, by, map[string]*protocol.LiveState{"a": state("a", 1, protocol.Active, time.Hour)})
	inA, inB := by.sign(token.Session, "a", "p", 0), by.sign(token.Session, "b", "q", 0)
	st := state("b", 1, protocol.Active, time.Hour)
	st.ProviderID = "q"
	b := g.edge.Sessions.Put(st, edge.MonotonicMS()+1)
	other := &Gate{Provider: "q", edge: g.edge, maxStaleness: time.Hour, logger: zap.NewNop()}
	other.policy = policyOf(other)

	r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/b/", nil))
	r.Header.Set("Cookie", "session_gate="+inA)
	if h, _ := other.otherLive(r, "q", "b"); h != nil {
		t.Errorf("the link of another provider's session would ask for %s", h.session.ID())
	}
	h := http.Header{}
	other.switchTo(h, r, "q", inB, b, 60)
	cookies, seconds := setCookies(t, h)
	if cookies["session_gate"] != inB || cookies["session_gate_kept"] != inA || seconds["session_gate_kept"] < 3000 {
		t.Fatalf("sets %v for %v s", cookies, seconds)
	}
	r.Header.Set("Cookie", "session_gate="+inB+"; session_gate_kept="+inA)
	for _, one := range []*Gate{g, other} {
		v := one.decide(r)
		if v.refusal.code != "" || v.session.ProviderID() != one.Provider {
			t.Errorf("%s: %+v", one.Provider, v.refusal)
		}
	}
	// The cookie of the session at the side is not set again in the place of the other.
	g.edge.Sessions.Put(func() *protocol.LiveState { s := state("a", 2, protocol.Active, 9*time.Hour); return s }(), edge.MonotonicMS()+2)
	renewed := http.Header{}
	if g.renewCookie(renewed, r, g.decide(r)); len(renewed) > 0 {
		t.Errorf("renewed: %v", renewed)
	}
	// Another provider's forged cookie opens nothing.
	r.Header.Set("Cookie", "session_gate="+inB+"; session_gate_kept="+newIssuer(t).sign(token.Session, "a", "p", 0))
	if v := g.decide(r); v.refusal.code != protocol.WrongProvider {
		t.Errorf("a forged cookie: %+v", v.refusal)
	}
}

// A new link ends the old browser's cookie at once, whether this edge has seen the token
// before or not, and a launch link of before opens nothing in it.
func TestRelaunchEndsTheOldCookie(t *testing.T) {
	t.Parallel()
	by := newIssuer(t)
	g := askingGate(t, by, map[string]*protocol.LiveState{"s": state("s", 1, protocol.Active, time.Hour)})
	first, second := by.sign(token.Session, "s", "p", 0), by.sign(token.Session, "s", "p", 1)
	ask := func(cookie string) (*Gate, verdict) {
		r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/", nil))
		r.Header.Set("Cookie", "session_gate="+cookie)
		return g, g.decide(r)
	}
	if _, v := ask(first); v.refusal.code != "" {
		t.Fatalf("refused with %q", v.refusal.code)
	}
	again := state("s", 2, protocol.Active, time.Hour)
	again.Relaunches, again.ReturnURL = 1, "https://market.example/"
	g.edge.Sessions.Put(again, edge.MonotonicMS()+2)
	never := by.sign(token.Session, "s", "p", 0)
	for name, cookie := range map[string]string{"known": first, "never seen": never, "known before": "s"} {
		if _, v := ask(cookie); v.refusal.code != protocol.SessionMoved || v.refusal.returnURL == "" {
			t.Errorf("a %s token: %+v", name, v.refusal)
		}
	}
	if _, v := ask(second); v.refusal.code != "" {
		t.Errorf("the new token is refused with %q", v.refusal.code)
	}
	// Beside a void cookie, the new one counts.
	if _, v := ask(first + "; session_gate=" + second); v.refusal.code != "" {
		t.Errorf("both: %q", v.refusal.code)
	}
	// The new link is not taken for the old one, which this browser has.
	r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/", nil))
	r.Header.Set("Cookie", "session_gate="+first)
	if s := g.findByID(r, "p", "s", 1); s != nil {
		t.Error("the new link would not be redeemed")
	}
	if other, _ := g.otherLive(r, "p", "new"); other != nil {
		t.Error("a link would ask because of a void cookie")
	}
}

// Whatever a form says, the redirect stays on the site, and has no token.
func FuzzAgreedLink(f *testing.F) {
	for _, seed := range []string{"/a?b=1&session=eyJ", "//evil.example/?session=eyJ", `/\evil.example`, "https://evil.example/", "javascript:x", "/a#b", "?session=eyJ&session=eyJ", "/%2f/x?%73ession=%65yJ", "/\n/x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		_, to := agreedLink(link)
		u, err := url.Parse(to)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
			t.Errorf("%q leads to %q", link, to)
		}
		if left, _ := launchTokens(u.RawQuery); len(left) > 0 || strings.HasPrefix(to, protocol.GatePrefix) {
			t.Errorf("%q leads to %q", link, to)
		}
	})
}
