package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// tunnel is a connection that has changed its protocol, as its client has it.
type tunnel struct {
	head *http.Response
	r    io.Reader
	w    io.Writer
	end  func() // its sending half
}

// switched is a script that changes the protocol and goes on with f.
func switched(f func(c *conn, r *request)) script {
	return func(c *conn, r *request) bool {
		if c.say(switching(r)) == nil {
			f(c, r)
		}
		return false
	}
}

// switching is the head that changes to the protocol that was asked for.
func switching(r *request) string {
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + r.value("Upgrade") + "\r\n"
	if key := r.value("Sec-WebSocket-Key"); key != "" {
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		head += "Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	}
	return head + "X-Kept: yes\r\nSet-Cookie: a=b\r\n\r\n"
}

const (
	webSocket  = "websocket"
	myProtocol = "my-protocol"
)

// tunnels are the ways in which clients may open one.
var tunnels = []struct{ name, client, protocol string }{
	{"HTTP1 my-protocol", http11, myProtocol},
	{"HTTP1 WebSocket", http11, webSocket},
	{"HTTP2 WebSocket", http20, webSocket},
	{"HTTP3 WebSocket", http30, webSocket},
}

// eachTunnel runs a story over all ways and kinds of tunnels.
func eachTunnel(t *testing.T, story func(t *testing.T, e *edge, open func(t *testing.T, o *origin, early string) *tunnel, client string)) {
	t.Parallel()
	for _, e := range edges {
		for _, kind := range tunnels {
			t.Run(e.name+"/"+kind.name, func(t *testing.T) {
				t.Parallel()
				story(t, e, func(t *testing.T, o *origin, early string) *tunnel {
					t.Helper()
					if kind.client == http11 {
						return e.openUpgrade(t, o, kind.protocol, early)
					}
					return e.openStream(t, o, kind.client)
				}, kind.client)
			})
		}
	}
}

// openUpgrade opens a tunnel by an Upgrade header. Early is sent together with the head.
func (e *edge) openUpgrade(t *testing.T, o *origin, protocol, early string) *tunnel {
	t.Helper()
	return e.openUpgradeOf(t, e.session, o, protocol, early)
}

func (e *edge) openUpgradeOf(t *testing.T, s *harness.Session, o *origin, protocol, early string) *tunnel {
	t.Helper()
	c := e.dial(t)
	head := fmt.Sprintf("GET /ws HTTP/1.1\r\nHost: %s\r\nCookie: session_gate=%s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: %s\r\n", o.host, s.Cookie, protocol)
	if protocol == webSocket {
		head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2Vzc2lvbmdhdGUtZTJlIQ==\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"+early); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &tunnel{head: resp, r: in, w: c, end: func() { _ = c.CloseWrite() }}
}

// openStream opens a WebSocket on a stream, by extended CONNECT.
func (e *edge) openStream(t *testing.T, o *origin, protocol string) *tunnel {
	t.Helper()
	c := e.client(t, protocol)
	body, w := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "CONNECT", c.base(o.host)+"/ws", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", c.cookie())
	r.Header.Set("Sec-WebSocket-Version", "13")
	if protocol == http30 {
		r.Proto = webSocket
	} else {
		r.Header[":protocol"] = []string{webSocket}
	}
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); resp.Body.Close() })
	return &tunnel{head: resp, r: resp.Body, w: w, end: func() { w.Close() }}
}

// frames are the frames of a WebSocket that carry a megabyte. The mask of those of a
// client is zero.
func frames(client bool) []byte {
	var all bytes.Buffer
	for range 16 {
		payload := make([]byte, 64<<10)
		for i := 0; i < len(payload); i += 8 {
			binary.LittleEndian.PutUint64(payload[i:], rand.Uint64())
		}
		all.WriteByte(0x82)
		if client {
			all.WriteByte(0x80 | 127)
		} else {
			all.WriteByte(127)
		}
		_ = binary.Write(&all, binary.BigEndian, uint64(len(payload)))
		if client {
			all.Write(make([]byte, 4))
		}
		all.Write(payload)
	}
	return all.Bytes()
}

// hashOf is that of the next n bytes.
func hashOf(r io.Reader, n int) ([32]byte, error) {
	h := sha256.New()
	_, err := io.CopyN(h, r, int64(n))
	return [32]byte(h.Sum(nil)), err
}

