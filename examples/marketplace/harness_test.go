package marketplace_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/examples/marketplace"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// appURL and puzzlesURL are where the apps would be; nothing listens there.
const (
	appURL     = "http://app.test:3000/"
	puzzlesURL = "http://puzzles.test:3000/"
)

// appPage and puzzlesPage sell them.
const (
	appPage     = "/apps/prov_demo"
	puzzlesPage = "/apps/prov_quadrille"
)

// market is a marketplace before a real backend, both in this process, with a
// clock that only the test moves.
type market struct {
	url     string
	api     string
	key     string
	edgeKey string
	backend *backend.Backend
	passed  atomic.Int64 // how far the clock was moved, in nanoseconds
	lose    atomic.Int64 // how many answers of the API get lost from now on
}

// open starts one. Its first app is sold as edit leaves it.
func open(t *testing.T, edit ...func(*marketplace.App)) *market {
	t.Helper()
	m := &market{}
	began := time.Now().Truncate(time.Second)
	now := func() time.Time { return began.Add(time.Duration(m.passed.Load())) }

	var err error
	m.backend, err = backend.Open(t.Context(), backend.Config{DataDir: t.TempDir(), Now: now}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.backend.Close() })
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.lose.Add(-1) < 0 {
			m.backend.Handler().ServeHTTP(w, r)
			return
		}
		m.backend.Handler().ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // the work is done, the connection is gone
	}))
	t.Cleanup(api.Close)
	m.api = api.URL

	server := httptest.NewUnstartedServer(nil)
	m.url = "http://" + server.Listener.Addr().String()
	_, err = m.backend.CreateProvider(t.Context(), store.Provider{
		ID: "prov_demo", Name: "Saltmarsh", Domains: []string{"app.test"}, AppURL: appURL,
		Policies: store.Policies{Settlement: session.Prorated, ReturnHosts: []string{server.Listener.Addr().String()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.key, m.edgeKey = m.newKey(t, backend.RoleMarketplace), m.newKey(t, backend.RoleEdge)

	_, err = m.backend.CreateProvider(t.Context(), store.Provider{
		ID: "prov_quadrille", Name: "Quadrille", Domains: []string{"puzzles.test"}, AppURL: puzzlesURL,
		Policies: store.Policies{
			Settlement: session.Prorated, Pause: &session.Pauses{MaxCount: 2, MaxSeconds: 1800},
			ReturnHosts: []string{server.Listener.Addr().String()},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	app, puzzles := marketplace.DemoApp("prov_demo", 600), marketplace.QuadrilleApp("prov_quadrille", 600)
	app.URL, puzzles.URL = appURL, puzzlesURL
	app.Terms = marketplace.Terms{Prorated: true}
	for _, e := range edit {
		e(&app)
	}
	handler, err := marketplace.New(marketplace.Config{
		API: m.api, Key: m.key, PublicURL: m.url, Apps: []marketplace.App{app, puzzles},
		TokensCSS: ":root{--sg-bg:#fff}", Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	return m
}

func (m *market) newKey(t *testing.T, role backend.Role) string {
	t.Helper()
	key, err := m.backend.CreateAPIKey(t.Context(), role, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pass moves the clock.
func (m *market) pass(d time.Duration) { m.passed.Add(int64(d)) }

// loseAnswers cuts the connection under the API's next n answers.
func (m *market) loseAnswers(n int64) { m.lose.Store(n) }

// audit fails the test when the ledger does not agree with itself.
func (m *market) audit(t *testing.T) {
	t.Helper()
	if err := m.backend.Audit(t.Context()); err != nil {
		t.Error(err)
	}
}

// launch enters the app, as its edge does when the browser follows location. The
// answer is the session's own token, which an edge keeps in the cookie.
func (m *market) launch(t *testing.T, location string) (sessionToken string) {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(protocol.LaunchRequest{
		Token: u.Query().Get(protocol.LaunchParam), Host: u.Hostname(), RedemptionID: "redemption-of-the-test",
	})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := m.call(t, http.MethodPost, protocol.EdgeLaunch, m.edgeKey, body)
	if status != http.StatusOK {
		t.Fatalf("launching: got %d %s", status, answer)
	}
	var entered protocol.LaunchAnswer
	if err := json.Unmarshal(answer, &entered); err != nil {
		t.Fatal(err)
	}
	return entered.SessionToken
}

// userOf is the id that providers know a session's user by.
func (m *market) userOf(t *testing.T, id string) string {
	t.Helper()
	_, answer := m.call(t, http.MethodGet, protocol.Sessions+"/"+id, m.key, nil)
	var s struct {
		UserID string `json:"user_id"`
	}
	if err := json.Unmarshal(answer, &s); err != nil || s.UserID == "" {
		t.Fatalf("reading session: %v in %s", err, answer)
	}
	return s.UserID
}

func (m *market) call(t *testing.T, method, path, key string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, m.api+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// visitor is one browser: it keeps the cookie and follows no redirect.
type visitor struct {
	t      *testing.T
	url    string
	cookie string
}

func (m *market) visitor(t *testing.T) *visitor { return &visitor{t: t, url: m.url} }

type answer struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (v *visitor) get(path string) answer {
	v.t.Helper()
	return v.do(http.MethodGet, path, nil)
}

func (v *visitor) post(path string, form url.Values, headers ...string) answer {
	v.t.Helper()
	return v.do(http.MethodPost, path, form, headers...)
}

func (v *visitor) do(method, path string, form url.Values, headers ...string) answer {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, v.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if v.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "market_visitor", Value: v.cookie})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	for _, c := range res.Cookies() {
		if c.Name == "market_visitor" {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
				v.t.Errorf("the visitor's cookie is not HttpOnly and Lax")
			}
			v.cookie = c.Value
		}
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{status: res.StatusCode, location: res.Header.Get("Location"), header: res.Header, body: string(body)}
}

// buy buys a plan of the first app and returns the launch URL.
func (v *visitor) buy(plan string) string {
	v.t.Helper()
	return v.buyAt(appPage, plan)
}

func (v *visitor) buyAt(page, plan string) string {
	v.t.Helper()
	form := v.get(page).form(v.t, "/buy")
	form.Set("plan", plan)
	res := v.post("/buy", form)
	if res.status != http.StatusSeeOther {
		v.t.Fatalf("buying: got %d %.500s", res.status, res.body)
	}
	return res.location
}

// has checks an answer's status and that its page has all of words.
func (a answer) has(t *testing.T, status int, words ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("got %d, want %d: %.2000s", a.status, status, a.body)
		return
	}
	text := html.UnescapeString(a.body)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	if t.Failed() {
		t.Logf("the page: %.12000s", a.body)
	}
}

var inputs = regexp.MustCompile(`<input type="(hidden|radio)" name="([^"]+)" value="([^"]*)"( checked)?>`)

// form is what the page's first form of this action sends when nothing is
// touched.
func (a answer) form(t *testing.T, action string) url.Values {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, fmt.Sprintf(`action="%s"`, action))
	if !ok {
		t.Fatalf("the page has no form to %s: %.2000s", action, a.body)
	}
	markup, _, _ := strings.Cut(rest, "</form>")
	values := url.Values{}
	for _, in := range inputs.FindAllStringSubmatch(markup, -1) {
		if in[1] == "hidden" || in[4] != "" {
			values.Set(in[2], html.UnescapeString(in[3]))
		}
	}
	return values
}

// sessionOf reads the session's id from a launch URL, unverified.
func sessionOf(t *testing.T, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(u.Query().Get(protocol.LaunchParam), ".")
	if len(parts) != 3 {
		t.Fatalf("no launch token in %.80q", location)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		JTI string `json:"jti"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.JTI == "" {
		t.Fatalf("launch token without jti: %v", err)
	}
	return claims.JTI
}
