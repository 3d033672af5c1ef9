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
	link    uint16 // the number of the session's link that the cookie comes from
	beside  bool   // the cookie is kept beside that of another provider's session
}

// code is why a request with the cookie is refused, or "".
func (h held) code() protocol.Code { return h.session.RefusalOf(h.link) }

// over reports whether the cookie opens nothing any more.
func (h held) over() bool { return live.IsEnd(h.code()) }

// seconds returns the lifetime of the session's cookie.
func (h held) seconds() int64 {
	return cookieSeconds(h.session.Record().State(), h.session.NowMS()/1000)
}

// heldSessions returns the sessions of the browser that have not ended: the current
// session first, then the kept ones.
func (g *Gate) heldSessions(r *http.Request, provider string) (all []held) {
	all, _ = g.allHeld(r, provider)
	return all
}

// allHeld returns [Gate.heldSessions], and the cookie values of sessions of other
// providers, whose apps are at other paths of the site.
func (g *Gate) allHeld(r *http.Request, provider string) (all []held, others []string) {
	left := maxVerified
	add := func(value string) bool {
		found, why := g.identify(r.Context(), value, provider, &left)
		switch {
		case why == protocol.WrongProvider && len(others) < maxKept && !slices.Contains(others, value):
			others = append(others, value)
		case found.session == nil || found.over() || slices.ContainsFunc(all, func(h held) bool { return h.session == found.session }):
		default:
			all = append(all, found)
		}
		return len(all) <= maxKept
	}
	eachSessionCookie(r, cookieName(r), add)
	eachKept(r, add)
	return all, others
}

// eachKept calls f with the cookie value of each kept session, until f returns false.
func eachKept(r *http.Request, f func(value string) bool) {
	eachCookie(r.Header, cookieName(r)+keptSuffix, func(list string) bool {
		for value := range strings.SplitSeq(list, keptSeparator) {
			if !f(value) {
				return false
			}
		}
		return true
	})
}

// findKept returns the session with this id from the browser's cookies, unless its cookie
// is of an earlier link than the given one. It returns nil if there is none, or if the
// browser has no kept sessions.
func (g *Gate) findKept(r *http.Request, provider, id string, link uint16) *held {
	if !keeps(r) {
		return nil
	}
	for _, h := range g.heldSessions(r, provider) {
		if h.session.ID() == id && h.link >= link {
			return &h
		}
	}
	return nil
}

// findBeside returns the kept session of a provider in whose place the browser has the
// session of another provider: their apps are at different paths of one site, and the
// browser uses both side by side.
func (g *Gate) findBeside(r *http.Request, provider string) (h held) {
	left := maxVerified
	eachKept(r, func(value string) bool {
		found, _ := g.identify(r.Context(), value, provider, &left)
		if found.session != nil && (h.session == nil || h.over()) {
			h = found
			h.beside = true
		}
		return h.session == nil || h.over()
	})
	return h
}

// otherLive returns a session of the browser, other than the one with this id, that has not
// ended: a launch link would take its place. A browser may send the cookie for requests of
// other sites alone, in a frame. unsure means that the backend cannot say whether there is
// one.
func (g *Gate) otherLive(r *http.Request, provider, id string) (other *held, unsure bool) {
	left := maxVerified
	look := func(value string) bool {
		found, why := g.identify(r.Context(), value, provider, &left)
		unsure = unsure || why == protocol.BackendUnavailable
		if found.session == nil || found.session.ID() == id {
			return true
		}
		if !found.over() {
			// It may have ended a moment ago: ask the backend before the person. If it is
			// down, what is held counts.
			_, _ = g.edge.FetchSession(r.Context(), found.session.ID())
		}
		if !found.over() {
			other = &found
		}
		return other == nil
	}
	eachSessionCookie(r, cookieName(r), look)
	if other == nil {
		eachKept(r, look)
	}
	if other == nil {
		eachCookie(r.Header, cookieName(r)+crossSuffix, look)
	}
	return other, unsure
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
	keep := func(value string, seconds int64) {
		if len(kept) < maxKept && size+len(value) < maxKeptSize {
			kept, size, most = append(kept, value), size+len(value)+1, max(most, seconds)
		}
	}
	all, others := g.allHeld(r, provider)
	for _, value := range others {
		keep(value, deadlineOf(value)-g.edge.Clock.NowMS()/1000+cookieSpare)
	}
	for _, other := range all {
		if other.session != s {
			keep(other.cookie, other.seconds())
		}
	}
	if len(kept) > 0 || keeps(r) {
		name := cookieName(r) + keptSuffix
		setCookie(h, name, strings.Join(kept, keptSeparator), g.settingsFor(r).sessionScope(name), most)
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