// TestTunnels carries a megabyte in each direction at once.
func TestTunnels(t *testing.T) {
	eachTunnel(t, func(t *testing.T, e *edge, open func(*testing.T, *origin, string) *tunnel, client string) {
		up, down := frames(true), frames(false)
		got := make(chan [32]byte, 1)
		o := e.origin(t, switched(func(c *conn, _ *request) {
			var all sync.WaitGroup
			all.Go(func() { _, _ = c.Write(down) })
			sum, err := hashOf(c.r, len(up))
			if err != nil {
				c.o.fault("the origin's half: %v", err)
			}
			all.Wait()
			got <- sum
			c.waitClosed()
		}))
		s := open(t, o, "")
		checkSwitched(t, s, client)
		var all sync.WaitGroup
		all.Go(func() { _, _ = s.w.Write(up) })
		sum, err := hashOf(s.r, len(down))
		if err != nil || sum != sha256.Sum256(down) {
			t.Errorf("the client got something else: %v", err)
		}
		all.Wait()
		if <-got != sha256.Sum256(up) {
			t.Error("the origin got something else")
		}
		r := o.first(t)
		if r.method != "GET" || r.value("Connection") != "Upgrade" && r.value("Connection") != "upgrade" || !r.has("Upgrade") || r.framing() != "none" {
			t.Errorf("the origin was asked %q", r.head)
		}
	})
}

// checkSwitched checks the head of an open tunnel.
func checkSwitched(t *testing.T, s *tunnel, client string) {
	t.Helper()
	want := http.StatusOK
	if client == http11 {
		want = http.StatusSwitchingProtocols
	}
	if h := s.head.Header; s.head.StatusCode != want || h.Get("X-Kept") != "yes" || h.Get("Set-Cookie") != "a=b" || client == http11 && (h.Get("Upgrade") == "" || !strings.EqualFold(h.Get("Connection"), "Upgrade")) {
		t.Fatalf("the tunnel is answered %d %v", s.head.StatusCode, s.head.Header)
	}
}

// TestTunnelsBegin: what comes in one piece with the head that opens the tunnel is the
// beginning of what it carries.
func TestTunnelsBegin(t *testing.T) {
	eachTunnel(t, func(t *testing.T, e *edge, open func(*testing.T, *origin, string) *tunnel, client string) {
		got := make(chan string, 1)
		o := e.origin(t, func(c *conn, r *request) bool {
			if c.say(switching(r)+"\x82\x05hello") == nil {
				buf := make([]byte, 11)
				_, _ = io.ReadFull(c.r, buf)
				got <- string(buf)
				c.waitClosed()
			}
			return false
		})
		const first = "\x82\x85\x00\x00\x00\x00early"
		early := ""
		if client == http11 {
			early = first
		}
		s := open(t, o, early)
		checkSwitched(t, s, client)
		if early == "" {
			_, _ = io.WriteString(s.w, first)
		}
		buf := make([]byte, 7)
		if _, err := io.ReadFull(s.r, buf); string(buf) != "\x82\x05hello" || err != nil {
			t.Errorf("the client got %q, %v", buf, err)
		}
		if s := <-got; s != first {
			t.Errorf("the origin got %q", s)
		}
	})
}

// TestTunnelsEnd: when one side is done, the other one gets all that was sent, and then
// learns of it.
func TestTunnelsEnd(t *testing.T) {
	const last = 300_000
	ends := map[string]func(c *conn){
		"origin closes":      func(c *conn) { c.Close() },
		"origin half-closes": func(c *conn) { _ = c.CloseWrite() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			eachTunnel(t, func(t *testing.T, e *edge, open func(*testing.T, *origin, string) *tunnel, client string) {
				o := e.origin(t, switched(func(c *conn, _ *request) {
					_, _ = c.Write(make([]byte, last))
					end(c)
					c.waitClosed()
				}))
				s := open(t, o, "")
				checkSwitched(t, s, client)
				if n, _ := io.Copy(io.Discard, s.r); n != last {
					t.Errorf("the client got %d bytes, want %d", n, last)
				}
				s.end()
			})
		})
	}
	t.Run("client half-closes", func(t *testing.T) {
		eachTunnel(t, func(t *testing.T, e *edge, open func(*testing.T, *origin, string) *tunnel, client string) {
			got := make(chan int64, 1)
			o := e.origin(t, switched(func(c *conn, _ *request) { got <- c.waitClosed() }))
			s := open(t, o, "")
			checkSwitched(t, s, client)
			go func() {
				_, _ = s.w.Write(make([]byte, last))
				s.end()
			}()
			if n := <-got; n != last {
				t.Errorf("the origin got %d bytes, want %d", n, last)
			}
			_, _ = io.Copy(io.Discard, s.r) // ends, too
		})
	})
}

