package origin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strings"
)

const (
	chunkLine   = 4 << 10  // the longest line with the size of a chunk
	trailerSize = 64 << 10 // of all trailers of a message
	overhead    = 16 << 10 // of lines with sizes beyond the data that they announce
)

// chunks reads the framing of a chunked body.
type chunks struct {
	left   int64 // of the chunk that is being read
	begun  bool  // a chunk was read, whose end of line is still to come
	excess int   // bytes of framing beyond twice the data
}

// next reads up to the data of the next chunk. After the last chunk it returns [io.EOF]:
// the trailers follow.
func (k *chunks) next(r *reader) error {
	if k.begun {
		line, crlf, err := r.line(3)
		if err != nil {
			return whole(err)
		}
		if len(line) != 0 || !crlf {
			return malformed("a chunk of the response is longer than its size")
		}
	}
	line, crlf, err := r.line(chunkLine)
	if err != nil {
		return whole(err)
	}
	if !crlf {
		return malformed("the size of a chunk does not end with CR LF")
	}
	size, ok := chunkSize(line)
	if !ok {
		return malformed("the size of a chunk of the response is not a number")
	}
	if size == 0 {
		return io.EOF
	}
	// A server that sends chunks of a few bytes with long extensions makes much work of
	// little data.
	if k.excess += len(line) + 4 - 16 - int(min(2*size, overhead)); k.excess < 0 {
		k.excess = 0
	} else if k.excess > overhead {
		return malformed("the sizes of the response's chunks are longer than its data")
	}
	k.left, k.begun = size, true
	return nil
}

// hasNext reports whether next would find in b all that it reads.
func (k *chunks) hasNext(b []byte) bool {
	end := bytes.IndexByte(b, '\n')
	if end >= 0 && k.begun {
		end = bytes.IndexByte(b[end+1:], '\n')
	}
	return end >= 0
}

// whole turns an end of the connection in the middle of a message into an error that says
// so.
func whole(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, io.ErrShortBuffer):
		return malformed("a line of the response's framing is too long")
	}
	return err
}

// chunkSize reads hexadecimal digits, up to the end of the line or to an extension.
func chunkSize(line []byte) (int64, bool) {
	var n int64
	digits := 0
	for ; digits < len(line); digits++ {
		c := line[digits]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return n, digits > 0 && validExtension(line[digits:])
		}
		if digits == 15 { // larger than any body
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, digits > 0
}

// validExtension reports whether what follows a size is an extension, or white space alone.
func validExtension(s []byte) bool {
	text := string(s)
	return text[0] == ';' && validValue(text) || strings.Trim(text, " \t") == ""
}

// readTrailers reads the fields after a chunked body.
func (c *conn) readTrailers() (http.Header, error) {
	var trailers http.Header
	for size := 0; ; {
		line, crlf, err := c.line(trailerSize - size)
		if err != nil {
			return nil, whole(err)
		}
		if !crlf {
			return nil, malformed("a line after the body does not end with CR LF")
		}
		if len(line) == 0 {
			return trailers, nil
		}
		size += len(line)
		f, err := parseField(string(line))
		if err != nil {
			return nil, err
		}
		if hopByHop(f.name) || framing(f.name) {
			continue
		}
		if trailers == nil {
			trailers = make(http.Header)
		}
		name := textproto.CanonicalMIMEHeaderKey(f.name)
		trailers[name] = append(trailers[name], f.value)
	}
}

// framing reports whether a field says where a message ends or whom it is for. Such a field
// may not come after the body.
func framing(name string) bool {
	switch name {
	case "Content-Length", "Host", "Content-Encoding", "Content-Type", "Content-Range", "Set-Cookie":
		return true
	}
	return false
}
