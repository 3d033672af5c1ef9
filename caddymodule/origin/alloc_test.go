package origin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// cannedConn answers each request with the same response.
type cannedConn struct {
	net.Conn
	response string
	left     string
}

func (c *cannedConn) Write(p []byte) (int, error) { c.left = c.response; return len(p), nil }
func (c *cannedConn) Read(p []byte) (int, error) {
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}
func (c *cannedConn) Close() error                    { return nil }
func (c *cannedConn) SetReadDeadline(time.Time) error { return nil }

// discard is a writer that keeps its header for the next response.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             { clear(d.header) }

// cannedPool has a kept connection that answers with a page.
func cannedPool(response string) *Pool {
	return NewPool(Config{Address: "app.example:80", Dial: func(context.Context, string, string) (net.Conn, error) {
		return &cannedConn{response: response}, nil
	}})
}

const cannedPage = "HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 20:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\nCache-Control: no-store\r\nSet-Cookie: a=b\r\n\r\nhello"

func forwardCanned(p *Pool) func() {
	w := &discard{header: make(http.Header)}
	r := httptest.NewRequest(http.MethodGet, "http://app.example/path?query=1", nil)
	r.Header = http.Header{"Accept": {"text/html"}, "User-Agent": {"test"}, "Cookie": {"a=b"}, "Accept-Encoding": {"gzip"}}
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	r = r.WithContext(ctx)
	out := &Outgoing{Host: "app.example", Headers: []Header{{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}}}
	var stop Stop
	return func() {
		stop = Stop{}
		out.Request, out.Stop = r, &stop
		if err := p.Forward(w, out); err != nil {
			panic(err)
		}
	}
}

// A request over a kept connection allocates what its response needs: the text of its
// head, the values of its header, and the watch for the client's departure.
func TestForwardAllocates(t *testing.T) {
	p := cannedPool(cannedPage)
	defer p.Close()
	if n := testing.AllocsPerRun(200, forwardCanned(p)); n > 6 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkForward(b *testing.B) {
	p := cannedPool(cannedPage)
	defer p.Close()
	forward := forwardCanned(p)
	b.ReportAllocs()
	for b.Loop() {
		forward()
	}
}
