package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sessiongate/sessiongate/backend"
)

// home is where the browsers of these tests find the world, whatever its port:
// identity providers allow public clients no http address but this machine's.
const home = "http://localhost:4711"

// browser follows no redirect by itself and keeps cookies.
type browser struct {
	t      *testing.T
	client *http.Client
}

// page is what a browser got.
type page struct {
	status int
	header http.Header
	body   string
}

func (p page) location() string { return p.header.Get("Location") }

func newBrowser(w *world) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	here := strings.TrimPrefix(w.url, "http://")
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "localhost:4711" {
			addr = here
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &browser{w.t.(*testing.T), &http.Client{
		Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) do(method, to string, form url.Values, headers ...string) page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, to, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, string(text)}
}

func (b *browser) get(to string) page { b.t.Helper(); return b.do("GET", to, nil) }

// me is who the API takes the browser for, and the status of its answer.
func (b *browser) me() (who map[string]any, status int) {
	b.t.Helper()
	p := b.get(home + "/api/v1/me")
	if err := json.Unmarshal([]byte(p.body), &who); err != nil {
		b.t.Fatal(err)
	}
	return who, p.status
}

func (p page) mustSay(t *testing.T, status int, text string) {
	t.Helper()
	if p.status != status || !strings.Contains(p.body, text) {
		t.Errorf("got %d, want %d with %q: %s", p.status, status, text, p.body)
	}
}

func (w *world) addPerson(email, role, provider string) (id string) {
	w.t.Helper()
	body := map[string]any{"email": email, "role": role}
	if provider != "" {
		body["provider_id"] = provider
	}
	return w.call("POST", "/api/v1/people", w.admin, body).want(201).str("id")
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Keys sign in too: a provider's and an admin's, as long as they are good.
func TestKeysSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sign := func(b *browser, key string) page {
		return b.do("POST", home+"/auth/key", url.Values{"key": {key}, "to": {"/docs"}})
	}
	sign(newBrowser(w), w.market).mustSay(t, 403, "Keys with this role cannot sign in")
	sign(newBrowser(w), w.edge).mustSay(t, 403, "Keys with this role cannot sign in")
	sign(newBrowser(w), "sg_adm_"+strings.Repeat("A", 43)).mustSay(t, 401, "unknown or revoked")
	sign(newBrowser(w), "hunter2").mustSay(t, 401, "API keys begin with sg_")
	newBrowser(w).get(home+"/auth/oidc").mustSay(t, 404, "No identity provider is configured")

	b := newBrowser(w)
	if p := sign(b, " "+w.provider+"\n"); p.status != http.StatusSeeOther || p.location() != "/docs" {
		t.Fatalf("got %d to %q", p.status, p.location())
	}
	b.get(home+"/auth/").mustSay(t, 200, "<dd>prov_demo</dd>")
	if p := b.get(home + "/api/v1/providers/prov_other"); p.status != http.StatusNotFound {
		t.Errorf("another provider's row: %d", p.status)
	}
	// What changes something comes from our own pages.
	for _, from := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		p := b.do("PATCH", home+"/api/v1/providers/prov_demo", nil, append(from, "Content-Type", "application/json")...)
		if p.status != http.StatusForbidden {
			t.Errorf("%v: %d %s", from, p.status, p.body)
		}
		if p := b.do("POST", home+"/auth/sign-out", nil, from...); p.status != http.StatusForbidden {
			t.Errorf("%v signs somebody out: %d", from, p.status)
		}
	}
	w.clock.Add(11 * time.Hour)
	if _, status := b.me(); status != 200 {
		t.Errorf("after eleven hours: %d", status)
	}
	w.clock.Add(time.Hour)
	if _, status := b.me(); status != 401 {
		t.Errorf("after twelve hours: %d", status)
	}
	sign(b, w.provider)
	b.do("POST", home+"/auth/sign-out", url.Values{})
	if _, status := b.me(); status != 401 {
		t.Errorf("after signing out: %d", status)
	}
	sign(b, w.admin)
	if _, status := b.me(); status != 200 {
		t.Fatalf("signed in as admin: %d", status)
	}
	w.revokeKeys()
	if _, status := b.me(); status != 401 {
		t.Errorf("after its key was revoked: %d", status)
	}
}

