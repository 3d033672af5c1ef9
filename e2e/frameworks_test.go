package e2e_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recipe is what docs/recipes shows, by the file that a block's first line
// names, or else by its language. Blocks of one file follow each other, as
// their reader puts them.
func recipe(t *testing.T, name string) map[string]string {
	t.Helper()
	doc, err := os.ReadFile("../docs/recipes/" + name + ".md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := make(map[string]string)
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(doc), -1) {
		key := m[1]
		if file := regexp.MustCompile(`^(?:<\?php )?(?:#|//) (\S+\.\w+.*)\n`).FindStringSubmatch(m[2]); file != nil {
			key = file[1]
		}
		blocks[key] += m[2]
	}
	return blocks
}

// the takes one block of a recipe's.
func the(t *testing.T, blocks map[string]string, key string) string {
	t.Helper()
	if blocks[key] == "" {
		t.Fatalf("the recipe shows no %s", key)
	}
	return blocks[key]
}

// Framework is an app of a recipe's, behind an edge with the recipe's own
// Caddyfile, at https://app.provider.com.
type Framework struct {
	*Split
	log   *Log // the app's
	port  string
	roots *x509.CertPool
}

// startFramework puts the app at address behind an edge whose site is the
// recipe's. upstream is what the recipe's Caddyfile names for the app.
func startFramework(t *testing.T, caddyfile, upstream, address string, log *Log) *Framework {
	t.Helper()
	f := &Framework{Split: StartSplit(t, "http://127.0.0.1:1"), log: log}
	f.App, f.ProviderID = "https://app.provider.com", "prov_app"
	a := Caller(f.AdminKey).Do(t, "POST", f.API+"/api/v1/providers", map[string]any{
		"id": f.ProviderID, "name": "App", "app_url": f.App + "/", "policies": map[string]any{"return_hosts": []string{"market.example"}},
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("registering the provider: %d %s", a.Status, a.Body)
	}
	if !strings.Contains(caddyfile, upstream) {
		t.Fatalf("the recipe's Caddyfile names no %s:\n%s", upstream, caddyfile)
	}
	ports := freePorts(t)
	f.port = strconv.Itoa(ports + 1)
	f.reload(t, fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	http_port %d
	https_port %d
	local_certs
	skip_install_trust
	session_gate {
		backend %s
		edge_key %s
	}
}
`, f.admin, ports, ports+1, f.Link.URL, f.EdgeKey)+strings.ReplaceAll(caddyfile, upstream, address))
	var ca struct {
		Root string `json:"root_certificate"`
	}
	f.askAdmin(t, "GET", "/pki/ca/local", "").JSON(t, &ca)
	f.roots = x509.NewCertPool()
	if !f.roots.AppendCertsFromPEM([]byte(ca.Root)) {
		t.Fatalf("the edge has no certificate of its own:\n%s", f.Log)
	}
	f.awaitSite(t)
	return f
}

// awaitSite waits for the site's certificate.
func (f *Framework) awaitSite(t *testing.T) {
	t.Helper()
	var err error
	eventually(t, func() bool {
		var conn *tls.Conn
		if conn, err = tls.Dial("tcp", "127.0.0.1:"+f.port, &tls.Config{ServerName: "app.provider.com", RootCAs: f.roots}); err == nil {
			conn.Close()
		}
		return err == nil
	}, func() string {
		return fmt.Sprintf("the edge has a certificate for app.provider.com: %v\n%s", err, f.Log)
	})
}

// visitor is a browser that finds app.provider.com at the edge.
func (f *Framework) visitor(t *testing.T) *Client {
	t.Helper()
	b := Browser(t)
	tr := &http.Transport{
		DisableCompression: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: f.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+f.port)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	b.Transport = tr
	return b
}

// opens sells a session and opens its launch link in b.
func (f *Framework) opens(t *testing.T, b *Client, seconds int64) (user string, sold sale) {
	t.Helper()
	user = f.newUser(t, 100)
	sold = f.buy(t, terms{User: user, Seconds: seconds, Tokens: 10, Clock: "launch"})
	a := b.Do(t, "GET", sold.LaunchURL, nil)
	if a.Code() == "" && a.Status == http.StatusConflict { // the browser has another session, and the gate asks
		a = agreeAt(t, b, f.App, a)
	}
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/" && a.Header.Get("Location") != f.App+"/" {
		t.Fatalf("entering: %d to %s: %.300s", a.Status, a.Header.Get("Location"), a.Body)
	}
	return user, sold
}

// fewSeconds is how long a session is that is to end soon, after what it opens.
func (f *Framework) fewSeconds(t *testing.T) int64 {
	t.Helper()
	return f.few(t, 12, func(sold sale) {
		b := f.visitor(t)
		b.Do(t, "GET", sold.LaunchURL, nil)
		b.Do(t, "GET", f.App+"/", nil)
	})
}

// greets fetches the app's page and compares what it says.
func (f *Framework) greets(t *testing.T, b *Client, user, note string, headers ...string) *Answer {
	t.Helper()
	a := b.Do(t, "GET", f.App+"/", nil, headers...)
	html := string(a.Body)
	if a.Status != http.StatusOK || !strings.Contains(html, "<h1>Hello "+user+"</h1>") || !strings.Contains(html, "<p>Note: "+note+"</p>") {
		t.Fatalf("the page of %s with %q: %d to %q\n%.2000s\n%s", user, note, a.Status, a.Header.Get("Location"), html, f.log)
	}
	if got := strings.Count(html, "/.session-gate/boot."); got != 1 {
		t.Errorf("the page has its clock %d times:\n%.2000s", got, html)
	}
	return a
}

// inHerName lets a visitor claim to be root, in every spelling, and somewhere
// else, where the app would send her away.
var inHerName = []string{
	"Session-Gate-User", "root", "Session_Gate_User", "root", "Session-Gate_User", "root", "session_gate-User", "root",
	"X-Forwarded-Proto", "http", "X-Forwarded-Host", "evil.example", "Session_Gate_Session", "01", "X-Forwarded-User", "root", "Remote-User", "root", "Remote_User", "root",
}

// uses is what every recipe promises. The app shows a page with the user, a
// note that it keeps in its session, a form for that note, and a script with
// its CSP's nonce.
func (f *Framework) uses(t *testing.T) {
	if a := f.visitor(t).Do(t, "GET", f.App+"/", nil, inHerName...); a.Status/100 == 2 || strings.Contains(string(a.Body), "Hello") {
		t.Fatalf("without a session: %d %s", a.Status, a.Body)
	}
	b := f.visitor(t)
	ada, _ := f.opens(t, b, 300)
	a := f.greets(t, b, ada, "")
	if a.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("the app's own compression is gone: %v", a.Header)
	}
	nonces := regexp.MustCompile(`nonce="?([^"\s>]+)`).FindAllStringSubmatch(string(a.Body), -1)
	if len(nonces) != 2 || nonces[0][1] != nonces[1][1] || !strings.Contains(a.Header.Get("Content-Security-Policy"), "'nonce-"+nonces[0][1]+"'") {
		t.Errorf("the page's script and the clock's have nonces %q under %q", nonces, a.Header["Content-Security-Policy"])
	}
	if !slices.Contains(a.Header.Values("Strict-Transport-Security"), "max-age=3600; includeSubDomains") {
		t.Errorf("the app does not know that it is reached by https: %v", a.Header)
	}

	f.submit(t, b, a, f.App, "first", http.StatusFound, http.StatusSeeOther)
	f.submit(t, b, f.greets(t, b, ada, "first"), "https://evil.example", "stolen", http.StatusForbidden, http.StatusUnprocessableEntity)
	f.greets(t, b, ada, "first", inHerName...)

	// Another buyer in the same browser starts afresh.
	bob, _ := f.opens(t, b, 300)
	a = f.greets(t, b, bob, "")
	f.submit(t, b, a, f.App, "second", http.StatusFound, http.StatusSeeOther)
	f.greets(t, b, bob, "second")
}

// submit sends the form on a page as a browser does from an origin.
func (f *Framework) submit(t *testing.T, b *Client, page *Answer, from, note string, want ...int) {
	t.Helper()
	token := regexp.MustCompile(`name="(csrfmiddlewaretoken|authenticity_token)" value="([^"]+)"`).FindSubmatch(page.Body)
	if token == nil {
		t.Fatalf("the page has no form with a token:\n%s", page.Body)
	}
	form := url.Values{string(token[1]): {string(token[2])}, "note": {note}}
	a := b.Do(t, "POST", f.App+"/note", form.Encode(), "Content-Type", "application/x-www-form-urlencoded",
		"Origin", from, "Referer", from+"/", "Sec-Fetch-Site", map[bool]string{true: "same-origin", false: "cross-site"}[from == f.App])
	if !slices.Contains(want, a.Status) {
		t.Fatalf("the form from %s: %d, want %v\n%.2000s\n%s", from, a.Status, want, a.Body, f.log)
	}
	if to := a.Header.Get("Location"); to != "" && to != "/" && to != f.App+"/" {
		t.Errorf("after the form, the app sends to %s", to)
	}
}

