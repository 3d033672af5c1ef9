package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// forwarderTo forwards to an origin with the certificate of a test server.
func forwarderTo(t *testing.T, to *httptest.Server) *forwarder {
	t.Helper()
	file := filepath.Join(t.TempDir(), "origin.crt")
	writeCertificate(t, file, to.Certificate())
	app := &App{edge: new(edge.Edge), credentials: &originCredentials{path: filepath.Join(t.TempDir(), "origin.key")}}
	f, err := (&Gate{Origin: &Origin{To: to.URL, CA: []string{file}}, logger: zap.NewNop()}).newForwarder(app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f
}

// askForwarder sends a request of a provider's.
func askForwarder(f *forwarder, provider string) (status int, body string, err error) {
	ctx := context.WithValue(context.Background(), caddyhttp.VarsCtxKey, map[string]any{creditVar: provider})
	w := httptest.NewRecorder()
	err = f.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://app.example/", nil))
	return w.Code, w.Body.String(), err
}

// namesClient is a server that says which client certificate its connection has, in TLS
// of one version, and whether connections are kept.
func namesClient(t *testing.T, version uint16, kept bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprint(w, name)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: version, MaxVersion: version}
	server.Config.SetKeepAlivesEnabled(kept)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// Two providers at one origin: each request comes over a connection with the certificate
// of its own provider, whether it is kept, new, or resumes a TLS session.
func TestForwardedProvidersHaveTheirOwnConnections(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*httptest.Server{
		"kept connections": namesClient(t, tls.VersionTLS13, true),
		"TLS 1.3 sessions": namesClient(t, tls.VersionTLS13, false),
		"TLS 1.2 sessions": namesClient(t, tls.VersionTLS12, false),
	} {
		f := forwarderTo(t, server)
		ask := func(i int) {
			provider := []string{"prov_a", "prov_b", "nobody"}[i%3]
			if _, body, err := askForwarder(f, strings.ReplaceAll(provider, "nobody", "")); err != nil || body != provider {
				t.Errorf("%s, as %s: %q, %v", name, provider, body, err)
			}
		}
		for i := range 12 {
			ask(i)
		}
		var g sync.WaitGroup
		for i := range 60 {
			g.Go(func() { ask(i) })
		}
		g.Wait()
	}
}

// The same holds for two providers that register one origin.
func TestRegisteredProvidersHaveTheirOwnConnections(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*httptest.Server{
		"kept connections": namesClient(t, tls.VersionTLS13, true),
		"TLS 1.3 sessions": namesClient(t, tls.VersionTLS13, false),
		"TLS 1.2 sessions": namesClient(t, tls.VersionTLS12, false),
	} {
		file := filepath.Join(t.TempDir(), "origin.crt")
		writeCertificate(t, file, server.Certificate())
		app := &App{edge: new(edge.Edge), credentials: &originCredentials{path: filepath.Join(t.TempDir(), "origin.key")}}
		config, err := (&Origin{CA: []string{file}}).poolConfig()
		if err != nil {
			t.Fatal(err)
		}
		pools := newOriginPools(app, config, "")
		t.Cleanup(pools.close)
		f := &forwarder{logger: zap.NewNop(), find: func(r *http.Request) (destination, error) {
			p, err := pools.of(originKey{originProvider(r.Context()), server.URL})
			if err != nil {
				return destination{}, err
			}
			return destination{p.pool, p.host}, nil
		}}
		for i := range 12 {
			provider := []string{"prov_a", "prov_b"}[i%2]
			if _, body, err := askForwarder(f, provider); err != nil || body != provider {
				t.Errorf("%s, as %s: %q, %v", name, provider, body, err)
			}
		}
	}
}

func TestPoolsOfForwardedProvidersAreBounded(t *testing.T) {
	t.Parallel()
	app := &App{edge: new(edge.Edge)}
	config, err := new(Origin).poolConfig()
	if err != nil {
		t.Fatal(err)
	}
	pools := newOriginPools(app, config, "")
	for i := range poolsMax + 50 {
		if _, err := pools.of(originKey{fmt.Sprint("prov_", i), "https://origin.example"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(pools.pools); n > poolsMax {
		t.Errorf("%d pools", n)
	}
	pools.close()
	if n := len(pools.pools); n > 0 {
		t.Errorf("%d pools after closing", n)
	}
}

// A request that goes on after its configuration was replaced reaches its origin, over a
// connection that is closed afterwards.
func TestForwardingAfterAReload(t *testing.T) {
	t.Parallel()
	server := namesClient(t, tls.VersionTLS13, true)
	f := forwarderTo(t, server)
	f.close()
	to, err := f.find(httptest.NewRequest(http.MethodGet, "http://app.example/", nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := to.pool.Forward(httptest.NewRecorder(), &origin.Outgoing{Request: httptest.NewRequest(http.MethodGet, "http://app.example/", nil), Host: "x"}); err != nil {
		t.Error(err)
	}
	if s := to.pool.Stats(); s.Open != 0 || s.Dials != 1 {
		t.Errorf("afterwards: %+v", s)
	}
}

// A registered origin has to have a public address also if a handler before the gate has
// sent the request through a proxy.
func TestProxiesOfOthersOpenNoPrivateAddresses(t *testing.T) {
	t.Parallel()
	r := newRegistered(&App{edge: new(edge.Edge)}, origin.Config{}, false)
	ctx := context.WithValue(t.Context(), caddyhttp.VarsCtxKey, map[string]any{"reverse_proxy.proxy": new(url.URL)})
	for _, address := range []string{"127.0.0.1:1", "[::1]:1", "[::ffff:10.0.0.1]:1", "localhost:1"} {
		if _, err := r.pools.config.Dial(ctx, "tcp", address); !errors.Is(err, errPrivateOrigin) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// writeCertificate writes a certificate to a file, as PEM.
func writeCertificate(t *testing.T, file string, c *x509.Certificate) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}
