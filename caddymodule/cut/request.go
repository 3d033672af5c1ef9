// Package cut ends HTTP requests that are under way, whatever they have become:
// a request that waits for its handler, a response in the middle of its body, an
// upload, a WebSocket on a connection or on a stream of HTTP/2 or HTTP/3.
package cut

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// copyStep is how much of a body the kernel may send before the request checks
// whether it was cut.
const copyStep = 1 << 20

// errCut is returned by a handler's writes once the request was cut.
var errCut = errors.New("session has ended")

// Request is an open request and the writer of its handler. [Request.Cut] ends it
// in any state: waiting for the origin, in the middle of a body, or as an open
// WebSocket.
type Request struct {
	http.ResponseWriter
	WebSocket bool
	Tunnel    bool    // a WebSocket on a stream of its connection
	HasBody   bool    // the request has a body
	upload    *upload // its body, with upload_grace
	Cancel    context.CancelFunc
	// Called with the answer's header before it goes out; nil for nothing.
	OnHeader func(http.Header)
	// The server's own writer, below those of handlers that keep deadlines for
	// their own goroutine; nil to take the request's own.
	Beneath func(http.ResponseWriter) *http.ResponseController

	ended atomic.Pointer[protocol.Code] // why it was cut; nil while it runs

	mu          sync.Mutex // guards the rest
	wroteHeader bool
	finished    bool
	conn        *upgradedConn
}

// Cut ends the request. Safe to call at any time, from any goroutine, and again.
func (o *Request) Cut(code protocol.Code) {
	if o.extendUpload(code) || !o.ended.CompareAndSwap(nil, &code) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.finished:
		return
	case o.conn != nil:
		// It cancels once the close frame is out: canceled first, the proxy
		// would close the connection and the page would see 1006.
		o.conn.end(code, o.Cancel)
		return
	}
	o.expireIOLocked()
	o.Cancel()
}

// expireAgain is when a request that was cut is looked at again.
const expireAgain = 200 * time.Millisecond

// expireIOLocked ends reads and writes that wait for a slow client: they would
// outlive the deadline. A write that began at the same moment may have put the
// server's own deadline in the place of this one, so it is set until the handler
// has returned.
func (o *Request) expireIOLocked() {
	if o.finished || o.conn != nil {
		return
	}
	if o.wroteHeader {
		_ = o.serverWriter().SetWriteDeadline(time.Now())
	}
	if o.HasBody {
		// The server takes the rest of a body before it lets the connection go.
		_ = http.NewResponseController(o.ResponseWriter).SetReadDeadline(time.Now())
	}
	time.AfterFunc(expireAgain, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.expireIOLocked()
	})
}

// serverWriter controls the server's own writer.
func (o *Request) serverWriter() *http.ResponseController {
	if o.Beneath != nil {
		return o.Beneath(o.ResponseWriter)
	}
	return http.NewResponseController(o.ResponseWriter)
}

// Finish must be called when the handler has returned. It returns why the request
// was cut, or "". From then on Cut does nothing.
func (o *Request) Finish() protocol.Code {
	o.mu.Lock()
	o.finished = true
	conn := o.conn
	o.mu.Unlock()
	if conn != nil {
		conn.wait()
	}
	if code := o.ended.Load(); code != nil {
		return *code
	}
	return ""
}

// Started reports whether a header was sent or the connection was taken over.
func (o *Request) Started() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wroteHeader || o.conn != nil
}

// Upgraded reports whether the connection was taken over.
func (o *Request) Upgraded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conn != nil
}

// WriteHeader implements [http.ResponseWriter]. Once the request was
// cut it does nothing: the caller of the handler answers then, and not the proxy,
// which would report a canceled request (499).
func (o *Request) WriteHeader(status int) {
	if o.ended.Load() != nil {
		return
	}
	if status < 100 || status > 999 { // an origin's, on which the server would panic
		status = http.StatusBadGateway
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		if o.OnHeader != nil {
			o.OnHeader(o.Header())
		}
		o.mu.Lock()
		o.wroteHeader = true
		o.mu.Unlock()
	}
	o.ResponseWriter.WriteHeader(status)
	if o.Tunnel && status/100 == 2 {
		_ = http.NewResponseController(o.ResponseWriter).Flush() // from here on, each write is flushed
		o.takeOver(&upgradedConn{Conn: streamConn{w: o.ResponseWriter, server: o.serverWriter()}, websocket: true, stream: true})
	}
}

