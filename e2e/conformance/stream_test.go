package conformance

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// TestStreaming: each piece is at the client before the origin sends the next one.
func TestStreaming(t *testing.T) {
	t.Parallel()
	const pieces = 5
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	bare := func(s string) string { return s }
	for _, tt := range []struct {
		name, head string
		frame      func(string) string
		piece, end string
	}{
		{"events", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, "data: 1\n\n", "0\r\n\r\n"},
		{"events until the end", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n", bare, "data: 1\n\n", ""},
		{"events with a length", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n", pieces*9), bare, "data: 1\n\n", ""},
		{"bytes in chunks", chunkedText + "\r\n", chunk, "x", "0\r\n\r\n"},
		{"bytes until the end", text + "\r\n", bare, "x", ""},
		{"bytes of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", bare, "x", ""},
		{"long pieces in chunks", chunkedText + "\r\n", chunk, strings.Repeat("x", 50_000), "0\r\n\r\n"},
		{"a trailer", chunkedText + "Trailer: X-Sum\r\n\r\n", chunk, "x", "0\r\nX-Sum: a\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *edge, protocol string) {
				got := make(chan struct{}, 1)
				o := e.origin(t, func(c *conn, r *request) bool {
					_ = c.say(tt.head)
					wait(t, got, "the head at the client")
					for i := range pieces {
						_ = c.say(tt.frame(tt.piece))
						wait(t, got, fmt.Sprintf("piece %d at the client", i))
					}
					_ = c.say(tt.end)
					return false
				})
				ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
				defer cancel()
				resp, _, err := e.client(t, protocol).open(ctx, o.host, call{})
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				got <- struct{}{}
				for range pieces {
					buf := make([]byte, len(tt.piece))
					if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != tt.piece {
						t.Fatalf("got %.100q, %v", buf, err)
					}
					got <- struct{}{}
				}
				if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
					t.Errorf("the end is %q, %v", rest, err)
				}
			})
		})
	}
}

// TestClientsLeave: when the client is gone, the origin's connection ends.
func TestClientsLeave(t *testing.T) {
	t.Parallel()
	endlessly := func(text, piece string) func(c *conn) {
		return func(c *conn) {
			_ = c.say(text)
			for {
				if _, err := io.WriteString(c.TCPConn, piece); err != nil {
					if errors.Is(err, os.ErrDeadlineExceeded) {
						c.o.fault("the edge keeps a connection whose client has left")
					}
					return
				}
			}
		}
	}
	for _, tt := range []struct {
		name  string
		begun bool // the client gets the beginning of an answer
		serve func(c *conn)
	}{
		{"before the answer", false, func(c *conn) { c.waitClosed() }},
		{"in an endless body", true, endlessly(text+"\r\n", strings.Repeat("x", 10_000))},
		{"in an endless chunked body", true, endlessly(chunkedText+"\r\n", "2710\r\n"+strings.Repeat("x", 10_000)+"\r\n")},
		// The beginning of a short body of known length waits for the rest at the edge.
		{"in a body that has stopped", false, func(c *conn) { _ = c.say(text + "Content-Length: 100\r\n\r\nx"); c.waitClosed() }},
		{"in a chunked body that has stopped", true, func(c *conn) { _ = c.say(chunkedText + "\r\n1\r\nx\r\n"); c.waitClosed() }},
		{"in a body until the end that has stopped", true, func(c *conn) { _ = c.say(text + "\r\nx"); c.waitClosed() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *edge, protocol string) {
				asked, over := make(chan struct{}), make(chan struct{})
				o := e.origin(t, func(c *conn, r *request) bool {
					defer close(over)
					close(asked)
					tt.serve(c)
					return false
				})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if !tt.begun {
					go func() {
						wait(t, asked, "the request at the origin")
						cancel()
					}()
				}
				resp, _, err := e.client(t, protocol).open(ctx, o.host, call{})
				if tt.begun {
					if err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
						t.Error(err)
					}
					cancel()
				}
				if err == nil {
					resp.Body.Close()
				}
				wait(t, over, "the end of the origin's connection")
			})
		})
	}
}

