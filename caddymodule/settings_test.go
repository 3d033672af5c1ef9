package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// sitedGate is a gate of provider p with a live session, whose cookie is "tok", and a
// session of p's team, whose cookie is "team".
type sitedGate struct {
	*Gate
	version int64
	app     http.HandlerFunc
	seen    *http.Request // the last that reached the app
}

func newSitedGate(t *testing.T, g *Gate) *sitedGate {
	t.Helper()
	g.edge, g.maxStaleness, g.logger = testEdge(t), time.Hour, zap.NewNop()
	g.Provider, g.OnExpired = "p", &Answer{Redirect: true}
	g.injector = newInjector(false)
	g.open = openPaths(g.Open)
	g.assertions = &lazyAsserter{path: filepath.Join(t.TempDir(), "assertion.pem"), logger: zap.NewNop()}
	g.policy = policyOf(g)
	for id, mode := range map[string]protocol.Mode{"tok": "", "team": protocol.StaffMode} {
		st := state(id, 1, protocol.Active, time.Hour)
		st.Mode, st.UserID, st.ReturnURL = mode, "user", "https://market.example/done"
		g.edge.Sessions.BindToken(id, g.edge.Sessions.Put(st, edge.MonotonicMS()+1))
	}
	return &sitedGate{Gate: g}
}

// decides has the provider decide.
func (s *sitedGate) decides(t *testing.T, site protocol.Site) {
	t.Helper()
	s.version++
	if err := s.edge.Sites.Take(&protocol.SiteState{ProviderID: "p", Version: s.version, Site: site}, 1); err != nil {
		t.Fatal(err)
	}
}

// visit sends a request to a path with a cookie, or without one, as curl does unless
// headers say otherwise.
func (s *sitedGate) visit(t *testing.T, target, cookie string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://app.example"+target, nil)
	vars := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{})
	r = r.WithContext(context.WithValue(vars, caddy.ReplacerCtxKey, caddy.NewReplacer()))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	if cookie != "" {
		r.Header.Add("Cookie", "__Host-session_gate="+cookie)
	}
	s.seen = nil
	w := httptest.NewRecorder()
	err := s.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		s.seen = r
		if s.app != nil {
			s.app(w, r)
			return nil
		}
		w.Header().Set("Content-Type", "text/html")
		_, err := w.Write([]byte("<!doctype html><html><head><title>app</title></head><body>app</body></html>"))
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// navigation are the headers of a visit by the address bar.
var navigation = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Accept", "text/html"}

