package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// smallBody is the largest body that is read before the request is sent: it goes out
	// with the head, and a slow client keeps no connection to the origin.
	smallBody = 16 << 10

	continueWait = time.Second            // how long 100 (Continue) is waited for
	lingerTime   = 500 * time.Millisecond // how long a body is read that the origin has refused
)

// appendBody appends a body of length bytes. It reads up to the end, since others wait for
// that: the server watches for the client's departure from there on.
func appendBody(b []byte, body io.Reader, length int) ([]byte, error) {
	n := len(b)
	for cap(b)-n < length {
		b = append(b[:cap(b)], 0)
	}
	b = b[:n+length]
	_, err := io.ReadFull(body, b[n:])
	for err == nil {
		var more [1]byte
		if m, end := body.Read(more[:]); m > 0 {
			err = errTooLong
		} else if err = end; errors.Is(end, io.EOF) {
			return b, nil
		}
	}
	return b[:n], &Error{Kind: Client, Err: fmt.Errorf("reading the request's body: %w", err)}
}

var errTooLong = errors.New("it is longer than its Content-Length")

// upload is a request's body that is sent while the response may come already.
type upload struct {
	r      *http.Request
	length int64 // -1: chunked
	stall  time.Duration

	goAhead chan struct{} // closed by 100 (Continue); nil if the request does not wait for it
	once    sync.Once
	refused chan struct{} // closed when the final response has come, or the exchange has failed
	sent    chan struct{} // closed when the whole body was sent, or will not be
	done    chan struct{} // closed when the body is not read any more
	started bool
	whole   atomic.Bool // it was sent whole
	readErr atomic.Pointer[error]

	mu       sync.Mutex  // guards the fields below
	timer    *time.Timer // for the head of the response; nil until the body was sent
	answered bool        // the head of the response is not waited for any more
	late     bool        // it did not come in time, or the origin has not read the body
}

func newUpload(r *http.Request, length int64, stall time.Duration) *upload {
	u := &upload{r: r, length: length, stall: stall, refused: make(chan struct{}), sent: make(chan struct{}), done: make(chan struct{})}
	for _, v := range r.Header["Expect"] {
		if containsToken(v, "100-continue") {
			u.goAhead = make(chan struct{})
		}
	}
	return u
}

// proceed is called when the origin asks for the body.
func (u *upload) proceed() {
	if u != nil && u.goAhead != nil {
		u.once.Do(func() { close(u.goAhead) })
	}
}

// start sends the body on c. The head of the response has to come within headTimeout from
// the end of the body, unless that is 0.
func (u *upload) start(c *conn, headTimeout time.Duration) {
	u.started = true
	go func() {
		defer close(u.done)
		if !u.awaitContinue() {
			close(u.sent)
			return
		}
		err := u.send(c)
		if err == nil && c.SetWriteDeadline(time.Time{}) != nil { // it is for this body alone
			c.abort()
		}
		u.whole.Store(err == nil)
		if err == nil && headTimeout > 0 {
			u.awaitHead(c, headTimeout)
		}
		close(u.sent)
		if err != nil && u.readErr.Load() == nil {
			u.drain()
		}
	}()
}

// awaitContinue waits for 100 (Continue), if the request does, and reports whether the
// body is to be sent.
func (u *upload) awaitContinue() bool {
	if u.goAhead == nil {
		return true
	}
	patience := time.NewTimer(continueWait)
	defer patience.Stop()
	select {
	case <-u.goAhead:
	case <-patience.C: // as RFC 9110 (10.1.1) wants it
	case <-u.refused:
		return false
	}
	return true
}

