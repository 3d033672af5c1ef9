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
	// closeSessionEnded is the WebSocket close code for an ended session. RFC 6455
	// §7.4.2 reserves its range for applications.
	closeSessionEnded = 4401

	frameGrace = 250 * time.Millisecond // time limit for completing a partly sent frame, and for each write
	closeGrace = 700 * time.Millisecond // time limit for receiving the client's close frame
)

// upgradedConn is a client connection that a handler took over, and that ends with
// its session. A WebSocket ends with a close frame, which is sent between two frames
// of the origin. Any other connection is closed without one.
type upgradedConn struct {
	net.Conn
	websocket bool
	stream    bool // an HTTP/2 or HTTP/3 stream, which ends when the handler returns

	reading sync.Mutex // held while the handler reads

	writing sync.Mutex // held during each write; guards the next three fields
	frames  frameTracker
	closing bool          // only the rest of a partly sent frame may be written
	whole   chan struct{} // closed when the partly sent frame is complete

	mu     sync.Mutex // guards the fields below
	ending bool
	closed chan struct{} // closed when closeGracefully is done with the connection; nil before it starts
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

// Write implements [net.Conn]. After the session has ended, it writes the rest of a
// partly sent frame and then returns [net.ErrClosed].
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

// completeLocked writes the part of p that belongs to the partly sent frame.
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

// Close implements [net.Conn]. After the session has ended it does nothing, because
// end closes the connection.
func (c *upgradedConn) Close() error {
	if c.isEnding() {
		return nil
	}
	return c.Conn.Close()
}

// CloseWrite closes the writing side if the connection supports it.
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

// end starts closing the connection and returns at once. The connection is closed
// within about a second, after a close frame if it is a WebSocket. end calls cancel
// when the handler may stop. Further calls do nothing.
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

// wait waits for closeGracefully if it is running. Call it before the handler
// returns: after that, the response writer of a stream must not be used, and Caddy
// reads the byte counters of the connection. The deadlines of closeGracefully limit
// the wait.
func (c *upgradedConn) wait() {
	c.mu.Lock()
	said := c.closed
	c.mu.Unlock()
	if said != nil {
		<-said
	}
}

// closeGracefully writes the close frame, waits for the client's close frame, and
// closes the connection. Deadlines limit each step to a fraction of a second.
func (c *upgradedConn) closeGracefully(code protocol.Code, cancel context.CancelFunc) {
	defer close(c.closed)
	defer c.Conn.Close()
	// A write that is blocked by a slow client must finish within frameGrace.
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
		// The close frame is sent. A deadline that passes would reset the stream.
		_ = c.Conn.SetWriteDeadline(time.Time{})
	}
	c.writing.Unlock()
	if c.stream {
		cancel()
		return
	}

	// Interrupt the handler's read and wait for it, before the deadline moves again.
	_ = c.Conn.SetReadDeadline(time.Now())
	c.reading.Lock()
	defer c.reading.Unlock()
	cancel()
	if !whole {
		return
	}
	// Closing a connection with unread input would reset it, and the client might
	// not receive the close frame.
	_ = c.Conn.SetReadDeadline(time.Now().Add(closeGrace))
	if hc, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = hc.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c.Conn)
}

// closeFrame returns an unmasked close frame (RFC 6455 §5.5.1). It truncates reason
// to 123 bytes, the most that fit.
func closeFrame(code uint16, reason string) []byte {
	reason = reason[:min(len(reason), 123)]
	f := append(make([]byte, 0, 4+len(reason)), 0x88, byte(2+len(reason)))
	f = binary.BigEndian.AppendUint16(f, code)
	return append(f, reason...)
}

// frameTracker tracks the frame boundaries in the bytes that a server sends
// (RFC 6455 §5.2). Frames from a server are not masked.
type frameTracker struct {
	header [10]byte
	have   int    // bytes of header read so far
	left   uint64 // bytes of payload that follow
	broken bool   // a frame was masked or cut short, so no boundary follows
}

// atBoundary reports whether a new frame may begin.
func (t *frameTracker) atBoundary() bool { return t.have == 0 && t.left == 0 && !t.broken }

// rest returns how many of the next n bytes belong to the current frame, as far as
// that is known.
func (t *frameTracker) rest(n int) int {
	switch {
	case t.broken || t.atBoundary():
		return 0
	case t.left > 0:
		return int(min(uint64(n), t.left))
	default: // in the header, whose last byte completes the frame's length
		return min(n, 1)
	}
}

// advance records bytes that were sent.
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

// IsWebSocket reports whether r requests a WebSocket, by an upgrade or by an
// extended CONNECT (RFC 8441 for HTTP/2, RFC 9220 for HTTP/3).
func IsWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || IsTunnel(r)
}

// IsTunnel reports whether r is an extended CONNECT for a WebSocket. Such a
// WebSocket uses one stream of the connection, so there is no connection to hijack.
// net/http puts the requested protocol into a pseudo-header, quic-go into Proto.
func IsTunnel(r *http.Request) bool {
	if r.Method != http.MethodConnect {
		return false
	}
	return r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket"
}

// streamConn is an HTTP/2 or HTTP/3 stream as a [net.Conn]. It implements what
// [upgradedConn] needs to send a close frame between two frames of the origin. The
// handler reads the request body itself.
type streamConn struct {
	net.Conn // nil: the methods that are not overridden are never called
	w        http.ResponseWriter
	server   *http.ResponseController // of the server's response writer, without wrappers
}

// Write implements [net.Conn]. It flushes what it writes.
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

// SetWriteDeadline implements [net.Conn]. It must not be called during a Write.
func (c streamConn) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(c.w).SetWriteDeadline(t)
}

// setWriteDeadlineNow sets the deadline also for a Write in progress.
func (c streamConn) setWriteDeadlineNow(t time.Time) { _ = c.server.SetWriteDeadline(t) }

// SetReadDeadline is not supported: the handler stops reading the body when it ends.
func (c streamConn) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// Interface guard
var _ net.Conn = streamConn{}
