package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// TestUploads: the origin gets what the client sends, in the framing that it has.
func TestUploads(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 320<<10) // 5 MiB
	gets := func(body, framing string) func(t *testing.T, o *origin) {
		return func(t *testing.T, o *origin) {
			r := o.first(t)
			if r.body != body || r.framing() != framing {
				t.Errorf("the origin got %d bytes, framed by %s; want %d, %s", len(r.body), r.framing(), len(body), framing)
			}
		}
	}
	hello := answer(text + "Content-Length: 5\r\n\r\nhello")
	run(t, []exchange{
		{name: "known length", call: call{method: "POST", body: "a body"}, script: hello, want: ok("hello"), origin: gets("a body", "6")},
		{name: "long", call: call{method: "PUT", body: long}, script: hello, want: ok("hello"), origin: gets(long, fmt.Sprint(len(long)))},
		{name: "no body", call: call{method: "POST"}, script: hello, want: ok("hello"), origin: gets("", "0"), only: http11},
		{name: "no body with GET", script: hello, want: ok("hello"), origin: gets("", "none")},
		{name: "no body with HEAD", call: call{method: "HEAD"}, script: answer(text + "Content-Length: 5\r\n\r\n"), want: ok(""), origin: gets("", "none")},
		{name: "no body with DELETE", call: call{method: "DELETE"}, script: hello, want: ok("hello"), origin: gets("", "none")},
		{name: "no body with OPTIONS", call: call{method: "OPTIONS"}, script: hello, want: ok("hello"), origin: gets("", "none")},
		{name: "a body with GET", call: call{body: "a body"}, script: hello, want: ok("hello"), origin: gets("a body", "6")},
		{name: "a body with DELETE", call: call{method: "DELETE", body: "a body"}, script: hello, want: ok("hello"), origin: gets("a body", "6")},
		{name: "another method", call: call{method: "REPORT", body: "a body"}, script: hello, want: ok("hello"), origin: gets("a body", "6")},
	})
	t.Run("of unknown length", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, e *edge, protocol string) {
			for _, body := range []string{"a body", long} {
				o := e.origin(t, hello)
				if err := ok("hello").check(e.client(t, protocol).do(t, o.host, call{method: "POST", reader: strings.NewReader(body)})); err != nil {
					t.Error(err)
				}
				gets(body, "chunked")(t, o)
			}
		})
	})
	t.Run("with a trailer", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, e *edge, protocol string) {
			o := e.origin(t, hello)
			trailer := http.Header{"X-Sum": nil}
			body := &onEOF{Reader: strings.NewReader("a body"), f: func() { trailer["X-Sum"] = []string{"abc"} }}
			if err := ok("hello").check(e.client(t, protocol).do(t, o.host, call{method: "POST", reader: body, trailer: trailer})); err != nil {
				t.Error(err)
			}
			gets("a body", "chunked")(t, o)
			if protocol == http30 {
				return // quic-go's server knows no trailers
			}
			if r := o.first(t); !strings.EqualFold(r.value("Trailer"), "X-Sum") || !strings.EqualFold(r.trailer, "X-Sum: abc\r\n") {
				t.Errorf("the origin got Trailer: %q and the trailer %q", r.value("Trailer"), r.trailer)
			}
		})
	})
}

// onEOF calls f before the end of a reader.
type onEOF struct {
	io.Reader
	f func()
}

func (r *onEOF) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		r.f()
	}
	return n, err
}

// TestUploadsStream: what the client has sent is with the origin before it sends more.
func TestUploadsStream(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		arrived := make(chan struct{})
		o := e.origin(t, func(c *conn, r *request) bool {
			in := c.content(r)
			for range 5 {
				if _, err := io.ReadFull(in, make([]byte, 4)); err != nil {
					c.o.fault("reading a part: %v", err)
					return false
				}
				arrived <- struct{}{}
			}
			rest, err := io.ReadAll(in)
			if len(rest) > 0 || err != nil {
				c.o.fault("the rest is %q, %v", rest, err)
			}
			_, _ = c.r.ReadString('\n')
			return c.say(text+"Content-Length: 5\r\n\r\nhello") == nil
		})
		body, w := io.Pipe()
		go func() {
			for range 5 {
				_, _ = io.WriteString(w, "part")
				wait(t, arrived, "a part at the origin")
			}
			w.Close()
		}()
		if err := ok("hello").check(e.client(t, protocol).do(t, o.host, call{method: "POST", reader: body})); err != nil {
			t.Error(err)
		}
	})
}