// TestBackpressure: what a client does not take, the edge does not read. What the origin
// can write is bounded by the buffers of sockets and streams, and a little at the edge.
func TestBackpressure(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	for _, tt := range []struct {
		name, head string
		chunk      int // 0: none
	}{
		{"a length", text + fmt.Sprintf("Content-Length: %d\r\n\r\n", size), 0},
		{"chunks", chunkedText + "\r\n", 16 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *edge, protocol string) {
				block := make([]byte, 16<<10)
				framed := block
				if tt.chunk > 0 {
					framed = []byte(fmt.Sprintf("%x\r\n%s\r\n", tt.chunk, block))
				}
				full := make(chan int, 1)
				goOn := make(chan struct{})
				o := e.origin(t, func(c *conn, r *request) bool {
					_ = c.SetWriteBuffer(16 << 10)
					_ = c.say(tt.head)
					for at, end := 0, len(framed)*(size/len(block)); at < end; {
						_ = c.SetWriteDeadline(time.Now().Add(blocked))
						n, err := c.Write(framed[at%len(framed):])
						at += n
						switch timeout := net.Error(nil); {
						case errors.As(err, &timeout) && timeout.Timeout(): // sockets may still take some bytes now and then
							select {
							case full <- at:
								<-goOn
							default: // the client reads again, slowly
							}
						case err != nil:
							c.o.fault("writing: %v", err)
							return false
						}
					}
					if tt.chunk > 0 {
						_ = c.SetWriteDeadline(time.Now().Add(harness.Patience))
						_ = c.say("0\r\n\r\n")
					}
					return false
				})
				body, client, taken, closeAll := e.slowly(t, protocol, o.host)
				defer closeAll()
				select {
				case n := <-full:
					most := unread
					if protocol == http11 { // of which the kernel says how much its sockets hold
						n, most = n-taken()-queued(t, o.l.Addr().String(), client), held
					}
					t.Logf("%d KiB over %s", n>>10, protocol)
					if n > most {
						t.Errorf("the edge holds %d KiB that the client has not read, want at most %d", n>>10, most>>10)
					}
				case <-time.After(harness.Patience):
					t.Fatal("the origin writes on")
				}
				close(goOn)
				want, got := sha256.New(), sha256.New()
				for range size / len(block) {
					want.Write(block)
				}
				if n, err := io.Copy(got, body); n != size || err != nil || [32]byte(got.Sum(nil)) != [32]byte(want.Sum(nil)) {
					t.Errorf("the client got %d bytes, want %d: %v", n, size, err)
				}
			})
		})
	}
}

// blocked is how long a write of one block takes at least that the edge does not take.
const blocked = time.Second

const (
	// held is what the edge itself may hold of a body that a client does not read, and the
	// pieces of it that are on their way.
	held = 64 << 10
	// unread is held and all that sockets and the windows of streams hold.
	unread = 16 << 20
)

// slowly asks for a body that is read later. With HTTP/1.1, client is the address of the
// client's connection, and taken is how many bytes it has taken from it.
func (e *edge) slowly(t *testing.T, protocol, host string) (body io.Reader, client string, taken func() int, closeAll func()) {
	t.Helper()
	if protocol == http11 {
		c := e.dial(t)
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nCookie: session_gate=%s\r\n\r\n", host, e.session.Cookie)
		counted := &counter{Reader: c}
		resp, err := http.ReadResponse(bufio.NewReader(counted), nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Body, c.LocalAddr().String(), func() int { return counted.n }, func() { resp.Body.Close(); c.Close() }
	}
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	resp, _, err := e.client(t, protocol).open(ctx, host, call{})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	return resp.Body, "", nil, func() { resp.Body.Close(); cancel() }
}
