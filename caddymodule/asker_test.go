package caddymodule

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// lookedUp is a backend that knows app.example alone, and counts what it is asked.
type lookedUp struct {
	edge   *edge.Edge
	signer *token.Signer
	asked  atomic.Int64
}

func newLookedUp(t *testing.T) *lookedUp {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &lookedUp{}
	if l.signer, err = token.NewSigner(key); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		if strings.HasSuffix(r.URL.Path, "/app.example") {
			_, _ = w.Write([]byte(`{"host":"app.example","provider_id":"p","origin_url":"https://origin.example"}`))
			return
		}
		w.Header().Set("Content-Type", protocol.ProblemType)
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write((&protocol.Problem{Status: http.StatusNotFound, Code: protocol.HostUnknown}).JSON())
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewKeySet(l.signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	l.edge = edge.New(base, "key", zap.NewNop())
	l.edge.Verifier = &token.Verifier{Keys: keys}
	return l
}

// sign makes a token of a session of provider p.
func (l *lookedUp) sign(t *testing.T, kind token.Kind, id string) string {
	t.Helper()
	now := time.Now()
	signed, err := l.signer.Sign(kind, &token.Claims{ProviderID: "p", ReturnURL: "https://market.example/", RegisteredClaims: jwt.RegisteredClaims{
		ID: id, Subject: "u", Audience: jwt.ClaimStrings{"p"}, Issuer: "i", IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// visit sends a request from an address, and returns the code of the answer's problem.
func (l *lookedUp) visit(t *testing.T, host, path, cookie, from string) string {
	t.Helper()
	g := &Gate{edge: l.edge, maxStaleness: time.Hour, logger: zap.NewNop(), OnExpired: &Answer{}}
	g.policy = policyOf(g)
	r := httptest.NewRequest(http.MethodGet, "http://x"+path, nil)
	r.Host, r.RemoteAddr = host, from
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	passed := false
	if err := g.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { passed = true; return nil })); err != nil {
		t.Fatal(err)
	}
	if passed {
		return "passed"
	}
	for _, code := range edge.RefusalCodes {
		if strings.Contains(w.Body.String(), `"`+string(code)+`"`) {
			return string(code)
		}
	}
	return w.Result().Status
}

// Made-up hosts ask the backend little, unless somebody comes with a token that it has
// signed: one of a visitor without a session is looked up, and no other for a minute. Calls
// of the gate's own API and forged links never ask.
func TestMadeUpHostsAskLittle(t *testing.T) {
	t.Parallel()
	l := newLookedUp(t)
	const from = "192.0.2.1:1234"
	for i := range 300 {
		host := fmt.Sprintf("h%d.example", i)
		for _, path := range []string{protocol.GateSession, "/?session=" + launchHeader + ".e30.AAAA", "/?session=eyJ"} {
			if code := l.visit(t, host, path, "a=b; session_gateway=1", from); code != "session_missing" && code != "launch_invalid" {
				t.Fatalf("%s%s: %s", host, path, code)
			}
		}
	}
	if n := l.asked.Load(); n != 0 {
		t.Errorf("the backend was asked %d times", n)
	}
	for i := range 300 {
		if code := l.visit(t, fmt.Sprintf("v%d.example", i), "/", "a=b; session_gateway=1", from); code != "session_missing" && code != "host_unknown" {
			t.Fatalf("a visitor without a session: %s", code)
		}
	}
	if n := l.asked.Load(); n != 1 {
		t.Errorf("the backend was asked %d times for visitors without a session", n)
	}
	for i := range 300 { // with cookies that are none of ours
		for _, cookie := range []string{"session_gate=x", "session_gate_cross=x", "session_gate_kept=x~y", "session_gate=" + header("session+jwt") + ".e30.AAAA"} {
			if code := l.visit(t, fmt.Sprintf("c%d.example", i), "/", cookie, from); code == "passed" || code == "backend_unavailable" || code == "rate_limited" {
				t.Fatalf("%s: %s", cookie, code)
			}
		}
	}
	if n := l.asked.Load(); n > 20 {
		t.Errorf("the backend was asked %d times for cookies that are none of ours", n)
	}

	// Somebody with a session enters and is served meanwhile.
	s := l.edge.Sessions.Put(state("s1", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1)
	cookie := l.sign(t, token.Session, "s1")
	l.edge.Sessions.BindToken(cookie, s)
	if code := l.visit(t, "app.example", "/", "session_gate="+cookie, "198.51.100.7:1"); code != "passed" {
		t.Errorf("a user with a session: %s", code)
	}
	if code := l.visit(t, "other.example", "/", "session_gate="+cookie, "198.51.100.7:1"); code != "host_unknown" {
		t.Errorf("its user at an unknown host: %s", code)
	}
	if code := l.visit(t, "other.example", "/", "", from); code != "host_unknown" {
		t.Errorf("what is known is not said: %s", code)
	}
	before := l.asked.Load()
	if code := l.visit(t, "APP.example.:443", "/", "", from); code != "session_missing" && !strings.HasPrefix(code, "308") && !strings.HasPrefix(code, "301") {
		t.Errorf("a known host: %s", code)
	}
	if l.asked.Load() != before {
		t.Error("a known host was asked about")
	}
}

// Whoever has one session and makes hosts up is limited by its address and by its session,
// however many addresses it has, and others are not concerned.
func TestOneSessionAsksForFewHosts(t *testing.T) {
	t.Parallel()
	l := newLookedUp(t)
	s := l.edge.Sessions.Put(state("s1", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1)
	cookie := l.sign(t, token.Session, "s1")
	l.edge.Sessions.BindToken(cookie, s)
	codes := map[string]int{}
	link := "/?session=" + l.sign(t, token.Launch, "s1")
	for i := range 400 {
		from := fmt.Sprintf("[2001:db8::%x]:1", i)
		if i%2 == 0 {
			from = fmt.Sprintf("[2001:db8:1:%x::1]:1", i) // a network of its own
		}
		path, with := "/", "session_gate="+cookie
		if i%3 == 0 {
			path, with = link, ""
		}
		codes[l.visit(t, fmt.Sprintf("h%d.example", i), path, with, from)]++
	}
	if n := l.asked.Load(); n > 100 || codes["rate_limited"] < 300 {
		t.Errorf("the backend was asked %d times; codes %v", n, codes)
	}
	if code := l.visit(t, "app.example", "/?session="+l.sign(t, token.Launch, "s2"), "", "198.51.100.7:1"); code == "rate_limited" || code == "host_unknown" {
		t.Errorf("an entry of somebody else: %s", code)
	}
}

// Entries are limited by address; the links are not spent, and others enter.
func TestEntriesOfAnAddressAreLimited(t *testing.T) {
	t.Parallel()
	l := newLookedUp(t)
	l.edge.Limits.Use(edge.Limits{EntriesPerAddress: 3})
	enter := func(i int, from string) string {
		return l.visit(t, "app.example", "/?session="+l.sign(t, token.Launch, fmt.Sprint("s", i)), "", from)
	}
	limited := 0
	for i := range 10 {
		if enter(i, fmt.Sprintf("[2001:db8:0:1::%x]:%d", i+1, 1000+i)) == "rate_limited" {
			limited++
		}
	}
	if limited != 7 {
		t.Errorf("%d of 10 entries are refused, want 7", limited)
	}
	for i, from := range []string{"[2001:db8:0:2::1]:1", "192.0.2.1:1"} {
		if code := enter(20+i, from); code == "rate_limited" {
			t.Errorf("from %s: %s", from, code)
		}
	}
}

// Whoever shares an address with others cannot use up their entries: not by forged links,
// not by tokens of another kind or provider, and not by opening one link again and again.
func TestEntriesOfAnAddressAreNotSpentByANeighbor(t *testing.T) {
	t.Parallel()
	const from = "192.0.2.1:1234"
	stranger := newLookedUp(t)
	for name, bad := range map[string]func(l *lookedUp) string{
		"no signature":       func(*lookedUp) string { return launchHeader + ".e30.AAAA" },
		"no token":           func(*lookedUp) string { return "eyJ" },
		"a stranger's key":   func(*lookedUp) string { return stranger.sign(t, token.Launch, "s1") },
		"a session's token":  func(l *lookedUp) string { return l.sign(t, token.Session, "s1") },
		"one link, repeated": func(l *lookedUp) string { return l.sign(t, token.Launch, "s1") },
	} {
		l := newLookedUp(t)
		l.edge.Limits.Use(edge.Limits{EntriesPerLink: 5, EntriesPerAddress: 10})
		for range 40 {
			l.visit(t, "app.example", "/?session="+bad(l), "", from)
		}
		if n := l.asked.Load(); n > 20 {
			t.Errorf("%s: the backend was asked %d times", name, n)
		}
		for i := range 3 {
			if code := l.visit(t, "app.example", "/?session="+l.sign(t, token.Launch, fmt.Sprint("other", i)), "", from); code == "rate_limited" {
				t.Errorf("%s: a neighbor's entry: %s", name, code)
			}
		}
	}
}

// Names in TLS handshakes have a budget of their own, by address and in total, which
// leaves requests theirs. A provider's name is answered from memory.
func TestCertificatesHaveABudgetOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := newLookedUp(t)
	p := &Permission{edge: l.edge}
	handshake := func(name, from string) error {
		conn := addressedConn{from: from}
		ctx := context.WithValue(t.Context(), certmagic.ClientHelloInfoCtxKey, &tls.ClientHelloInfo{ServerName: name, Conn: conn})
		return p.CertificateAllowed(ctx, name)
	}
	if err := handshake("app.example", "192.0.2.1:5"); err != nil {
		t.Fatal(err)
	}
	busy := 0
	for i := range 400 {
		if err := handshake(fmt.Sprintf("h%d.example", i), "192.0.2.1:5"); errors.Is(err, edge.ErrLookups) {
			busy++
		} else if err == nil {
			t.Fatal("a certificate for a name of nobody's")
		}
	}
	if n := l.asked.Load(); busy < 300 || n > 101 {
		t.Errorf("%d handshakes were put off, and the backend was asked %d times", busy, n)
	}
	if err := handshake("app.example", "192.0.2.1:5"); err != nil {
		t.Errorf("a provider's name: %v", err)
	}
	s := l.edge.Sessions.Put(state("s1", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1)
	cookie := l.sign(t, token.Session, "s1")
	l.edge.Sessions.BindToken(cookie, s)
	if code := l.visit(t, "new.example", "/", "session_gate="+cookie, "192.0.2.1:5"); code != "host_unknown" {
		t.Errorf("a request of the same address: %s", code)
	}
}

// addressedConn is a connection from an address.
type addressedConn struct {
	net.Conn
	from string
}

func (c addressedConn) RemoteAddr() net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", c.from) // an address needs no look-up
	return a
}

// A session opens so many WebSockets; others open theirs, and what ends makes room.
func TestWebSocketsOfASessionAreLimited(t *testing.T) {
	t.Parallel()
	e := testEdge(t)
	e.Limits.Use(edge.Limits{WebSocketsPerSession: 2})
	for _, id := range []string{"a", "b"} {
		e.Sessions.BindToken(id, e.Sessions.Put(state(id, 1, protocol.Active, time.Hour), edge.MonotonicMS()+1))
	}
	g := &Gate{Provider: "p", edge: e, maxStaleness: time.Hour, logger: zap.NewNop(), ForwardIdentity: identityOff, Upgrade: []string{"my-protocol"}}
	g.policy = policyOf(g)
	hold := make(chan struct{})
	open := func(session string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "http://app.example/ws", nil)
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		r.Header.Set("Cookie", "session_gate="+session)
		w := httptest.NewRecorder()
		err := g.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			<-hold
			w.WriteHeader(http.StatusOK)
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
		return w
	}
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket"}
	var wg sync.WaitGroup
	for _, session := range []string{"a", "a", "b"} {
		wg.Go(func() { open(session, upgrade...) })
	}
	for end := time.Now().Add(20 * time.Second); e.Limits.OpenSockets() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("three WebSockets are not open within 20 s")
		}
	}
	w := open("a", upgrade...)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"rate_limited"`) {
		t.Errorf("the third WebSocket: %d %s", w.Code, w.Body)
	}
	if w := open("a", "Connection", "Upgrade", "Upgrade", "my-protocol"); w.Code != http.StatusTooManyRequests {
		t.Errorf("a connection of a protocol that the site allows: %d %s", w.Code, w.Body)
	}
	close(hold)
	wg.Wait()
	if n := e.Limits.OpenSockets(); n != 0 {
		t.Errorf("%d are still counted", n)
	}
	if w := open("a", upgrade...); w.Code != http.StatusOK {
		t.Errorf("after the others ended: %d", w.Code)
	}
	if w := open("a"); w.Code != http.StatusOK {
		t.Errorf("another request: %d", w.Code)
	}
}

// Batches of events beyond the limit stop at the edge.
func TestEventsOfASessionStopAtTheEdge(t *testing.T) {
	t.Parallel()
	l := newLookedUp(t)
	l.edge.Limits.Use(edge.Limits{EventBatchesPerSession: 5})
	s := l.edge.Sessions.Put(state("s1", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1)
	l.edge.Sessions.BindToken("tok", s)
	g := &Gate{Provider: "p", edge: l.edge, maxStaleness: time.Hour, logger: zap.NewNop()}
	g.policy = policyOf(g)
	refused := 0
	for range 40 {
		r := httptest.NewRequest(http.MethodPost, "http://app.example"+protocol.GateEvents, strings.NewReader(`{"events":[]}`))
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		r.Header.Set("Cookie", "session_gate=tok")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w := httptest.NewRecorder()
		if err := g.ServeHTTP(w, r, nil); err != nil {
			t.Fatal(err)
		}
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != "" {
			refused++
		}
	}
	if n := l.asked.Load(); refused < 34 || n > 6 {
		t.Errorf("%d of 40 batches are refused, %d reached the backend", refused, n)
	}
}
