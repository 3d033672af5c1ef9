package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRotationRefusesNobody rotates the signing keys while sessions are used,
// sold and entered.
func TestRotationRefusesNobody(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	user := s.newUser(t, 10_000)
	old := s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 1}).LaunchURL)
	waiting := s.buy(t, terms{User: user, Seconds: 300, Tokens: 1}) // signed with a key that is about to retire
	stop, first, second := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var loops sync.WaitGroup
	var used, entered atomic.Int64
	kids := map[string]bool{}
	loops.Go(func() {
		for ; ; used.Add(1) {
			select {
			case <-stop:
				return
			default:
			}
			if a := old.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
				t.Errorf("request %d of a session that was there before: %d", used.Load(), a.Status)
			}
		}
	})
	loops.Go(func() {
		for ; ; entered.Add(1) {
			select {
			case <-stop:
				return
			default:
			}
			sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 1})
			if kid := kidOf(t, sold.Token); !kids[kid] {
				kids[kid] = true
				switch len(kids) {
				case 1:
					close(first)
				case 2:
					close(second)
				}
			}
			b := Browser(t)
			if a := b.Do(t, "GET", sold.LaunchURL, nil); a.Status != http.StatusSeeOther {
				t.Errorf("entry %d: %d %s", entered.Load(), a.Status, a.Body)
			} else if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
				t.Errorf("the first request after entry %d: %d", entered.Load(), a.Status)
			}
		}
	})
	wait := func(c chan struct{}, what string) {
		select {
		case <-c:
		case <-time.After(patience):
			t.Errorf("no sale was signed with the %s key", what)
		}
	}
	wait(first, "first")
	if err := s.command(t, "keys", "rotate").Run(); err != nil {
		t.Errorf("rotating: %v\n%s", err, s.Log)
	}
	wait(second, "second") // the service notices within seconds
	// It goes on until there was enough of everything under both keys.
	for until, n := time.Now().Add(time.Second), entered.Load(); time.Now().Before(until) || used.Load() < 20 || entered.Load() < n+5; {
		if t.Failed() {
			break
		}
		if a := old.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
			t.Errorf("after the rotation: %d", a.Status)
		}
	}
	close(stop)
	loops.Wait()
	if len(kids) != 2 {
		t.Errorf("%d keys signed the sales, want two", len(kids))
	}
	s.enter(t, waiting.LaunchURL)
}

// anotherEdge starts an edge of its own configuration beside the first.
func (s *Split) anotherEdge(t *testing.T, caddyfile string) *Log {
	t.Helper()
	other := s.command(t, "run", "--config", write(t, t.TempDir(), "Caddyfile", caddyfile), "--adapter", "caddyfile")
	log := new(Log)
	other.Stderr = log
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopProcess(t, other, log) })
	return log
}