// streamEnds reads the app's event stream until the session's deadline, and
// until the app notices.
func (f *Framework) streamEnds(t *testing.T) {
	b := f.visitor(t)
	_, sold := f.opens(t, b, f.fewSeconds(t))
	resp := b.Open(t, "GET", f.App+"/stream", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/event-stream")
	defer resp.Body.Close()
	events := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if events, err = gzip.NewReader(events); err != nil {
			t.Fatalf("the stream is no gzip: %v", err)
		}
	}
	var first time.Time // when the first event was there
	lines := bufio.NewScanner(events)
	for lines.Scan() {
		if first.IsZero() && strings.HasPrefix(lines.Text(), "data: ") {
			first = time.Now()
		}
	}
	ended := time.Now()
	if lines.Err() == nil {
		t.Fatalf("%d: the stream ended as if it were complete\n%s", resp.StatusCode, f.log)
	}
	due := f.deadlineOf(t, sold.Session.ID)
	onTime(t, due, due, ended)
	if first.IsZero() || first.After(due) {
		t.Errorf("nothing came while the stream ran: first at %s, due at %s", first, due)
	}
	eventually(t, func() bool { return strings.Contains(f.log.String(), "the session is over, or the visitor is gone") },
		func() string { return "the app notices that its stream is over:\n" + f.log.String() })
}

// certificate is one for localhost, which everybody who trusts it takes.
func certificate(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
		"-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "origin.key", "-out", "origin.crt")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making a certificate: %v\n%s", err, out)
	}
}

// underAnotherName makes a recipe's Caddyfile reach the app by https as
// localhost, where it shows the certificate of dir.
func underAnotherName(caddyfile, dir string) string {
	return regexp.MustCompile(`(?m)^\t\torigin \S+$`).ReplaceAllString(caddyfile, "$0 {\n\t\t\tca "+filepath.Join(dir, "origin.crt")+"\n\t\t}")
}

// project copies an app of e2e/recipes into a folder of the test's own.
func project(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("recipes", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// put writes a file of a project's, or adds to it.
func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
