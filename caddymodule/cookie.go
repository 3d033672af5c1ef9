package caddymodule

import (
	"net/http"
	"strings"

	"github.com/sessiongate/sessiongate/internal/token"
)

// Names of the gate's cookie. The __Host- prefix makes browsers refuse one that
// another host, a subdomain or plain HTTP tries to set.
const (
	secureCookie = "__Host-session_gate"
	plainCookie  = "session_gate"
)

// cookieName is the gate's cookie on the connection of r's browser.
func cookieName(r *http.Request) string {
	if isSecure(r) {
		return secureCookie
	}
	return plainCookie
}

// eachSessionCookie calls f with the value of each cookie of r that may open a
// session, until f returns false. Where TLS ends before this edge, that may be a
// cookie of before trusted_proxies was set.
func eachSessionCookie(r *http.Request, f func(value string) bool) {
	name := cookieName(r)
	if !eachCookie(r.Header, name, f) && name == secureCookie && r.TLS == nil {
		eachCookie(r.Header, plainCookie, f)
	}
}

// setCookie sets the cookie that holds the session token, which scripts cannot
// read. It has no lifetime: an extension would outlive it, and the session's state
// decides anyway. A partitioned cookie (CHIPS) also works in a frame of another
// site, and only in frames of that site; it needs TLS.
func setCookie(h http.Header, name, value string, partitioned bool) {
	c := name + "=" + value + "; Path=/; HttpOnly"
	switch {
	case name == secureCookie && partitioned:
		c += "; Secure; SameSite=None; Partitioned"
	case name == secureCookie:
		c += "; Secure; SameSite=Lax"
	default:
		c += "; SameSite=Lax"
	}
	h.Add("Set-Cookie", c)
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

// stripCookies removes the gate's cookies, of both names, from what the origin
// will see.
func stripCookies(h http.Header) {
	lines := h["Cookie"]
	kept := lines[:0:0]
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
	return name == plainCookie || name == secureCookie
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
