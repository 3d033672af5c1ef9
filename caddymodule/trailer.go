package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// guardTrailers removes from a request's trailers what an origin may take for a header:
// the gate's own names, the fields that RFC 9110 (6.5.1) forbids in trailers, and what
// repeats a launch token. The values arrive with the end of the body, so it looks again
// there.
func guardTrailers(r *http.Request) {
	if len(r.Trailer) == 0 {
		return
	}
	stripTrailers(r.Trailer)
	if r.Body != nil {
		r.Body = &guardedBody{ReadCloser: r.Body, trailers: r.Trailer}
	}
}

// guardedBody is the body of a request with trailers.
type guardedBody struct {
	io.ReadCloser
	trailers http.Header
}

// Read implements [io.Reader].
func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		stripTrailers(b.trailers)
	}
	return n, err
}

func stripTrailers(h http.Header) {
	for name, values := range h {
		if !mayTrail(name) || slices.ContainsFunc(values, func(v string) bool { return repeatsToken(v, true) }) {
			delete(h, name)
		}
	}
}

// mayTrail reports whether a field may come in a trailer, in whatever spelling.
func mayTrail(name string) bool {
	name = strings.Map(func(c rune) rune {
		if isLetterOrDigit(c) {
			return c
		}
		return '-'
	}, strings.ToLower(name))
	for _, prefix := range []string{"session-gate-", "x-forwarded-", "x-original-", "x-rewrite-", "x-http-method", "proxy-", "sec-", "if-", "content-"} {
		// A digest of the content is known at its end, and not before.
		if strings.HasPrefix(name, prefix) && name != "content-digest" && name != "content-md5" {
			return false
		}
	}
	return !slices.Contains(neverTrail, name)
}

// neverTrail are the fields that frame or route a message, authenticate its sender, or
// change what a request means.
var neverTrail = []string{
	"authorization", "cache-control", "connection", "cookie", "cookie2", "expect", "forwarded", "host", "http2-settings", "keep-alive",
	"max-forwards", "origin", "pragma", "range", "realm", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade",
	"via", "www-authenticate", "x-method-override", "x-real-ip",
}
