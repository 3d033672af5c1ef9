package caddymodule

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sessiongate/sessiongate/internal/protocol"
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

// identity is a session's headers, made once for each of its states. Requests
// share the slices: they have no spare room, so that whoever adds a value gets
// a slice of its own.
type identity struct {
	session, user, provider, expires []string
}

func newIdentity(st *protocol.LiveState) *identity {
	return &identity{
		session: []string{st.ID}, user: []string{headerSafe(st.UserID)},
		provider: []string{st.ProviderID}, expires: []string{strconv.FormatInt(st.ExpiresAt, 10)},
	}
}

// set tells the origin whose session it serves.
func (i *identity) set(h http.Header) {
	h[headerSession], h[headerUser] = i.session, i.user
	h[headerProvider], h[headerExpires] = i.provider, i.expires
}

// headerSafe keeps a user id, which is the marketplace's own string, from
// breaking out of its header.
func headerSafe(s string) string {
	clean := func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}
	return strings.Map(clean, s)
}
