package origin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kindOf is the kind of an error of Forward, or "".
func kindOf(err error) Kind {
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Kind
	}
	return ""
}

func forward(p *Pool, r *http.Request) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	return w, p.Forward(w, &Outgoing{Request: r, Host: "app.example"})
}

func get() *http.Request { return httptest.NewRequest(http.MethodGet, "http://app.example/", nil) }

// clock is a time that a test moves.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// An origin that cannot be dialed is left alone for a pause that grows, and dialed again
// after it, by one request.
func TestDeadOriginsRest(t *testing.T) {
	t.Parallel()
	var now clock
	var dials atomic.Int32
	alive := serving(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "back") })
	dead := true
	p := patientPool(Config{Address: alive, Now: now.now, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		if dead {
			return nil, errors.New("refused")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	defer p.Close()
	pause := firstRest
	for i := range 8 {
		if _, err := forward(p, get()); kindOf(err) != Dial {
			t.Fatalf("attempt %d: %v", i, err)
		}
		for range 3 {
			if _, err := forward(p, get()); kindOf(err) != Resting {
				t.Fatalf("during pause %d: %v", i, err)
			}
		}
		now.advance(min(pause, longRest) - 1)
		if _, err := forward(p, get()); kindOf(err) != Resting {
			t.Fatalf("at the end of pause %d: %v", i, err)
		}
		now.advance(1)
		pause *= 2
	}
	if n := dials.Load(); n != 8 {
		t.Errorf("dialed %d times, want 8", n)
	}
	dead = false
	for range 2 {
		if w, err := forward(p, get()); err != nil || w.Body.String() != "back" {
			t.Errorf("afterwards: %v, %q", err, w.Body)
		}
	}
	if s := p.Stats(); s.Failures[Dial] != 8 || s.Failures[Resting] != 32 || s.Open != 1 || s.Idle != 1 {
		t.Errorf("counted %+v", s)
	}
}

// A client that leaves while its origin is dialed says nothing of the origin.
func TestCanceledDialIsNoFailure(t *testing.T) {
	t.Parallel()
	p := patientPool(Config{Address: "origin.example:80", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	defer p.Close()
	for name, cancels := range map[string]func(r *http.Request, s *Stop) *http.Request{
		"context": func(r *http.Request, _ *Stop) *http.Request {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			return r.WithContext(ctx)
		},
		"stop": func(r *http.Request, s *Stop) *http.Request { go s.Stop(); return r },
	} {
		var stop Stop
		r := cancels(get(), &stop)
		err := p.Forward(httptest.NewRecorder(), &Outgoing{Request: r, Host: "x", Stop: &stop})
		if kindOf(err) != Client {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := p.Stats(); s.Open != 0 || s.Failures[Dial]+s.Failures[Resting] != 0 {
		t.Errorf("counted %+v", s)
	}
}

// Stop ends an exchange at any point: waiting for a head, in the middle of a body.
func TestStop(t *testing.T) {
	t.Parallel()
	arrived, gone := make(chan struct{}), make(chan struct{})
	address := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			fmt.Fprint(w, "begun")
			_ = http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	p := patientPool(Config{Address: address})
	defer p.Close()
	for _, path := range []string{"/head", "/body"} {
		var stop Stop
		done := make(chan error)
		r := httptest.NewRequest(http.MethodGet, "http://app.example"+path, nil)
		go func() {
			done <- p.Forward(httptest.NewRecorder(), &Outgoing{Request: r, Host: "x", Stop: &stop})
		}()
		<-arrived
		stop.Stop()
		if err := <-done; kindOf(err) != Client {
			t.Errorf("%s: %v", path, err)
		}
		<-gone
		if err := p.Forward(httptest.NewRecorder(), &Outgoing{Request: r, Host: "x", Stop: &stop}); kindOf(err) != Client {
			t.Errorf("%s, begun after it: %v", path, err)
		}
	}
	if s := p.Stats(); s.Open != 0 {
		t.Errorf("%d connections are open", s.Open)
	}
}

// No more connections are opened than allowed, and no more kept.
func TestPoolSize(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var busy sync.WaitGroup
	address := serving(t, func(http.ResponseWriter, *http.Request) { busy.Done(); <-release })
	p := patientPool(Config{Address: address, MaxOpen: 3, MaxIdle: 2})
	defer p.Close()
	busy.Add(3)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := forward(p, get()); err != nil {
				t.Error(err)
			}
		})
	}
	busy.Wait()
	_, err := forward(p, get())
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != Busy || failed.Status() != http.StatusServiceUnavailable {
		t.Errorf("a fourth request: %v", err)
	}
	close(release)
	all.Wait()
	if s := p.Stats(); s.Open != 2 || s.Idle != 2 {
		t.Errorf("%d connections are open, %d idle", s.Open, s.Idle)
	}
	p.Close()
	if s := p.Stats(); s.Open != 0 || s.Idle != 0 {
		t.Errorf("closed: %d connections are open, %d idle", s.Open, s.Idle)
	}
}

// Connections that are idle for too long are closed, by requests and without any.
func TestIdleConnectionsExpire(t *testing.T) {
	t.Parallel()
	address := serving(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	var now clock
	p := patientPool(Config{Address: address, IdleTimeout: time.Minute, Now: now.now})
	defer p.Close()
	for range 2 {
		if _, err := forward(p, get()); err != nil {
			t.Fatal(err)
		}
		now.advance(time.Minute)
	}
	if s := p.Stats(); s.Dials != 2 || s.Open != 1 {
		t.Errorf("dialed %d times, %d open", s.Dials, s.Open)
	}
	p.closeExpired()
	if s := p.Stats(); s.Open != 0 {
		t.Errorf("%d connections are open", s.Open)
	}
}

// scripted starts an origin that answers each connection with script, and returns its
// address.
func scripted(t *testing.T, script func(conn net.Conn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				script(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return l.Addr().String()
}

const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// What an origin sends on a kept connection without being asked is never a response to the
// next request.
func TestUnaskedResponsesAreDropped(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{"with the response": okResponse, "later": ""} {
		sent := make(chan struct{}, 16)
		address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			for {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				fmt.Fprint(conn, okResponse+extra)
				if extra == "" {
					fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
				}
				sent <- struct{}{}
			}
		})
		p := patientPool(Config{Address: address})
		for range 5 {
			w, err := forward(p, get())
			if err != nil || w.Body.String() != "ok" {
				t.Errorf("%s: %q, %v", name, w.Body, err)
			}
			<-sent
			if extra == "" { // on loopback it is there when the write has returned
				p.mu.Lock()
				for _, c := range p.idle {
					if c.quiet() {
						t.Errorf("%s: the connection is kept for the next request", name)
					}
				}
				p.mu.Unlock()
			}
		}
		p.Close()
	}
}

// A response that does not come in time is given up, also after an upload.
func TestHeadTimeout(t *testing.T) {
	t.Parallel()
	address := scripted(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	p := patientPool(Config{Address: address, HeadTimeout: 20 * time.Millisecond})
	defer p.Close()
	large := strings.Repeat("x", 1<<20)
	for _, body := range []string{"", "small", large} {
		r := httptest.NewRequest(http.MethodPost, "http://app.example/", strings.NewReader(body))
		_, err := forward(p, r)
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != Timeout || failed.Status() != http.StatusGatewayTimeout {
			t.Errorf("a body of %d bytes: %v", len(body), err)
		}
	}
	if s := p.Stats(); s.Failures[Timeout] != 3 || s.Open != 0 {
		t.Errorf("counted %+v", s)
	}
}

// A request that has arrived on a kept connection is not sent again because its response is
// late or malformed.
func TestArrivedRequestsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second string
		want   Kind
	}{"late": {"", Timeout}, "malformed": {"HTTP/1.1 none\r\n\r\n", Malformed}, "another protocol": {"220 mail.example\r\n\r\n", Malformed}} {
		var requests atomic.Int32
		address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
			for {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				if requests.Add(1) == 1 {
					fmt.Fprint(conn, okResponse)
				} else {
					fmt.Fprint(conn, c.second)
				}
			}
		})
		p := patientPool(Config{Address: address})
		if _, err := forward(p, get()); err != nil {
			t.Error(err)
		}
		p.config.HeadTimeout = 100 * time.Millisecond
		if c.second != "" {
			p.config.HeadTimeout = time.Minute
		}
		if _, err := forward(p, get()); kindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if n := requests.Load(); n > 2 {
			t.Errorf("%s: %d requests, want 2 at most", name, n)
		}
		p.Close()
	}
}

// Kept connections do not keep the heads of their last responses, of which an origin chooses
// the size.
func TestKeptConnectionsAreSmall(t *testing.T) {
	t.Parallel()
	address := scripted(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			many := 100_000
			if req.Method == http.MethodHead {
				many = 10
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n", strings.Repeat("A: b\r\n", many), "Content-Length: 0\r\n\r\n")
		}
	})
	p := patientPool(Config{Address: address})
	defer p.Close()
	for _, method := range []string{"GET", "HEAD", "GET"} {
		if _, err := forward(p, httptest.NewRequest(method, "http://app.example/", nil)); err != nil {
			t.Fatal(err)
		}
		c := p.kept()
		if c == nil {
			t.Fatal("the connection is not kept")
		}
		all := c.head.fields[:cap(c.head.fields)]
		if len(all) > keptFields || c.buf != nil || slices.ContainsFunc(all, func(f field) bool { return f != field{} }) {
			t.Errorf("%s: %d fields, a buffer of %d bytes", method, len(all), len(c.buf))
		}
		p.put(c)
	}
}

