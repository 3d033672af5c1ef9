package caddymodule

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// decideCrossSite decides a second time about a request that has no session cookie,
// using the cookie that browsers send with cross-site requests. A payment page or an
// identity provider sends its user back with a POST request or into a frame. A
// sandboxed page loads its styles, scripts and pictures with cross-site requests.
//
// Such a request reaches the origin as if there were no gate: with the app's own
// cross-site cookies, if any, and without the user's identity. With an identity, any
// site could act in the user's name.
func (g *Gate) decideCrossSite(r *http.Request, v verdict) verdict {
	if v.refusal.code != protocol.SessionMissing || !mayCrossSites(r) {
		return v
	}
	provider, err := g.providerOf(r)
	if err != nil {
		return v
	}
	h, _ := g.find(r, provider, cookieName(r)+crossSuffix, isLive)
	if h.session == nil {
		return v
	}
	g.edge.Confirm(r.Context(), h.session, g.maxStaleness)
	return verdict{held: h, refusal: refusalOf(h.session, h.code()), anonymous: true, bearer: v.bearer, settings: v.settings}
}

// mayCrossSites reports whether a cross-site request may pass: a navigation, or a part
// of a page that has no origin of its own. Pictures and scripts that other pages of
// another site load may not.
func mayCrossSites(r *http.Request) bool {
	h := r.Header
	if h.Get("Sec-Fetch-Site") != "cross-site" {
		return false
	}
	dest := h.Get("Sec-Fetch-Dest")
	if h.Get("Sec-Fetch-Mode") == "navigate" {
		return inject.IsPageDest(dest) && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodPost)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch dest {
	case "style", "script", "image", "font", "audio", "video", "track":
		return h.Get("Origin") == "null" || refersToHost(h.Get("Referer"), r.Host)
	}
	return false
}

// mayHaveCookies reports whether a browser withholds cookies that it may send. Browsers
// withhold them from the requests of a page without an origin that is embedded in a
// page of this site. If the response has the header Activate-Storage-Access, the
// browser repeats the request with cookies. In pages of other sites, the browser asks
// the user first.
func mayHaveCookies(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Storage-Access") == "inactive" && r.Header.Get("Origin") == "null" && mayCrossSites(r)
}

// refersToHost reports whether a Referer is the URL of a page at this host.
func refersToHost(referer, host string) bool {
	u, err := url.Parse(referer)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// passOpen forwards a request without a session to an open path. It puts the guard into
// service worker scripts there too, because browsers fetch module workers without
// cookies.
func (g *Gate) passOpen(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	stripCookies(r.Header)
	if !isWorkerScript(r) || !g.policy.guardsWorkers() {
		return g.pastGate(w, r, next)
	}
	script := inject.WrapWorker(w, r, g.settingsFor(r).injector() != nil)
	defer script.Abort()
	if err := g.pastGate(script, r, next); err != nil {
		return err
	}
	return script.Close()
}

// openPaths are the paths that can be requested without a session.
type openPaths caddyhttp.MatchPath

// match reports whether the request's path is open. A path that servers interpret in
// different ways is never open, also if some decode it more than once.
func (p openPaths) match(r *http.Request) bool {
	if len(p) == 0 || readsDifferently(r) {
		return false
	}
	ok, err := caddyhttp.MatchPath(p).MatchWithError(r)
	return ok && err == nil
}

// readsDifferently reports whether servers interpret the path of a request in different
// ways: some take ";" for the end of a name and a backslash for a slash, and some decode
// more than once. What resolves the target as a reference to a URL, as programs in
// JavaScript do, takes the first name of "//name/path" for a host.
func readsDifferently(r *http.Request) bool {
	path := r.URL.Path
	if strings.HasPrefix(path, "//") || strings.Contains(path, "..") || strings.ContainsAny(path, ambiguousCharacters) {
		return true
	}
	if strings.IndexByte(path, '%') < 0 {
		return false
	}
	var room [512]byte
	plain := appendDecoded(room[:0], path)
	return bytes.Contains(plain, []byte("..")) || bytes.ContainsAny(plain, ambiguousCharacters)
}

const ambiguousCharacters = "\\;\x00"

// check returns the first pattern that is not allowed as an open path, or "".
func (p openPaths) check() string {
	i := slices.IndexFunc(p, func(pattern string) bool {
		return !strings.HasPrefix(pattern, "/") || strings.Trim(pattern, "/*") == ""
	})
	if i < 0 {
		return ""
	}
	return p[i]
}
