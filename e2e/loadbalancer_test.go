package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// selfSigned writes a certificate and its key, together and apart, as proxies want
// them.
func selfSigned(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"app.provider.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	write(t, dir, "app.provider.com.key", keyPEM)
	write(t, dir, "app.provider.com.pem", certPEM+keyPEM)
}

// whatArrives is an app that shows the headers that it gets, and has a WebSocket.
func whatArrives(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			c, err := websocket.Accept(w, r, nil)
			if err == nil {
				_ = c.Close(websocket.StatusNormalClosure, "")
			}
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "script-src https://127.0.0.1:*")
		fmt.Fprintf(w, "<!doctype html><html><head></head><body>proto=%s for=%s host=%s</body></html>",
			r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-For"), r.Host)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestTLSBeforeTheEdge runs the proxies of docs/load-balancer.md before an edge that
// is configured as that page says, and one that is not.
func TestTLSBeforeTheEdge(t *testing.T) {
	t.Parallel()
	doc, _ := snippets(t, "../docs/load-balancer.md")
	s := StartSplit(t, whatArrives(t).URL)
	edge := strings.TrimPrefix(s.App, "http://")
	dir := t.TempDir()
	selfSigned(t, dir)
	haproxy := func(config string) func(*testing.T, int) *Log {
		return func(t *testing.T, port int) *Log {
			config := strings.NewReplacer("bind :443", "bind 127.0.0.1:"+strconv.Itoa(port), "127.0.0.1:8080", edge,
				"crt app.provider.com.pem", "crt "+dir+"/app.provider.com.pem").Replace(config)
			return background(t, dir, nil, "/usr/sbin/haproxy", "-db", "-f", write(t, t.TempDir(), "haproxy.cfg", config))
		}
	}
	trusting := strings.Replace(s.caddyfile(""), "default_bind 127.0.0.1", "default_bind 127.0.0.1\n\tservers {\n\t\ttrusted_proxies static private_ranges\n\t}", 1)
	proxied := strings.Replace(s.caddyfile(""), "default_bind 127.0.0.1", "default_bind 127.0.0.1\n\tservers {\n\t\tlistener_wrappers {\n\t\t\tproxy_protocol {\n\t\t\t\tallow 127.0.0.0/8\n\t\t\t}\n\t\t}\n\t}", 1)
	proxied = strings.Replace(proxied, "origin "+s.origin, "origin "+s.origin+" {\n\t\t\theader X-Forwarded-Proto https\n\t\t}", 1)
	for _, want := range []string{"trusted_proxies static private_ranges", "proxy_protocol {", "header X-Forwarded-Proto https"} {
		if !strings.Contains(doc["edge"]+doc["edge-proxy-protocol"], want) {
			t.Errorf("the page no longer says %q, which this test configures", want)
		}
	}
	for _, tt := range []struct {
		name, config string
		run          func(*testing.T, int) *Log
	}{
		{"nginx", trusting, func(t *testing.T, port int) *Log {
			return nginx(t, dir, strings.Replace(doc["nginx"], "127.0.0.1:8080", edge, 1), port)
		}},
		{"HAProxy", trusting, haproxy(doc["haproxy"])},
		{"HAProxy with the PROXY protocol", proxied, haproxy(doc["haproxy-proxy-protocol"])},
		{"HAProxy with both", proxied, haproxy(strings.Replace(doc["haproxy"], "127.0.0.1:8080", "127.0.0.1:8080 send-proxy", 1))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := freePorts(t)
			s.reload(t, tt.config)
			log := tt.run(t, port)
			public := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			listens(t, public, log)
			b := Browser(t)
			b.Transport = &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			link := strings.Replace(s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL, s.App, "https://"+public, 1)
			a := b.Do(t, "GET", link, nil)
			cookie := a.Header.Get("Set-Cookie")
			if a.Status != http.StatusSeeOther || !strings.HasPrefix(cookie, "__Host-session_gate=") || !strings.Contains(cookie, "; Secure; SameSite=Lax") {
				t.Fatalf("entry: %d, %q\n%s", a.Status, cookie[:min(len(cookie), 30)], log)
			}
			page := string(b.Do(t, "GET", "https://"+public+"/", nil).Body)
			if !strings.Contains(page, "proto=https for=127.0.0.1") || !strings.Contains(page, "host=127.0.0.1") || clockIn(page) == "" {
				t.Errorf("the app gets %s", page)
			}
			dialer := &websocket.DialOptions{HTTPClient: b.Client}
			if c, _, err := websocket.Dial(t.Context(), "wss://"+public+"/ws", dialer); err != nil {
				t.Errorf("the WebSocket: %v", err)
			} else {
				c.CloseNow()
			}
			odd := strings.Replace(s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL, s.App+"/", "https://"+public+"//elsewhere.example/x", 1)
			if to := Browser(t).with(b.Transport).Do(t, "GET", odd, nil).Header.Get("Location"); !strings.HasPrefix(to, "https://127.0.0.1") {
				t.Errorf("an absolute redirect leads to %q", to)
			}
		})
	}

	// A partitioned cookie, and what the log says where nobody trusts the proxy.
	port := freePorts(t)
	public := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	listens(t, public, haproxy(doc["haproxy"])(t, port))
	for config, want := range map[string]string{trusting: "; Secure; SameSite=None; Partitioned", s.caddyfile(""): "; SameSite=Lax"} {
		s.reload(t, strings.Replace(config, "provider prov_split", "provider prov_split\n\t\tcookie partitioned", 1))
		link := strings.Replace(s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL, s.App, "https://"+public, 1)
		b := Browser(t).with(&http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}})
		if got := b.Do(t, "GET", link, nil).Header.Get("Set-Cookie"); !strings.HasSuffix(got, want) {
			t.Errorf("cookie partitioned: %q does not end with %q", regexp.MustCompile("eyJ[^;]*").ReplaceAllString(got, "…"), want)
		}
	}
	eventually(t, func() bool { return strings.Contains(s.Log.String(), "name the proxy in trusted_proxies") },
		func() string { return "the log says why the cookie is not partitioned" })
}

