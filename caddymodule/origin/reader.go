package origin

import (
	"bytes"
	"io"
	"net"
	"sync"
)

const (
	smallBuffer = 8 << 10  // heads, and bodies that come in small pieces
	largeBuffer = 56 << 10 // large bodies
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// reader reads a connection into a buffer that it borrows, and gives access to what is in
// the buffer without copying.
type reader struct {
	src   net.Conn
	buf   []byte
	r, w  int // the unread bytes are buf[r:w]
	small *[smallBuffer]byte
	large *[largeBuffer]byte

	expectsMuch bool // begin with a large buffer
	latest      int  // bytes that the latest read returned
}

func (r *reader) buffered() []byte { return r.buf[r.r:r.w] }

func (r *reader) discard(n int) { r.r += n }

// fill reads more bytes into the buffer, at least one. It waits for them. A full buffer
// grows to at most limit bytes; then fill returns [io.ErrShortBuffer].
func (r *reader) fill(limit int) error {
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
	switch {
	case r.buf == nil && r.expectsMuch:
		r.large = largeBuffers.Get().(*[largeBuffer]byte)
		r.buf = r.large[:]
	case r.buf == nil:
		r.small = smallBuffers.Get().(*[smallBuffer]byte)
		r.buf = r.small[:]
	case r.w < len(r.buf):
	case r.r > 0:
		r.w, r.r = copy(r.buf, r.buf[r.r:r.w]), 0
	case len(r.buf) >= limit:
		return io.ErrShortBuffer
	case len(r.buf) < largeBuffer:
		r.enlarge()
	default:
		r.buf = append(r.buf, make([]byte, min(len(r.buf), limit-len(r.buf)))...)
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	r.latest = n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// shrink gives up a large buffer that is empty, before a wait that may be long, unless much
// has just come.
func (r *reader) shrink() {
	if r.large != nil && r.r == r.w && r.latest < smallBuffer/2 {
		r.release()
	}
}

// enlarge changes to a large buffer.
func (r *reader) enlarge() {
	if len(r.buf) >= largeBuffer {
		return
	}
	large := largeBuffers.Get().(*[largeBuffer]byte)
	n := copy(large[:], r.buf[r.r:r.w])
	r.release()
	r.large, r.buf, r.w = large, large[:], n
}

// release gives the buffers back. What is unread is lost.
func (r *reader) release() {
	if r.small != nil {
		smallBuffers.Put(r.small)
	}
	if r.large != nil {
		largeBuffers.Put(r.large)
	}
	*r = reader{src: r.src}
}

// line returns the next line without its end, and whether that was CR LF rather than LF
// alone. The line is valid until the next call of a method.
func (r *reader) line(limit int) (line []byte, crlf bool, err error) {
	searched := 0
	for {
		b := r.buffered()
		if i := bytes.IndexByte(b[searched:], '\n'); i >= 0 {
			i += searched
			if i >= limit {
				return nil, false, io.ErrShortBuffer
			}
			r.discard(i + 1)
			if i > 0 && b[i-1] == '\r' {
				return b[:i-1], true, nil
			}
			return b[:i], false, nil
		}
		if searched = len(b); searched >= limit {
			return nil, false, io.ErrShortBuffer
		}
		if err := r.fill(max(limit, smallBuffer)); err != nil {
			return nil, false, err
		}
	}
}