// Each setting of the provider's counts from the next request on, unless the Caddyfile
// sets the option.
func TestProviderDecidesUnlessTheCaddyfileDoes(t *testing.T) {
	t.Parallel()
	hasClock := func(w *httptest.ResponseRecorder) bool {
		return strings.Contains(w.Body.String(), protocol.GatePrefix+"boot.")
	}
	for _, tt := range []struct {
		name    string
		site    protocol.Site
		written Gate
		is      func(s *sitedGate) bool // whether the provider's setting is in force
	}{
		{"open_paths", protocol.Site{OpenPaths: []string{"/hooks/*"}}, Gate{Open: []string{"/other"}},
			func(s *sitedGate) bool { s.visit(t, "/hooks/x", ""); return s.seen != nil }},
		{"inject", protocol.Site{Inject: "off"}, Gate{Inject: "on"},
			func(s *sitedGate) bool { return !hasClock(s.visit(t, "/", "tok", navigation...)) }},
		{"cookie", protocol.Site{Cookie: "partitioned"}, Gate{Cookie: "lax"},
			func(s *sitedGate) bool {
				h := http.Header{}
				s.setSessionCookies(h, httptest.NewRequest(http.MethodGet, "https://app.example/", nil), "v", 1)
				return strings.Contains(h.Get("Set-Cookie"), "Partitioned")
			}},
		{"forward_identity off", protocol.Site{ForwardIdentity: "off"}, Gate{ForwardIdentity: "headers"},
			func(s *sitedGate) bool { s.visit(t, "/", "tok"); return s.seen.Header.Get(headerUser) == "" }},
		{"forward_identity jwt", protocol.Site{ForwardIdentity: "jwt"}, Gate{ForwardIdentity: "headers"},
			func(s *sitedGate) bool { s.visit(t, "/", "tok"); return s.seen.Header.Get(headerAssertion) != "" }},
		{"upload_grace_seconds", protocol.Site{UploadGraceSeconds: 7}, Gate{UploadGrace: caddy.Duration(time.Second)},
			func(s *sitedGate) bool { return s.settingsOf("p").uploadGrace() == 7*time.Second }},
	} {
		free := newSitedGate(t, &Gate{})
		if tt.is(free) {
			t.Errorf("%s: in force before the provider decides", tt.name)
		}
		free.decides(t, tt.site)
		if !tt.is(free) {
			t.Errorf("%s: not in force", tt.name)
		}
		free.decides(t, protocol.Site{})
		if tt.is(free) {
			t.Errorf("%s: in force after it was reset", tt.name)
		}
		written := newSitedGate(t, &tt.written)
		written.decides(t, tt.site)
		if tt.is(written) {
			t.Errorf("%s: in force, although the Caddyfile sets it", tt.name)
		}
		name, _, _ := strings.Cut(tt.name, " ")
		if got := written.writtenOptions(); !slices.Equal(got, []string{name}) {
			t.Errorf("%s: the edge reports %q", tt.name, got)
		}
		if got := free.writtenOptions(); len(got) != 0 {
			t.Errorf("%s: the edge reports %q for a site that sets nothing", tt.name, got)
		}
	}
}

