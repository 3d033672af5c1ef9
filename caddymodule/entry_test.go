package caddymodule

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// header is a JWT's header of a type, encoded.
func header(typ string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k","typ":"` + typ + `"}`))
}

var launchHeader = header("launch+jwt")

func TestLaunchTokensLeaveTheQuery(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		query  string
		tokens []string
		rest   string
	}{
		{"session=eyJa.b.c", []string{"eyJa.b.c"}, ""},
		{"a=1&session=eyJa.b.c&b=2", []string{"eyJa.b.c"}, "a=1&b=2"},
		{"session=eyJa&session=eyJb", []string{"eyJa", "eyJb"}, ""},
		{"%73ession=eyJa.b.c", []string{"eyJa.b.c"}, ""},
		{"session=%65yJa.b.c&q", []string{"eyJa.b.c"}, "q"},
		{"session=" + launchHeader + ".b.c&a;b&x=%zz&100%", []string{launchHeader + ".b.c"}, "a;b&x=%zz&100%"},
		{"a=1&&session=" + launchHeader + "&&b=2", []string{launchHeader}, "a=1&&&b=2"},
		// The app's own parameter of that name is not ours, whatever it holds.
		{"session=" + header("JWT") + ".b.c", nil, "session=" + header("JWT") + ".b.c"},
		{"session=" + header("at+jwt") + ".b.c&session=" + launchHeader + ".b.c", []string{launchHeader + ".b.c"}, "session=" + header("at+jwt") + ".b.c"},
		{"session=" + header("session+jwt") + ".b.c", []string{header("session+jwt") + ".b.c"}, ""},
		{"session=42", nil, "session=42"},
		{"session=", nil, "session="},
		{"q=session=eyJa", nil, "q=session=eyJa"},
		{"sessions=eyJa", nil, "sessions=eyJa"},
		{"q=%zz&session=eyJa", []string{"eyJa"}, "q=%zz"},
	} {
		tokens, rest := launchTokens(tt.query)
		if !slices.Equal(tokens, tt.tokens) || rest != tt.rest {
			t.Errorf("launchTokens(%q) = %q, %q; want %q, %q", tt.query, tokens, rest, tt.tokens, tt.rest)
		}
	}
}

func TestRedirectCleanStaysOnTheSite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ target, want string }{
		{"/a/b?session=eyJ", "/a/b"},
		{"/a%2Fb?session=eyJ", "/a%2Fb"},
		{"//evil.example/x?session=eyJ", "http://app.example/evil.example/x"},
		{"/?session=eyJ", "/"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example"+tt.target, nil)
		w := httptest.NewRecorder()
		if err := new(Gate).redirectWithoutToken(w, r); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Location"); got != tt.want {
			t.Errorf("%s leads to %s, want %s", tt.target, got, tt.want)
		}
	}
}

