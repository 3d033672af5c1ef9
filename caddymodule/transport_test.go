package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// newTransport is a transport as Upstreams sets it up.
func newTransport(t *testing.T, names *nameCache, versions ...string) *Transport {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	options := &reverseproxy.HTTPTransport{TLS: &reverseproxy.TLSConfig{InsecureSkipVerify: true}, Versions: versions}
	if err := options.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	tr := &Transport{HTTPTransport: options}
	if err := tr.wrap(&originCredentials{path: filepath.Join(t.TempDir(), "origin.key")}, names); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Cleanup() })
	return tr
}

// askOrigin sends a request of a provider's through a transport, as reverse_proxy does.
func askOrigin(tr *Transport, provider, to string) (status int, body string, err error) {
	u, err := url.Parse(to)
	if err != nil {
		return 0, "", err
	}
	ctx := context.WithValue(context.Background(), caddyhttp.VarsCtxKey, map[string]any{creditVar: provider})
	ctx = context.WithValue(ctx, dialInfoKey, reverseproxy.DialInfo{Network: "tcp", Address: u.Host, Host: u.Hostname(), Port: u.Port()})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// Two providers at one origin: each request comes over a connection with the
// certificate of its own provider, whatever else goes on, over HTTP/1.1 and HTTP/2.
func TestEachProviderHasItsOwnConnections(t *testing.T) {
	t.Parallel()
	for _, versions := range [][]string{{"1.1"}, {"1.1", "2"}} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name := "nobody"
			if len(r.TLS.PeerCertificates) > 0 {
				name = r.TLS.PeerCertificates[0].Subject.CommonName
			}
			fmt.Fprintf(w, "%s %s", name, r.Proto)
		}))
		server.EnableHTTP2 = true
		server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		server.StartTLS()
		t.Cleanup(server.Close)
		tr := newTransport(t, nil, versions...)
		proto := map[int]string{1: "HTTP/1.1", 2: "HTTP/2.0"}[len(versions)]
		var g sync.WaitGroup
		for i := range 60 {
			provider := []string{"prov_a", "prov_b", "nobody"}[i%3]
			credit := strings.ReplaceAll(provider, "nobody", "")
			g.Go(func() {
				if _, body, err := askOrigin(tr, credit, server.URL); err != nil || body != provider+" "+proto {
					t.Errorf("as %s: %q, %v, want %s", provider, body, err, proto)
				}
			})
		}
		g.Wait()
		if n := len(tr.pools.of); n != 3 {
			t.Errorf("%d pools", n)
		}
	}
}

// An origin that trusts one provider's authority refuses the others.
func TestOriginsRefuseOtherProviders(t *testing.T) {
	t.Parallel()
	tr := newTransport(t, nil, "1.1", "2")
	a, err := tr.credentials.authority()
	if err != nil {
		t.Fatal(err)
	}
	ca, err := a.CA("prov_victim")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "paid") }))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	for range 3 {
		for provider, want := range map[string]bool{"prov_victim": true, "prov_evil": false, "": false} {
			_, body, err := askOrigin(tr, provider, server.URL)
			if (err == nil && body == "paid") != want {
				t.Errorf("%q: %q, %v", provider, body, err)
			}
		}
	}
}

func TestOneCertificateForAllIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options reverseproxy.HTTPTransport
		want    error
	}{
		"a file":      {reverseproxy.HTTPTransport{TLS: &reverseproxy.TLSConfig{ClientCertificateFile: "edge.crt"}}, errOwnCertificate},
		"a managed":   {reverseproxy.HTTPTransport{TLS: &reverseproxy.TLSConfig{ClientCertificateAutomate: "edge.example"}}, errOwnCertificate},
		"over HTTP/3": {reverseproxy.HTTPTransport{Versions: []string{"3"}}, errNoHTTP3},
	} {
		if err := (&Transport{HTTPTransport: &c.options}).wrap(new(originCredentials), nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A name that has a public address when it is checked and a private one when it is
// dialed reaches nothing: what is dialed is what was checked.
func TestOriginsAreDialedAtCheckedAddresses(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	c := newNameCache()
	var dialed []string
	var mu sync.Mutex // guards dialed
	answer := netip.MustParseAddr("93.184.216.34")
	c.lookUp = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{answer, answer.Next()}, nil }
	dial := c.dialPublic(func(ctx context.Context, _, address string) (net.Conn, error) {
		info, _ := reverseproxy.GetDialInfo(ctx)
		mu.Lock()
		defer mu.Unlock()
		dialed = append(dialed, address+" "+info.Address)
		return nil, errors.New("not in a test")
	})
	ctx := context.WithValue(t.Context(), dialInfoKey, reverseproxy.DialInfo{Network: "tcp", Address: "localhost:" + port})
	if _, err := dial(ctx, "tcp", "localhost:"+port); err == nil {
		t.Error("dialed")
	}
	want := fmt.Sprintf("[93.184.216.34:%[1]s 93.184.216.34:%[1]s 93.184.216.35:%[1]s 93.184.216.35:%[1]s]", port)
	if got := fmt.Sprint(dialed); got != want {
		t.Errorf("dialed %s, want %s", got, want)
	}
	// The system's answer is private. So is the address of a connection, if all else failed.
	tr := newTransport(t, newNameCache(), "1.1", "2")
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"} {
		if status, _, err := askOrigin(tr, "prov_a", "https://"+host+":"+port+"/"); !errors.Is(err, errPrivateOrigin) {
			t.Errorf("%s: %d, %v", host, status, err)
		}
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checked(conn); !errors.Is(err, errPrivateOrigin) {
		t.Errorf("a connection to this machine: %v", err)
	}
	if asked > 0 {
		t.Errorf("%d requests", asked)
	}
}

func TestPoolsOfProvidersAreBounded(t *testing.T) {
	t.Parallel()
	tr := newTransport(t, nil, "1.1")
	for i := range poolsMax + 50 {
		tr.of(fmt.Sprint("prov_", i))
	}
	if n := len(tr.pools.of); n > poolsMax {
		t.Errorf("%d pools", n)
	}
}
