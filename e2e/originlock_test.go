package e2e_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// snippets are the named blocks of a document, and its commands, in order.
func snippets(t *testing.T, path string) (named map[string]string, commands string) {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	named = make(map[string]string)
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)(?: title=(\\S+))?\n(.*?)^```$").FindAllStringSubmatch(string(doc), -1) {
		switch {
		case m[2] != "":
			named[m[2]] = m[3]
		case m[1] == "sh":
			commands += m[3]
		default:
			t.Errorf("%s has a block that no test runs:\n%s", path, m[3])
		}
	}
	return named, commands
}

// background starts a program of a document's and stops it after the test.
func background(t *testing.T, dir string, env []string, name string, args ...string) *Log {
	t.Helper()
	log := new(Log)
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd.WaitDelay = 5 * time.Second // a child of its own may hold the pipes open
	t.Cleanup(func() {
		// nginx passes a TERM on to its workers, which a KILL would orphan. A server
		// that waits for a stream without end must not hold the test up.
		defer time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return log
}

// listens waits until somebody does.
func listens(t *testing.T, address string, log *Log) {
	t.Helper()
	eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, func() string { return fmt.Sprintf("somebody listens at %s:\n%s", address, log) })
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// block makes a configuration of s out of a site block of a document's.
func (s *Split) block(t *testing.T, snippet, dir, originAddress string) string {
	t.Helper()
	whole := s.caddyfile("")
	global, _, ok := strings.Cut(whole, s.App+" {")
	if !ok || !strings.Contains(snippet, "app.provider.com {") {
		t.Fatalf("no site of app.provider.com in\n%s", snippet)
	}
	return strings.Replace(global, "level DEBUG", "level INFO", 1) + strings.NewReplacer(
		"app.provider.com {", s.App+" {", "prov_app", s.ProviderID,
		"https://origin.provider.com", "https://"+originAddress,
		"http://origin.provider.com", "http://"+originAddress,
		"origin.provider.com.crt", filepath.Join(dir, "origin.provider.com.crt"),
	).Replace(snippet)
}

// helloThroughTheEdge comes as a paying user.
func (s *Split) helloThroughTheEdge(t *testing.T, log *Log) {
	t.Helper()
	user := s.newUser(t, 100)
	b := s.enter(t, s.buy(t, terms{User: user, Seconds: 300, Tokens: 10}).LaunchURL)
	a := b.Do(t, "GET", s.App+"/", nil)
	if a.Status != http.StatusOK || !strings.Contains(string(a.Body), "Hello "+user) {
		t.Errorf("through the edge: %d %s\n%s", a.Status, a.Body, log)
	}
}

// rivalIsRefused registers the origin as another provider's, too, and visits it there
// with a session of that provider's, over each of the ways: what forwards the rival's
// requests. The owner's users come in before, between and after.
func (s *Split) rivalIsRefused(t *testing.T, originURL string, ways map[string]string, log *Log) {
	t.Helper()
	port := s.App[strings.LastIndex(s.App, ":")+1:]
	rival := *s.System
	rival.ProviderID = fmt.Sprint("prov_rival_", rivalsSoFar.Add(1))
	domain := strings.ReplaceAll(rival.ProviderID, "_", "-") + ".localhost"
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
		"id": rival.ProviderID, "name": "Rival", "domains": []string{domain}, "origin_url": originURL, "app_url": "http://" + domain + ":" + port + "/",
		"policies": map[string]any{"return_hosts": []string{"market.example"}},
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("registering the rival: %d %s", a.Status, a.Body)
	}
	config, err := os.ReadFile(s.Caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	for way, site := range ways {
		s.reload(t, string(config)+fmt.Sprintf("\nhttp://%s:%s {\n%s\n}\n", domain, port, site))
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		b := Browser(t)
		b.Jar, b.Client.Transport = jar, dialing("127.0.0.1:"+port)
		if a := b.Do(t, "GET", rival.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL, nil); a.Status != http.StatusSeeOther {
			t.Fatalf("entering the rival's site: %d %s", a.Status, a.Body)
		}
		for range 3 {
			s.helloThroughTheEdge(t, log)
			a := b.Do(t, "GET", "http://"+domain+":"+port+"/", nil)
			if a.Status < 400 || strings.Contains(string(a.Body), "Hello") {
				t.Errorf("as a rival's, by %s: %d %s\n%s", way, a.Status, a.Body, log)
			}
		}
	}
	s.reload(t, string(config))
}

var rivalsSoFar atomic.Int64

// rivals are the ways in which a rival's requests are forwarded to an origin without TLS.
var rivals = map[string]string{
	"origin registered": `
	session_gate {
		forward_identity jwt
		origin registered {
			allow_private
			header X-Edge-Secret {session_gate.origin_secret}
		}
	}`,
	"dynamic session_gate": `
	session_gate {
		forward_identity jwt
	}
	reverse_proxy {
		dynamic session_gate {
			allow_private
		}
		header_up Host {session_gate.origin_host}
		header_up X-Edge-Secret {session_gate.origin_secret}
	}`,
}

// rivalsOverTLS are the ways to an origin with the certificate of the file.
func rivalsOverTLS(certificate string) map[string]string {
	return map[string]string{
		"origin registered": `
	session_gate {
		origin registered {
			allow_private
			ca ` + certificate + `
		}
	}`,
		"dynamic session_gate": `
	session_gate
	reverse_proxy {
		dynamic session_gate {
			allow_private
		}
		header_up Host origin.provider.com
		transport http {
			compression off
			tls_server_name origin.provider.com
			tls_trust_pool file ` + certificate + `
		}
	}`,
	}
}

func nginx(t *testing.T, dir, server string, port int) *Log {
	server = regexp.MustCompile(`listen \d+`).ReplaceAllString(server, "listen 127.0.0.1:"+strconv.Itoa(port))
	conf := write(t, dir, "nginx.conf", fmt.Sprintf(`daemon off;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
