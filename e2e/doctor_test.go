package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/doctor"
)

// examine runs the doctor and returns its status and report.
func examine(t *testing.T, stdin string, args ...string) (status int, r doctor.Report) {
	t.Helper()
	cmd := exec.Command(Binary(t), append([]string{"doctor", "--json"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, _ := cmd.Output()
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("sessiongate doctor %q: %v\n%s%s", args, err, out, &errs)
	}
	if strings.Contains(string(out)+errs.String(), "eyJ") {
		t.Errorf("the doctor prints a token:\n%s%s", out, &errs)
	}
	return cmd.ProcessState.ExitCode(), r
}

// grades is a report as "check grade" lines.
func grades(r doctor.Report) (list []string) {
	for _, c := range r.Checks {
		list = append(list, c.Name+" "+string(c.Grade))
	}
	return list
}

func check(t *testing.T, r doctor.Report, want, says string) {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name+" "+string(c.Grade) == want && strings.Contains(c.Found+" → "+c.Remedy, says) {
			return
		}
	}
	t.Errorf("no %q that says %q in %+v", want, says, r.Checks)
}

// patients is an app with pages well and ill.
func patients(t *testing.T) *httptest.Server {
	pages := origin(t).Config.Handler
	policy := map[string]string{
		"/strict":  "default-src 'none'; script-src 'nonce-abc123'",
		"/sandbox": "sandbox allow-forms",
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page", "/strict", "/sandbox":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if p := policy[r.URL.Path]; p != "" {
				w.Header().Set("Content-Security-Policy", p)
			}
			_, _ = io.WriteString(w, samplePage)
		case "/meta":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, strings.Replace(samplePage, "<head>",
				`<head><meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'">`, 1))
		default:
			pages.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestDoctorOnARunningSite examines an edge as it should be, and its app's pages.
func TestDoctorOnARunningSite(t *testing.T) {
	t.Parallel()
	app := patients(t)
	s := StartSplit(t, app.URL)
	s.reload(t, strings.Replace(s.caddyfile(""), "max_staleness 1s", "max_staleness 1s\n\t\tdebug_key let-me-see", 1))
	link := func() string { return s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL }

	// A session by its launch link, from standard input; a WebSocket; the origin
	// can be reached, as the test's origin can.
	status, r := examine(t, link()+"\n", s.App+"/page", "--session", "-", "--key", "let-me-see", "--websocket", "/ws", "--origin", app.URL)
	want := []string{"dns not_checked", "tls not_checked", "gate ok", "time ok", "refusal ok", "websocket ok", "time ok", "websocket ok", "injection ok", "policy ok", "origin_lock warning"}
	if got := grades(r); status != 0 || !slices.Equal(got, want) {
		t.Errorf("status %d: %+v\nwant %q", status, r.Checks, want)
	}
	check(t, r, "injection ok", "(identity)")
	check(t, r, "origin_lock warning", "docs/origin-lock.md")

	// A session by its cookie, on every page.
	raw := cookieOf(t, s.enter(t, link()), s.App)
	for _, tt := range []struct{ path, want, says string }{
		{"/strict", "policy ok", ""},
		{"/meta", "policy failed", "blocks the clock's calls"},
		{"/sandbox", "injection warning", "allow-scripts"},
		{"/", "injection warning", "text/html"},
	} {
		_, r := examine(t, "", s.App+tt.path, "--session", raw, "--key", "let-me-see")
		check(t, r, tt.want, tt.says)
	}
	_, r = examine(t, "", s.App+"/page", "--session", raw, "--key", "a guess")
	check(t, r, "injection warning", "does not know this debug key")
	check(t, r, "injection ok", "has the clock")
	status, r = examine(t, "", s.App+"/page", "--session", raw, "--websocket", "/page")
	check(t, r, "websocket failed", "got 200")
	if status != 1 || r.Failed != 1 {
		t.Errorf("status %d with %d failed", status, r.Failed)
	}

	// Without a session, what the gate would do is predicted.
	_, r = examine(t, "", s.App+"/meta", "--origin", app.URL)
	check(t, r, "injection ok", "would inject the clock")
	check(t, r, "policy failed", "<meta>")
	_, r = examine(t, "", s.App+"/sandbox", "--origin", app.URL)
	check(t, r, "injection warning", "csp_sandbox")

	// A spent link.
	spent := link()
	s.enter(t, spent)
	status, r = examine(t, "", s.App+"/page", "--session", spent)
	check(t, r, "injection failed", "answered 409")
	if status != 1 {
		t.Errorf("status %d with a spent link", status)
	}

	// A gate that cannot reach its service says so only to new hosts; one that
	// lets everybody in is found.
	s.reload(t, strings.Replace(s.caddyfile(""), "provider prov_split", "provider prov_split\n\t\tobserve_only", 1))
	status, r = examine(t, "", s.App+"/page")
	check(t, r, "refusal failed", "got 200")
	if status != 1 {
		t.Errorf("status %d with observe_only", status)
	}
	s.reload(t, strings.NewReplacer("provider prov_split", "", s.App+" {", strings.Replace(s.App, "127.0.0.1", "", 1)+" {").Replace(s.caddyfile("")))
	_, r = examine(t, "", strings.Replace(s.App, "127.0.0.1", "localhost", 1)+"/page", "--edge", strings.TrimPrefix(s.App, "http://"))
	check(t, r, "gate failed", "knows no provider for localhost")
	s.Link.Cut()
	_, r = examine(t, "", strings.Replace(s.App, "127.0.0.1", "unknown.localhost", 1)+"/page", "--edge", strings.TrimPrefix(s.App, "http://"))
	check(t, r, "gate failed", "cannot reach its session service")
	s.Link.Mend()
}

// TestDoctorOnTheDemo examines the demo as it comes.
func TestDoctorOnTheDemo(t *testing.T) {
	t.Parallel()
	s := Start(t)
	link := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL
	status, r := examine(t, "", strings.Replace(s.App, "127.0.0.1", "localhost", 1), "--edge", strings.TrimPrefix(s.App, "http://"), "--origin", s.Origin)
	check(t, r, "gate failed", "no gate at") // the demo's site is 127.0.0.1 and no other name
	if status != 1 {
		t.Errorf("by another name: status %d", status)
	}
	status, r = examine(t, "", s.App, "--session", link, "--origin", s.Origin)
	want := []string{"dns not_checked", "tls not_checked", "gate ok", "time ok", "refusal ok", "websocket ok", "time ok", "injection ok", "policy ok", "origin_lock warning"}
	if got := grades(r); status != 0 || !slices.Equal(got, want) {
		t.Errorf("status %d: %+v\nwant %q", status, r.Checks, want)
	}
}

// TestDoctorElsewhere examines what is no edge at all.
func TestDoctorElsewhere(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(named("plain"))
	t.Cleanup(plain.Close)
	status, r := examine(t, "", plain.URL)
	check(t, r, "gate failed", "no gate at")
	check(t, r, "refusal failed", "got 200")
	if status != 1 {
		t.Errorf("a plain server: status %d", status)
	}

	secure := httptest.NewTLSServer(named("secure"))
	t.Cleanup(secure.Close)
	status, r = examine(t, "", secure.URL, "--session", "eyJ0eXAiOiJsYXVuY2grand0In0.e30.c2ln")
	check(t, r, "tls failed", "not from an authority that browsers trust")
	if status != 1 {
		t.Errorf("a certificate of nobody's: status %d", status)
	}

	closed := "http://127.0.0.1:" + strconv.Itoa(freePorts(t))
	status, r = examine(t, "", closed, "--origin", closed)
	check(t, r, "tls failed", "cannot connect")
	check(t, r, "origin_lock ok", "")
	if status != 1 || r.Failed != 1 {
		t.Errorf("nobody there: status %d, %+v", status, r.Checks)
	}

	for _, args := range [][]string{
		{}, {"a", "b"}, {"ftp://x"}, {"https://u:p@x"}, {"https://x/?session=eyJh.b.c"}, {"x", "--origin", "::"}, {"x", "--session", "hello"},
		{"x", "--websocket", "/ws"}, {"x", "--edge", "http://y/"}, {"x", "--nonsense"},
	} {
		if status, _, stderr := command(t, t.TempDir(), append([]string{"doctor"}, args...)...); status != 2 || !strings.Contains(stderr, "Try: sessiongate doctor --help") {
			t.Errorf("doctor %q: status %d, %s", args, status, stderr)
		}
	}
	_, out, _ := command(t, t.TempDir(), "doctor", plain.URL)
	if !strings.Contains(out, "FAILED       gate") || !strings.Contains(out, "→ Point DNS at the edge") {
		t.Errorf("for people:\n%s", out)
	}
}

// TestDoctorExplainsEveryReason holds the doctor's words to the injector's.
func TestDoctorExplainsEveryReason(t *testing.T) {
	t.Parallel()
	var want []string
	for _, r := range inject.Reasons() {
		want = append(want, string(r))
	}
	got := doctor.Reasons()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the doctor explains %q, the injector says %q", got, want)
	}
}

