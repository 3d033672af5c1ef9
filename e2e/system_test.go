// Package e2e_test runs the product as its users do: the real binary, over HTTP.
//
// [Start] runs `sessiongate demo` on free ports in a temporary folder; the
// tests beside it act as marketplace, browser and origin. Browser tests in
// TypeScript stand in the same folder and use the same binary.
package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// System is a running demo.
type System struct {
	Marketplace    string    `json:"marketplace"`
	API            string    `json:"api"`
	App            string    `json:"app"`
	Origin         string    `json:"origin"`
	ProviderID     string    `json:"provider_id"`
	MarketplaceKey string    `json:"marketplace_key"`
	ProviderKey    string    `json:"provider_key"`
	AdminKey       string    `json:"admin_key"`
	EdgeKey        string    `json:"edge_key"`
	Apps           []demoApp `json:"apps"`

	Dir string // the demo's data folder
	Log *Log   // all that the process wrote to stderr

	cmd     *exec.Cmd
	stopped bool
}

// Log gathers what a process writes.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements [io.Writer].
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is everything written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

var (
	buildOnce sync.Once
	binary    string
	buildErr  error
)

// Binary is the path of the program under test: $SESSIONGATE_BIN, or built
// here, once.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("SESSIONGATE_BIN"); path != "" {
		return path
	}
	buildOnce.Do(func() {
		dir, err := os.MkdirTemp("", "sessiongate-e2e-")
		if err != nil {
			buildErr = err
			return
		}
		binary = filepath.Join(dir, "sessiongate")
		out, err := exec.Command("go", "build", "-o", binary, "github.com/sessiongate/sessiongate/cmd/sessiongate").CombinedOutput()
		if err != nil {
			buildErr = fmt.Errorf("building sessiongate: %w\n%s", err, out)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return binary
}

// Start runs the demo with further arguments until the test ends.
func Start(t testing.TB, args ...string) *System {
	t.Helper()
	s := &System{Dir: t.TempDir(), Log: new(Log)}
	cmd := exec.Command(Binary(t), append([]string{"demo", "--json", "--data", s.Dir, "--base-port", strconv.Itoa(freePorts(t))}, args...)...)
	cmd.Env = append(os.Environ(), "SESSIONGATE_LOG_LEVEL=DEBUG", "HOME="+t.TempDir())
	cmd.Stderr = s.Log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd = cmd
	t.Cleanup(func() { s.stop(t) })
	line := make(chan []byte, 1)
	go func() {
		l, _ := bufio.NewReader(stdout).ReadBytes('\n')
		line <- l
		_, _ = io.Copy(io.Discard, stdout)
	}()
	select {
	case l := <-line:
		if err := json.Unmarshal(l, s); err != nil {
			t.Fatalf("the demo printed %q: %v\n%s", l, err, s.Log)
		}
	case <-time.After(patience):
		t.Fatalf("the demo was not ready within %s:\n%s", patience, s.Log)
	}
	return s
}

// stop ends the demo as Ctrl-C does, and expects it to go well.
func (s *System) stop(t testing.TB) {
	t.Helper()
	if !s.stopped {
		s.stopped = true
		stopProcess(t, s.cmd, s.Log)
		s.checkSecrets(t)
	}
}

// checkSecrets makes sure that the process wrote no token and no key.
func (s *System) checkSecrets(t testing.TB) {
	t.Helper()
	log := s.Log.String()
	for _, secret := range []string{"eyJ", s.MarketplaceKey, s.ProviderKey, s.AdminKey, s.EdgeKey} {
		if i := strings.Index(log, secret); i >= 0 && secret != "" {
			t.Errorf("the log holds a secret: …%s…", log[max(0, i-200):min(len(log), i+40)])
		}
	}
}

func stopProcess(t testing.TB, cmd *exec.Cmd, log *Log) {
	t.Helper()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the process ended with %v:\n%s", err, log)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Errorf("the process did not stop within %s:\n%s", patience, log)
	}
}

// nextPorts is where the next search for free ports begins: below the range
// from which the kernel takes ports for outgoing connections, which would take
// one between the search and its use.
var nextPorts atomic.Int64

func init() { nextPorts.Store(int64(os.Getpid() % 1000)) }

// takenPorts are UDP sockets that keep ports of this process from other runs of
// these tests. They are closed when the process ends, and not before.
var takenPorts sync.Map // of int to net.PacketConn

// freePorts finds four neighboring ports that nobody listens on and no other
// test uses, and returns the first. They stay this process's until it ends: a
// socket for UDP on the last of them says so, which is why an edge that serves
// HTTP/3 uses one of the others.
func freePorts(t testing.TB) int {
	t.Helper()
	const first, last = 10_000, 22_000
	for range (last - first) / 4 {
		base := first + int(nextPorts.Add(1)*4)%(last-first)
		taken, err := net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+3)))
		if err != nil {
			continue
		}
		if !portsAreFree(base) {
			taken.Close()
			continue
		}
		takenPorts.Store(base, taken)
		return base
	}
	t.Fatal("no four neighboring ports are free")
	return 0
}

func portsAreFree(base int) bool {
	for n := range 4 {
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+n)))
		if err != nil {
			return false
		}
		ln.Close()
	}
	return true
}

// Answer is an HTTP answer, read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // decoded, where it was gzip and whole
	Wire   []byte // as it came
}

// JSON decodes the body into v.
func (a *Answer) JSON(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
}

// Code is the code of a problem document, or "".
func (a *Answer) Code() string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.Body, &p)
	return p.Code
}

// Client is somebody with a cookie jar who follows no redirect.
type Client struct {
	*http.Client
	Bearer  string
	Headers map[string]string
}

// Browser is a client that says what a browser says on a navigation.
func Browser(t testing.TB) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := plainClient()
	c.Jar = jar
	return &Client{Client: c, Headers: map[string]string{
		"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Upgrade-Insecure-Requests": "1",
		"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip",
	}}
}

// Caller is a client with an API key.
func Caller(key string) *Client { return &Client{Client: plainClient(), Bearer: key} }

func plainClient() *http.Client {
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{Proxy: nil, DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do sends a request; body may be nil, a string, or anything that JSON takes.
func (c *Client) Do(t testing.TB, method, url string, body any, headers ...string) *Answer {
	t.Helper()
	resp := c.Open(t, method, url, body, headers...)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, url, err)
	}
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, Body: b, Wire: b}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if plain, err := gunzip(b); err == nil {
			a.Body = plain
		}
	}
	return a
}

// Open sends a request and leaves the body of its answer to the caller.
func (c *Client) Open(t testing.TB, method, url string, body any, headers ...string) *http.Response {
	t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = bytes.NewReader([]byte(b))
	default:
		buf, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(buf)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.Bearer)
	}
	for k, v := range c.Headers {
		req.Header.Set(k, v)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, req.URL.Path, errors.Unwrap(err)) // no URL: it may hold a token
	}
	return resp
}