// TestEarlyAnswers: an answer that comes before the upload has ended reaches the client
// at once, and the rest of the upload is never taken for a request.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	const size, part = 5 << 20, 100 << 10
	const refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
	first := func(c *conn, r *request) { _, _ = io.CopyN(io.Discard, c.r, part) }
	for name, script := range map[string]script{
		"and closes": func(c *conn, r *request) bool {
			first(c, r)
			_ = c.say(refusal + "Connection: close\r\n\r\nhello")
			return false
		},
		"and closes unannounced": func(c *conn, r *request) bool {
			first(c, r)
			_ = c.say(refusal + "\r\nhello")
			_ = c.CloseWrite() // a reset could overtake the answer
			c.waitClosed()
			return false
		},
		"and reads on": func(c *conn, r *request) bool {
			first(c, r)
			_ = c.say(refusal + "\r\nhello")
			_, err := io.CopyN(io.Discard, c.r, size-part)
			return err == nil
		},
		"having read nothing": func(c *conn, r *request) bool {
			return c.say(refusal+"\r\nhello") == nil && c.read(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *edge, protocol string) {
				o := e.origin(t, func(c *conn, r *request) bool {
					if r.method == "GET" {
						return c.say(text+"Content-Length: 2\r\n\r\nme") == nil
					}
					return script(c, r)
				})
				// A client that stops in the middle until it is answered, except where the edge
				// reads on before it answers: Go's server does over HTTP/1.1, unless told otherwise.
				sent := part
				if protocol == http11 && e.name == reverseProxy {
					sent = size
				}
				upload := strings.NewReader(strings.Repeat("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", sent/35+1)[:sent])
				if got := e.sendPart(t, protocol, o.host, upload, size); got.status != 413 || got.body != "hello" || got.failed != nil {
					if e.name == reverseProxy && name == "and closes" && got.status == 502 {
						return // its transport has noticed that it cannot write, and reads no more
					}
					t.Errorf("the answer is %s", got)
				}
				if err := ok("me").check(e.client(t, protocol).do(t, o.host, call{path: "/me"})); err != nil {
					t.Error(err)
				}
				for _, r := range o.seen() {
					if r.target != "/me" && r.target != "/" {
						t.Errorf("the upload became the request %q", r.head)
					}
				}
			})
		})
	}
}

// TestBothWaysAtOnce: over HTTP/2 and 3, an answer may go on while the request does.
func TestBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		if protocol == http11 {
			return // Go's server reads a request before it answers
		}
		o := e.origin(t, func(c *conn, r *request) bool {
			in := c.content(r)
			_ = c.say(chunkedText + "\r\n")
			for {
				buf := make([]byte, 4)
				if _, err := io.ReadFull(in, buf); err != nil {
					break
				}
				_ = c.say("4\r\n" + string(buf) + "\r\n")
			}
			_, _ = c.r.ReadString('\n')
			return c.say("0\r\n\r\n") == nil
		})
		body, w := io.Pipe()
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		defer cancel()
		go func() { _, _ = io.WriteString(w, "0000") }()
		resp, _, err := e.client(t, protocol).open(ctx, o.host, call{method: "POST", reader: body})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for i := range 5 {
			buf := make([]byte, 4)
			if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != fmt.Sprintf("%04d", i) {
				t.Fatalf("echo %d is %q, %v", i, buf, err)
			}
			if i < 4 {
				_, _ = fmt.Fprintf(w, "%04d", i+1)
			}
		}
		w.Close()
		if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
			t.Errorf("the end is %q, %v", rest, err)
		}
	})
}

// TestUploadsBreakOff: the origin never takes half an upload for a whole one.
func TestUploadsBreakOff(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		for _, size := range []int64{-1, 1 << 20} {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				t.Parallel()
				begun, over := make(chan struct{}), make(chan struct{})
				o := e.origin(t, func(c *conn, r *request) bool {
					defer close(over)
					in := c.content(r)
					if _, err := io.ReadFull(in, make([]byte, 10)); err != nil {
						c.o.fault("reading the beginning: %v", err)
					}
					close(begun)
					n, err := io.Copy(io.Discard, in)
					if err == nil && (size < 0 || n+10 == size) {
						c.o.fault("the origin got %d bytes as if they were all", n+10)
					}
					return false
				})
				body, w := io.Pipe()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				go func() {
					_, _ = w.Write(make([]byte, 10))
					wait(t, begun, "the beginning at the origin")
					cancel()
					w.CloseWithError(errors.New("the client leaves"))
				}()
				c := e.client(t, protocol)
				r, err := c.request(ctx, o.host, call{method: "POST", reader: body})
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = size
				if resp, err := c.transport.RoundTrip(r); err == nil {
					resp.Body.Close()
				}
				wait(t, over, "the end of the request at the origin")
			})
		}
	})
}

// sendPart sends the beginning of an upload of this size, and then nothing more. It returns
// the answer.
func (e *edge) sendPart(t *testing.T, protocol, host string, beginning io.Reader, size int64) *received {
	t.Helper()
	if protocol == http11 { // net/http drops an answer if the connection ends while it sends
		c := e.dial(t)
		go func() {
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nCookie: session_gate=%s\r\nContent-Length: %d\r\n\r\n", host, e.session.Cookie, size)
			_, _ = io.Copy(c, beginning)
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return &received{failed: err}
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return &received{status: resp.StatusCode, body: string(body), failed: err}
	}
	c := e.client(t, protocol)
	body, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.Copy(w, beginning) }()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	r, err := c.request(ctx, host, call{method: "POST", reader: body})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = size
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return &received{failed: err}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return &received{status: resp.StatusCode, body: string(got), failed: err}
}
