package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// fickleOrigin answers one request on each connection and says that it keeps the
// connection. It reads one more request on it, and closes it without an answer, as servers
// do whose time for idle connections ends while a request is on its way.
type fickleOrigin struct {
	address string

	mu   sync.Mutex     // guards seen
	seen map[string]int // how often each path came
}

func startFickleOrigin(t *testing.T) *fickleOrigin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	o := &fickleOrigin{address: l.Addr().String(), seen: make(map[string]int)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go o.serve(conn)
		}
	}()
	return o
}

func (o *fickleOrigin) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for first := true; ; first = false {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		o.mu.Lock()
		o.seen[req.URL.Path]++
		o.mu.Unlock()
		if !first {
			return
		}
		text := fmt.Sprintf("%s with %d bytes", req.Method, len(body))
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", len(text))
		if req.Method != http.MethodHead {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// received is how often a path came.
func (o *fickleOrigin) received(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[path]
}

// TestDeadConnections: a request without a body that may be repeated is sent again when the
// kept connection to the origin turns out to be closed, whatever protocol it came by. What
// may not be repeated reaches the origin once.
func TestDeadConnections(t *testing.T) {
	t.Parallel()
	o := startFickleOrigin(t)
	s := StartSplit(t, "http://"+o.address)
	ports := freePorts(t)
	s.reload(t, fmt.Sprintf(`{
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
https://app.example {
	session_gate {
		provider prov_split
	}
	reverse_proxy %s
}
`, s.admin, ports, ports+1, s.Link.URL, s.EdgeKey, o.address))
	user := s.newUser(t, 1000)
	for protocol, transport := range transports(t, ports+1) {
		b := Browser(t)
		b.Transport = transport()
		sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 10})
		eventually(t, func() bool { // the certificate comes a moment after the reload
			resp, err := (&http.Client{Transport: b.Transport}).Get("https://app.example/.session-gate/x")
			if err == nil {
				resp.Body.Close()
			}
			return err == nil
		}, func() string { return protocol + " is served" })
		if a := b.Do(t, "GET", "https://app.example/?session="+sold.Token, nil); a.Status != http.StatusSeeOther {
			t.Fatalf("entering: %d %s", a.Status, a.Body)
		}
		for _, tt := range []struct {
			method, body string
			repeats      bool
		}{
			{"GET", "", true}, {"HEAD", "", true}, {"OPTIONS", "", true},
			{"GET", "a body", false}, {"DELETE", "", false}, {"POST", "a body", false}, {"PUT", "", false},
		} {
			name := fmt.Sprintf("%s of %d bytes by %s", tt.method, len(tt.body), protocol)
			failed := 0
			for i := range 4 {
				path := fmt.Sprintf("/%s-%d-%s-%d", tt.method, len(tt.body), strings.ReplaceAll(protocol, "/", ""), i)
				var body io.Reader
				if tt.body != "" {
					body = strings.NewReader(tt.body)
				}
				req, err := http.NewRequest(tt.method, "https://app.example"+path, body)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Origin", "https://app.example")
				resp, err := (&http.Client{Transport: b.Transport, Jar: b.Jar, Timeout: patience}).Do(req)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if resp.StatusCode != http.StatusOK {
					failed++
				} else if want := fmt.Sprintf("%s with %d bytes", tt.method, len(tt.body)); tt.method != "HEAD" && string(got) != want {
					t.Errorf("%s: the origin received %s, want %s", name, got, want)
				}
				if n := o.received(path); n > 1 && !tt.repeats || n == 0 {
					t.Errorf("%s reached the origin %d times", name, n)
				}
			}
			if tt.repeats && failed > 0 {
				t.Errorf("%s: %d of 4 failed", name, failed)
			}
		}
	}
}