// with is the client over another transport.
func (c *Client) with(transport http.RoundTripper) *Client {
	c.Transport = transport
	return c
}

// TestClientsCannotClaimTLS: without trusted proxies, a header makes no cookie secure
// and no redirect https.
func TestClientsCannotClaimTLS(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, whatArrives(t).URL)
	for _, headers := range [][]string{{"X-Forwarded-Proto", "https"}, {"Forwarded", "proto=https"}, {"X-Forwarded-Ssl", "on"}} {
		link := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL
		a := Browser(t).Do(t, "GET", link, nil, headers...)
		if got := a.Header.Get("Set-Cookie"); a.Status != http.StatusSeeOther || !strings.HasPrefix(got, "session_gate=") {
			t.Errorf("%q: %d, %.30q", headers, a.Status, got)
		}
	}
	// A client that sends the PROXY protocol to an edge that does not expect it.
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.App, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "PROXY TCP4 198.51.100.7 192.0.2.1 5000 443\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 400")) {
		t.Errorf("a PROXY header of a client's: %.100q", answer)
	}
}

// TestForwardedAddressWithAPort: an entry of X-Forwarded-For with a port is the client's
// address at the edge, too.
func TestForwardedAddressWithAPort(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, whatArrives(t).URL)
	n := 100
	for _, strict := range []string{"", "\n\t\ttrusted_proxies_strict"} {
		s.reload(t, strings.Replace(s.caddyfile(""), "default_bind 127.0.0.1", "default_bind 127.0.0.1\n\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8"+strict+"\n\t}", 1))
		for _, entry := range []string{"198.51.100.%d:4711", "198.51.100.%d", "[2001:db8::%d]:4711"} {
			n++
			address := fmt.Sprintf(entry, n)
			want := strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(address, ":4711"), "]"), "[")
			Browser(t).Do(t, "GET", s.App+"/", nil, "X-Forwarded-For", address)
			eventually(t, func() bool { return strings.Contains(s.Log.String(), `"client_ip":"`+want+`"`) },
				func() string { return address + " is the client " + want })
		}
	}
}
