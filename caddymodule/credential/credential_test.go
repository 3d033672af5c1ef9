package credential

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func authority(key byte, now *time.Time) *Authority {
	var k [KeySize]byte
	k[0] = key
	return New(k, rand.Reader, func() time.Time { return *now })
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Edges with one key show the same; edges with another, and other providers, do not.
func TestCredentialsFollowFromTheKey(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one, same, other := authority(1, &now), authority(1, &now), authority(2, &now)
	secrets, authorities := make(map[string]string), make(map[string]string)
	for name, a := range map[string]*Authority{"one": one, "other": other} {
		for _, id := range []string{"prov_a", "prov_b", "prov_a\x00", "", "PROV_A"} {
			secret, ca := must[string](t)(a.Secret(id)), string(must[[]byte](t)(a.CA(id)))
			if was, ok := secrets[secret]; ok {
				t.Errorf("%s %q has the secret of %s", name, id, was)
			}
			if was, ok := authorities[ca]; ok {
				t.Errorf("%s %q has the authority of %s", name, id, was)
			}
			secrets[secret], authorities[ca] = name+id, name+id
			if len(secret) != 64 {
				t.Errorf("secret of %d digits", len(secret))
			}
		}
	}
	if must[string](t)(one.Secret("prov_a")) != must[string](t)(same.Secret("prov_a")) {
		t.Error("two edges with one key have different secrets")
	}
	if !bytes.Equal(must[[]byte](t)(one.CA("prov_a")), must[[]byte](t)(same.CA("prov_a"))) {
		t.Error("two edges with one key have different authorities")
	}
}

// An origin that trusts one provider's authority accepts that provider's certificates
// from every edge with the key, and no others.
func TestCertificatesStandForOneProvider(t *testing.T) {
	t.Parallel()
	now := time.Now()
	one, same, other := authority(1, &now), authority(1, &now), authority(2, &now)
	victim, rival := strings.Repeat("v", 80), strings.Repeat("v", 80)+"2" // equal in what a subject can hold
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must[[]byte](t)(one.CA(victim)))
	for name, c := range map[string]struct {
		a    *Authority
		id   string
		want bool
	}{
		"its own": {one, victim, true}, "its own, from another edge": {same, victim, true},
		"a rival's": {one, rival, false}, "its own, with another key": {other, victim, false}, "nobody's": {one, "", false},
	} {
		leaf := must[*tls.Certificate](t)(c.a.Certificate(c.id)).Leaf
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if got := leaf.URIs[0].String(); got != "urn:sessiongate:provider:"+c.id {
			t.Errorf("%s: the certificate names %s", name, got)
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if err == nil {
			t.Errorf("%s: the certificate is a server's, too", name)
		}
	}
}

// A leaf cannot sign: a stolen one makes no other.
func TestClientCertificatesSignNothing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := authority(1, &now)
	leaf := must[*tls.Certificate](t)(a.Certificate("prov_a"))
	if leaf.Leaf.IsCA || leaf.Leaf.KeyUsage&x509.KeyUsageCertSign != 0 || leaf.Leaf.Subject.CommonName != "prov_a" {
		t.Errorf("%+v", leaf.Leaf)
	}
	block, rest := pem.Decode(must[[]byte](t)(a.CA("prov_a")))
	if block == nil || len(rest) > 0 {
		t.Fatal("not one certificate")
	}
	if ca := must[*x509.Certificate](t)(x509.ParseCertificate(block.Bytes)); !ca.IsCA || !ca.MaxPathLenZero || bytes.Equal(ca.RawSubject, leaf.Leaf.RawSubject) {
		t.Errorf("%+v", ca)
	}
}

func TestCertificatesAreRenewed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := authority(1, &now)
	first := must[*tls.Certificate](t)(a.Certificate("prov_a"))
	now = now.Add(11 * time.Hour)
	if must[*tls.Certificate](t)(a.Certificate("prov_a")) != first {
		t.Error("renewed after 11 hours")
	}
	for _, step := range []time.Duration{2 * time.Hour, 400 * 24 * time.Hour, -500 * 24 * time.Hour} { // a clock that was wrong, too
		now = now.Add(step)
		c := must[*tls.Certificate](t)(a.Certificate("prov_a")).Leaf
		if now.Before(c.NotBefore) || c.NotAfter.Before(now.Add(leafRenew)) || c.NotAfter.Sub(c.NotBefore) > leafLife+clockSkew {
			t.Errorf("at %s: from %s to %s", now, c.NotBefore, c.NotAfter)
		}
	}
}

func TestProvidersAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := authority(1, &now)
	first := must[string](t)(a.Secret("prov_0"))
	for i := range 3 * maxProviders {
		if _, err := a.Secret(time.Duration(i).String()); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.known) > maxProviders {
		t.Errorf("%d are remembered", len(a.known))
	}
	if must[string](t)(a.Secret("prov_0")) != first {
		t.Error("the secret changed")
	}
}

// A handshake with a server that trusts one provider's authority, as Go does it.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := authority(1, &now)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must[[]byte](t)(a.CA("prov_a")))
	server := must[*tls.Certificate](t)(a.Certificate("the server")) // any will do
	for id, want := range map[string]bool{"prov_a": true, "prov_b": false} {
		here, there := net.Pipe()
		s := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MaxVersion: tls.VersionTLS12})
		c := tls.Client(here, &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return a.Certificate(id) }})
		var g sync.WaitGroup
		g.Go(func() { _ = c.Handshake(); c.Close() })
		err := s.Handshake()
		there.Close()
		g.Wait()
		if (err == nil) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "origin.key")
	if _, err := Read(path); err == nil {
		t.Error("read a file that does not exist")
	}
	secrets := make([]string, 8)
	var g sync.WaitGroup
	for i := range secrets { // several processes at once
		g.Go(func() {
			if a, err := Load(path); err != nil {
				t.Error(err)
			} else {
				secrets[i], _ = a.Secret("prov_a")
			}
		})
	}
	g.Wait()
	for _, s := range secrets {
		if s != secrets[0] || s == "" {
			t.Errorf("%q and %q", s, secrets[0])
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	for _, text := range []string{"", "00", "xyz", strings.Repeat("0", 63), strings.Repeat("0", 66), "-----BEGIN PRIVATE KEY-----"} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(bad); err == nil || strings.Contains(err.Error(), strings.Repeat("0", 10)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