func TestCookiesOfTheGateStayAtTheGate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want []string
	}{
		{[]string{"a=1; session_gate=tok; b=2"}, []string{"a=1; b=2"}},
		{[]string{"__Host-session_gate=tok"}, nil},
		{[]string{"__Host-session_gate_cross=tok; session_gate_kept=a~b; session_gate_cross=tok"}, nil},
		{[]string{"session_gateway=1; session_gate_crossing=1"}, []string{"session_gateway=1; session_gate_crossing=1"}},
		{[]string{"Session_Gate=other; a=1"}, []string{"Session_Gate=other; a=1"}},
		{[]string{"a=1", "session_gate=tok", "b=session_gate"}, []string{"a=1", "b=session_gate"}},
		{[]string{"my_session_gate=1"}, []string{"my_session_gate=1"}},
		{[]string{"a=1"}, []string{"a=1"}},
		{nil, nil},
	} {
		h := http.Header{}
		if tt.in != nil {
			h["Cookie"] = slices.Clone(tt.in)
		}
		stripCookies(h)
		if got := h["Cookie"]; !slices.Equal(got, tt.want) {
			t.Errorf("hideCookies(%q) leaves %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestCookiesOfTheAppCostNothing: a request without the gate's cookies, such as one to an
// open path, is not copied.
func TestCookiesOfTheAppCostNothing(t *testing.T) {
	for name, lines := range map[string][]string{"none": nil, "one line": {"a=1; b=2"}, "several lines": {"a=1", "b=2"}} {
		h := http.Header{"Cookie": lines}
		if n := testing.AllocsPerRun(100, func() { stripCookies(h) }); n != 0 || !slices.Equal(h["Cookie"], lines) {
			t.Errorf("%s: %v allocations, %q", name, n, h["Cookie"])
		}
	}
}

func TestOriginCannotSetTheGatesCookie(t *testing.T) {
	t.Parallel()
	h := http.Header{"Set-Cookie": {"a=1; Path=/", "session_gate=forged", "__Host-session_gate=forged; Secure",
		"=session_gate=forged; Path=/", " = session_gate=forged", "b=session_gate"}}
	protectCookie(h)
	if got, want := h["Set-Cookie"], []string{"a=1; Path=/", "b=session_gate"}; !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}

func TestCookieIsHardened(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url, scope string
		want       []string
	}{
		{"https://app.example/", cookieLax, []string{
			"__Host-session_gate=v; Path=/; Max-Age=60; HttpOnly; Priority=High; Secure; SameSite=Lax",
			"__Host-session_gate_cross=v; Path=/; Max-Age=60; HttpOnly; Priority=High; Secure; SameSite=None",
		}},
		{"https://app.example/", cookiePartitioned, []string{
			"__Host-session_gate=v; Path=/; Max-Age=60; HttpOnly; Priority=High; Secure; SameSite=None; Partitioned",
		}},
		// Browsers refuse None without TLS, except for addresses of their own machine.
		{"http://app.example/", cookieLax, []string{
			"session_gate=v; Path=/; Max-Age=60; HttpOnly; Priority=High; SameSite=Lax",
			"session_gate_cross=v; Path=/; Max-Age=60; HttpOnly; Priority=High; Secure; SameSite=None",
		}},
		{"http://app.example/", cookiePartitioned, []string{"session_gate=v; Path=/; Max-Age=60; HttpOnly; Priority=High; SameSite=Lax"}},
	} {
		h := http.Header{}
		(&Gate{Cookie: tt.scope}).setSessionCookies(h, httptest.NewRequest(http.MethodGet, tt.url, nil), "v", 60)
		if got := h["Set-Cookie"]; !slices.Equal(got, tt.want) {
			t.Errorf("%s, %s: got %q, want %q", tt.url, tt.scope, got, tt.want)
		}
	}
}

func TestEachCookieFindsEveryCookieOfTheName(t *testing.T) {
	t.Parallel()
	h := http.Header{"Cookie": {`x=1; session_gate=one; session_gatee=no; session_gate="two"`, "session_gate=three", "session_gate=" + strings.Repeat("x", 5000)}}
	var got []string
	eachCookie(h, plainCookie, func(v string) bool { got = append(got, v); return true })
	if want := []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// A browser has two cookies of the name once `cookie` was changed, and which
// comes first is its own affair.
func TestLiveSessionCountsAmongSeveralCookies(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t)}
	for id, status := range map[string]protocol.Status{
		"live": protocol.Active, "paused": protocol.Paused, "ended": protocol.Completed, "revoked": protocol.Revoked,
	} {
		g.edge.Sessions.BindToken(id, g.edge.Sessions.Put(state(id, 1, status, time.Hour), edge.MonotonicMS()))
	}
	for _, tt := range []struct{ cookies, want string }{
		{"session_gate=live", "live"},
		{"session_gate=ended; session_gate=live", "live"},
		{"session_gate=paused; session_gate=live", "live"},
		{"session_gate=live; session_gate=ended", "live"},
		{"session_gate=ended; session_gate=paused", "paused"},
		{"session_gate=ended; session_gate=revoked", "ended"},
		{"session_gate=unknown; session_gate=live", "live"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
		r.Header.Set("Cookie", tt.cookies)
		v := g.decide(r)
		if v.session == nil || v.session.ID() != tt.want || v.cookie != tt.want || (v.refusal.code == "") != (tt.want == "live") {
			t.Errorf("%s: %q for %q, want %s", tt.cookies, v.cookie, v.refusal.code, tt.want)
		}
		for _, id := range []string{"live", "paused", "ended", "revoked", "unknown"} {
			if held := g.findByID(r, "p", id, 0) != nil; held != (id != "unknown" && strings.Contains(tt.cookies, id)) {
				t.Errorf("%s: holds %s is %t", tt.cookies, id, held)
			}
		}
	}
}

// keysAsked counts the signatures that would be verified, and knows no key.
type keysAsked struct{ times int }

func (k *keysAsked) Key(context.Context, string) (*ecdsa.PublicKey, error) {
	k.times++
	return nil, token.ErrUnknownKey
}

// A request is cheap to make as large as the server takes it: what its cookies
// can make the gate verify is not.
func TestCookiesWithoutEndAreNotAllVerified(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t)}
	keys := new(keysAsked)
	g.edge.Verifier = &token.Verifier{Keys: keys}
	g.edge.Sessions.BindToken("live", g.edge.Sessions.Put(state("live", 1, protocol.Active, time.Hour), edge.MonotonicMS()))
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"session+jwt","kid":"k"}`)) + ".e30.AAAA"
	r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
	r.Header.Set("Cookie", strings.Repeat("session_gate="+forged+"; ", 4000))
	if v := g.decide(r); v.session != nil || v.refusal.code != protocol.SessionInvalid {
		t.Errorf("got %v, %q", v.session, v.refusal.code)
	}
	if keys.times == 0 || keys.times > 10 {
		t.Errorf("%d tokens of one request were verified", keys.times)
	}
	// What is known already is still found behind them.
	r.Header.Set("Cookie", r.Header.Get("Cookie")+"session_gate=live")
	if v := g.decide(r); v.session == nil {
		t.Error("the session's own cookie is not found")
	}
}

// A proxy removes the headers that Connection names, after the gate set them.
func TestClientCannotHaveIdentityRemoved(t *testing.T) {
	t.Parallel()
	got := make(http.Header)
	origin := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer origin.Close()
	to, err := url.Parse(origin.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
	r.Header["Connection"] = []string{"keep-alive, session-gate-user,Session-Gate-Assertion", "x-drop, SESSION-GATE-EXPIRES"}
	r.Header.Set("X-Drop", "1")
	stripHeaders(r.Header)
	s := testEdge(t).Sessions.Put(state("a", 1, protocol.Active, time.Hour), 1)
	setIdentity(r.Header, s.Record(), new([4]string))
	r.Header.Set(headerAssertion, "signed")
	httputil.NewSingleHostReverseProxy(to).ServeHTTP(httptest.NewRecorder(), r)
	for _, name := range []string{headerSession, headerUser, headerProvider, headerExpires, headerAssertion} {
		if _, ok := got[name]; !ok {
			t.Errorf("the origin is not told %s", name)
		}
	}
	if got.Get("X-Drop") != "" {
		t.Error("another header that Connection names reached the origin")
	}
}

// What the origin is told is safe to stand in a header, and nobody's addition or
// change reaches another request, or the session itself.
func TestIdentityHeaders(t *testing.T) {
	t.Parallel()
	rec := testEdge(t).Sessions.Put(&protocol.LiveState{ID: "s1", UserID: "eve\r\nX-Admin: 1", ProviderID: "p", ExpiresAt: 99}, 1).Record()
	first, second := http.Header{}, http.Header{}
	setIdentity(first, rec, new([4]string))
	first.Add(headerUser, "more")
	for _, values := range first { // as request_header with find and replace does
		for i := range values {
			values[i] = "changed"
		}
	}
	setIdentity(second, rec, new([4]string))
	want := http.Header{headerSession: {"s1"}, headerUser: {"eveX-Admin: 1"}, headerProvider: {"p"}, headerExpires: {"99"}}
	if !reflect.DeepEqual(second, want) {
		t.Errorf("got %q, want %q", second, want)
	}
	if rec.Headers[live.HeaderID] != "s1" {
		t.Errorf("the session is called %s now", rec.Headers[live.HeaderID])
	}
}

// An app in use may have a parameter of that name with a JWT of its own.
func TestObserverRefusesNoEntry(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, query := range []string{"session=" + launchHeader + ".e30.AAAA&a=1", "session=eyJ&a=1&session=eyJ"} {
			g := &Gate{Provider: "p", edge: testEdge(t), logger: zap.NewNop(), ObserveOnly: true}
			g.policy = policyOf(g)
			r := httptest.NewRequest(method, "http://app.example/x?"+query, nil)
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
			reached := ""
			next := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				reached = r.URL.String() + " " + r.RequestURI
				return nil
			})
			w := httptest.NewRecorder()
			if err := g.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
			switch {
			case method == http.MethodGet && (w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/x?a=1"):
				t.Errorf("GET %s: %d to %q", query, w.Code, w.Header().Get("Location"))
			case method == http.MethodPost && (w.Code != http.StatusOK || reached != "http://app.example/x?a=1 /x?a=1"):
				t.Errorf("POST %s: %d, the app was asked for %q", query, w.Code, reached)
			}
		}
	}
}

// TestJWTOfAnotherIssuerIsTheApps: an app's own ?session= reaches it whole from a visitor
// with a session, and without one the visit is refused as any other is.
func TestJWTOfAnotherIssuerIsTheApps(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t), maxStaleness: time.Hour, logger: zap.NewNop(), ForwardIdentity: identityOff}
	g.policy = policyOf(g)
	g.edge.Sessions.BindToken("tok", g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1))
	for _, query := range []string{
		"session=eyJhbGciOiJIUzI1NiJ9.e30.AAAA&a=1",
		"a=1&session=" + header("JWT") + ".e30.AAAA",
		"session=" + header("at+jwt") + ".e30.AAAA",
		"session=42",
		"session=eyJub3QiOiJhIEpXVCJ9",
	} {
		for cookie, want := range map[string]int{"session_gate=tok": http.StatusOK, "": http.StatusUnauthorized} {
			r := httptest.NewRequest(http.MethodGet, "http://app.example/x?"+query, nil)
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
			r.Header.Set("Cookie", cookie)
			r.Header.Set("Referer", "http://app.example/?"+query)
			got, referer := "", ""
			next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				got, referer = r.URL.RawQuery, r.Header.Get("Referer")
				w.WriteHeader(http.StatusOK)
				return nil
			})
			w := httptest.NewRecorder()
			if err := g.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
			if w.Code != want || want == http.StatusOK && (got != query || referer != "http://app.example/?"+query) {
				t.Errorf("%s with cookie %q: %d, the app was asked for %q from %q", query, cookie, w.Code, got, referer)
			}
		}
	}
}

// The cookie of a session that was redeemed late comes with whatever is asked
// for next, and a cache before the edge may keep that for everybody.
func TestLateCookieIsInNoCache(t *testing.T) {
	t.Parallel()
	g := &Gate{Provider: "p", edge: testEdge(t)}
	s := g.edge.Sessions.Put(state("a", 1, protocol.Active, time.Hour), 1)
	s.SetUpgrade("tok")
	o := &cut.Request{ResponseWriter: httptest.NewRecorder(), OnHeader: g.onHeader(httptest.NewRequest(http.MethodGet, "https://app.example/", nil), verdict{held: held{session: s, cookie: edge.ProvisionalPrefix + "x"}})}
	h := o.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Expires", "Thu, 31 Dec 2099 23:59:59 GMT")
	h.Set("CDN-Cache-Control", "max-age=60")
	o.WriteHeader(http.StatusOK)
	if got := h.Get("Cache-Control"); got != "no-store" || h.Get("Expires") != "" || h.Get("CDN-Cache-Control") != "" || h.Get("Set-Cookie") == "" {
		t.Errorf("the session's token leaves with %v", h)
	}
}