// The decision looks the provider's settings up without taking memory.
func TestSettingsAllocateNothing(t *testing.T) {
	s := newSitedGate(t, &Gate{})
	s.decides(t, protocol.Site{OpenPaths: []string{"/a", "/hooks/*", "/*.css"}, Inject: "off", ForwardIdentity: "off"})
	r := httptest.NewRequest(http.MethodGet, "https://app.example/hooks%20x/y", nil)
	session := s.edge.Sessions.ByID("tok")
	if n := testing.AllocsPerRun(1000, func() {
		site := s.settingsFor(r)
		if site.opens(r) || site.injector() != nil || site.identity() != identityOff || site.partitioned() || site.closedTo(session) {
			t.Fatal("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSettings(b *testing.B) {
	g := &Gate{Provider: "p", edge: edge.New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "", zap.NewNop())}
	_ = g.edge.Sites.Take(&protocol.SiteState{ProviderID: "p", Version: 1, Site: protocol.Site{OpenPaths: []string{"/hooks/*"}}}, 1)
	b.ReportAllocs()
	for b.Loop() {
		if g.settingsOf("p").closed() {
			b.Fatal("closed")
		}
	}
}

// Open paths of a provider are matched as the app's server sees the path.
func TestOpenPathsOfAProvider(t *testing.T) {
	t.Parallel()
	rules := buildRules(&protocol.SiteState{Site: protocol.Site{OpenPaths: []string{
		"/robots.txt", "/hooks/*", "/docs*", "/*.css", "/*/favicon.ico", "/my file.pdf", "/café",
		// What opens too much or has no meaning opens nothing.
		"/", "/*", "*", "//*", "", "x", "/a/*/b", "/*a*", "/x/../y", "/{http.request.uri.path}", "/{env.HOME}*", "/%2e", "/;a", "/a?b", "/.*", "/*/",
	}}}).(*siteRules)
	for target, want := range map[string]bool{
		"/robots.txt": true, "/robots.txt/": false, "/robots.txt/x": false, "/Robots.txt": false, "/ROBOTS.TXT": false, "/robots.txt?x=1": true, "/%72obots.txt": true,
		"/hooks/": true, "/hooks/stripe": true, "/hooks/a/b": true, "/hooks": false, "/hooksx": false, "/Hooks/a": false, "/hooks/a%20b": true,
		"/docs": true, "/docs/a": true, "/docs.html": true,
		"/x.css": true, "/a/b/x.css": true, "/x.css/": false, "/x.css.map": false, "/a/favicon.ico": true, "/favicon.ico": true, "/xfavicon.ico": false,
		"/my%20file.pdf": true, "/caf%C3%A9": true, "/caf%c3%a9": true,
		"/": false, "/app": false, "/a/x/b": false, "/y": false, "/x/y": false,
		// Servers read these in different ways.
		"/hooks/../app": false, "/hooks/%2e%2e/app": false, "/hooks/..%2fapp": false, "/hooks%2fapp": false, "/hooks/a%2Fb": false, "/hooks/%252e%252e/app": false,
		"/hooks/./app": false, "/hooks/.": false, "/hooks//app": false, "//hooks/app": false, "/hooks/;/app": false, "/hooks/a;b": false, "/hooks/%3bx": false,
		"/hooks/%5c..%5capp": false, "/app/..;/x.css": false, "/app%2fx.css": false, "/hooks/a%00.css": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		if got := rules.opens(r); got != want {
			t.Errorf("%s: open %v, want %v", target, got, want)
		}
	}
}

// A request to an open path reaches the app without a session's cookie and without
// identity headers, also one with an ended session, and one with headers of a client's own.
func TestOpenPathsOfAProviderTellNothing(t *testing.T) {
	t.Parallel()
	s := newSitedGate(t, &Gate{})
	s.decides(t, protocol.Site{OpenPaths: []string{"/hooks/*"}, ForwardIdentity: "jwt"})
	over := state("over", 1, protocol.Expired, -time.Hour)
	s.edge.Sessions.BindToken("over", s.edge.Sessions.Put(over, edge.MonotonicMS()+1))
	for _, cookie := range []string{"", "over", "forged"} {
		w := s.visit(t, "/hooks/x", cookie, headerUser, "root", headerAssertion, "x", "Cookie", "theme=dark; __Host-session_gate_cross=a")
		if s.seen == nil {
			t.Fatalf("%q: %d", cookie, w.Code)
		}
		for name, values := range s.seen.Header {
			if looksLikeIdentity(name) || strings.Contains(strings.Join(values, ";"), "session_gate") {
				t.Errorf("%q: the app sees %s: %q", cookie, name, values)
			}
		}
		if s.seen.Header.Get("Cookie") != "theme=dark" {
			t.Errorf("%q: the app's own cookies are %q", cookie, s.seen.Header["Cookie"])
		}
	}
	if s.visit(t, "/hooks/x", "tok"); s.seen == nil || s.seen.Header.Get(headerUser) != "user" {
		t.Error("a user with a session is not known on an open path")
	}
	if w := s.visit(t, "/app", ""); w.Code != http.StatusUnauthorized || s.seen != nil {
		t.Errorf("another path: %d", w.Code)
	}
}

// A closed site has a page with what its provider says, and when to come back; programs
// receive a problem. The provider's team, open paths and the clock go on.
func TestClosedSite(t *testing.T) {
	t.Parallel()
	s := newSitedGate(t, &Gate{})
	until := time.Now().Add(2 * time.Hour)
	site := protocol.Site{
		OpenPaths:   []string{"/robots.txt"},
		Maintenance: &protocol.Maintenance{On: true, Message: "New <b>database</b>\u202e, back soon", Until: until.Unix()},
		Brand:       &protocol.Brand{AppName: "Field & Notes"},
	}
	s.decides(t, site)
	for _, cookie := range []string{"", "tok", "forged"} {
		w := s.visit(t, "/app", cookie, navigation...)
		body := w.Body.String()
		after, _ := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != http.StatusServiceUnavailable || s.seen != nil || !strings.Contains(body, "Closed for maintenance") ||
			!strings.Contains(body, "New &lt;b&gt;database&lt;/b&gt;, back soon") || !strings.Contains(body, "Field &amp; Notes") || !strings.Contains(body, "2 h") {
			t.Errorf("cookie %q: %d %s", cookie, w.Code, body)
		}
		if after < 7000 || after > 7200 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("cookie %q: %v", cookie, w.Header())
		}
		w = s.visit(t, "/app", cookie)
		var p protocol.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusServiceUnavailable || p.Code != protocol.InMaintenance ||
			w.Header().Get("Retry-After") == "" || !strings.HasPrefix(p.Detail, "New <b>") {
			t.Errorf("cookie %q: %d %s", cookie, w.Code, w.Body)
		}
	}
	if w := s.visit(t, "/app", "team"); w.Code != http.StatusOK || s.seen == nil {
		t.Errorf("the team: %d", w.Code)
	}
	if s.visit(t, "/robots.txt", ""); s.seen == nil {
		t.Error("an open path is closed")
	}
	if s.visit(t, "/robots.txt", "tok"); s.seen == nil || s.seen.Header.Get(headerUser) != "" {
		t.Error("an open path with a session is closed, or tells whose session it is")
	}
	if w := s.visit(t, protocol.GateSession, "tok"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"id":"tok"`) {
		t.Errorf("the clock: %d %s", w.Code, w.Body)
	}
	// A paused session is not resumed by its user's visit.
	paused := state("tok", 2, protocol.Paused, time.Hour)
	paused.PausedAt = time.Now().Unix() - 60
	s.edge.Sessions.ByID("tok").Apply(paused, 1)
	if w := s.visit(t, "/app", "tok", append([]string{"Sec-Fetch-User", "?1"}, navigation...)...); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a paused session: %d", w.Code)
	}
	// What has been promised is over, and the site still closed.
	site.Maintenance = &protocol.Maintenance{On: true, Until: 1}
	s.decides(t, site)
	if w := s.visit(t, "/app", ""); w.Header().Get("Retry-After") != strconv.Itoa(reopensLater) {
		t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
	}
	site.Maintenance = &protocol.Maintenance{Message: "off"}
	s.decides(t, site)
	if w := s.visit(t, "/app", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("after it is open again: %d", w.Code)
	}
}

// A launch link of a closed site stays good; those of passes enter.
func TestLaunchLinksOfAClosedSiteStayGood(t *testing.T) {
	t.Parallel()
	l := newLookedUp(t)
	closed := &protocol.SiteState{ProviderID: "p", Version: 1, Site: protocol.Site{Maintenance: &protocol.Maintenance{On: true}}}
	if err := l.edge.Sites.Take(closed, 1); err != nil {
		t.Fatal(err)
	}
	if code := l.visit(t, "app.example", "/?session="+l.sign(t, "launch+jwt", "s1"), "", "192.0.2.1:1"); code != "maintenance" {
		t.Errorf("a launch link: %s", code)
	}
	if n := l.asked.Load(); n > 1 { // for the host
		t.Errorf("the backend was asked %d times: the link may be spent", n)
	}
}

// A stream that began just before the site was closed ends, and so does one that begins
// while it is closed.
func TestClosingASiteCutsStreams(t *testing.T) {
	t.Parallel()
	s := newSitedGate(t, &Gate{})
	s.app = func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		s.decides(t, protocol.Site{Maintenance: &protocol.Maintenance{On: true}})
		select {
		case <-r.Context().Done():
		case <-time.After(20 * time.Second):
			t.Error("the stream goes on")
		}
		panic(http.ErrAbortHandler)
	}
	func() {
		defer func() { _ = recover() }()
		s.visit(t, "/stream", "tok", "Accept", "text/event-stream")
	}()
	if n := s.edge.Sessions.ByID("tok").OpenRequests(); n != 0 {
		t.Errorf("%d requests are open", n)
	}
	if code := s.edge.Sessions.ByID("tok").Refusal(); code != "" || live.IsEnd(protocol.InMaintenance) {
		t.Errorf("the session: %s", code)
	}
}

// The cookies of a live session follow the setting with the user's next visit, and the
// session is not lost meanwhile.
func TestCookiesFollowTheirScope(t *testing.T) {
	t.Parallel()
	s := newSitedGate(t, &Gate{})
	const cross = "__Host-session_gate_cross=tok"
	set := func(headers ...string) []string {
		t.Helper()
		w := s.visit(t, "/", "tok", headers...)
		if w.Code != http.StatusOK || s.seen == nil {
			t.Fatalf("the session is lost: %d", w.Code)
		}
		return w.Header().Values("Set-Cookie")
	}
	visit := func(more ...string) []string { return append(slices.Clone(navigation), more...) }
	if got := set(visit("Cookie", cross)...); len(got) != 0 {
		t.Errorf("before any change: %q", got)
	}
	s.decides(t, protocol.Site{Cookie: "partitioned"})
	for name, headers := range map[string][]string{
		"a fetch":                     {"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Cookie", cross},
		"a frame":                     {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Cookie", cross},
		"a prefetch":                  visit("Cookie", cross, "Sec-Purpose", "prefetch"),
		"one that is partitioned now": visit(),
	} {
		if got := set(headers...); len(got) != 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
	got := set(visit("Cookie", cross+"; __Host-session_gate_kept=a~b")...)
	want := []string{"_cross=; ", "session_gate=; ", "_kept=; ", "_kept=a~b; ", "session_gate=tok; "}
	if len(got) != len(want) {
		t.Fatalf("set: %q", got)
	}
	for i := range want {
		deletes := strings.Contains(want[i], "=;")
		if !strings.Contains(got[i], want[i]) || deletes != strings.Contains(got[i], "Max-Age=0;") || deletes == strings.Contains(got[i], "Partitioned") {
			t.Errorf("cookie %d: %s, want %s", i, got[i], want[i])
		}
	}
	s.decides(t, protocol.Site{})
	got = set(visit()...)
	if len(got) != 3 || !strings.HasSuffix(got[0], "Partitioned") || !strings.Contains(got[0], "Max-Age=0;") ||
		!strings.Contains(got[1], "SameSite=Lax") || !strings.Contains(got[2], "_cross=tok") {
		t.Errorf("back to lax: %q", got)
	}
}

// The clock is told what it needs, and nothing if all is the default.
func TestClockIsToldTheSite(t *testing.T) {
	t.Parallel()
	s := newSitedGate(t, &Gate{})
	answer := func() *protocol.SessionSite {
		t.Helper()
		var a protocol.SessionAnswer
		if err := json.Unmarshal(s.visit(t, protocol.GateSession, "tok").Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a.Site
	}
	if got := answer(); got != nil {
		t.Errorf("without settings: %+v", got)
	}
	s.decides(t, protocol.Site{Inject: "on", OpenPaths: []string{"/x"}, Brand: &protocol.Brand{ShopURL: "https://shop.example/"}, Clock: &protocol.SiteClock{}})
	if got := answer(); got != nil {
		t.Errorf("with settings that the clock does not need: %+v", got)
	}
	s.decides(t, protocol.Site{
		Brand: &protocol.Brand{AppName: "Notes", SupportURL: "javascript:alert(1)", Accent: "#123456"}, Clock: &protocol.SiteClock{Position: "top-left", Hidden: true},
	})
	if got := answer(); got == nil || got.AppName != "Notes" || got.Accent != "#123456" || got.SupportURL != "" || got.Clock.Position != "top-left" || !got.Clock.Hidden {
		t.Errorf("got %+v", got)
	}
}