// takeOver makes the request one that ends as its connection does.
func (o *Request) takeOver(conn *upgradedConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conn = conn
	if code := o.ended.Load(); code != nil { // between admission and here
		o.conn.end(*code, o.Cancel)
	}
}

// stream is the connection that a tunnel stands for, or nil.
func (o *Request) stream() *upgradedConn {
	if !o.Tunnel {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conn
}

func (o *Request) writeHeaderOnce() {
	o.mu.Lock()
	begun := o.wroteHeader
	o.mu.Unlock()
	if !begun {
		o.WriteHeader(http.StatusOK)
	}
}

// Write implements [io.Writer].
func (o *Request) Write(p []byte) (int, error) {
	if c := o.stream(); c != nil {
		return c.Write(p)
	}
	if o.ended.Load() != nil {
		return 0, errCut
	}
	o.writeHeaderOnce()
	return o.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom] in steps, so that a file that the kernel
// sends by itself also ends with the session.
func (o *Request) ReadFrom(r io.Reader) (n int64, err error) {
	rf, ok := o.ResponseWriter.(io.ReaderFrom)
	if !ok || o.Tunnel {
		return io.Copy(writerOnly{o}, r)
	}
	o.writeHeaderOnce()
	for {
		if o.ended.Load() != nil {
			return n, errCut
		}
		step := io.LimitedReader{R: r, N: copyStep}
		m, err := rf.ReadFrom(&step)
		n += m
		if err != nil || step.N > 0 {
			return n, err
		}
	}
}

// FlushError implements what [http.ResponseController] looks for.
func (o *Request) FlushError() error {
	if o.stream() != nil {
		return nil // each write was
	}
	if o.ended.Load() != nil {
		return errCut
	}
	o.writeHeaderOnce()
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (o *Request) Flush() { _ = o.FlushError() }

// Hijack implements [http.Hijacker]. The connection it returns ends with the
// session, a WebSocket with a close frame.
func (o *Request) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(o.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	o.takeOver(&upgradedConn{Conn: conn, websocket: o.WebSocket})
	return o.conn, rw, nil
}

// Unwrap implements what [http.ResponseController] looks for.
func (o *Request) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// writerOnly hides ReadFrom, so that io.Copy does not call it again.
type writerOnly struct{ io.Writer }

// Interface guards
var (
	_ http.ResponseWriter = (*Request)(nil)
	_ http.Flusher        = (*Request)(nil)
	_ http.Hijacker       = (*Request)(nil)
	_ io.ReaderFrom       = (*Request)(nil)
)

// upload is the body of a request that may continue for a grace period after its
// session's deadline, until it is complete.
type upload struct {
	io.ReadCloser
	grace time.Duration
	whole atomic.Bool // it has been read, or failed
	used  atomic.Bool // the grace runs
}

// Read implements [io.Reader].
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil {
		u.whole.Store(true)
	}
	return n, err
}

// AllowUpload gives the request's upload, if it has one, a grace beyond the deadline.
func (o *Request) AllowUpload(r *http.Request, grace time.Duration) {
	if grace <= 0 || !o.HasBody || o.WebSocket {
		return
	}
	o.upload = &upload{ReadCloser: r.Body, grace: grace}
	r.Body = o.upload
}

// extendUpload reports whether o goes on for its grace. Only the deadline waits for
// an upload: a revocation or a pause is meant to stop what goes on.
func (o *Request) extendUpload(code protocol.Code) bool {
	u := o.upload
	if u == nil || code != protocol.SessionExpired || u.whole.Load() || !u.used.CompareAndSwap(false, true) {
		return false
	}
	time.AfterFunc(u.grace, func() { o.Cut(code) })
	return true
}
