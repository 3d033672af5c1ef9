package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// Names of the gate's cookie. The __Host- prefix makes browsers refuse one that
// another host, a subdomain or plain HTTP tries to set.
const (
	securePrefix = "__Host-"
	plainCookie  = "session_gate"
	secureCookie = securePrefix + plainCookie
)

// Further cookies of the gate have the first one's name with a suffix.
const (
	// crossSuffix marks the cookie that browsers also send with requests that another
	// site, or a page without an origin, has started. It admits those without the
	// user's identity; see [Gate.decideCrossSite].
	crossSuffix = "_cross"
	// keptSuffix marks the cookie with the browser's other sessions of the site; see
	// [Gate.switchTo].
	keptSuffix = "_kept"
)

// cookieName is the gate's cookie on the connection of r's browser.
func cookieName(r *http.Request) string {
	if isSecure(r) {
		return secureCookie
	}
	return plainCookie
}

// eachSessionCookie calls f with the value of each cookie called name that may open
// a session, until f returns false. Where TLS ends before this edge, that may be a
// cookie of before trusted_proxies was set.
func eachSessionCookie(r *http.Request, name string, f func(value string) bool) {
	plain, secure := strings.CutPrefix(name, securePrefix)
	if !eachCookie(r.Header, name, f) && secure && r.TLS == nil {
		eachCookie(r.Header, plain, f)
	}
}

// setCookie sets one of the gate's cookies, which scripts cannot read, for so many
// seconds; 0 deletes it.
func setCookie(h http.Header, name, value, scope string, seconds int64) {
	c := name + "=" + value + "; Path=/; Max-Age=" + strconv.FormatInt(seconds, 10) + "; HttpOnly" + priority + "; " + scope
	h.Add("Set-Cookie", c)
}

// priority keeps a cookie in browsers that drop an app's cookies when it has set too many
// (Chromium: more than 180). Others ignore it.
const priority = "; Priority=High"

// Scopes of cookies. A partitioned cookie (CHIPS) works in a frame of another site,
// and only in frames of that site; like every cookie that other sites' requests
// carry, it needs TLS, or an address of the browser's own machine.
const (
	scopeLax         = "SameSite=Lax"
	scopeSecureLax   = "Secure; SameSite=Lax"
	scopePartitioned = "Secure; SameSite=None; Partitioned"
	scopeCross       = "Secure; SameSite=None"
)

// sessionScope is the scope of the cookie with this name that opens a session.
func (s settings) sessionScope(name string) string {
	switch {
	case !strings.HasPrefix(name, securePrefix):
		return scopeLax
	case s.partitioned():
		return scopePartitioned
	}
	return scopeSecureLax
}

// setSessionCookies gives the browser the cookies of its session: the one that opens
// it, and, unless that one is sent from other sites anyway, the one for requests
// that other sites start.
func (g *Gate) setSessionCookies(h http.Header, r *http.Request, value string, seconds int64) {
	name, site := cookieName(r), g.settingsFor(r)
	setCookie(h, name, value, site.sessionScope(name), seconds)
	if !site.partitioned() {
		setCookie(h, name+crossSuffix, value, scopeCross, seconds)
	}
}

// renewCookie sets the cookies of an admitted request again if the session has become
// longer than it was at the entry. Otherwise it sets none: the answer might arrive after
// the browser has entered another session, and take that one's place.
func (g *Gate) renewCookie(h http.Header, r *http.Request, v verdict) {
	value := edge.SessionToken(v.session, v.cookie)
	if value == "" || v.beside || v.bearer || v.session.ExpiresAt() <= deadlineOf(value) {
		return
	}
	g.setSessionCookies(h, r, value, v.seconds())
}

