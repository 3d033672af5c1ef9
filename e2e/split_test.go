package e2e_test

import (
	"bytes"
	"fmt"
	"io"
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

	"github.com/sessiongate/sessiongate/internal/protocol"
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
	// The status that answers requests for the changes of some providers, as backends from
	// before that did; 0 for none.
	noFilter atomic.Int64

	mu      sync.Mutex    // guards the rest
	asked   []string      // the paths of requests that passed
	streams []streamAsked // the event streams among them
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
		if r.URL.Path == protocol.EdgeEvents {
			body, err := io.ReadAll(r.Body)
			if status := l.noFilter.Load(); err != nil || status != 0 && r.Method == http.MethodPost {
				w.WriteHeader(int(status))
				return
			}
			l.noteStream(r.Method, body)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
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
		origin %s
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

// adminTries is how often a test asks Caddy's admin API. A reload opens a new
// socket for it beside the old one, which is closed a moment later together with
// what the kernel has put into its queue: those connections are reset unanswered.
const adminTries = 5

// reload replaces the edge's configuration by the command that operators use.
func (s *Split) reload(t testing.TB, caddyfile string) {
	t.Helper()
	if err := os.WriteFile(s.Caddyfile, []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	for tries := 1; ; tries++ {
		cmd := s.command(t, "reload", "--config", s.Caddyfile, "--adapter", "caddyfile", "--address", s.admin)
		said := new(Log)
		cmd.Stderr = io.MultiWriter(s.Log, said)
		err := cmd.Run()
		if err == nil {
			return
		}
		if tries == adminTries || !strings.Contains(said.String(), "performing request") {
			t.Fatalf("reloading: %v\n%s", err, s.Log)
		}
	}
}

// askAdmin asks Caddy's admin API, which answers a Caddyfile in a body by loading it.
func (s *Split) askAdmin(t testing.TB, method, path, body string) *Answer {
	t.Helper()
	client := plainClient()
	client.Transport.(*http.Transport).DisableKeepAlives = true
	for tries := 1; ; tries++ {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.admin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/caddyfile")
		resp, err := client.Do(req)
		if err == nil {
			a := &Answer{Status: resp.StatusCode, Header: resp.Header}
			a.Body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil {
				return a
			}
		}
		if tries == adminTries {
			t.Fatalf("%s %s at the admin API: %v", method, path, err)
		}
	}
}

func waitFor(t testing.TB, address string, log *Log) {
	t.Helper()
	client := plainClient()
	client.Timeout = 5 * time.Second
	eventually(t, func() bool {
		resp, err := client.Get(address)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode < 400
	}, func() string { return fmt.Sprintf("%s answers:\n%s", address, log) })
}

// questions is how often an edge that has followed its backend's stream for a while may
// ask it in so long: for the time every 10 s, and for site settings every minute and, once
// more, after the stream has begun. Now and then one comes late.
func questions(took time.Duration) int {
	return int(took/(10*time.Second)) + 2 + int(took/time.Minute) + 1
}

// quiet waits until the edge has asked for site settings after its stream began.
func (s *Split) quiet(t testing.TB) {
	t.Helper()
	eventually(t, func() bool {
		asked := s.Link.Asked()
		opened := slices.Index(asked, protocol.EdgeEvents)
		return opened >= 0 && slices.Contains(asked[opened:], protocol.EdgeSites)
	}, func() string {
		return fmt.Sprintf("the edge asks for site settings after it has opened its stream: %q", s.Link.Asked())
	})
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
	s.quiet(t)
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
	if asked := s.Link.Asked()[before:]; len(asked) > questions(took) {
		t.Errorf("10,000 requests in %s made the edge ask for %q; without them it may ask %d times", took, asked, questions(took))
	}
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
