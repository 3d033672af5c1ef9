package cut

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// closeSessionEnded is the WebSocket close code of an ended session, in the
	// range that RFC 6455 §7.4.2 leaves to applications.
	closeSessionEnded = 4401

	frameGrace = 250 * time.Millisecond // for a frame that is half out
	closeGrace = 700 * time.Millisecond // for the client's own close frame
)

// upgradedConn is a client connection that a handler took over. A WebSocket ends
// with a close frame, inserted between two frames of the origin; any other
// connection is closed.
type upgradedConn struct {
	net.Conn
	websocket bool
	stream    bool // it is a stream: it ends when the handler returns

	reading sync.Mutex // held during a read of the handler's

	writing sync.Mutex // guards the next three, and each write
	frames  frameTracker
	closing bool          // only the frame under way may go out
	whole   chan struct{} // closed when the frame that was half out is complete

	mu     sync.Mutex // guards the rest
	ending bool
	closed chan struct{} // closed when this type no longer uses the connection
}

// Read implements [net.Conn].
func (c *upgradedConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.isEnding() {
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn]. Once the session has ended it completes the
// frame it was in and takes no more.
func (c *upgradedConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closing {
		return c.completeLocked(p)
	}
	n, err := c.Conn.Write(p)
	if c.websocket {
		c.frames.advance(p[:n])
	}
	return n, err
}

// completeLocked writes the part of p that completes the frame under way.
func (c *upgradedConn) completeLocked(p []byte) (n int, err error) {
	for n < len(p) && !c.frames.atBoundary() {
		rest := c.frames.rest(len(p) - n)
		if rest == 0 {
			break
		}
		m, err := c.Conn.Write(p[n : n+rest])
		c.frames.advance(p[n : n+m])
		n += m
		if err != nil {
			c.frames.broken = true
			break
		}
	}
	if c.whole != nil && (c.frames.broken || c.frames.atBoundary()) {
		close(c.whole)
		c.whole = nil
	}
	if n < len(p) {
		return n, net.ErrClosed
	}
	return n, nil
}

// Close implements [net.Conn]. While the close frame is being sent, the goroutine
// that sends it closes the connection.
func (c *upgradedConn) Close() error {
	if c.isEnding() {
		return nil
	}
	return c.Conn.Close()
}

// CloseWrite forwards a half-close if the connection supports it.
func (c *upgradedConn) CloseWrite() error {
	if c.isEnding() {
		return nil
	}
	if hc, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return hc.CloseWrite()
	}
	return nil
}

func (c *upgradedConn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

// end closes the connection within a second, with a close frame if it is a
// WebSocket, and calls cancel when the handler may stop. It returns at once.
func (c *upgradedConn) end(code protocol.Code, cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return
	}
	c.ending = true
	if !c.websocket {
		c.Conn.Close()
		cancel()
		return
	}
	c.closed = make(chan struct{})
	go c.closeGracefully(code, cancel)
}

// wait waits until the session's end is said, if it is being said. Once the
// handler has returned, a stream's writer must not be touched, and Caddy reads
// what was counted on a connection. It takes no longer than saying it may.
func (c *upgradedConn) wait() {
	c.mu.Lock()
	said := c.closed
	c.mu.Unlock()
	if said != nil {
		<-said
	}
}

// closeGracefully writes the close frame, waits for the client's, and closes. Its
// deadlines end it within a second.
func (c *upgradedConn) closeGracefully(code protocol.Code, cancel context.CancelFunc) {
	defer close(c.closed)
	defer c.Conn.Close()
	// A write that is stuck on a slow client gets no longer than the grace.
	if s, ok := c.Conn.(streamConn); ok {
		s.setWriteDeadlineNow(time.Now().Add(frameGrace))
	} else {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(frameGrace))
	}
	c.writing.Lock()
	c.closing = true
	whole := c.frames.atBoundary()
	if !whole {
		done := make(chan struct{})
		c.whole = done
		c.writing.Unlock()
		select {
		case <-done:
		case <-time.After(frameGrace):
		}
		c.writing.Lock()
		whole = c.frames.atBoundary()
	}
	if whole {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(frameGrace))
		_, _ = c.Conn.Write(closeFrame(closeSessionEnded, string(code)))
	}
	if c.stream {
		// The frame is out; a deadline would reset the stream before its end.
		_ = c.Conn.SetWriteDeadline(time.Time{})
	}
	c.writing.Unlock()
	if c.stream {
		cancel()
		return
	}

	// The handler's read must be over before the deadline is moved again.
	_ = c.Conn.SetReadDeadline(time.Now())
	c.reading.Lock()
	defer c.reading.Unlock()
	cancel()
	if !whole {
		return
	}
	// Closing with unread input would reset the connection, and the client
	// might never see the frame.
	_ = c.Conn.SetReadDeadline(time.Now().Add(closeGrace))
	if hc, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = hc.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c.Conn)
}

