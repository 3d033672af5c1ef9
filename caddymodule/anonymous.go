package caddymodule

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// decideCrossSite decides again about a request without the session's own cookie, by
// the cookie that browsers send with requests of other sites. A payment page or an
// identity provider sends its user back with a POST, or into a frame, and a page in
// a sandbox loads its styles, scripts and pictures as a stranger would.
//
// Such a request reaches the origin as it came, and as it would without a gate: with
// the app's own cookies for other sites, if it has any, and without the user's
// identity. Otherwise every site could act in the user's name.
func (g *Gate) decideCrossSite(r *http.Request, v verdict) verdict {
	if v.refusal.code != protocol.SessionMissing || !mayCrossSites(r) {
		return v
	}
	provider, err := g.providerOf(r)
	if err != nil {
		return v
	}
	s, cookie, _ := g.find(r, provider, cookieName(r)+crossSuffix, isLive)
	if s == nil {
		return v
	}
	g.edge.Confirm(r.Context(), s, g.maxStaleness)
	return verdict{session: s, cookie: cookie, refusal: refusalOf(s, s.Refusal()), anonymous: true}
}

// mayCrossSites reports whether a request that another site has started may pass: a
// navigation, or a part of a page that has no origin of its own. The pictures and
// scripts that a page of another site loads are none of these.
func mayCrossSites(r *http.Request) bool {
	h := r.Header
	if h.Get("Sec-Fetch-Site") != "cross-site" {
		return false
	}
	dest := h.Get("Sec-Fetch-Dest")
	if h.Get("Sec-Fetch-Mode") == "navigate" {
		return isPageDest(dest) && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodPost)
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

// mayHaveCookies reports whether a browser keeps back cookies that it may send: with
// the requests of a page without an origin in a page of this site. By the answer's
// header Activate-Storage-Access it sends the request again, with cookies. In pages of
// other sites that takes the user's leave.
func mayHaveCookies(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Storage-Access") == "inactive" && r.Header.Get("Origin") == "null" && mayCrossSites(r)
}

// refersToHost reports whether a Referer is a page of this host.
func refersToHost(referer, host string) bool {
	u, err := url.Parse(referer)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// passOpen forwards a request without a session to an open path. The script of a
// service worker gets the guard there as well: browsers fetch those that are modules
// without cookies.
func (g *Gate) passOpen(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	stripCookies(r.Header)
	if !isWorkerScript(r) || !g.policy.guardsWorkers() {
		return g.pastGate(w, r, next)
	}
	script := inject.WrapWorker(w, r, g.injector != nil)
	if err := g.pastGate(script, r, next); err != nil {
		return err
	}
	return script.Close()
}

// openPaths are the paths that need no session.
type openPaths caddyhttp.MatchPath

// match reports whether the request's path is open. A path that servers read in
// different ways is not.
func (p openPaths) match(r *http.Request) bool {
	if len(p) == 0 || strings.Contains(r.URL.Path, "..") || strings.ContainsAny(r.URL.Path, `\;`) {
		return false
	}
	ok, err := caddyhttp.MatchPath(p).MatchWithError(r)
	return ok && err == nil
}

// check returns the first pattern that may not be open, or "".
func (p openPaths) check() string {
	i := slices.IndexFunc(p, func(pattern string) bool {
		return !strings.HasPrefix(pattern, "/") || strings.Trim(pattern, "/*") == ""
	})
	if i < 0 {
		return ""
	}
	return p[i]
}
