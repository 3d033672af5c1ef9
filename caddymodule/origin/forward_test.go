package origin

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patientPool is a pool on a machine that may be busy with something else.
func patientPool(c Config) *Pool {
	c.DialTimeout = time.Minute
	return NewPool(c)
}

// proxy serves what a pool forwards to the origin.
func proxy(t *testing.T, c Config, http2 bool) (*httptest.Server, *Pool) {
	t.Helper()
	p := patientPool(c)
	t.Cleanup(p.Close)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := p.Forward(w, &Outgoing{Request: r, Host: r.Host})
		if err == nil {
			return
		}
		failed, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("the error is a %T", err)
			return
		}
		if failed.Begun {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Failure", string(failed.Kind))
		w.WriteHeader(min(failed.Status(), 504))
	}))
	s.EnableHTTP2 = http2
	if http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, p
}

// serving starts an origin and returns its address.
func serving(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// Responses of each framing and requests of each size arrive as they are, many at once
// over few connections.
func TestForward(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	address := serving(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Sum", fmt.Sprintf("%x", sha256.Sum256(body)))
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		switch r.URL.Path {
		case "/sized":
			w.Header().Set("Content-Length", fmt.Sprint(len(big)))
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = w.Write(big)
	})
	for _, http2 := range []bool{false, true} {
		s, p := proxy(t, Config{Address: address}, http2)
		// One connection for all: of 200 at once, a busy machine sets up some too late.
		do(t, s.Client(), "GET", s.URL+"/nothing", nil)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				path := []string{"/sized", "/chunked", "/nothing"}[i%3]
				method := []string{"GET", "POST", "HEAD", "PUT"}[i%4]
				var sent []byte
				if method == "POST" || method == "PUT" {
					sent = big[:[]int{10, 1 << 14, 1<<14 + 1, 1 << 18}[i/4%4]]
				}
				var body io.Reader = bytes.NewReader(sent)
				if i%5 == 0 && len(sent) > 0 {
					body = io.MultiReader(body) // of unknown length
				}
				resp, text := do(t, s.Client(), method, s.URL+path, body)
				want := string(big)
				if path == "/nothing" || method == "HEAD" {
					want = ""
				}
				if text != want {
					t.Errorf("%s %s: %d bytes, want %d", method, path, len(text), len(want))
				}
				if sum := fmt.Sprintf("%x", sha256.Sum256(sent)); resp.Header.Get("X-Sum") != sum {
					t.Errorf("%s %s: %d %q; the origin received another body than %d bytes", method, path, resp.StatusCode, resp.Header, len(sent))
				}
			})
		}
		all.Wait()
		if st := p.Stats(); st.Open != st.Idle || st.Idle > DefaultMaxIdle {
			t.Errorf("afterwards: %+v", st)
		}
	}
}

// An event is handed on when it comes, and a request that is canceled is canceled at the
// origin.
func TestStreamsAndCancels(t *testing.T) {
	t.Parallel()
	next, canceled := make(chan struct{}), make(chan struct{})
	address := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			fmt.Fprint(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-next
		}
		<-r.Context().Done()
		close(canceled)
	})
	s, _ := proxy(t, Config{Address: address}, false)
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	event := make([]byte, 9)
	for range 3 {
		if _, err := io.ReadFull(resp.Body, event); err != nil {
			t.Fatal(err)
		}
		next <- struct{}{}
	}
	resp.Body.Close()
	select {
	case <-canceled:
	case <-time.After(2 * time.Minute):
		t.Error("the origin was not told")
	}
}

// An upgraded connection carries a megabyte in both directions at once, and the end of one
// direction does not end the other.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	address := serving(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nearly", r.Header.Get("Upgrade"))
		var down sync.WaitGroup
		down.Go(func() { _, _ = conn.Write(bytes.Repeat([]byte("d"), size)) })
		n, err := io.Copy(io.Discard, rw)
		if err != nil || n != size {
			t.Errorf("the origin received %d bytes, %v", n, err)
		}
		down.Wait()
		fmt.Fprint(conn, "end")
	})
	s, _ := proxy(t, Config{Address: address}, false)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: other\r\n\r\n")
	go func() {
		_, _ = conn.Write(bytes.Repeat([]byte("u"), size))
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	head, body, _ := strings.Cut(string(got), "\r\n\r\n")
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.HasPrefix(body, "early") || len(body) != 5+size+3 || !strings.HasSuffix(body, "end") {
		t.Errorf("%.200q with %d bytes, %v", head, len(body), err)
	}
}

// An interim response arrives with its fields, and without cookies: a gate that keeps its
// own cookie from being replaced looks at final responses.
func TestInterimResponses(t *testing.T) {
	t.Parallel()
	address := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		fmt.Fprint(w, "ok")
	})
	for _, http2 := range []bool{false, true} {
		s, _ := proxy(t, Config{Address: address}, http2)
		var interim []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			interim = append(interim, fmt.Sprint(code, h["Link"], h["Set-Cookie"]))
			return nil
		}})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := "[103 [</a.css>; rel=preload] []]"; fmt.Sprint(interim) != want || resp.Header.Get("Link") != "" || resp.Header.Get("Set-Cookie") != "a=b" {
			t.Errorf("HTTP/2 %v: %v, then %v", http2, interim, resp.Header)
		}
	}
}

// panicking is a writer whose handler panics with the first byte of a body.
type panicking struct{ http.ResponseWriter }

// Write implements [io.Writer].
func (panicking) Write([]byte) (int, error) { panic(http.ErrAbortHandler) }

// Unwrap implements what [http.ResponseController] looks for.
func (p panicking) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Nothing reads the request's body or holds a connection after a panic.
func TestPanicsOfWriters(t *testing.T) {
	t.Parallel()
	address := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		fmt.Fprint(w, "early")
		_ = http.NewResponseController(w).Flush()
	})
	p := patientPool(Config{Address: address})
	defer p.Close()
	reading := make(chan bool, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &watched{ReadCloser: r.Body}
		r.Body = body
		defer func() { reading <- body.reads.Load() != 0; panic(recover()) }()
		_ = p.Forward(panicking{w}, &Outgoing{Request: r, Host: r.Host})
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer s.Close()
	body, writer := io.Pipe()
	go func() { _, _ = writer.Write([]byte("begun")) }()
	var client sync.WaitGroup
	client.Go(func() {
		if resp, err := http.Post(s.URL, "text/plain", body); err == nil {
			resp.Body.Close()
		}
	})
	if <-reading {
		t.Error("the body is still read")
	}
	writer.Close()
	client.Wait()
	if st := p.Stats(); st.Open != 0 {
		t.Errorf("%+v", st)
	}
}

// watched is a body that counts the reads under way.
type watched struct {
	io.ReadCloser
	reads atomic.Int32
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	w.reads.Add(1)
	defer w.reads.Add(-1)
	return w.ReadCloser.Read(p)
}
