package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// webSocket is the protocol that every connection may change to.
const webSocket = "websocket"

// upgrades are the protocols that a site lets connections change to, besides WebSocket.
// Nothing looks at what is sent after the change, so a protocol that carries requests
// would carry them past the gate.
type upgrades []string

// limit removes an Upgrade header that names another protocol, or several, so that the
// request continues without a change of protocol. An origin that gets no such header
// answers in HTTP/1.1, as RFC 9110 (7.8) allows every server to.
func (u upgrades) limit(r *http.Request) {
	h := r.Header
	delete(h, "Http2-Settings")
	lines := h["Upgrade"]
	if len(lines) == 0 {
		return
	}
	// HTTP/1.0, 2 and 3 have no such change.
	if len(lines) != 1 || r.ProtoMajor != 1 || r.ProtoMinor == 0 || !u.allows(r, strings.TrimSpace(lines[0])) ||
		!httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade") {
		delete(h, "Upgrade")
	}
}

// allows reports whether r may change its connection to this protocol.
func (u upgrades) allows(r *http.Request, protocol string) bool {
	if strings.EqualFold(protocol, webSocket) {
		return r.Method == http.MethodGet && r.ContentLength == 0
	}
	return slices.ContainsFunc(u, func(allowed string) bool { return strings.EqualFold(allowed, protocol) })
}

// check returns an error if one of the protocols cannot be allowed.
func (u upgrades) check() error {
	for _, protocol := range u {
		name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
		switch {
		case name == "h2c" || name == "http" || name == "tls":
			return fmt.Errorf("upgrade has %s, which carries requests past the gate; remove it", protocol)
		case !isProtocol(protocol):
			return fmt.Errorf("upgrade has %q; write names of protocols as in the Upgrade header, such as tus or my-protocol/1", protocol)
		}
	}
	return nil
}

// isProtocol reports whether s is a name of a protocol, with or without a version.
func isProtocol(s string) bool {
	name, version, versioned := strings.Cut(s, "/")
	return httpguts.ValidHeaderFieldName(name) && (!versioned || httpguts.ValidHeaderFieldName(version))
}

// refuseRequestLine refuses requests that no origin gets, by their method or by the form
// of their target, and reports whether it did.
// CONNECT asks for a tunnel that nothing looks into; WebSockets on a stream of HTTP/2 or
// HTTP/3 are the exception. An origin that answers TRACE would show the user what the
// edge adds to requests, such as the secrets of an origin lock.
func refuseRequestLine(w http.ResponseWriter, r *http.Request) bool {
	status := http.StatusNotImplemented
	switch method := r.Method; {
	case r.URL.Opaque != "", r.URL.Path != "" && r.URL.Path[0] != '/' && r.URL.Path != "*":
		// "GET http:paid/x" and ":path: paid/x": no matcher has such a path, and some
		// servers add the slash.
		status = http.StatusBadRequest
	case strings.EqualFold(method, http.MethodConnect):
		if cut.IsTunnel(r) {
			return false
		}
	case strings.EqualFold(method, http.MethodTrace), strings.EqualFold(method, "TRACK"):
	default:
		return false
	}
	hideAddress(r)
	if stripHeaders(r.Header) {
		leaveOutOfLog(r)
	}
	_ = writeProblem(w, &protocol.Problem{Status: status, Code: protocol.InvalidRequest})
	return true
}