%[2]s}
`, dir, server))
	return background(t, dir, nil, "/usr/sbin/nginx", "-e", "stderr", "-p", dir, "-c", conf)
}

// TestOriginLockByMutualTLS runs docs/origin-lock.md's certificates and its
// three origins behind an edge.
func TestOriginLockByMutualTLS(t *testing.T) {
	t.Parallel()
	doc, commands := snippets(t, "../docs/origin-lock.md")
	dir := t.TempDir()
	s := StartSplit(t, "http://127.0.0.1:1")
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n"+strings.NewReplacer(
		"https://app.provider.com", s.App,
		"DNS:origin.provider.com", "DNS:origin.provider.com,IP:127.0.0.1", // for a rival, who names it by its address
	).Replace(commands))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the commands: %v\n%s", err, out)
	}
	start := map[string]func(t *testing.T, port int) *Log{
		"origin-caddy": func(t *testing.T, port int) *Log {
			site := strings.Replace(doc["origin-caddy"], "origin.provider.com {", fmt.Sprintf("https://origin.provider.com:%d {", port), 1)
			file := write(t, dir, "Caddyfile", fmt.Sprintf("{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\tauto_https disable_redirects\n\thttps_port %d\n}\n%s", port, site))
			return background(t, dir, []string{"HOME=" + t.TempDir()}, Binary(t), "run", "--config", file, "--adapter", "caddyfile")
		},
		"origin-nginx": func(t *testing.T, port int) *Log { return nginx(t, dir, doc["origin-nginx"], port) },
		"origin-go": func(t *testing.T, port int) *Log {
			program := buildGo(t, doc["origin-go"])
			return background(t, dir, []string{"LISTEN=127.0.0.1:" + strconv.Itoa(port)}, program)
		},
	}
	for name, run := range start {
		t.Run(name, func(t *testing.T) {
			port := freePorts(t)
			address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			log := run(t, port)
			listens(t, address, log)
			// The test's origin has no DNS: the edge is told its name and its address.
			for block, named := range map[string][2]string{
				"edge-mtls":               {"ca ", "server_name origin.provider.com\n\t\t\thost origin.provider.com\n\t\t\tca "},
				"edge-mtls-reverse-proxy": {"tls_trust_pool", "tls_server_name origin.provider.com\n\t\t\ttls_trust_pool"},
			} {
				s.reload(t, strings.Replace(s.block(t, doc[block], dir, address), named[0], named[1], 1))
				s.helloThroughTheEdge(t, log)
				s.rivalIsRefused(t, "https://"+address, rivalsOverTLS(filepath.Join(dir, "origin.provider.com.crt")), log)
			}
			direct := &http.Client{Timeout: patience, Transport: &http.Transport{
				DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "origin.provider.com"},
			}}
			req, err := http.NewRequest("GET", "https://"+address+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "origin.provider.com"
			resp, err := direct.Do(req)
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode < 400 {
					t.Errorf("past the edge: %d", resp.StatusCode)
				}
			}
			status, r := examine(t, "", s.App, "--origin", "https://"+address)
			check(t, r, "origin_lock ok", "")
			if status != 0 {
				t.Errorf("the doctor ends with %d: %+v", status, r.Checks)
			}
		})
	}
}

// buildGo compiles a document's program with the modules of this repository.
func buildGo(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	out, err := exec.Command("go", "build", "-o", program, write(t, dir, "main.go", source)).CombinedOutput()
	if err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return program
}

// TestOriginLockBySignedHeader runs docs/origin-lock.md's three apps behind an
// edge, and comes past it.
func TestOriginLockBySignedHeader(t *testing.T) {
	t.Parallel()
	doc, _ := snippets(t, "../docs/origin-lock.md")
	s := StartSplit(t, "http://127.0.0.1:1")
	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	start := map[string]func(t *testing.T, env []string) *Log{
		"express.mjs": func(t *testing.T, env []string) *Log {
			dir := t.TempDir()
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "app.mjs", doc["express.mjs"])
			return background(t, dir, env, "node", "app.mjs")
		},
		"main.go": func(t *testing.T, env []string) *Log {
			return background(t, t.TempDir(), env, buildGo(t, doc["main.go"]))
		},
		"app.py": func(t *testing.T, env []string) *Log {
			dir := t.TempDir()
			write(t, dir, "app.py", doc["app.py"])
			return background(t, dir, env, "/usr/bin/python3", "app.py")
		},
	}
	for name, run := range start {
		t.Run(name, func(t *testing.T) {
			port := strconv.Itoa(freePorts(t))
			address := net.JoinHostPort("127.0.0.1", port)
			log := run(t, []string{"PORT=" + port, "PUBLIC_URL=" + s.App, "PROVIDER_ID=" + s.ProviderID})
			listens(t, address, log)
			s.reload(t, s.block(t, doc["edge-jwt"], t.TempDir(), address))
			s.helloThroughTheEdge(t, log)
			s.rivalIsRefused(t, "http://"+address, rivals, log)

			assertion := s.assertion(t)
			claims := claimsOf(t, assertion)
			past := &Client{Client: plainClient()}
			// What was copied from the edge works for its minute, so it comes first: the
			// document says so.
			if a := past.Do(t, "GET", "http://"+address+"/", nil, "Session-Gate-Assertion", assertion); a.Status != http.StatusOK {
				t.Errorf("with a copied one: %d %s\n%s", a.Status, a.Body, log)
			}
			for attempt, header := range map[string]string{
				"without a header": "", "with noise": "x.y.z",
				"with a launch token": s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).Token,
				"with a forged one":   forge(t, kidOf(t, assertion), "assertion+jwt", claims),
				"with a damaged one":  assertion[:len(assertion)-8] + "AAAAAAAA",
			} {
				if a := past.Do(t, "GET", "http://"+address+"/", nil, "Session-Gate-Assertion", header, "Session-Gate-User", "root"); a.Status != http.StatusForbidden {
					t.Errorf("past the edge %s: %d %s", attempt, a.Status, a.Body)
				}
			}
			_, r := examine(t, "", s.App, "--origin", "http://"+address)
			check(t, r, "origin_lock ok", "")
		})
	}
}

// assertion is what an origin is shown about a new session.
func (s *Split) assertion(t *testing.T) string {
	t.Helper()
	seen := make(chan string, 1)
	app := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case seen <- r.Header.Get("Session-Gate-Assertion"):
		default:
		}
	})
	before, err := os.ReadFile(s.Caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	s.reload(t, regexp.MustCompile(`origin \S+`).ReplaceAllString(string(before), "origin "+app))
	b := s.enter(t, s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL)
	b.Do(t, "GET", s.App+"/", nil)
	s.reload(t, string(before))
	return <-seen
}

// TestOriginLockBySharedSecret runs docs/origin-lock.md's nginx behind an edge.
func TestOriginLockBySharedSecret(t *testing.T) {
	t.Parallel()
	doc, _ := snippets(t, "../docs/origin-lock.md")
	s := StartSplit(t, "http://127.0.0.1:1")
	secret, err := s.command(t, "origin", "secret", s.ProviderID).Output()
	if err != nil {
		t.Fatal(err)
	}
	port := freePorts(t)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	log := nginx(t, t.TempDir(), strings.ReplaceAll(doc["origin-secret"], "a-long-random-word", strings.TrimSpace(string(secret))), port)
	listens(t, address, log)
	s.reload(t, s.block(t, doc["edge-secret"], t.TempDir(), address))
	s.helloThroughTheEdge(t, log)
	s.rivalIsRefused(t, "http://"+address, rivals, log)
	for _, word := range []string{"", "a guess"} {
		if a := Caller("").Do(t, "GET", "http://"+address+"/", nil, "X-Edge-Secret", word); a.Status != http.StatusForbidden {
			t.Errorf("past the edge with %q: %d", word, a.Status)
		}
	}
	_, r := examine(t, "", s.App, "--origin", "http://"+address)
	check(t, r, "origin_lock ok", "")
}

func newServer(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close() })
	return "http://" + ln.Addr().String()
}