// closeFrame is an unmasked close frame (RFC 6455 §5.5.1).
func closeFrame(code uint16, reason string) []byte {
	reason = reason[:min(len(reason), 123)]
	f := append(make([]byte, 0, 4+len(reason)), 0x88, byte(2+len(reason)))
	f = binary.BigEndian.AppendUint16(f, code)
	return append(f, reason...)
}

// frameTracker follows the frames that a server sends (RFC 6455 §5.2; server
// frames carry no mask) and knows where one ends.
type frameTracker struct {
	header [10]byte
	have   int    // bytes of header
	left   uint64 // bytes of payload to come
	broken bool   // a masked frame: not what a server sends
}

// atBoundary reports whether a new frame may begin.
func (t *frameTracker) atBoundary() bool { return t.have == 0 && t.left == 0 && !t.broken }

// rest is how many of the next n bytes still belong to the frame under way, as
// far as that is known.
func (t *frameTracker) rest(n int) int {
	switch {
	case t.broken || t.atBoundary():
		return 0
	case t.left > 0:
		return int(min(uint64(n), t.left))
	default: // in the header: its last byte tells how much follows
		return min(n, 1)
	}
}

// advance takes bytes that were sent.
func (t *frameTracker) advance(p []byte) {
	for len(p) > 0 && !t.broken {
		if t.left > 0 {
			n := min(uint64(len(p)), t.left)
			t.left -= n
			p = p[n:]
			continue
		}
		t.header[t.have] = p[0]
		t.have++
		p = p[1:]
		if t.have >= 2 && t.header[1]&0x80 != 0 {
			t.broken = true
			return
		}
		if t.have < t.headerSize() {
			continue
		}
		switch length := t.header[1] & 0x7f; length {
		case 126:
			t.left = uint64(binary.BigEndian.Uint16(t.header[2:4]))
		case 127:
			t.left = binary.BigEndian.Uint64(t.header[2:10])
		default:
			t.left = uint64(length)
		}
		t.have = 0
	}
}

func (t *frameTracker) headerSize() int {
	if t.have < 2 {
		return 2
	}
	switch t.header[1] & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

// Interface guard
var _ net.Conn = (*upgradedConn)(nil)

// IsWebSocket reports whether r asks to become a WebSocket: by an upgrade, or
// by an extended CONNECT (RFC 8441 for HTTP/2, RFC 9220 for HTTP/3).
func IsWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || IsTunnel(r)
}

// IsTunnel reports an extended CONNECT for a WebSocket, which has a stream of
// its connection and no connection to take over. net/http keeps the protocol in
// a pseudo-header, quic-go in Proto.
func IsTunnel(r *http.Request) bool {
	if r.Method != http.MethodConnect {
		return false
	}
	return r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket"
}

// streamConn is a stream of HTTP/2 or HTTP/3 in the place of a connection: what
// [upgradedConn] needs of one to put a close frame between two of the origin's.
// The handler reads the request's body itself.
type streamConn struct {
	net.Conn // never set: nothing else is called
	w        http.ResponseWriter
	server   *http.ResponseController // of the server's own writer
}

// Write implements [net.Conn]: what is written is sent.
func (c streamConn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err == nil {
		err = http.NewResponseController(c.w).Flush()
	}
	return n, err
}

// Read is never called.
func (c streamConn) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing: the server ends the stream when the handler returns.
func (c streamConn) Close() error { return nil }

// SetWriteDeadline implements [net.Conn]. Not to be called during a Write.
func (c streamConn) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(c.w).SetWriteDeadline(t)
}

// setWriteDeadlineNow moves the deadline of a Write that may be under way.
func (c streamConn) setWriteDeadlineNow(t time.Time) { _ = c.server.SetWriteDeadline(t) }

// SetReadDeadline ends nothing: the body's reader ends with the handler.
func (c streamConn) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// Interface guard
var _ net.Conn = streamConn{}
