package origin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// relay hands the final response on.
func (x *exchange) relay() error {
	h := &x.conn.head
	if x.out.Tunnel && h.status/100 == 2 {
		return malformed("the response to a WebSocket is %d", h.status)
	}
	if err := x.relayHead(); err != nil {
		return err
	}
	switch {
	case h.status == http.StatusNoContent, h.status == http.StatusNotModified:
		h.keep = h.keep && !h.chunked // the end of an empty body may follow, though it should not
		return nil
	case x.out.Method == http.MethodHead && !x.out.Tunnel:
		return nil
	case h.chunked:
		return x.relayChunks()
	case h.length >= 0:
		return x.relayData(h.length, h.streams)
	}
	h.keep = false // the end of the connection is that of the body
	return x.relayData(untilEnd, true)
}

// relayHead writes the status and the header.
func (x *exchange) relayHead() error {
	h := x.w.Header()
	if x.upload != nil && x.upload.settle(x.out.Context()) {
		if err := x.upload.failure(); err != nil {
			return err
		}
		if x.out.ProtoMajor == 1 {
			// The rest of the body would be taken for the next request.
			h["Connection"] = []string{"close"}
		}
	}
	delete(h, "Server")
	x.conn.head.copyTo(h)
	h["Via"] = append(h["Via"], x.pool.viaResponse[x.conn.head.minor])
	if x.conn.head.trailer {
		announce(h, &x.conn.head)
	}
	x.begun = true
	x.w.WriteHeader(x.conn.head.status)
	return nil
}

// announce declares the trailers that the response has announced.
func announce(h http.Header, head *head) {
	for _, f := range head.fields {
		if f.name == "Trailer" {
			h["Trailer"] = append(h["Trailer"], f.value)
		}
	}
}

// untilEnd is the length of a body that ends with its connection.
const untilEnd = -1

// relayData hands on n bytes. With streams, the client gets what there is before more is
// waited for.
func (x *exchange) relayData(n int64, streams bool) error {
	c := x.conn
	for n != 0 {
		b := c.buffered()
		if len(b) == 0 {
			if streams {
				if err := x.flush(); err != nil {
					return err
				}
				c.shrink()
			}
			if n > smallBuffer {
				c.enlarge()
			}
			if err := c.fill(largeBuffer); err != nil {
				if n == untilEnd && errors.Is(err, io.EOF) {
					return nil
				}
				return &Error{Kind: Incomplete, Err: whole(err)}
			}
			b = c.buffered()
		}
		if n != untilEnd {
			b = b[:min(int64(len(b)), n)]
			n -= int64(len(b))
		}
		if _, err := x.w.Write(b); err != nil {
			return &Error{Kind: Client, Err: err}
		}
		x.relayed += int64(len(b))
		c.discard(len(b))
		if len(b) == len(c.buf) {
			c.enlarge() // it comes faster than it is taken
		}
	}
	return nil
}

// flush sends the client what was written.
func (x *exchange) flush() error {
	if err := http.NewResponseController(x.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return &Error{Kind: Client, Err: err}
	}
	return nil
}

// relayChunks hands on a chunked body and its trailers.
func (x *exchange) relayChunks() error {
	c := x.conn
	var k chunks
	for {
		if !k.hasNext(c.buffered()) {
			if err := x.flush(); err != nil {
				return err
			}
			c.shrink()
		}
		switch err := k.next(&c.reader); {
		case errors.Is(err, io.EOF):
			return x.relayTrailers()
		case err != nil:
			return x.broken(err)
		}
		if err := x.relayData(k.left, true); err != nil {
			return err
		}
	}
}

func (x *exchange) relayTrailers() error {
	if bytes.IndexByte(x.conn.buffered(), '\n') < 0 {
		if err := x.flush(); err != nil {
			return err
		}
	}
	trailers, err := x.conn.readTrailers()
	if err != nil {
		return x.broken(err)
	}
	if len(trailers) == 0 {
		return nil
	}
	// Sent whole, a short response would get a Content-Length and no trailers.
	if err := x.flush(); err != nil {
		return err
	}
	h := x.w.Header()
	for name, values := range trailers {
		if !announced(h, name) {
			name = http.TrailerPrefix + name
		}
		h[name] = append(h[name], values...)
	}
	return nil
}

func announced(h http.Header, name string) bool {
	for _, line := range h["Trailer"] {
		if containsToken(line, name) {
			return true
		}
	}
	return false
}

// broken is the error of a body whose framing failed.
func (x *exchange) broken(err error) error {
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed
	}
	return &Error{Kind: Incomplete, Err: err}
}
