package caddymodule

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

// copyStep is how much of a body the kernel may send without asking us whether
// the session still runs.
const copyStep = 1 << 20

// errCut is what a handler's writes get once its session has ended.
var errCut = errors.New("session has ended")

// openRequest is an admitted request under way, and the writer its handler
// answers to. When the session ends, [openRequest.cut] ends it, wherever it is:
// waiting for the origin, in the middle of a body, or as an open WebSocket.
type openRequest struct {
	http.ResponseWriter
	websocket bool
	tunnel    bool    // a WebSocket on a stream of its connection
	uploads   bool    // the request has a body
	upload    *upload // its body, with upload_grace
	cancel    context.CancelFunc
	// Called with the answer's header before it goes out; nil for nothing.
	onHeader func(http.Header)
	// The server's own writer, below those of handlers that keep deadlines for
	// their own goroutine; nil to take the request's own.
	beneath func(http.ResponseWriter) *http.ResponseController

	ended atomic.Pointer[protocol.Code] // why it was cut; nil while it runs

	mu          sync.Mutex // guards the rest
	wroteHeader bool
	finished    bool
	conn        *upgradedConn
}

// cut ends the request. Safe to call at any time, from any goroutine, and again.
func (o *openRequest) cut(code protocol.Code) {
	if o.lingers(code) || !o.ended.CompareAndSwap(nil, &code) {
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
		o.conn.end(code, o.cancel)
		return
	}
	o.pressLocked()
	o.cancel()
}

// pressAgain is when a request that was cut is looked at again.
const pressAgain = 200 * time.Millisecond

// pressLocked ends reads and writes that wait for a slow client: they would
// outlive the deadline. A write that began at the same moment may have put the
// server's own deadline in the place of this one, so it is set until the handler
// has returned.
func (o *openRequest) pressLocked() {
	if o.finished || o.conn != nil {
		return
	}
	if o.wroteHeader {
		_ = o.serverWriter().SetWriteDeadline(time.Now())
	}
	if o.uploads {
		// The server takes the rest of a body before it lets the connection go.
		_ = http.NewResponseController(o.ResponseWriter).SetReadDeadline(time.Now())
	}
	time.AfterFunc(pressAgain, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.pressLocked()
	})
}

// serverWriter controls the server's own writer.
func (o *openRequest) serverWriter() *http.ResponseController {
	if o.beneath != nil {
		return o.beneath(o.ResponseWriter)
	}
	return http.NewResponseController(o.ResponseWriter)
}

// finish says that the handler has returned, and answers why it was cut, or "".
// From here on cut does nothing.
func (o *openRequest) finish() protocol.Code {
	o.mu.Lock()
	o.finished = true
	conn := o.conn
	o.mu.Unlock()
	if conn != nil {
		conn.leave()
	}
	if code := o.ended.Load(); code != nil {
		return *code
	}
	return ""
}

// started reports whether a header went out or the connection was taken over.
func (o *openRequest) started() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wroteHeader || o.conn != nil
}

// upgraded reports whether the connection was taken over.
func (o *openRequest) upgraded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conn != nil
}

// WriteHeader implements [http.ResponseWriter]. Once the session has ended it
// does nothing: the gate answers then, and the proxy's own report of a canceled
// request (499) is not for the client.
func (o *openRequest) WriteHeader(status int) {
	if o.ended.Load() != nil {
		return
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		if o.onHeader != nil {
			o.onHeader(o.Header())
		}
		o.mu.Lock()
		o.wroteHeader = true
		o.mu.Unlock()
	}
	o.ResponseWriter.WriteHeader(status)
	if o.tunnel && status/100 == 2 {
		_ = http.NewResponseController(o.ResponseWriter).Flush() // from here on, each write is flushed
		o.adopt(&upgradedConn{Conn: streamConn{w: o.ResponseWriter, server: o.serverWriter()}, websocket: true, stream: true})
	}
}

// adopt makes the request one that ends as its connection does.
func (o *openRequest) adopt(conn *upgradedConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conn = conn
	if code := o.ended.Load(); code != nil { // between admission and here
		o.conn.end(*code, o.cancel)
	}
}

// stream is the connection that a tunnel stands for, or nil.
func (o *openRequest) stream() *upgradedConn {
	if !o.tunnel {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conn
}

func (o *openRequest) begin() {
	o.mu.Lock()
	begun := o.wroteHeader
	o.mu.Unlock()
	if !begun {
		o.WriteHeader(http.StatusOK)
	}
}

// Write implements [io.Writer].
func (o *openRequest) Write(p []byte) (int, error) {
	if c := o.stream(); c != nil {
		return c.Write(p)
	}
	if o.ended.Load() != nil {
		return 0, errCut
	}
	o.begin()
	return o.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom] in steps, so that a file that the kernel
// sends by itself also ends with the session.
func (o *openRequest) ReadFrom(r io.Reader) (n int64, err error) {
	rf, ok := o.ResponseWriter.(io.ReaderFrom)
	if !ok || o.tunnel {
		return io.Copy(writerOnly{o}, r)
	}
	o.begin()
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
func (o *openRequest) FlushError() error {
	if o.stream() != nil {
		return nil // each write was
	}
	if o.ended.Load() != nil {
		return errCut
	}
	o.begin()
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (o *openRequest) Flush() { _ = o.FlushError() }

// Hijack implements [http.Hijacker]. The connection it returns ends with the
// session, a WebSocket with a close frame.
func (o *openRequest) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(o.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	o.adopt(&upgradedConn{Conn: conn, websocket: o.websocket})
	return o.conn, rw, nil
}

// Unwrap implements what [http.ResponseController] looks for.
func (o *openRequest) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// writerOnly hides ReadFrom, so that io.Copy does not come back to it.
type writerOnly struct{ io.Writer }

// Interface guards
var (
	_ http.ResponseWriter = (*openRequest)(nil)
	_ http.Flusher        = (*openRequest)(nil)
	_ http.Hijacker       = (*openRequest)(nil)
	_ io.ReaderFrom       = (*openRequest)(nil)
)
