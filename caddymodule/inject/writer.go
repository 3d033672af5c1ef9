package inject

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
)

// encodeMinimum is the size up to which Caddy's encode handler takes a first
// write for a whole page that is not worth compressing. So the first write is
// gathered until it is larger, unless the handler flushes.
const encodeMinimum = 512

// copyBuffer is how much ReadFrom reads at once.
const copyBuffer = 32 << 10

// Writer stands between a handler and the client, and adds the tag. It is for
// one response and, like any http.ResponseWriter, for one goroutine.
type Writer struct {
	rw       http.ResponseWriter
	injector *Injector
	origin   string
	self     site
	changes
	class   class
	head    bool
	explain string

	state   state
	status  int
	outcome Outcome
	err     error // of the body; nothing more is written after it
	hurry   bool  // the handler flushed what is still held
	started bool  // the first write has left, or need not be gathered

	unguessed bool // nothing was written of a body whose type is left to browsers

	lookahead *lookahead         // until the first write has left
	trailer   trailer            // for prefixed pages
	send      func([]byte) error // emit, bound once
	probe     *gzipProbe         // if this is an origin's first gzip page
	encoder   *reencoder         // for pages that are encoded again
}

type state uint8

const (
	waiting   state = iota // for the handler's WriteHeader
	looking                // header and body are held until the place is found
	passing                // bytes go through as they are
	prefixing              // all but the last 8 bytes go through
	encoding               // bytes go through the reencoder
	closed
)

// Explain makes the response tell its outcome in a header, which must be in
// canonical form. Call it before the handler runs.
func (w *Writer) Explain(header string) { w.explain = header }

// ShownAt says which scheme the page's address has in the browser, if TLS may end
// before this server. Call it before the handler runs.
func (w *Writer) ShownAt(scheme string) { w.self.scheme = scheme }

// Outcome says what became of the response. It is final after Close or Abort.
func (w *Writer) Outcome() Outcome { return w.outcome }

// Header is the response's header. The handler's entries are edited when it
// calls WriteHeader and when the place of the tag is found.
func (w *Writer) Header() http.Header { return w.rw.Header() }

// WriteHeader judges the response by its header. The header of a page that may
// get a tag goes out only with the first bytes, because its length depends on them.
func (w *Writer) WriteHeader(status int) {
	if w.state != waiting {
		return
	}
	if 100 <= status && status < 200 && status != http.StatusSwitchingProtocols {
		w.rw.WriteHeader(status) // informational: the real one is to come
		return
	}
	h := w.rw.Header()
	if status == http.StatusPartialContent && w.ranged && isHTML(h) && wholeRange(h) {
		status = http.StatusOK // all of a page is no part
		delete(h, "Content-Range")
	}
	w.status = status
	if w.class == otherRequest {
		if isHTML(h) && (shows(status, h) || status == http.StatusNotModified) {
			varyByClass(h, w.class, false)
		}
		w.pass(ReasonNotNavigation)
		return
	}
	if status == http.StatusNotModified && w.revalidates {
		w.revalidate(h)
	}
	if w.class.navigational() && !w.head && guessable(status, h) {
		w.state, w.lookahead = looking, newLookahead(h)
		w.lookahead.untyped = true
		return
	}
	if why := ineligible(status, h); why != ReasonNone {
		if w.recoded && isHTML(h) {
			addVary(h, "Accept-Encoding")
		}
		w.pass(why)
		return
	}
	varyByClass(h, w.class, w.recoded)
	if w.head {
		w.describe(h)
		delete(h, "Content-Length")
		w.pass(ReasonHead)
		return
	}
	w.state, w.lookahead = looking, newLookahead(h)
}

// Write takes the next bytes of the body.
func (w *Writer) Write(p []byte) (int, error) {
	if w.state == waiting {
		w.WriteHeader(http.StatusOK)
	}
	if w.state == passing && w.lookahead == nil {
		if w.unguessed {
			return w.writeUnguessed(p)
		}
		return w.rw.Write(p)
	}
	if err := w.take(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// ReadFrom takes the rest of the body. Once bytes may pass untouched, it hands
// the source to the writer below, which may know a cheaper way than copying.
func (w *Writer) ReadFrom(src io.Reader) (n int64, err error) {
	if w.state == waiting {
		w.WriteHeader(http.StatusOK)
	}
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	for {
		if rf, ok := w.rw.(io.ReaderFrom); ok && w.state == passing && w.lookahead == nil && !w.unguessed {
			k, err := rf.ReadFrom(src)
			return n + k, err
		}
		b := *buf
		if w.lookahead != nil {
			b = b[:maxPeek] // enough to find the place; the rest may pass
		}
		k, err := src.Read(b)
		n += int64(k)
		if k > 0 {
			if _, err := w.Write(b[:k]); err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

var copyBuffers = sync.Pool{New: func() any {
	b := make([]byte, copyBuffer)
	return &b
}}

// Flush is FlushError for handlers that know only http.Flusher.
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError sends what can be sent. While the place of the tag is not known,
// bytes stay held and are flushed as soon as it is.
func (w *Writer) FlushError() error {
	if w.state == waiting {
		w.WriteHeader(http.StatusOK)
	}
	if w.state == looking {
		w.hurry = true
		return w.take(nil)
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if w.err != nil {
		return w.err
	}
	var err error
	if w.state == prefixing {
		if b := w.trailer.release(); b != nil {
			err = w.emit(b)
		}
	}
	if err == nil {
		err = w.start()
	}
	w.release()
	if err != nil {
		return w.fail(err)
	}
	return http.NewResponseController(w.rw).Flush()
}

// Hijack gives the connection away; what the handler does with it is no page.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.rw).Hijack()
	if err == nil {
		w.drop()
		w.state, w.outcome = closed, Outcome{Reason: ReasonUpgraded}
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *Writer) Unwrap() http.ResponseWriter { return w.rw }

// Close ends a response whose handler returned well: it sends what is held and
// patches the trailer. After an error the page is cut, and the caller should
// abort the connection so that the client notices.
func (w *Writer) Close() error {
	if w.state == looking {
		if err := w.seek(nil, true); err != nil {
			w.err = err
		}
	}
	if h := w.rw.Header(); w.outcome.Injected() && h["Trailer"] != nil {
		dropBodyClaims(h)
	}
	err := w.err
	if err == nil {
		switch w.state {
		case prefixing:
			err = w.emit(w.trailer.patched())
		case encoding:
			err = w.encoder.close()
		}
	}
	if err == nil {
		err = w.start()
	}
	if w.probe != nil && err == nil {
		w.probe.finish(true)
		w.probe = nil
	}
	w.drop()
	w.state = closed
	return err
}

// Abort ends a response whose origin failed in its middle: what is held goes
// out unpatched, so that no client takes the page for whole.
func (w *Writer) Abort() {
	if w.err == nil {
		switch w.state {
		case looking:
			_ = w.refuse(ReasonAborted, w.lookahead.held, nil)
		case prefixing:
			_ = w.emit(w.trailer.kept[:w.trailer.n])
		}
		_ = w.start()
	}
	w.drop()
	w.state = closed
}

// Interface guards
var (
	_ http.ResponseWriter = (*Writer)(nil)
	_ io.ReaderFrom       = (*Writer)(nil)
	_ http.Flusher        = (*Writer)(nil)
	_ http.Hijacker       = (*Writer)(nil)
)