// TestDoctorFollowsTheSite: a page that redirects within its site is checked where it
// leads, and a launch link is spent on no page that leads elsewhere.
func TestDoctorFollowsTheSite(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/start":
			http.SetCookie(w, &http.Cookie{Name: "app", Value: "1", Path: "/"})
			http.Redirect(w, r, "/language", http.StatusFound)
		case "/language":
			if _, err := r.Cookie("app"); err != nil {
				http.Redirect(w, r, "/start", http.StatusFound)
				return
			}
			http.Redirect(w, r, "http://"+r.Host+"/page", http.StatusMovedPermanently)
		case "/sso":
			http.Redirect(w, r, "https://sso.example/login?state=1", http.StatusFound)
		case "/circle":
			http.Redirect(w, r, "/circle?again", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, samplePage)
		}
	}))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL)
	s.reload(t, s.caddyfile(`	redir /moved https://www.example/
	redir /old /page 301
	redir /here /here 302
`))
	link := func() string { return s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL }
	for _, tt := range []struct {
		path, want, says string
		spent, origin    bool
	}{
		{"/start", "injection ok", "has the clock", true, false},
		{"/start", "injection ok", "has the clock", true, true},
		{"/old", "injection ok", "has the clock", true, false},
		{"/sso", "injection not_checked", "leads to https://sso.example/login", true, false},
		{"/sso", "injection not_checked", "was not spent", false, true},
		{"/circle", "injection failed", "in a circle", true, false},
		{"/moved", "refusal not_checked", "leads to https://www.example/", false, false},
		{"/moved", "injection not_checked", "the launch link was not spent", false, false},
		{"/here", "refusal failed", "in a circle", false, false},
	} {
		session := link()
		args := []string{s.App + tt.path, "--session", session}
		if tt.origin {
			args = append(args, "--origin", app.URL)
		}
		_, r := examine(t, "", args...)
		check(t, r, tt.want, tt.says)
		if a := Browser(t).Do(t, "GET", session, nil); (a.Status != http.StatusSeeOther) != tt.spent {
			t.Errorf("%q: the launch link afterwards: %d %s", args[:1], a.Status, a.Code())
		}
	}
	// Without a session, the origin's redirects are followed as well.
	_, r := examine(t, "", s.App+"/start", "--origin", app.URL)
	check(t, r, "injection ok", "would inject the clock")
}
