package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sessiongate/sessiongate/internal/publicip"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{name}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

// sign makes a certificate for host that is valid from and until.
func (a *authority) sign(t *testing.T, host string, from, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: from, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// site is a server that somebody mistook for an edge, and counts cookies.
type site struct {
	*httptest.Server
	secrets int
}

func newSite(t *testing.T, cert tls.Certificate) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := r.Header.Get("Cookie"); c != "" && c != noSession || r.Header.Get(debugHeader) != "" || r.URL.RawQuery != "" {
			s.secrets++
		}
		if strings.HasPrefix(r.URL.Path, "/.session-gate/") || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"session_missing","status":401,"title":"x"}`))
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

type noRules struct{}

func (noRules) Predict(*Page) (string, bool)                      { return "content_type", false }
func (noRules) Blocks(*Page, string, string) (script, calls bool) { return false, false }

func graded(t *testing.T, r *Report, name string) Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %s in %+v", name, r.Checks)
	return Check{}
}

// TestCertificates shows the doctor certificates good and bad, and sees that a
// session goes to none that is bad.
func TestCertificates(t *testing.T) {
	t.Parallel()
	ours, strangers := newAuthority(t, "Test Trust"), newAuthority(t, "Nobody Special")
	now := time.Now()
	const host = "app.example"
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		want Grade
		says string
	}{
		{"good", ours.sign(t, host, now.Add(-time.Hour), now.Add(100*time.Hour)), OK, "by Test Trust"},
		{"about to expire", ours.sign(t, host, now.Add(-99*time.Hour), now.Add(time.Hour)), Warning, "valid until"},
		{"expired", ours.sign(t, host, now.Add(-99*time.Hour), now.Add(-time.Hour)), Failed, "expired on"},
		{"not valid yet", ours.sign(t, host, now.Add(time.Hour), now.Add(99*time.Hour)), Failed, "not valid before"},
		{"of another name", ours.sign(t, "other.example", now.Add(-time.Hour), now.Add(99*time.Hour)), Failed, "is for other.example, not for app.example"},
		{"of a stranger", strangers.sign(t, host, now.Add(-time.Hour), now.Add(99*time.Hour)), Failed, "its issuer is Nobody Special"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, tt.cert)
			r := Run(t.Context(), Config{
				URL: &url.URL{Scheme: "https", Host: host, Path: "/"}, Edge: strings.TrimPrefix(s.URL, "https://"),
				Session: "eyJ0eXAiOiJsYXVuY2grand0In0.a.b", DebugKey: "key", Roots: ours.pool, Rules: noRules{},
				Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, &net.DNSError{Err: "no such host"} },
			})
			got := graded(t, r, "tls")
			if got.Grade != tt.want || !strings.Contains(got.Found, tt.says) {
				t.Errorf("tls is %+v; want %s and %q in it", got, tt.want, tt.says)
			}
			if got.Grade != OK && got.Remedy == "" {
				t.Error("there is no remedy")
			}
			if bad := tt.want == Failed; bad != (s.secrets == 0) {
				t.Errorf("the session was shown %d times", s.secrets)
			}
			if graded(t, r, "gate").Grade != OK {
				t.Errorf("the gate is %+v", graded(t, r, "gate"))
			}
			if d := graded(t, r, "dns"); d.Grade != Warning || !strings.Contains(d.Found, "does not resolve yet") {
				t.Errorf("dns is %+v", d)
			}
		})
	}
}

// TestOneBadAddressOfTwo goes on with what the good one says, whichever is asked
// first.
func TestOneBadAddressOfTwo(t *testing.T) {
	t.Parallel()
	const host = "app.example"
	ours := newAuthority(t, "Test Trust")
	s := newSite(t, ours.sign(t, host, time.Now().Add(-time.Hour), time.Now().Add(99*time.Hour)))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	bad, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bad.Close() })
	go func() {
		for {
			conn, err := bad.Accept()
			if err != nil {
				return
			}
			conn.Close() // no TLS here
		}
	}()
	addresses := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
	for range 2 {
		r := Run(t.Context(), Config{
			URL: &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port), Path: "/"}, Roots: ours.pool, Rules: noRules{},
			Lookup: func(context.Context, string) ([]netip.Addr, error) { return slices.Clone(addresses), nil },
		})
		if got := graded(t, r, "tls"); got.Grade != Failed || !strings.Contains(got.Found, "127.0.0.2") {
			t.Errorf("%s: tls is %+v", addresses, got)
		}
		if got := graded(t, r, "gate"); got.Grade != Failed || !strings.Contains(got.Found, "127.0.0.2") {
			t.Errorf("%s: the gate is %+v", addresses, got)
		}
		slices.Reverse(addresses)
	}
}

// TestForbiddenAddresses dials nothing that the caller's guard forbids.
func TestForbiddenAddresses(t *testing.T) {
	t.Parallel()
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(s.Close)
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := Run(t.Context(), Config{
		URL: &url.URL{Scheme: "http", Host: "app.example:" + target.Port(), Path: "/"}, Origin: target, Rules: noRules{},
		Control: publicip.Control,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	})
	if asked > 0 || graded(t, r, "tls").Grade != NotChecked || graded(t, r, "origin_lock").Grade != NotChecked || r.Failed != 0 {
		t.Errorf("%d requests went through a guard that forbids them: %+v", asked, r)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		list []netip.Addr
		err  error
		want Grade
		says string
	}{
		"public":  {[]netip.Addr{netip.MustParseAddr("93.184.216.7"), netip.MustParseAddr("::ffff:93.184.216.8")}, nil, OK, "93.184.216.7 and 93.184.216.8"},
		"private": {[]netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil, Warning, "only within its own network"},
		"nothing": {nil, &net.DNSError{Err: "no such host", Server: "192.0.2.1:53"}, Failed, "does not resolve: no such host"},
		"empty":   {nil, nil, Failed, "no address"},
	} {
		r := Run(t.Context(), Config{
			URL: &url.URL{Scheme: "https", Host: "app.example", Path: "/"}, Rules: noRules{},
			Control: func(string, string, syscall.RawConn) error { return errors.New("not today") },
			Lookup:  func(context.Context, string) ([]netip.Addr, error) { return tt.list, tt.err },
		})
		if got := graded(t, r, "dns"); got.Grade != tt.want || !strings.Contains(got.Found, tt.says) || strings.Contains(got.Found, "192.0.2.1") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSessionToken(t *testing.T) {
	t.Parallel()
	const launch = "eyJ0eXAiOiJsYXVuY2grand0In0.e30.c2ln"
	for in, want := range map[string]string{
		launch: launch, "https://app.example/?session=" + launch + "&x=1": launch,
		"": "", "https://app.example/": "", "hello": "", "a.b.c": "", strings.Repeat("e", 5000): "",
	} {
		got, err := SessionToken(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.40q: %q, %v", in, got, err)
		}
		if err != nil && in != "" && strings.Contains(err.Error(), in) {
			t.Error("the error quotes the input")
		}
	}
}

// TestLongAnswersAreCut: a stranger's server does not determine how long a report is.
func TestLongAnswersAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 10_000)
	for name, tt := range map[string]struct {
		check  string
		answer func(h http.Header) int
	}{
		"a name":     {"refusal", func(h http.Header) int { h.Set("Server", long); return http.StatusOK }},
		"an address": {"refusal", func(h http.Header) int { h.Set("Location", "https://other.example/"+long); return http.StatusFound }},
		"no gate":    {"gate", func(h http.Header) int { h.Set("Server", long); return http.StatusNotFound }},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.answer(w.Header())) }))
		target, err := url.Parse(s.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		c := graded(t, Run(t.Context(), Config{URL: target, Rules: noRules{}}), tt.check)
		s.Close()
		if len(c.Found) < 100 || len(c.Found) > maxFound+len("…") || !utf8.ValidString(c.Found) {
			t.Errorf("%s: %d bytes: %.200s", name, len(c.Found), c.Found)
		}
	}
}