// TestHalfClosed: the side that has sent all it wants still gets what the other one sends.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	const late = 300_000
	for _, e := range edges {
		t.Run(e.name+"/client", func(t *testing.T) {
			t.Parallel()
			o := e.origin(t, switched(func(c *conn, _ *request) {
				_ = c.say("!")
				c.waitClosed()
				_, _ = c.Write(make([]byte, late))
			}))
			s := e.openUpgrade(t, o, myProtocol, "")
			// Go's server takes what ends together with the change for a client that leaves.
			if _, err := io.ReadFull(s.r, make([]byte, 1)); err != nil {
				t.Error(err)
			}
			s.end()
			if n, err := io.Copy(io.Discard, s.r); n != late {
				t.Errorf("the client got %d bytes, want %d: %v", n, late, err)
			}
		})
		t.Run(e.name+"/origin", func(t *testing.T) {
			t.Parallel()
			got := make(chan int64, 1)
			o := e.origin(t, switched(func(c *conn, _ *request) {
				_ = c.CloseWrite()
				got <- c.waitClosed()
			}))
			s := e.openUpgrade(t, o, myProtocol, "")
			if _, err := io.Copy(io.Discard, s.r); err != nil {
				t.Error(err)
			}
			_, _ = s.w.Write(make([]byte, late))
			s.end()
			if n := <-got; n != late {
				t.Errorf("the origin got %d bytes, want %d", n, late)
			}
		})
	}
}

// TestNoTunnel: an origin that does not change the protocol answers as always, and one
// that changes it to another one than was asked for does not answer.
func TestNoTunnel(t *testing.T) {
	ask := call{header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {myProtocol}}}
	change := func(fields string) string { return "HTTP/1.1 101 Switching Protocols\r\n" + fields + "\r\nhello" }
	run(t, []exchange{
		{name: "200", call: ask, script: answer(text + "Content-Length: 5\r\n\r\nhello"), want: ok("hello"), only: http11},
		{name: "426", call: ask, script: answer("HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello"), want: want{status: 426, body: "hello"}, only: http11},
		{name: "chunked", call: ask, script: answer(chunkedText + "\r\n5\r\nhello\r\n0\r\n\r\n"), want: ok("hello"), only: http11},
		// reverse_proxy answers 200 without a body.
		{name: "another protocol", call: ask, script: closing(change("Connection: Upgrade\r\nUpgrade: websocket\r\n")), want: ok(""), strict: strictly(bad(502)), only: http11},
		{name: "no protocol", call: ask, script: closing(change("Connection: Upgrade\r\n")), want: ok(""), strict: strictly(bad(502)), only: http11},
		{name: "several protocols", call: ask, script: closing(change("Connection: Upgrade\r\nUpgrade: " + myProtocol + ", websocket\r\n")), want: ok(""), strict: strictly(bad(502)), only: http11},
		{name: "no Connection", call: ask, script: closing(change("Upgrade: " + myProtocol + "\r\n")), want: ok(""), strict: strictly(bad(502)), only: http11},
		{name: "reset", call: ask, script: resetting(""), want: bad(502), only: http11},
		{name: "a protocol that is not allowed", call: call{header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}}}, script: answer(text + "Content-Length: 5\r\n\r\nhello"), want: ok("hello"), only: http11,
			origin: func(t *testing.T, o *origin) {
				if r := o.first(t); r.has("Upgrade") || r.has("Connection") {
					t.Errorf("the origin was asked %q", r.head)
				}
			}},
	})
}

// TestTunnelsLeave: when the client is gone, the origin's connection ends.
func TestTunnelsLeave(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			o := e.origin(t, switched(func(c *conn, _ *request) {
				c.waitClosed()
				close(gone)
			}))
			s := e.openUpgrade(t, o, webSocket, "")
			s.w.(io.Closer).Close()
			wait(t, gone, "the end of the origin's connection")
		})
	}
}
