package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// named is an origin that says its name and the Host it was asked for.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><title>%s</title><p>host %s for %s", name, r.Host, r.Header.Get("Session-Gate-Provider"))
	})
}

// byDNSAlone is the configuration of an edge that names no provider, at the
// given port (HTTP) and the next (HTTPS), with certificates of Caddy's own. forward is what
// forwards to the origins: registered, or dynamic.
func (s *Split) byDNSAlone(admin string, port int, global, forward string) string {
	return fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	http_port %d
	https_port %d
	local_certs
	skip_install_trust
%s
	on_demand_tls {
		permission session_gate
	}
	session_gate {
		backend %s
		edge_key %s
	}
}
https:// {
	tls {
		on_demand
	}
%s
}
`, admin, port, port+1, global, s.Link.URL, s.EdgeKey, forward)
}

// registered forwards to the origins of providers by the gate itself.
const registered = `	session_gate {
		origin registered {
			allow_private
		}
	}`

// dynamic forwards to the origins of providers by reverse_proxy, with more options.
func dynamic(more string) string {
	return `	session_gate
	reverse_proxy {
		dynamic session_gate {
			allow_private
		}
` + more + `
		transport http {
			compression off
		}
	}`
}

// dialing reaches an edge at address under any name.
func dialing(address string) *http.Transport {
	return &http.Transport{
		DisableCompression: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // Caddy's internal CA
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
}

// TestDNSAlone runs an edge that names no provider: domains, certificates and
// origins come from the session service, while it runs.
func TestDNSAlone(t *testing.T) {
	t.Parallel()
	plain, secure := httptest.NewServer(named("alpha")), httptest.NewTLSServer(named("beta"))
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "origin.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	s := StartSplit(t, plain.URL, "SSL_CERT_FILE="+ca)
	ports := freePorts(t)
	s.reload(t, s.byDNSAlone(s.admin, ports, "", registered))
	edge := net.JoinHostPort("127.0.0.1", fmt.Sprint(ports+1))

	visitor := func() *Client {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		b := Browser(t)
		b.Jar = jar
		transport := dialing(edge)
		transport.DisableKeepAlives = true
		b.Client.Transport = transport
		return b
	}
	if _, err := visitor().Get("https://alpha.example/"); err == nil {
		t.Error("a domain that nobody registered got a certificate")
	}

	user := s.newUser(t, 100)
	sell := func(name, originURL string) (domain string, sold sale) {
		domain = name + ".example"
		a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
			"id": "prov_" + name, "name": name, "domains": []string{domain}, "origin_url": originURL,
			"policies": map[string]any{"return_hosts": []string{"market.example"}},
		})
		if a.Status != http.StatusCreated {
			t.Fatalf("registering %s: %d %s", name, a.Status, a.Body)
		}
		theirs := *s.System
		theirs.ProviderID = "prov_" + name
		return domain, theirs.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	}
	// Other names than the one just refused: that answer is remembered for 10 s.
	gamma, gammaSale := sell("gamma", plain.URL)
	delta, deltaSale := sell("delta", secure.URL)

	v := visitor()
	if a := v.Do(t, "GET", "https://"+gamma+"/", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("%s without a session: %d", gamma, a.Status)
	}
	if a := v.Do(t, "GET", gammaSale.LaunchURL, nil); a.Status != http.StatusSeeOther {
		t.Fatalf("entering %s: %d %s", gamma, a.Status, a.Body)
	}
	for _, c := range v.Jar.Cookies(mustURL(t, "https://"+gamma)) {
		if !strings.HasPrefix(c.Name, "__Host-session_gate") {
			t.Errorf("cookie %q under TLS", c.Name)
		}
	}
	a := v.Do(t, "GET", "https://"+gamma+"/", nil)
	if a.Status != http.StatusOK || !bytes.Contains(a.Body, []byte("host gamma.example for prov_gamma")) || !bytes.Contains(a.Body, []byte("/.session-gate/boot.")) {
		t.Errorf("%s: %d %s", gamma, a.Status, a.Body)
	}
	// One provider's session opens no other's site.
	raw := gammaCookie(t, v, gamma)
	if a := visitor().Do(t, "GET", "https://"+delta+"/", nil, "Cookie", "__Host-session_gate="+raw); a.Status != http.StatusForbidden {
		t.Errorf("gamma's cookie at %s: %d", delta, a.Status)
	}
	if a := visitor().Do(t, "GET", "https://"+delta+"/?session="+gammaSale.Token, nil); a.Status != http.StatusForbidden {
		t.Errorf("gamma's launch token at %s: %d", delta, a.Status)
	}
	// An https origin is reached by its own name.
	d := visitor()
	if a := d.Do(t, "GET", deltaSale.LaunchURL, nil); a.Status != http.StatusSeeOther {
		t.Fatalf("entering %s: %d %s", delta, a.Status, a.Body)
	}
	a = d.Do(t, "GET", "https://"+delta+"/", nil)
	if want := "host " + strings.TrimPrefix(secure.URL, "https://") + " for prov_delta"; a.Status != http.StatusOK || !bytes.Contains(a.Body, []byte(want)) {
		t.Errorf("%s: %d %s, want %q", delta, a.Status, a.Body, want)
	}
	for name, forward := range map[string]string{
		"origin registered with header": strings.Replace(registered, "allow_private", "allow_private\n\t\t\theader X-Word 1", 1),
		"dynamic session_gate":          dynamic(""),
		// The proxy's own changes of headers would undo that.
		"dynamic session_gate with header_up": dynamic("\t\theader_up X-Word 1\n\t\theader_up Host {session_gate.origin_host}"),
	} {
		s.reload(t, s.byDNSAlone(s.admin, ports, "", forward))
		for _, tt := range []struct {
			by            *Client
			domain, asked string
		}{{v, gamma, gamma}, {d, delta, strings.TrimPrefix(secure.URL, "https://")}} {
			if a := tt.by.Do(t, "GET", "https://"+tt.domain+"/", nil); !bytes.Contains(a.Body, []byte("host "+tt.asked+" for")) {
				t.Errorf("%s by %s: %d %s, want host %s", tt.domain, name, a.Status, a.Body, tt.asked)
			}
		}
	}
	if resp, err := visitor().Get("https://nobody.example/"); err == nil {
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		t.Errorf("nobody.example answered %d %s", resp.StatusCode, b)
	}
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func gammaCookie(t *testing.T, v *Client, domain string) string {
	t.Helper()
	for _, c := range v.Jar.Cookies(mustURL(t, "https://"+domain)) {
		if c.Name == "__Host-session_gate" {
			return c.Value
		}
	}
	t.Fatal("no cookie")
	return ""
}