// send copies the body to c.
func (u *upload) send(c *conn) error {
	buffer := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(buffer)
	const room = 16 // for the size of a chunk, before the data, and for its end
	left := u.length
	for {
		n, err := u.r.Body.Read(buffer[room : largeBuffer-2])
		if n > 0 {
			data := buffer[room : room+n]
			if u.length < 0 {
				size := appendChunkSize(buffer[:0], n)
				begin := room - len(size)
				copy(buffer[begin:], size)
				copy(buffer[room+n:], "\r\n")
				data = buffer[begin : room+n+2]
			} else if left -= int64(n); left < 0 {
				u.broken(c, errTooLong)
				return errTooLong
			}
			if err := u.write(c, data); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && left > 0:
			err = io.ErrUnexpectedEOF
			u.broken(c, err)
			return err
		case errors.Is(err, io.EOF):
			if u.length < 0 {
				return u.write(c, appendTrailers(nil, u.r.Trailer))
			}
			return nil
		case err != nil:
			u.broken(c, err)
			return err
		}
	}
}

// write sends a part of the body. An origin that reads nothing of it and answers nothing
// does not hold the request for good: over HTTP/1.1, nobody would notice that the client
// has left, since nothing is read from it.
func (u *upload) write(c *conn, data []byte) error {
	_ = c.SetWriteDeadline(time.Now().Add(u.stall))
	_, err := c.Write(data)
	if err == nil || !isTimeout(err) {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.answered {
		u.late = true
		c.abort()
	}
	return err
}

// broken ends the connection, so that the origin does not take the part of the body that
// it has for the whole.
func (u *upload) broken(c *conn, err error) {
	u.readErr.Store(&err)
	c.abort()
}

// drain reads on after the origin has stopped reading: a client that is still sending
// would not see the response if its connection were closed under it.
func (u *upload) drain() {
	buffer := smallBuffers.Get().(*[smallBuffer]byte)
	defer smallBuffers.Put(buffer)
	for {
		if _, err := u.r.Body.Read(buffer[:]); err != nil {
			return
		}
	}
}

// awaitHead aborts c unless the head of the response comes within the limit.
func (u *upload) awaitHead(c *conn, limit time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.answered {
		return
	}
	u.timer = time.AfterFunc(limit, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if !u.answered {
			u.late = true
			c.abort()
		}
	})
}

// endWait ends the wait for the head of the response. From then on the connection is not
// aborted for it. It reports whether that had happened before.
func (u *upload) endWait() (late bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answered = true
	if u.timer != nil {
		u.timer.Stop()
	}
	return u.late
}

// settle is called when the head of the final response has come. It reports whether the
// client may still be sending.
func (u *upload) settle(ctx context.Context) (early bool) {
	late := u.endWait()
	u.closeRefused()
	// An origin that has read the whole body answers at once: its last write may not have
	// returned yet.
	patience := time.NewTimer(50 * time.Millisecond)
	defer patience.Stop()
	select {
	case <-u.sent:
	case <-patience.C:
	case <-ctx.Done():
	}
	return late || !u.whole.Load()
}

func (u *upload) closeRefused() {
	select {
	case <-u.refused:
	default:
		close(u.refused)
	}
}

// finish ends the upload at the end of the exchange, of which err is the error, and reports
// whether the body was sent whole.
func (u *upload) finish(x *exchange, err error) (whole bool) {
	u.closeRefused()
	if !u.started {
		return false
	}
	late := u.endWait()
	if u.whole.Load() {
		<-u.done
		return !late
	}
	control := http.NewResponseController(x.w)
	if !x.begun && x.out.ProtoMajor == 1 {
		x.w.Header()["Connection"] = []string{"close"} // of the response that reports err
	}
	if err == nil && x.out.ProtoMajor == 1 {
		_ = control.Flush()
		select {
		case <-u.done:
		case <-time.After(lingerTime):
		case <-x.out.Context().Done():
		}
	}
	x.conn.abort()
	for {
		// The body must not be read any more when the handler has returned.
		if control.SetReadDeadline(time.Now()) != nil {
			return false
		}
		select {
		case <-u.done:
			return false
		case <-time.After(lingerTime):
		}
	}
}

// failure is why the client's body could not be read, or nil.
func (u *upload) failure() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	late := u.late
	u.mu.Unlock()
	if late {
		return &Error{Kind: Timeout, Err: os.ErrDeadlineExceeded}
	}
	if err := u.readErr.Load(); err != nil {
		return &Error{Kind: Client, Err: fmt.Errorf("reading the request's body: %w", *err)}
	}
	return nil
}
