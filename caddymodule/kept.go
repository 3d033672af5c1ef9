package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// maxKept is how many sessions a browser keeps besides its current one.
const maxKept = 2

// maxKeptSize limits the size of the cookie for kept sessions. Browsers refuse cookies
// of more than 4096 bytes.
const maxKeptSize = 3500

// keptSeparator separates the values in the cookie for kept sessions.
const keptSeparator = "~"

// held is a session and the cookie value that opens it.
type held struct {
	session *live.Session
	cookie  string
}

// seconds returns the lifetime of the session's cookie.
func (h held) seconds() int64 {
	return cookieSeconds(h.session.Record().State(), h.session.NowMS()/1000)
}

// heldSessions returns the sessions of the browser that have not ended: the current
// session first, then the kept ones.
func (g *Gate) heldSessions(r *http.Request, provider string) (all []held) {
	left := maxVerified
	add := func(value string) bool {
		s, _ := g.identify(r.Context(), value, provider, &left)
		if s == nil || live.IsEnd(s.Refusal()) || slices.ContainsFunc(all, func(h held) bool { return h.session == s }) {
			return true
		}
		all = append(all, held{s, value})
		return len(all) <= maxKept
	}
	eachSessionCookie(r, cookieName(r), add)
	eachCookie(r.Header, cookieName(r)+keptSuffix, func(list string) bool {
		for value := range strings.SplitSeq(list, keptSeparator) {
			if !add(value) {
				return false
			}
		}
		return true
	})
	return all
}

// findKept returns the session with this id from the browser's cookies. It returns nil
// if there is none, or if the browser has no kept sessions.
func (g *Gate) findKept(r *http.Request, provider, id string) *held {
	if !keeps(r) {
		return nil
	}
	for _, h := range g.heldSessions(r, provider) {
		if h.session.ID() == id {
			return &h
		}
	}
	return nil
}

// keeps reports whether the browser has kept sessions.
func keeps(r *http.Request) (any bool) {
	eachCookie(r.Header, cookieName(r)+keptSuffix, func(string) bool { any = true; return false })
	return any
}

// switchTo makes s the current session of the browser for the given number of seconds.
// Other sessions of the site that have not ended are kept, so that the user loses none
// of them by opening another link, even one from another person.
func (g *Gate) switchTo(h http.Header, r *http.Request, provider, cookie string, s *live.Session, seconds int64) {
	g.setSessionCookies(h, r, cookie, seconds)
	var kept []string
	size, most := 0, int64(0)
	for _, other := range g.heldSessions(r, provider) {
		if size += len(other.cookie) + 1; other.session != s && len(kept) < maxKept && size <= maxKeptSize {
			kept = append(kept, other.cookie)
			most = max(most, other.seconds())
		}
	}
	if len(kept) > 0 || keeps(r) {
		name := cookieName(r) + keptSuffix
		setCookie(h, name, strings.Join(kept, keptSeparator), g.sessionScope(name), most)
	}
}

// returnToKept redirects a visitor whose session has ended, and who has a kept session,
// to the same address in the kept session. It reports whether it wrote a response.
func (g *Gate) returnToKept(w http.ResponseWriter, r *http.Request, v verdict) bool {
	if r.Method != http.MethodGet || !isNavigation(r) || !fillsWindow(r) || !keeps(r) {
		return false
	}
	switch code := v.refusal.code; {
	case v.session != nil && live.IsEnd(code), code == protocol.SessionMissing, code == protocol.SessionInvalid:
	default:
		return false
	}
	provider, err := g.providerOf(r)
	if err != nil {
		return false
	}
	all := g.heldSessions(r, provider)
	if len(all) == 0 {
		return false
	}
	next := all[0]
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	g.switchTo(h, r, provider, next.cookie, next.session, next.seconds())
	h.Set("Location", localTarget(r))
	w.WriteHeader(http.StatusSeeOther)
	return true
}
