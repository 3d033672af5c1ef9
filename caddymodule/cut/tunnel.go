package cut

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

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

// Read is for nobody.
func (c streamConn) Read([]byte) (int, error) { return 0, io.EOF }

// Close leaves the stream to the server, which ends it once the handler returns.
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
