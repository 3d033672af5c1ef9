package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// way is how an edge forwards what passes the gate.
type way struct {
	name string
	site func(origin string) string // directives that forward to an address
}

const (
	reverseProxy = "reverse_proxy"
	ownOrigin    = "origin"
)

// gateOptions are those of all sites.
const gateOptions = "\t\tprovider " + provider + "\n\t\tupgrade my-protocol\n"

var ways = []way{
	{reverseProxy, func(origin string) string {
		return "\tsession_gate {\n" + gateOptions + "\t}\n\treverse_proxy " + origin + " {\n\t\ttransport http {\n\t\t\tcompression off\n\t\t}\n\t}\n"
	}},
	{ownOrigin, func(origin string) string {
		return "\tsession_gate {\n" + gateOptions + "\t\torigin http://" + origin + "\n\t}\n"
	}},
}

const (
	provider = "prov_conformance"
	user     = "user_conformance"

	// scriptedSites is how many sites an edge has for scripted origins. Each test takes
	// one of its own, so that none gets a connection that another has left.
	scriptedSites = 1300
)

// edge is a running edge that forwards in one way.
type edge struct {
	way
	http    string // its address for HTTP/1.1 in the clear
	https   string // and for TLS, and QUIC
	cmd     *exec.Cmd
	session *harness.Session
	sites   []net.Listener // where the scripted origins listen
	taken   atomic.Int64   // of sites
}

var (
	stand   *harness.Harness
	edges   []*edge
	servers []*server // real origins
)

func TestMain(m *testing.M) {
	code := 1
	defer func() { os.Exit(code) }()
	program, remove, err := harness.Program()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()
	defer stopAll()
	if err := startAll(program); err != nil {
		fmt.Println(err)
		return
	}
	code = m.Run()
	for _, e := range edges {
		println(e.taken.Load())
	}
	if code == 0 {
		code = lookAtLogs()
	}
}

func startAll(program string) (err error) {
	if stand, err = harness.New("conformance"); err != nil {
		return err
	}
	if err := stand.StartBackend(program); err != nil {
		return err
	}
	if err := startServers(program); err != nil {
		return err
	}
	if err := writeCertificate(stand.Dir); err != nil {
		return err
	}
	if err := stand.Register(provider, "s0.example"); err != nil {
		return err
	}
	for _, w := range ways {
		e := &edge{way: w}
		edges = append(edges, e)
		if err := e.start(program); err != nil {
			return err
		}
	}
	return nil
}

func stopAll() {
	if stand == nil {
		return
	}
	for _, e := range edges {
		harness.Stop(e.cmd)
		for _, l := range e.sites {
			l.Close()
		}
	}
	stopServers()
	stand.Close()
}

// lookAtLogs looks for what must not be in them, whatever was sent.
func lookAtLogs() (code int) {
	for _, e := range edges {
		log := stand.Output("edge-" + e.name)
		words := []string{e.session.Cookie, stand.Keys["edge"], "runtime error"}
		if e.name == ownOrigin { // reverse_proxy hands on statuses that no server can send
			words = append(words, "panic")
		}
		for _, word := range words {
			if i := strings.Index(log, word); i >= 0 {
				fmt.Printf("the log of the edge with %s has %q: …%s…\n", e.name, word, log[max(0, i-600):min(len(log), i+1500)])
				code = 1
			}
		}
	}
	return code
}

// start starts the edge and enters a session.
func (e *edge) start(program string) error {
	plain, err := stand.Port()
	if err != nil {
		return err
	}
	secure, err := stand.Port()
	if err != nil {
		return err
	}
	e.http, e.https = harness.Local(plain), harness.Local(secure)
	var config strings.Builder
	fmt.Fprintf(&config, `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	http_port %d
	https_port %d
	auto_https disable_redirects
	skip_install_trust
	session_gate {
		backend %s
		edge_key %s
	}
}
https://*.example {
	tls %[5]s/certificate.pem %[5]s/key.pem
	abort
}
`, plain, secure, stand.API, stand.Keys["edge"], stand.Dir)
	site := func(name, origin string) {
		fmt.Fprintf(&config, "http://%[1]s.example, https://%[1]s.example {\n%[2]s}\n", name, e.site(origin))
	}
	for i := range scriptedSites {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		e.sites = append(e.sites, l)
		site(fmt.Sprintf("s%d", i), l.Addr().String())
	}
	for _, s := range servers {
		site(s.name, s.address)
	}
	path := filepath.Join(stand.Dir, "Caddyfile-"+e.name)
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		return err
	}
	name := "edge-" + e.name
	if e.cmd, err = stand.Run(name, []string{"GODEBUG=http2xconnect=1"}, program, "run", "--config", path, "--adapter", "caddyfile"); err != nil {
		return err
	}
	if err := stand.Listens(name, e.http); err != nil {
		return err
	}
	if e.session, err = stand.Sell(user, provider); err != nil {
		return err
	}
	return e.session.Enter(e.http, "s0.example")
}

// take returns the host of a site that no test has had, and where its origin listens.
func (e *edge) take(t *testing.T) (host string, l net.Listener) {
	t.Helper()
	i := e.taken.Add(1)
	if i >= scriptedSites {
		t.Fatal("all sites are taken: increase scriptedSites")
	}
	return fmt.Sprintf("s%d.example", i), e.sites[i]
}

// writeCertificate writes a certificate for all sites.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conformance"}, DNSNames: []string{"*.example"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "certificate.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}
