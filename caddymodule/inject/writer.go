package inject

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
)

// encodeMinimum is the size up to which Caddy's encode handler treats a first write as
// a whole page that is too small to compress. Therefore the first write is buffered
// until it is larger, unless the handler flushes.
const encodeMinimum = 512

// copyBuffer is the size of each read in ReadFrom.
const copyBuffer = 32 << 10

// Writer wraps the client's response writer and inserts the tag. It serves one response
// and, like any http.ResponseWriter, must not be used concurrently.
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
	err     error // of the body; nothing is written after an error
	hurry   bool  // the handler flushed while bytes were buffered
	started bool  // the first write was sent, or need not be buffered

	unguessed bool // the body has no type, and nothing of it was written

	lookahead *lookahead         // nil after the first write was sent
	trailer   trailer            // for prefixed pages
	send      func([]byte) error // emit, bound once
	probe     *gzipProbe         // set for an origin's first gzip page
	encoder   *reencoder         // for pages that are encoded again
}

type state uint8

const (
	waiting   state = iota // for WriteHeader
	looking                // header and body are buffered until the position of the tag is found
	passing                // bytes pass unchanged
	prefixing              // all but the last 8 bytes pass
	encoding               // bytes pass through the reencoder
	closed
)

// Explain makes the response report its outcome in the given header, whose name must be
// in canonical form. Call it before the handler runs.
func (w *Writer) Explain(header string) { w.explain = header }

// ShownAt sets the scheme of the page's address in the browser, for cases in which TLS
// may end before this server. Call it before the handler runs.
func (w *Writer) ShownAt(scheme string) { w.self.scheme = scheme }

// Outcome returns the outcome of the response. It is final after Close or Abort.
func (w *Writer) Outcome() Outcome { return w.outcome }

// Header returns the response's header. Writer edits its entries in WriteHeader and
// when it has found the position of the tag.
func (w *Writer) Header() http.Header { return w.rw.Header() }

// WriteHeader determines from the header whether the response can get a tag. If it can,
// the header is sent with the first bytes, because its length depends on them.
func (w *Writer) WriteHeader(status int) {
	if w.state != waiting {
		return
	}
	if 100 <= status && status < 200 && status != http.StatusSwitchingProtocols {
		w.rw.WriteHeader(status) // informational; the final status follows
		return
	}
	h := w.rw.Header()
	if status == http.StatusPartialContent && w.ranged && isHTML(h) && wholeRange(h) {
		status = http.StatusOK // the range covers the whole page
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

// Write writes the next bytes of the body.
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

// ReadFrom reads the rest of the body from src. Once bytes pass unchanged, it passes
// src to the underlying writer, which may copy more efficiently.
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
			b = b[:maxPeek] // enough to find the position; the rest passes unchanged
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

// Flush is FlushError for handlers that use http.Flusher.
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError sends everything that can be sent. While the position of the tag is
// unknown, bytes stay buffered. They are flushed when the position is found.
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

// Hijack hands the connection to the handler. Nothing that the handler writes to it
// gets a tag.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.rw).Hijack()
	if err == nil {
		w.drop()
		w.state, w.outcome = closed, Outcome{Reason: ReasonUpgraded}
	}
	return conn, rw, err
}

// Unwrap returns the underlying writer for http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.rw }

// Close finishes a response whose handler returned without an error. It sends the
// buffered bytes and patches the trailer. If it returns an error, the page is
// incomplete, and the caller should abort the connection so that the client notices.
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

// Abort finishes a response whose origin failed before its end. It sends the buffered
// bytes without patching the trailer, so that no client accepts the page as complete.
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