// What cannot be one request is not sent as one.
func TestRequestsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	address := serving(t, func(http.ResponseWriter, *http.Request) { t.Error("a request reached the origin") })
	p := patientPool(Config{Address: address})
	defer p.Close()
	for name, change := range map[string]func(out *Outgoing){
		"line in a value":  func(out *Outgoing) { out.Header["X"] = []string{"a\r\nb: c"} },
		"line in a name":   func(out *Outgoing) { out.Header["X\r\nY"] = []string{"a"} },
		"space in a name":  func(out *Outgoing) { out.Header["X Y"] = []string{"a"} },
		"space in query":   func(out *Outgoing) { out.URL.RawQuery = "a b" },
		"line in query":    func(out *Outgoing) { out.URL.RawQuery = "a\r\nb" },
		"path without /":   func(out *Outgoing) { out.URL.Path = "x" },
		"space in method":  func(out *Outgoing) { out.Method = "GET /x HTTP/1.1\r\nX:" },
		"line in the host": func(out *Outgoing) { out.Host = "a\r\nX: b" },
		"path in the host": func(out *Outgoing) { out.Host = "a/b" },
		"line in ours":     func(out *Outgoing) { out.Headers = []Header{{"X", "a\nb"}} },
	} {
		out := &Outgoing{Request: get(), Host: "x"}
		change(out)
		err := p.Forward(httptest.NewRecorder(), out)
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != BadRequest || failed.Status() != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// watchedBody says when its end was read, as what waits for the end of an upload does.
type watchedBody struct {
	io.Reader
	ended atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended.Store(true)
	}
	return n, err
}

func (b *watchedBody) Close() error { return nil }

// A body is read to its end, of whatever size: an upload counts as complete from there on.
// One that is shorter than its length is the client's failure, and no request.
func TestBodiesAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	address := serving(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	p := patientPool(Config{Address: address})
	defer p.Close()
	for _, size := range []int{1, smallBody, smallBody + 1, 1 << 20} {
		for _, short := range []int{0, 1} {
			body := &watchedBody{Reader: strings.NewReader(strings.Repeat("x", size-short))}
			r := httptest.NewRequest(http.MethodPost, "http://app.example/", body)
			r.ContentLength = int64(size)
			_, err := forward(p, r)
			if want := map[int]Kind{0: "", 1: Client}[short]; kindOf(err) != want {
				t.Errorf("%d bytes of %d: %v", size-short, size, err)
			}
			if !body.ended.Load() {
				t.Errorf("%d bytes of %d: the end was not read", size-short, size)
			}
		}
	}
}
