package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look into the backend's database

	"github.com/sessiongate/sessiongate/internal/token"
)

// Split is the product as an operator runs it: the session service and the edge
// as two processes, with a Caddyfile of their own. Between them stands a proxy
// that counts what the edge asks, and can be cut.
type Split struct {
	*System
	Link      *link
	Caddyfile string // its path
	admin     string // address of Caddy's admin API
	origin    string
	backend   *exec.Cmd
	listen    string // the session service's address
	env       []string
}

// link is the network between edge and backend.
type link struct {
	*httptest.Server
	cut atomic.Bool

	mu    sync.Mutex // guards asked
	asked []string   // the paths of requests that passed
}

// Asked are the requests that the edge has sent so far.
func (l *link) Asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

func newLink(t testing.TB, backend string) *link {
	t.Helper()
	target, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	l := new(link)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		l.mu.Lock()
		l.asked = append(l.asked, r.URL.Path)
		l.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

// Cut breaks the link and every connection over it; Mend restores it.
func (l *link) Cut()  { l.cut.Store(true); l.CloseClientConnections() }
func (l *link) Mend() { l.cut.Store(false) }

// caddyfile is the edge's configuration; site is what stands in its block.
func (s *Split) caddyfile(site string) string {
	return fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	log {
		level DEBUG
	}
	session_gate {
		backend %s
		edge_key %s
		max_staleness 1s
	}
}
%s {
	log
%s
	session_gate {
		provider prov_split
	}
	reverse_proxy %s {
		stream_close_delay 1h
		transport http {
			compression off
		}
	}
}
`, s.admin, s.Link.URL, s.EdgeKey, s.App, site, s.origin)
}

// StartSplit runs both processes, with env in their environment, until the test
// ends.
func StartSplit(t testing.TB, origin string, env ...string) *Split {
	t.Helper()
	base := freePorts(t)
	at := func(n int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(base+n)) }
	s := &Split{
		System: &System{
			API: "http://" + at(1), App: "http://" + at(2), Origin: origin, ProviderID: "prov_split",
			Marketplace: "http://market.example", Dir: t.TempDir(), Log: new(Log),
		},
		admin: at(0), origin: origin, listen: at(1), env: env,
	}
	s.MarketplaceKey, s.AdminKey, s.EdgeKey = s.apikey(t, "marketplace"), s.apikey(t, "admin"), s.apikey(t, "edge")
	s.startBackend(t)
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
		"id": s.ProviderID, "name": "Split", "origin_url": origin, "app_url": s.App + "/",
		"policies": map[string]any{"return_hosts": []string{"market.example"}},
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("registering the provider: %d %s", a.Status, a.Body)
	}
	s.Link = newLink(t, s.API)

	s.Caddyfile = filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(s.Caddyfile, []byte(s.caddyfile("")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = s.command(t, "run", "--config", s.Caddyfile, "--adapter", "caddyfile")
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	waitFor(t, s.App+"/.session-gate/boot.js", s.Log)
	return s
}

func (s *Split) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	cmd.Env = append(os.Environ(), "HOME="+s.Dir, "SESSIONGATE_DATA="+s.Dir)
	cmd.Env = append(cmd.Env, s.env...)
	cmd.Stderr = s.Log
	return cmd
}

func (s *Split) apikey(t testing.TB, role string) string {
	t.Helper()
	out, err := s.command(t, "apikey", "create", "--role", role).Output()
	if err != nil {
		t.Fatalf("creating the %s key: %v\n%s", role, err, s.Log)
	}
	return strings.TrimSpace(string(out))
}

func (s *Split) startBackend(t testing.TB) {
	t.Helper()
	cmd := s.command(t, "backend", "--listen", s.listen)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.backend = cmd
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			stopProcess(t, cmd, s.Log)
		}
	})
	waitFor(t, s.API+"/readyz", s.Log)
}

// kill ends the session service as a crash does.
func (s *Split) kill(t testing.TB) {
	t.Helper()
	if err := s.backend.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.backend.Wait()
}

func (s *Split) reload(t testing.TB, caddyfile string) {
	t.Helper()
	if err := os.WriteFile(s.Caddyfile, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.command(t, "reload", "--config", s.Caddyfile, "--adapter", "caddyfile", "--address", s.admin).Run(); err != nil {
		t.Fatalf("reloading: %v\n%s", err, s.Log)
	}
}

func waitFor(t testing.TB, address string, log *Log) {
	t.Helper()
	client := plainClient()
	client.Timeout = time.Second
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if resp, err := client.Get(address); err == nil {
			resp.Body.Close()
			if resp.StatusCode < 400 {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s does not answer:\n%s", address, log)
}

// TestTenThousandRequestsAskNothing sends ten thousand requests of one live
// session through the gate and counts what the edge asks of the backend.
func TestTenThousandRequestsAskNothing(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 600, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
		t.Fatalf("first request: %d", a.Status)
	}
	req, err := http.NewRequest("GET", s.App+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	before, began := len(s.Link.Asked()), time.Now()
	for range 10_000 {
		resp, err := b.Client.Do(req.Clone(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("answered %d", resp.StatusCode)
		}
		resp.Body.Close()
	}
	took := time.Since(began)
	// Besides requests there is one thing an edge asks: the time, every 10 s.
	allowed := int(took/(10*time.Second)) + 1
	if asked := s.Link.Asked()[before:]; len(asked) > allowed {
		t.Errorf("10,000 requests in %s made the edge ask for %q; the clock alone explains %d requests", took, asked, allowed)
	}
}

// TestBackendOutage breaks the link between edge and backend, kills the session
// service, and starts it again.
func TestBackendOutage(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	user := s.newUser(t, 300)
	b := s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL)
	shortSale := s.buy(t, terms{User: user, Seconds: 8, Tokens: 10})
	short := s.enter(t, shortSale.LaunchURL)
	later := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})

	s.Link.Cut()
	s.kill(t)
	for range 30 { // past max_staleness of 1 s
		for name, who := range map[string]*Client{"long": b, "short": short} {
			began := time.Now()
			if a := who.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
				t.Fatalf("the %s session's request during the outage: %d %s", name, a.Status, a.Body)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a request took %s during the outage", took)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	a := Browser(t).Do(t, "GET", later.LaunchURL, nil)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !bytes.Contains(a.Body, []byte("One moment, please")) {
		t.Errorf("an entry during the outage: %d %s", a.Status, a.Body)
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/heartbeat", map[string]any{"active": true}); a.Status != http.StatusOK {
		t.Errorf("a heartbeat during the outage: %d %s", a.Status, a.Body)
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/extend", map[string]any{}); a.Status != http.StatusServiceUnavailable {
		t.Errorf("an extension during the outage: %d %s", a.Status, a.Body)
	}
	// The deadline holds, backend or no.
	time.Sleep(time.Until(time.Unix(shortSale.Session.ExpiresAt, 0).Add(300 * time.Millisecond)))
	if a := page(short, t, "GET", s.App+"/", nil); a.Code() != "session_expired" {
		t.Errorf("after the deadline, during the outage: %d %s", a.Status, a.Body)
	}

	s.startBackend(t)
	s.Link.Mend()
	if got := s.settled(t, shortSale.Session.ID); got.Status != "expired" {
		t.Errorf("after the restart: %+v", got)
	}
	s.enter(t, later.LaunchURL)
	// What was revoked after the link came back is heard of.
	ends := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	eb := s.enter(t, ends.LaunchURL)
	Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/sessions/"+ends.Session.ID+"/revoke", map[string]any{"refund": "none", "reason": "test"})
	s.refusedWithin(t, eb, 2*time.Second)
}

// TestEntryDuringAnOutage admits new sessions without the backend, where the
// operator wants that, and makes them real once it is back.
func TestEntryDuringAnOutage(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	s.reload(t, strings.Replace(s.caddyfile(""), "max_staleness 1s", "max_staleness 1s\n\t\twhen_backend_down admit", 1))
	user := s.newUser(t, 100)
	s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL) // the edge learns the keys
	sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	ended := s.buy(t, terms{User: user, Seconds: 300, Tokens: 10})

	s.Link.Cut()
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+ended.Session.ID+"/revoke", map[string]any{"refund": "full", "reason": "test"})
	if a.Status != http.StatusOK {
		t.Fatalf("revoking: %d %s", a.Status, a.Body)
	}
	b, gone := s.enter(t, sold.LaunchURL), s.enter(t, ended.LaunchURL)
	first := cookieOf(t, b, s.App)
	if strings.Contains(first, "eyJ") {
		t.Error("the provisional cookie holds a token")
	}
	for range 3 {
		if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
			t.Fatalf("during the outage: %d %s", a.Status, a.Body)
		}
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/extend", map[string]any{}); a.Status != http.StatusServiceUnavailable {
		t.Errorf("extending during the outage: %d %s", a.Status, a.Body)
	}
	if a := Browser(t).Do(t, "GET", sold.LaunchURL, nil); a.Status != http.StatusConflict {
		t.Errorf("the link in another browser: %d", a.Status)
	}
	if a := Browser(t).Do(t, "GET", s.App+"/?session="+forge(t, kidOf(t, sold.Token), token.Launch, claimsOf(t, sold.Token)), nil); a.Status != http.StatusUnauthorized {
		t.Errorf("a forged token during the outage: %d", a.Status)
	}

	s.Link.Mend()
	s.refusedWithin(t, gone, 5*time.Second)
	deadline := time.Now().Add(5 * time.Second)
	for cookieOf(t, b, s.App) == first {
		if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
			t.Fatalf("after the outage: %d %s", a.Status, a.Body)
		}
		if time.Now().After(deadline) {
			t.Fatal("the provisional cookie never became a session token")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if a := page(b, t, "POST", s.App+"/.session-gate/end", map[string]any{}); a.Status != http.StatusOK {
		t.Errorf("ending after the outage: %d %s", a.Status, a.Body)
	}
	if got := s.settled(t, sold.Session.ID); got.Status != "completed" {
		t.Errorf("settled as %+v", got)
	}
}

// TestHeartbeatsSurvive beats while the backend is away, and as the edge stops:
// the backend learns of each session's last sign of life.
func TestHeartbeatsSurvive(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	beat := func() int64 {
		t.Helper()
		var answer struct {
			Acknowledged bool  `json:"acknowledged"`
			ServerTimeMS int64 `json:"server_time_ms"`
		}
		page(b, t, "POST", s.App+"/.session-gate/heartbeat", map[string]any{"active": true}).JSON(t, &answer)
		if !answer.Acknowledged {
			t.Fatal("a heartbeat was not acknowledged")
		}
		return answer.ServerTimeMS / 1000
	}
	s.Link.Cut()
	s.kill(t)
	away := beat()
	s.startBackend(t)
	s.Link.Mend()
	s.lastBeat(t, sold.Session.ID, away)
	time.Sleep(1100 * time.Millisecond) // the next beat falls into another second
	last := beat()
	s.stop(t)
	s.lastBeat(t, sold.Session.ID, last)
}

// lastBeat waits until the backend's database knows of a sign of life at the
// given second.
func (s *Split) lastBeat(t testing.TB, id string, want int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Dir, "sessiongate.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		var got int64
		err := db.QueryRow("SELECT last_at FROM session_beats WHERE session_id = $1", id).Scan(&got)
		if err == nil && got >= want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the last heartbeat written down is of %d (%v), want %d", got, err, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestRevocationDuringACutIsHeardAfter revokes a session while the edge hears
// nothing; once the link is back, the session is over there too.
func TestRevocationDuringACutIsHeardAfter(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	s.Link.Cut()
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/revoke", map[string]any{"refund": "none", "reason": "test"})
	if a.Status != http.StatusOK {
		t.Fatalf("revoking: %d %s", a.Status, a.Body)
	}
	if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
		t.Errorf("while the edge cannot know: %d", a.Status)
	}
	s.Link.Mend()
	// The stream tries again at least every 2 s, with as much again of jitter.
	s.refusedWithin(t, b, 8*time.Second)
}

// refusedWithin waits until a session is no longer admitted.
func (s *Split) refusedWithin(t testing.TB, b *Client, limit time.Duration) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		a := page(b, t, "GET", s.App+"/", nil)
		if a.Code() == "session_revoked" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still answered %d %s after %s", a.Status, a.Body, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestReloadKeepsEverything reloads the Caddyfile under an open WebSocket, a
// download and a session.
func TestReloadKeepsEverything(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 15, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	feed := b.Open(t, "GET", s.App+"/sse", nil, "Accept", "text/event-stream", "Sec-Fetch-Mode", "cors")
	defer feed.Body.Close()
	before := len(s.Link.Asked())
	for i := range 5 {
		s.reload(t, s.caddyfile(fmt.Sprintf("\theader X-Generation %d\n", i)))
		if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK || a.Header.Get("X-Generation") != strconv.Itoa(i) {
			t.Fatalf("after reload %d: %d, generation %q", i, a.Status, a.Header.Get("X-Generation"))
		}
	}
	if again := s.Link.Asked()[before:]; len(again) > 2 {
		t.Errorf("five reloads made the edge ask for %q: it forgot what it knew", again)
	}
	// A connection that was opened under an old configuration still ends with
	// its session.
	s.bodyEnded(t, feed)
	if off := time.Since(time.Unix(sold.Session.ExpiresAt, 0)); off < -200*time.Millisecond || off > time.Second {
		t.Errorf("the old connection ended %s after the deadline", off)
	}
}

// TestFiftyReloadsLeakNothing counts the edge's goroutines before and after.
func TestFiftyReloadsLeakNothing(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	admin := &Client{Client: plainClient()}
	goroutines := func() int {
		// Connections of this test's own are no leak.
		b.CloseIdleConnections()
		var n int
		profile := admin.Do(t, "GET", "http://"+s.admin+"/debug/pprof/goroutine?debug=1", nil)
		if _, err := fmt.Sscanf(string(profile.Body), "goroutine profile: total %d", &n); err != nil {
			t.Fatalf("reading the profile: %v", err)
		}
		return n
	}
	load := func(i int) {
		config := s.caddyfile(fmt.Sprintf("\theader X-Generation %d\n", i))
		if a := admin.Do(t, "POST", "http://"+s.admin+"/load", config, "Content-Type", "text/caddyfile"); a.Status != http.StatusOK {
			t.Fatalf("reload %d: %d %s", i, a.Status, a.Body)
		}
		if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
			t.Fatalf("after reload %d: %d", i, a.Status)
		}
	}
	for i := range 5 {
		load(i)
	}
	before := goroutines()
	for i := range 50 {
		load(i)
	}
	// What a reload leaves behind ends within a moment.
	var after int
	for range 100 {
		if after = goroutines(); after <= before+3 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d goroutines before fifty reloads, %d after", before, after)
}

func (s *Split) bodyEnded(t testing.TB, resp *http.Response) {
	t.Helper()
	buf := make([]byte, 4096)
	for {
		if _, err := resp.Body.Read(buf); err != nil {
			return
		}
	}
}

// TestAccessLogHoldsNoToken enters with the access log on, in every way that a
// token can come; stop checks the log for secrets.
func TestAccessLogHoldsNoToken(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	for _, path := range []string{"/?a=1&session=", "/?%73ession=", "/?session=x&session="} {
		Browser(t).Do(t, "GET", s.App+path+strings.TrimSuffix(sold.Token, "x")+"broken", nil)
	}
	Browser(t).Do(t, "POST", s.App+"/?session="+sold.Token, "{}")
	Browser(t).Do(t, "HEAD", s.App+"/?session="+sold.Token, nil)
	Browser(t).Do(t, "GET", s.App+"/?session="+sold.Token, nil, "Sec-Purpose", "prefetch;prerender")
	b := s.enter(t, sold.LaunchURL)
	b.Do(t, "GET", s.App+"/logged", nil, "Referer", sold.LaunchURL)
	b.Do(t, "GET", s.App+"/logged", nil, "Referer", s.Marketplace+"/")
	Browser(t).Do(t, "GET", sold.LaunchURL, nil)
	log := s.Log.String()
	if !strings.Contains(log, `"uri":"/logged"`) {
		t.Errorf("the access log is off, so this test says nothing:\n%s", log)
	}
	if !strings.Contains(log, "session entered") || !strings.Contains(log, "entry refused") {
		t.Error("entries are not logged")
	}
}

// TestCaddyfileMistakesAreNamed adapts wrong configurations.
func TestCaddyfileMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ config, want string }{
		{"{\n\tsession_gate {\n\t\tbakend x\n\t}\n}\n", "Caddyfile:3"},
		{"{\n\tsession_gate {\n\t\tmax_staleness soon\n\t}\n}\n", "must be a duration"},
		{":1 {\n\tsession_gate {\n\t\tinject sometimes\n\t}\n}\n", "must be one of: [on off exact]"},
		{":1 {\n\tsession_gate {\n\t\ton_missing redirect\n\t}\n}\n", "needs a URL"},
		{":1 {\n\tsession_gate {\n\t\tprovder x\n\t}\n}\n", "Caddyfile:3"},
		{"{\n\tsession_gate {\n\t\tbackend ftp://x\n\t}\n}\n:1 {\n\tsession_gate\n}\n", "not a URL like"},
	} {
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(Binary(t), "validate", "--config", file, "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%q: %v\n%s\nwant %q in it", tt.config, err, out, tt.want)
		}
	}
}

// TestExampleIsFormattedAndValid holds the shipped Caddyfile to caddy fmt and
// caddy validate.
func TestExampleIsFormattedAndValid(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Binary(t), "fmt", "-")
	cmd.Stdin = bytes.NewReader(example)
	out, err := cmd.Output()
	if err != nil || !bytes.Equal(out, example) {
		t.Errorf("caddy fmt would change Caddyfile.example (%v)", err)
	}
	cmd = exec.Command(Binary(t), "adapt", "--config", "../Caddyfile.example", "--adapter", "caddyfile", "--validate")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err = cmd.Output()
	if err != nil || !json.Valid(out) {
		t.Errorf("adapting Caddyfile.example: %v\n%s", err, out)
	}
}
