package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxInterim is how many interim responses may come before the final one, as in net/http.
const maxInterim = 5

// headBuffers has memory for the heads of requests and for their small bodies.
var headBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// exchange is a request on its way to the origin, and its response on its way back.
type exchange struct {
	pool *Pool
	conn *conn
	w    http.ResponseWriter
	out  *Outgoing

	relayed int64 // bytes of the response's body

	upload *upload // nil for a request without a body, or with a small one
	begun  bool    // the client was sent the head of the final response
	asked  string  // the protocol that the request asks to change to
}

// Forward sends a request to the origin and its response to w. It returns when the
// response is complete, or an upgraded connection has ended. The error is an [*Error].
func (p *Pool) Forward(w http.ResponseWriter, out *Outgoing) error {
	x := exchange{pool: p, w: w, out: out}
	err := x.run()
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		failed = &Error{Kind: Closed, Err: err}
		if x.begun {
			failed.Kind = Incomplete
		}
	}
	// What breaks because the client has left is not the origin's failure.
	if cause := out.ended(); cause != nil {
		failed = &Error{Kind: Client, Err: cause}
	}
	failed.Begun = x.begun
	if failed.Kind != Dial && failed.Kind != Handshake && failed.Kind != Resting && failed.Kind != Busy { // which the pool counts
		p.stats.count(failed)
	}
	return failed
}

func (x *exchange) run() error {
	buffer := headBuffers.Get().(*[]byte)
	defer func() {
		if cap(*buffer) <= 2*largeBuffer {
			headBuffers.Put(buffer)
		}
	}()
	message, err := x.compose((*buffer)[:0])
	if message != nil {
		*buffer = message
	}
	if err != nil {
		return err
	}
	r := x.out.Request
	mayRepeat := repeatable(r.Method) && x.upload == nil && r.ContentLength == 0 && !x.out.Tunnel
	for again := false; ; again = true {
		if err := x.connect(again); err != nil {
			return err
		}
		unanswered, err := x.attempt(message)
		if err == nil || !unanswered || !mayRepeat || again || x.out.ended() != nil {
			return err
		}
		x.pool.stats.repeated.Add(1)
	}
}

// connect gets a connection.
func (x *exchange) connect(fresh bool) (err error) {
	if !fresh {
		if x.conn = x.pool.kept(); x.conn != nil {
			return nil
		}
	}
	ctx := x.out.Context()
	if x.out.Stop != nil {
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		if ctx = limited; !x.out.Stop.set(cancel) {
			return &Error{Kind: Client, Err: context.Canceled}
		}
	}
	x.conn, err = x.pool.dial(ctx)
	return err
}

// compose writes the head of the request, and a small body after it. A large body, or one
// of unknown length, becomes an upload.
func (x *exchange) compose(b []byte) ([]byte, error) {
	r, length := x.out.Request, x.out.ContentLength
	if !x.out.Tunnel {
		x.asked = requestedUpgrade(r.Header)
	}
	if r.Body == nil || r.Body == http.NoBody || x.out.Tunnel {
		length = 0
	}
	if length > 0 && len(r.Trailer) > 0 {
		length = -1 // only chunks can be followed by trailers
	}
	b, err := appendHead(b, x.out, length, &x.pool.viaRequest)
	switch {
	case err != nil || length == 0:
		return b, err
	case length > 0 && length <= smallBody && r.Header["Expect"] == nil:
		return appendBody(b, r.Body, int(length))
	}
	x.upload = newUpload(r, length, x.pool.config.Stall)
	if r.ProtoMajor == 1 {
		// Otherwise the server reads the rest of the body before it writes a response.
		_ = http.NewResponseController(x.w).EnableFullDuplex()
	}
	return b, nil
}

// attempt sends the request on x.conn and hands on the response. unanswered reports
// whether a kept connection ended before anything of a response came: the request may not
// have arrived.
func (x *exchange) attempt(message []byte) (unanswered bool, err error) {
	c := x.conn
	stop := c.abortOn(x.out.Context())
	if !x.out.Stop.set(c.abortFunc) {
		c.abort()
	}
	over := false
	defer func() {
		if !over { // the writer has panicked
			stop()
			if x.upload != nil {
				x.upload.finish(x, http.ErrAbortHandler)
			}
			x.pool.drop(c)
		}
	}()
	sent := x.pool.config.Now()
	_, err = c.Write(message)
	if err == nil && x.upload != nil {
		x.upload.start(c, x.pool.config.HeadTimeout)
	}
	// An origin that refuses a request may answer before it has read it, and close: what
	// it wrote is read all the same.
	writeErr := err
	if err = x.readResponse(sent); err != nil {
		if writeErr != nil {
			err = writeErr
		}
		if failed := x.upload.failure(); failed != nil {
			err = failed
		}
		unanswered = c.reused && !c.answered && !x.begun && hasClosed(err)
	}
	over = true
	x.out.Stop.set(nil)
	if c.taken { // by a tunnel, which has ended
		stop()
		x.pool.drop(c)
		return false, err
	}
	whole := x.upload == nil || x.upload.finish(x, err)
	if !stop() || x.out.Stop.over() || err != nil || !whole || !c.head.keep || len(c.buffered()) > 0 {
		x.pool.drop(c)
		return unanswered, err
	}
	x.pool.noteSize(x.relayed)
	x.pool.put(c)
	return false, nil
}

// hasClosed reports whether err says that a connection has ended: not that a response came
// late, or is malformed. Such a request has arrived.
func hasClosed(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return !ok || failed.Kind == Closed
}

// readResponse reads interim responses and the final one.
func (x *exchange) readResponse(sent time.Time) error {
	c := x.conn
	c.answered = false
	c.expectsMuch = x.pool.large.Load() > 0
	if limit := x.pool.config.HeadTimeout; limit > 0 && x.upload == nil {
		_ = c.SetReadDeadline(sent.Add(limit))
		defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	}
	for interim := 0; ; interim++ {
		if err := c.readHead(&c.head, x.pool.config.MaxHead); err != nil {
			return x.headFailure(err)
		}
		c.answered = true
		status := c.head.status
		if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
			break
		}
		if interim == maxInterim {
			return malformed("more than %d interim responses", maxInterim)
		}
		if status == http.StatusContinue {
			x.upload.proceed()
		} else {
			x.writeInterim()
		}
	}
	x.pool.stats.answered(x.pool.config.Now().Sub(sent))
	if x.pool.config.HeadTimeout > 0 {
		_ = c.SetReadDeadline(time.Time{})
	}
	if c.head.status == http.StatusSwitchingProtocols {
		return x.switchProtocols()
	}
	return x.relay()
}

// headFailure is the error of a response whose head could not be read.
func (x *exchange) headFailure(err error) error {
	if len(x.conn.buffered()) > 0 {
		x.conn.answered = true
	}
	switch {
	case isTimeout(err):
		return &Error{Kind: Timeout, Err: err}
	case errors.Is(err, io.EOF):
		return &Error{Kind: Closed, Err: io.ErrUnexpectedEOF}
	}
	return err
}

// writeInterim hands on an interim response, such as 103 with links. The client gets no
// header of it again with the final response.
func (x *exchange) writeInterim() {
	if !x.out.ProtoAtLeast(1, 1) {
		return
	}
	h := x.w.Header()
	own := h.Clone()
	x.conn.head.copyTo(h)
	delete(h, "Set-Cookie") // what looks after cookies sees the header of the final response
	x.w.WriteHeader(x.conn.head.status)
	clear(h)
	for name, values := range own {
		h[name] = values
	}
}