// TestRevocationReachesEveryEdge uses one session at two edges and revokes it.
func TestRevocationReachesEveryEdge(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	ports := freePorts(t)
	second := *s.System
	second.App = fmt.Sprintf("http://127.0.0.1:%d", ports)
	config := strings.NewReplacer(s.App+" {", second.App+" {", "admin "+s.admin, "admin "+net.JoinHostPort("127.0.0.1", strconv.Itoa(ports+1))).Replace(s.caddyfile(""))
	log := s.anotherEdge(t, config)
	waitFor(t, second.App+"/.session-gate/boot.js", log)

	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	elsewhere := &Client{Client: plainClient(), Headers: map[string]string{"Cookie": "session_gate=" + cookieOf(t, b, s.App), "Accept": "*/*"}}
	if a := elsewhere.Do(t, "GET", second.App+"/", nil); a.Status != http.StatusOK {
		t.Fatalf("at the second edge: %d %s", a.Status, a.Body)
	}
	feeds := []*http.Response{
		b.Open(t, "GET", s.App+"/sse", nil, "Accept", "text/event-stream", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"), elsewhere.Open(t, "GET", second.App+"/sse", nil, "Accept", "text/event-stream"),
	}
	asked, revoked := s.revoke(t, sold.Session.ID)
	for _, feed := range feeds {
		s.bodyEnded(t, feed)
		feed.Body.Close()
		onTime(t, asked, revoked, time.Now())
	}
	for i, a := range []*Answer{page(b, t, "GET", s.App+"/", nil), elsewhere.Do(t, "GET", second.App+"/", nil)} {
		if a.Code() != "session_revoked" {
			t.Errorf("at edge %d: %d %s", i+1, a.Status, a.Body)
		}
	}
}

// TestSpoofedIdentityOnEveryPath sends identity headers of a client's own to
// paths that the gate guards, and to one that its matcher leaves out. There the
// app sees no cookie of the gate and no launch token either. The gate forwards by itself,
// and reverse_proxy what its matcher leaves out.
func TestSpoofedIdentityOnEveryPath(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Seen-As", r.RequestURI)
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL)
	s.reload(t, strings.NewReplacer("session_gate {\n\t\tprovider", "@guarded not path /public/*\n\tsession_gate @guarded {\n\t\tprovider", "level DEBUG", "level INFO").Replace(s.caddyfile("\treverse_proxy "+s.origin+"\n")))
	user := s.newUser(t, 100)
	b := s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL)
	spoofs := []string{
		"Session-Gate-User", "root", "session-gate-session", "root", "SESSION-GATE-PROVIDER", "root", "Session-Gate-Expires", "root",
		"Session-Gate-Assertion", "root", "Session_Gate_User", "root", "session_gate-user", "root", "Session-Gate-Anything", "root", "Session-Gate-", "root",
	}
	for _, path := range []string{"/", "/deep/path", "/public/x"} {
		a := page(b, t, "GET", s.App+path, nil, spoofs...)
		if a.Status != http.StatusOK || strings.Contains(string(a.Body), "root") {
			t.Errorf("%s: %d, and the app sees %s", path, a.Status, a.Body)
		}
		if guarded := path != "/public/x"; guarded != strings.Contains(string(a.Body), user) {
			t.Errorf("%s: the app sees %s", path, a.Body)
		}
	}
	if a := page(Browser(t), t, "GET", s.App+"/public/x", nil, spoofs...); a.Status != http.StatusOK || strings.Contains(string(a.Body), "root") {
		t.Errorf("without a session: %d, and the app sees %s", a.Status, a.Body)
	}
	// A launch link is redeemed there, and its token goes no further.
	sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	b = Browser(t) // one with another session would be asked first
	open := page(b, t, "GET", s.App+"/public/x?a=1&session="+sold.Token, nil, "Referer", sold.LaunchURL, "Cookie", "theme=dark")
	if open.Status != http.StatusSeeOther || open.Header.Get("Location") != "/public/x?a=1" {
		t.Errorf("a launch link to a path that is left out: %d to %q", open.Status, open.Header.Get("Location"))
	}
	open = page(b, t, "GET", s.App+"/public/x?a=1", nil, "Referer", sold.LaunchURL, "Cookie", "theme=dark")
	if open.Status != http.StatusOK || strings.Contains(string(open.Body), "eyJ") || strings.Contains(string(open.Body), "session_gate=") || !strings.Contains(string(open.Body), "theme=dark") ||
		!strings.Contains(string(open.Body), "/public/x?a=1\"") {
		t.Errorf("the app sees %s", open.Body)
	}
	// One that only watches changes nothing about that.
	s.reload(t, strings.NewReplacer("provider prov_split", "provider prov_split\n\t\tobserve_only", "level DEBUG", "level INFO").Replace(s.caddyfile("")))
	if a := page(Browser(t), t, "GET", s.App+"/", nil, spoofs...); a.Status != http.StatusOK || strings.Contains(string(a.Body), "root") {
		t.Errorf("with observe_only: %d, and the app sees %s", a.Status, a.Body)
	}
}

// TestInjectIsChosenBySite runs two sites over one app, of which one encodes
// gzip pages again and the other puts a prefix before them.
func TestInjectIsChosenBySite(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zip("<!doctype html><html lang=x><head><title>t</title></head><body>hello</body></html>"))
	}))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL)
	ports := freePorts(t)
	config := strings.Replace(s.caddyfile(""), "max_staleness 1s", "max_staleness 1s\n\t\tdebug_key look", 1)
	for n, mode := range []string{"exact", "off"} {
		config += fmt.Sprintf("http://127.0.0.1:%d {\n\tsession_gate {\n\t\tprovider prov_split\n\t\tinject %s\n\t\torigin %s\n\t}\n}\n", ports+n, mode, s.origin)
	}
	s.reload(t, config)
	cookie := cookieOf(t, s.enter(t, s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL), s.App)
	const tag = `<script src="/.session-gate/boot.`
	for site, want := range map[string][2]string{
		s.App: {"prefix", "<!doctype html><html lang=x><head>" + tag},
		fmt.Sprintf("http://127.0.0.1:%d", ports):   {"reencode", "<!doctype html><html lang=x><head>" + tag},
		fmt.Sprintf("http://127.0.0.1:%d", ports+1): {"", "<!doctype html><html lang=x><head><title>"},
	} {
		a := Browser(t).Do(t, "GET", site+"/", nil, "Cookie", "session_gate="+cookie, "Session-Gate-Debug", "look")
		if got := a.Header.Get("Session-Gate-Debug"); got != want[0] || !strings.HasPrefix(string(a.Body), want[1]) {
			t.Errorf("%s: %d, %q: %s; want %q", site, a.Status, got, a.Body, want)
		}
		if doctypes := strings.Count(string(a.Body), "<!doctype"); (want[0] == "prefix") != (doctypes == 2) {
			t.Errorf("%s: %d doctypes in %s", site, doctypes, a.Body)
		}
	}
}