// deadlineOf returns the deadline in a session token that was verified before, in Unix
// seconds; 0 if there is none.
func deadlineOf(sessionToken string) int64 {
	_, rest, _ := strings.Cut(sessionToken, ".")
	body, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return 0
	}
	var claims struct {
		ExpiresAt int64 `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return 0
	}
	return claims.ExpiresAt
}

const (
	// cookieSpare is how much longer a cookie lives than its session, so that a late
	// visit is led to the receipt, and an extension by the marketplace is noticed.
	cookieSpare = 24 * 60 * 60
	// cookieMost is the longest lifetime that browsers accept.
	cookieMost = 400 * 24 * 60 * 60
)

// cookieSeconds returns how long the cookie of a session lives: as long as the
// session can, so that it survives a restart of the browser, and a day more.
func cookieSeconds(st *protocol.LiveState, now int64) int64 {
	from := now
	if st.Status == protocol.Paused && st.PausedAt > 0 {
		from = st.PausedAt
	}
	left := max(0, st.ExpiresAt-from)
	if st.Pause != nil {
		left += max(0, st.Pause.MaxSeconds)
	}
	return min(left+cookieSpare, cookieMost)
}

// forbidCaching keeps a response that sets a session's cookie out of every
// cache: the origin may have marked it as public.
func forbidCaching(h http.Header) {
	for _, name := range []string{"Expires", "CDN-Cache-Control", "Surrogate-Control"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
}

// eachCookie calls f with the value of each cookie called name, until f returns
// false, and reports whether there is one. It parses by hand, since net/http allocates a cookie jar's worth.
func eachCookie(h http.Header, name string, f func(value string) bool) (found bool) {
	for _, line := range h["Cookie"] {
		if !strings.Contains(line, name) {
			continue
		}
		for len(line) > 0 {
			var part string
			part, line, _ = strings.Cut(line, ";")
			part = strings.TrimSpace(part)
			if len(part) > len(name) && part[len(name)] == '=' && part[:len(name)] == name {
				if v := strings.Trim(part[len(name)+1:], `"`); v != "" && len(v) <= token.MaxSize {
					if found = true; !f(v) {
						return found
					}
				}
			}
		}
	}
	return found
}

// stripCookies removes the gate's cookies, under all their names, from what the origin
// will see.
func stripCookies(h http.Header) {
	lines := h["Cookie"]
	var kept []string // nil until a line changes
	for i, line := range lines {
		if !strings.Contains(line, plainCookie) {
			if kept != nil {
				kept = append(kept, line)
			}
			continue
		}
		if kept == nil {
			kept = append(make([]string, 0, len(lines)), lines[:i]...)
		}
		if rest := withoutGateCookies(line); rest != "" {
			kept = append(kept, rest)
		}
	}
	switch {
	case kept == nil:
	case len(kept) == 0:
		h.Del("Cookie")
	default:
		h["Cookie"] = kept
	}
}

func withoutGateCookies(line string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(line, ";") {
		part = strings.TrimSpace(part)
		name, _, _ := strings.Cut(part, "=")
		if part == "" || isGateCookie(name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(part)
	}
	return b.String()
}

func isGateCookie(name string) bool {
	name = strings.TrimSpace(name)
	name = strings.TrimPrefix(name, securePrefix)
	rest, ours := strings.CutPrefix(name, plainCookie)
	return ours && (rest == "" || rest == crossSuffix || rest == keptSuffix)
}

// protectCookie drops from an answer of the origin any attempt to set the gate's
// cookie.
func protectCookie(h http.Header) {
	set := h["Set-Cookie"]
	for i, line := range set {
		if !strings.Contains(line, plainCookie) {
			continue
		}
		kept := append(make([]string, 0, len(set)), set[:i]...)
		for _, line := range set[i:] {
			// A cookie without a name is sent back as its value alone: "=a=b" sets a.
			if n, _, _ := strings.Cut(strings.TrimLeft(line, " \t="), "="); !isGateCookie(n) {
				kept = append(kept, line)
			}
		}
		h["Set-Cookie"] = kept
		return
	}
}