// A person's writes are in the audit log under the person.
func TestPeopleAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newBrowser(w)
	b.do("POST", home+"/auth/key", url.Values{"key": {w.admin}})
	p := b.do("DELETE", home+"/api/v1/people/nobody", nil, "Sec-Fetch-Site", "same-origin")
	if p.status != http.StatusNotFound {
		t.Errorf("removing nobody: %d", p.status)
	}
	w.addPerson("ada@example.com", "provider", "prov_demo")
	w.call("POST", "/api/v1/people", w.admin, map[string]any{"email": "ada@example.com", "role": "provider", "provider_id": "prov_demo"}).want(409, "already_exists")
	for _, wrong := range []map[string]any{
		{"email": "ada", "role": "admin"}, {"email": "a@b@c", "role": "admin"}, {"email": "x@example.com", "role": "provider"},
		{"email": "x@example.com", "role": "admin", "provider_id": "prov_demo"}, {"email": "x@example.com", "role": "edge"},
	} {
		w.call("POST", "/api/v1/people", w.admin, wrong).want(422, "invalid_request")
	}
	w.call("POST", "/api/v1/people", w.admin, map[string]any{"email": "x@example.com", "role": "provider", "provider_id": "prov_none"}).want(404)
	log := w.call("GET", "/api/v1/audit", w.admin, nil).want(200)
	if first := log.at("entries").([]any)[0].(map[string]any); first["action"] != "create-person" || first["target"] != "provider of prov_demo" {
		t.Errorf("the audit log says %v", first)
	}
	if list := w.call("GET", "/api/v1/people?limit=1", w.admin, nil).want(200); list.at("people").([]any)[0].(map[string]any)["email"] != "ada@example.com" {
		t.Errorf("people are %s", list.raw)
	}
}

// After signing in, a browser goes to a path of ours and nowhere else.
func TestSignInGoesNowhereElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for to, want := range map[string]string{
		"/docs": "/docs", "/docs?a=b#c": "/docs?a=b#c", "": "/dashboard/", "https://evil.example/": "/dashboard/", "//evil.example": "/dashboard/",
		`/\evil.example`: "/dashboard/", "/\t/evil.example": "/dashboard/", "javascript:alert(1)": "/dashboard/", "docs": "/dashboard/", "/" + strings.Repeat("x", 600): "/dashboard/",
		`/x"><script>`: `/x"><script>`,
	} {
		p := newBrowser(w).do("POST", home+"/auth/key", url.Values{"key": {w.admin}, "to": {to}})
		if p.status != http.StatusSeeOther || p.location() != want {
			t.Errorf("%q leads to %d %q, want %q", to, p.status, p.location(), want)
		}
		if p := newBrowser(w).get(home + "/auth/?to=" + url.QueryEscape(to)); strings.Contains(p.body, "<script>") {
			t.Errorf("%q is not escaped", to)
		}
	}
}

// Over TLS the cookies are for this host alone.
func TestSignInCookiesOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.Issuer = "https://backend.test" }
	w.open()
	p := newBrowser(w).do("POST", home+"/auth/key", url.Values{"key": {w.admin}})
	if c := p.header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-sg_sign_in=") || !strings.Contains(c, "Secure") || strings.Contains(c, "Domain") {
		t.Errorf("cookie %s", c)
	}
}

// A browser that is signed in follows live figures from our own page, and from
// no other; when its key is revoked, that ends.
func TestLiveByCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newBrowser(w).do("POST", home+"/auth/key", url.Values{"key": {w.provider}})
	cookie, _, _ := strings.Cut(p.header.Get("Set-Cookie"), ";")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dial := func(origin string) (*websocket.Conn, error) {
		conn, _, err := websocket.Dial(ctx, strings.Replace(w.url, "http", "ws", 1)+"/api/v1/providers/prov_demo/live", &websocket.DialOptions{
			HTTPHeader: http.Header{"Cookie": {cookie}, "Origin": {origin}},
		})
		return conn, err
	}
	if _, err := dial("http://evil.example"); err == nil {
		t.Error("a page of another site follows")
	}
	conn, err := dial(w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if _, first, err := conn.Read(ctx); err != nil || !strings.Contains(string(first), `"type"`) {
		t.Fatalf("told %s, %v", first, err)
	}
	w.revokeKeys()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			if ctx.Err() != nil {
				t.Error("it goes on after its key was revoked")
			}
			return
		}
	}
}

// Who is not signed in is sent to where one can, and comes back from there.
func TestDashboardSendsStrangersToSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newBrowser(w)
	const page = "/dashboard/sessions?status=active"
	p := b.get(home + page)
	if p.status != http.StatusSeeOther || p.location() != "/auth/?to="+url.QueryEscape(page) {
		t.Fatalf("a stranger gets %d %q", p.status, p.location())
	}
	to := mustParse(t, p.location()).Query().Get("to")
	if p := b.do("POST", home+"/auth/key", url.Values{"key": {w.provider}, "to": {to}}); p.location() != page {
		t.Errorf("after signing in: %q", p.location())
	}
	b.get(home+page).mustSay(t, 200, "/dashboard/app.")
	if p := newBrowser(w).get(home + "/dashboard/app.0000000000000000.js"); p.status != http.StatusNotFound {
		t.Errorf("a file of another version: %d", p.status)
	}
}

// endless is a body without end that counts what was read of it.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Load() > 8<<20 {
		return 0, errors.New("read too much")
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

// Whoever is refused for asking too often cannot have us read what they send.
func TestRefusedSignInsAreNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.AddressRate = 1 }
	w.open()
	for range 4 {
		body := &endless{}
		r := httptest.NewRequest("POST", "http://backend.test/auth/key", body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		w.b.Handler().ServeHTTP(rec, r)
		if n := body.read.Load(); n > 1<<20 {
			t.Errorf("answered %d and read %d bytes", rec.Code, n)
		}
	}
}
