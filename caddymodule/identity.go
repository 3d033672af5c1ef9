package caddymodule

import (
	"net/http"
	"strings"

	"github.com/sessiongate/sessiongate/caddymodule/live"
)

// Headers by which the origin learns who is there. The gate alone sets them.
const (
	headerSession  = "Session-Gate-Session"
	headerUser     = "Session-Gate-User"
	headerProvider = "Session-Gate-Provider"
	headerExpires  = "Session-Gate-Expires" // Unix seconds

	// Asked with the debug_key by an operator, answered with what became of the
	// page's clock.
	headerDebug = "Session-Gate-Debug"

	identityPrefix = "Session-Gate-"
)

// dropIdentity removes every header that could pass for the gate's own. An
// origin that reads headers the CGI way cannot tell Session_Gate_User from
// Session-Gate-User, so those spellings go as well.
func dropIdentity(h http.Header) {
	for name := range h {
		if len(name) >= len(identityPrefix) && looksLikeIdentity(name) {
			delete(h, name)
		}
	}
	keepIdentity(h)
}

// keepIdentity takes the gate's headers out of Connection, by which a client
// could have the proxy remove what the gate is about to set.
func keepIdentity(h http.Header) {
	for i, line := range h["Connection"] {
		if len(line) < len(identityPrefix) { // keep-alive, close, Upgrade
			continue
		}
		var kept []string
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); len(name) < len(identityPrefix) || !looksLikeIdentity(name) {
				kept = append(kept, name)
			}
		}
		h["Connection"][i] = strings.Join(kept, ", ")
	}
}

func looksLikeIdentity(name string) bool {
	for i := range len(identityPrefix) {
		c, want := name[i], identityPrefix[i]
		if c == '_' {
			c = '-'
		}
		if c|0x20 != want|0x20 {
			return false
		}
	}
	return true
}

// setIdentity tells the origin whose session it serves. The values stand in room
// of the request's own, since handlers may change them in their place; they have
// no spare room, so that whoever adds a value gets a slice of its own.
func setIdentity(h http.Header, r *live.Record, room *[4]string) {
	*room = r.Headers
	one := func(i int) []string { return room[i : i+1 : i+1] }
	h[headerSession], h[headerUser] = one(live.HeaderID), one(live.HeaderUser)
	h[headerProvider], h[headerExpires] = one(live.HeaderProvider), one(live.HeaderExpires)
}
