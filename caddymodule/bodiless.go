package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// bodyWait is how long the end of a stream may come after its header.
const bodyWait = 100 * time.Millisecond

// settleBody removes the body of a request that has none.
//
// The header of an HTTP/3 request does not say whether a body follows, unless it has a
// Content-Length: the stream ends, or does not. A request that may have a body is not sent
// again when a kept connection to the origin turns out to be closed, so that the user would
// see an error for a page. For methods that usually lack a body, settleBody reads the
// first byte.
func settleBody(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 3 || r.ContentLength >= 0 || r.Body == nil || !usuallyLacksBody(r.Method) || r.Header["Expect"] != nil {
		return
	}
	server := beneath(w)
	if server.SetReadDeadline(time.Now().Add(bodyWait)) != nil {
		return
	}
	var first [1]byte
	n, err := r.Body.Read(first[:])
	_ = server.SetReadDeadline(time.Time{})
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		r.Body, r.ContentLength = http.NoBody, 0
	case n == 0 && errors.Is(err, os.ErrDeadlineExceeded): // it may still come
	default:
		r.Body = &begunBody{ReadCloser: r.Body, first: first[:n], err: err}
	}
}

// usuallyLacksBody reports whether requests with this method rarely have a body.
func usuallyLacksBody(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// begunBody is a body of which the first byte was read, with what that read returned.
type begunBody struct {
	io.ReadCloser
	first []byte
	err   error
}

// Read implements [io.Reader].
func (b *begunBody) Read(p []byte) (int, error) {
	if len(b.first) > 0 && len(p) > 0 {
		p[0], b.first = b.first[0], nil
		return 1, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}
