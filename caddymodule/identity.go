package caddymodule

import (
	"context"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// Headers that tell the origin the user and session. Only the gate sets them.
const (
	headerSession  = "Session-Gate-Session"
	headerUser     = "Session-Gate-User"
	headerProvider = "Session-Gate-Provider"
	headerExpires  = "Session-Gate-Expires" // Unix seconds

	// An operator's request has the debug_key in it, the response the injection
	// result.
	headerDebug = "Session-Gate-Debug"

	identityPrefix = "Session-Gate-"
)

// forgesHeader reports whether a header of this name could pass for one of the gate's
// own. Servers that hand headers to programs as variables (CGI, FastCGI, WSGI, Rack)
// replace every character that is not a letter or a digit, or some of them, with an
// underscore, so Session~Gate~User is read as Session-Gate-User. The same holds for other
// spellings of X-Forwarded-*, of which the proxy sets the true ones.
func forgesHeader(name string) bool { return looksLikeIdentity(name) || mimicsForwarded(name) }

// forwardedPrefix begins the headers by which a proxy describes a request's client.
const forwardedPrefix = "X-Forwarded-"

// mimicsForwarded reports whether name is a spelling of X-Forwarded-* that servers may
// read as one, and that the proxy does not replace.
func mimicsForwarded(name string) bool {
	if !beginsLike(name, forwardedPrefix) {
		return false
	}
	for _, c := range name {
		if c != '-' && !isLetterOrDigit(c) {
			return true
		}
	}
	return false
}

// unlistIdentity takes the gate's headers out of Connection, by which a client
// could have the proxy remove what the gate is about to set.
func unlistIdentity(h http.Header) {
	for i, line := range h["Connection"] {
		if len(line) < len(identityPrefix) { // keep-alive, close, Upgrade
			continue
		}
		var kept []string
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); !looksLikeIdentity(name) {
				kept = append(kept, name)
			}
		}
		h["Connection"][i] = strings.Join(kept, ", ")
	}
}

func looksLikeIdentity(name string) bool { return beginsLike(name, identityPrefix) }

// beginsLike reports whether name begins with prefix in any case, and with any character
// that is no letter and no digit in the place of a hyphen.
func beginsLike(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c, want := name[i], prefix[i]
		if want == '-' && isLetterOrDigit(rune(c)) || want != '-' && c|0x20 != want|0x20 {
			return false
		}
	}
	return true
}

// setIdentity tells the origin whose session it serves. The values stand in room
// of the request's own, since handlers may change them in their place; they have
// no spare capacity, so that adding a value allocates another slice.
func setIdentity(h http.Header, r *live.Record, room *[4]string) {
	*room = r.Headers
	one := func(i int) []string { return room[i : i+1 : i+1] }
	h[headerSession], h[headerUser] = one(live.HeaderID), one(live.HeaderUser)
	h[headerProvider], h[headerExpires] = one(live.HeaderProvider), one(live.HeaderExpires)
}

// toldIdentity are the same headers, and the assertion, as a list. Those that are off have
// no name.
func toldIdentity(r *live.Record, forward, assertion string) (told [5]origin.Header) {
	if forward == identityOff {
		return told
	}
	v := &r.Headers
	told[0], told[1] = origin.Header{Name: headerSession, Value: v[live.HeaderID]}, origin.Header{Name: headerUser, Value: v[live.HeaderUser]}
	told[2], told[3] = origin.Header{Name: headerProvider, Value: v[live.HeaderProvider]}, origin.Header{Name: headerExpires, Value: v[live.HeaderExpires]}
	if assertion != "" {
		told[4] = origin.Header{Name: headerAssertion, Value: assertion}
	}
	return told
}

// Placeholders of an admitted request, for log fields, headers and matchers of
// handlers that come after the gate.
const (
	placeholderSession   = "session_gate.session"
	placeholderUser      = "session_gate.user"
	placeholderProvider  = "session_gate.provider"
	placeholderRemaining = "session_gate.remaining" // whole seconds
)

// placeholderOriginSecret is the secret of the provider whose origin a request goes to.
// Requests without a session have it, too.
const placeholderOriginSecret = "session_gate.origin_secret"

// showSecret adds the placeholder of the origin's secret to a request that has no others
// of the gate. It is evaluated only when used.
func (g *Gate) showSecret(ctx context.Context) {
	if repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(func(key string) (any, bool) {
			if key != placeholderOriginSecret {
				return nil, false
			}
			return g.credentials.secret(ctx), true
		})
	}
}

// placeholderOriginHost is the Host that an origin of dynamic session_gate is to
// be asked for. reverse_proxy forgets it again where it has headers to set.
const placeholderOriginHost = "session_gate.origin_host"

// showPlaceholders adds the session's placeholders to the request. They are
// evaluated only when used.
func (g *Gate) showPlaceholders(ctx context.Context, s *live.Session) {
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(func(key string) (any, bool) {
		st := s.Record().State()
		switch key {
		case placeholderSession:
			return st.ID, true
		case placeholderUser:
			return st.UserID, true
		case placeholderProvider:
			return st.ProviderID, true
		case placeholderOriginSecret:
			return g.credentials.secret(ctx), true
		case placeholderRemaining:
			return max(0, (st.ExpiresAt*1000-s.NowMS())/1000), true
		}
		return nil, false
	})
}
