package origin

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Outgoing is a request, and what the origin is told that differs from it. The request and
// its header stay as they are.
type Outgoing struct {
	*http.Request
	Host string // the Host header

	// Headers in the place of those of the same name. The names are canonical. One
	// without a value removes the request's.
	Headers []Header

	// Ends the exchange, besides the request's context; nil: nothing else does.
	Stop *Stop

	// The request is a WebSocket on a stream of HTTP/2 or HTTP/3: the origin is asked for
	// one by an upgrade.
	Tunnel bool
}

// Header is a header field.
type Header struct{ Name, Value string }

// appendHead appends the head of the request as HTTP/1.1. bodyLength is that of the body;
// -1 for one of unknown length.
func appendHead(b []byte, out *Outgoing, bodyLength int64, via *[4]string) ([]byte, error) {
	r := out.Request
	method := r.Method
	if out.Tunnel {
		method = http.MethodGet
	}
	if !validName(method) {
		return nil, badRequest("the method is not a word")
	}
	if !validTarget(out.Host) && out.Host != "" || strings.ContainsAny(out.Host, "/?#@\\") {
		return nil, badRequest("the host is not a name")
	}
	b, err := appendTarget(append(append(b, method...), ' '), r.URL)
	if err != nil {
		return nil, err
	}
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), out.Host...), "\r\n"...)
	upgrade := requestedUpgrade(r.Header)
	nominated := nominatedFields(r.Header["Connection"])
	for name, values := range r.Header {
		if len(values) == 0 || unsent(name) || nominated != nil && nominated[name] || out.replaces(name) {
			continue
		}
		if out.Tunnel && (strings.HasPrefix(name, ":") || name == "Sec-Websocket-Key") {
			continue // Go's HTTP/2 has pseudo-headers here, and the key is ours
		}
		if out.Tunnel || upgrade != "" {
			name = cmp.Or(webSocketNames[name], name)
		}
		if !validName(name) {
			return nil, badRequest("the name of a header has a character that is not allowed")
		}
		for _, v := range values {
			if b, err = appendField(b, name, v); err != nil {
				return nil, err
			}
		}
	}
	for _, h := range out.Headers {
		if h.Value == "" {
			continue
		}
		if b, err = appendField(b, h.Name, h.Value); err != nil {
			return nil, err
		}
	}
	b = append(append(append(b, "Via: "...), viaOf(r, via)...), "\r\n"...)
	if acceptsTrailers(r.Header["Te"]) {
		b = append(b, "Te: trailers\r\n"...)
	}
	switch {
	case out.Tunnel:
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "...)
		b = append(base64.StdEncoding.AppendEncode(b, randomKey()), "\r\n"...)
		return append(b, "\r\n"...), nil
	case upgrade != "":
		b = append(append(append(b, "Connection: Upgrade\r\nUpgrade: "...), upgrade...), "\r\n"...)
	}
	b = appendFraming(b, r, bodyLength)
	return append(b, "\r\n"...), nil
}

// appendTarget appends what stands in the request line: the path and the query as they are
// encoded, or "*" for the server as a whole.
func appendTarget(b []byte, u *url.URL) ([]byte, error) {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if path[0] != '/' && path != "*" || !validTarget(path) || u.RawQuery != "" && !validTarget(u.RawQuery) {
		return nil, badRequest("the target has a space or a control character, or does not begin with a slash")
	}
	b = append(b, path...)
	if u.RawQuery != "" || u.ForceQuery {
		b = append(append(b, '?'), u.RawQuery...)
	}
	return b, nil
}

// viaOf is what the request's Via gets.
func viaOf(r *http.Request, via *[4]string) string {
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		return via[0]
	}
	return via[max(1, min(r.ProtoMajor, 3))]
}

// appendFraming appends what says where the body ends.
func appendFraming(b []byte, r *http.Request, bodyLength int64) []byte {
	switch {
	case bodyLength < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		if len(r.Trailer) > 0 {
			b = append(b, "Trailer: "...)
			first := true
			for name := range r.Trailer {
				if !validName(name) {
					continue
				}
				if !first {
					b = append(b, ", "...)
				}
				b, first = append(b, name...), false
			}
			b = append(b, "\r\n"...)
		}
	case bodyLength > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), bodyLength, 10), "\r\n"...)
	}
	return b
}

func appendField(b []byte, name, value string) ([]byte, error) {
	if !validValue(value) {
		return nil, badRequest("the value of " + name + " has a control character")
	}
	return append(append(append(append(b, name...), ": "...), value...), "\r\n"...), nil
}

func badRequest(text string) error { return &Error{Kind: BadRequest, Err: errors.New(text)} }

// unsent reports whether a request's header is never sent as it is: it concerns the
// connection, or the framing, which is written anew.
func unsent(name string) bool {
	switch name {
	case "Host", "Content-Length":
		return true
	}
	return hopByHop(name)
}

// replaces reports whether the header is replaced or removed.
func (o *Outgoing) replaces(name string) bool {
	for i := range o.Headers {
		if o.Headers[i].Name == name {
			return true
		}
	}
	return false
}

// requestedUpgrade is the protocol that the request asks to change to, or "".
func requestedUpgrade(h http.Header) string {
	lines := h["Upgrade"]
	if len(lines) == 0 || lines[0] == "" || !validValue(lines[0]) {
		return ""
	}
	for _, v := range h["Connection"] {
		if containsToken(v, "upgrade") {
			return lines[0]
		}
	}
	return ""
}

// nominatedFields are the canonical names of the headers that Connection names, or nil.
func nominatedFields(lines []string) map[string]bool {
	var named map[string]bool
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			option = strings.Trim(option, " \t")
			if option == "" || strings.EqualFold(option, "keep-alive") || strings.EqualFold(option, "close") || strings.EqualFold(option, "upgrade") {
				continue
			}
			if named == nil {
				named = make(map[string]bool)
			}
			named[http.CanonicalHeaderKey(option)] = true
		}
	}
	return named
}

func acceptsTrailers(lines []string) bool {
	for _, line := range lines {
		if containsToken(line, "trailers") {
			return true
		}
	}
	return false
}

// randomKey is a new Sec-WebSocket-Key, undecoded.
func randomKey() []byte {
	key := make([]byte, 16)
	rand.Read(key) // it never fails
	return key
}

// appendTrailers appends the end of a chunked body.
func appendTrailers(b []byte, trailers http.Header) []byte {
	b = append(b, "0\r\n"...)
	for name, values := range trailers {
		if !validName(name) || hopByHop(name) || framing(name) {
			continue
		}
		for _, v := range values {
			if withField, err := appendField(b, name, v); err == nil {
				b = withField
			}
		}
	}
	return append(b, "\r\n"...)
}

// appendChunkSize appends the line before a chunk.
func appendChunkSize(b []byte, n int) []byte { return fmt.Appendf(b, "%x\r\n", n) }

// repeatable reports whether a request may be sent again after a connection ended without
// a response: a safe method, without a body (RFC 9110, 9.2.2).
func repeatable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}
