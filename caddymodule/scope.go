package caddymodule

import (
	"net/http"
	"strings"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
)

// changesScope reports whether the browser's cookies have another scope than the site's present
// one: the provider has changed the setting since the session was entered. The cookie for
// requests of other sites tells which one they have. A page in a frame, or a request that
// another site has started, changes nothing: there, browsers refuse one of the two scopes,
// and a partitioned cookie would let the other site use the session.
func (g *Gate) changesScope(r *http.Request, v verdict) bool {
	site := v.settings.site
	if site == nil || g.Cookie != "" || v.anonymous || v.beside || !isSecure(r) || strings.HasPrefix(v.cookie, edge.ProvisionalPrefix) {
		return false
	}
	h := r.Header
	if r.Method != http.MethodGet || h.Get("Sec-Fetch-Mode") != "navigate" || h.Get("Sec-Fetch-Dest") != "document" || isPrefetch(r) {
		return false
	}
	crosses := eachCookie(h, cookieName(r)+crossSuffix, func(string) bool { return false })
	return crosses == v.settings.partitioned()
}

// setScope sets the cookies of a session, and of those kept beside it, with the site's
// present scope, and deletes those with the other one. Deleted first, they stay set in
// browsers that do not tell partitioned cookies from others.
//
// kept is the value of the cookie for kept sessions, as [keptCookie] returns it.
func (g *Gate) setScope(h http.Header, r *http.Request, value, kept string, seconds int64) {
	name := cookieName(r)
	old := scopePartitioned
	if g.settingsFor(r).partitioned() {
		old = scopeSecureLax
		setCookie(h, name+crossSuffix, "", scopeCross, 0)
	}
	setCookie(h, name, "", old, 0)
	if kept != "" {
		setCookie(h, name+keptSuffix, "", old, 0)
		setCookie(h, name+keptSuffix, kept, g.settingsFor(r).sessionScope(name), keptSeconds)
	}
	g.setSessionCookies(h, r, value, seconds)
}

// keptCookie returns the value of the request's cookie for kept sessions, or "".
func keptCookie(r *http.Request) (kept string) {
	eachCookie(r.Header, cookieName(r)+keptSuffix, func(list string) bool {
		if len(list) <= maxKeptSize {
			kept = list
		}
		return false
	})
	return kept
}

// keptSeconds is how long kept sessions are remembered whose own lifetimes are not looked
// at: what has ended opens nothing.
const keptSeconds = 31 * 24 * 60 * 60
