package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// isNavigation reports whether a browser requests a page to display. It uses Fetch
// Metadata if the browser sends it, and the Accept header otherwise. A download is none:
// the browser would save the gate's page instead of the file.
func isNavigation(r *http.Request) bool {
	if r.Method == http.MethodOptions || cut.IsWebSocket(r) || inject.IsDownload(r.Header) {
		return false
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	switch {
	case mode == "navigate", inject.IsPageDest(dest):
		return true
	case mode == "" && dest == "":
		return r.Header.Get("X-Requested-With") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return passedByWorker(r)
}

// passedByWorker reports whether an app's service worker forwarded a navigation with
// fetch(event.request). The destination of such a request is "empty", and its mode is
// same-origin in Firefox, but it keeps the header Upgrade-Insecure-Requests, which only
// navigations have.
func passedByWorker(r *http.Request) bool {
	dest, mode := r.Header.Get("Sec-Fetch-Dest"), r.Header.Get("Sec-Fetch-Mode")
	return (dest == "empty" || dest == "") && (mode == "same-origin" || mode == "") &&
		r.Header.Get("Upgrade-Insecure-Requests") == "1" && r.Header.Get("X-Requested-With") == ""
}

// fillsWindow reports whether a navigation may replace the page that the user sees. A
// frame must not be redirected to the marketplace: the page around it is redirected,
// and a marketplace that acts on session_id would act twice. A request that a service
// worker forwarded counts as one for a frame, since it may be one.
func fillsWindow(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "document" || dest == "" && r.Header.Get("Sec-Fetch-Mode") != "same-origin"
}

// isManifestRequest reports whether a request is for a web app manifest.
func isManifestRequest(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Dest") == "manifest" && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// activationMS is longer than the time during which browsers let a page act for its
// user after a click. A page that reloads itself within that time sends the same
// headers as a navigation by the user.
const activationMS = 10_000

// byPerson reports whether the user certainly started a navigation of the app's window:
// with the address bar, a bookmark or the reload button, which no page can imitate, or
// with a click on a page of this origin. The click that paused the session must not
// count, so clicks count only after activationMS.
func byPerson(r *http.Request, s *live.Session) bool {
	h := r.Header
	if r.Method != http.MethodGet || h.Get("Sec-Fetch-User") != "?1" || h.Get("Sec-Fetch-Mode") != "navigate" ||
		h.Get("Sec-Fetch-Dest") != "document" || isPrefetch(r) {
		return false
	}
	switch h.Get("Sec-Fetch-Site") {
	case "none":
		return true
	case "same-origin":
		return s.NowMS() >= s.Record().State().PausedAt*1000+activationMS
	}
	return false
}

// resumes reports whether the request resumes its paused session. Only a navigation
// that the user started does. Pages that reload themselves, frames, links on other
// sites and preloading do not; the response is a page with a button that resumes the
// session.
func (v verdict) resumes(r *http.Request) bool {
	return v.refusal.code == protocol.SessionPaused && byPerson(r, v.session)
}

// maxLocalTarget is the longest address to which a page of the gate links back.
const maxLocalTarget = 4 << 10

// localTarget returns the path and query of a request, to which a page can link back.
func localTarget(r *http.Request) string {
	to := addressOf(r)
	if localPath(to) == "" || strings.HasPrefix(to, protocol.GatePrefix) || repeatsToken(to, false) {
		return "/"
	}
	return to
}

// localPath returns to if it is a path of this site, with or without a query, that
// browsers cannot interpret as another host. Otherwise it returns "".
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > maxLocalTarget || u.Scheme != "" || u.Host != "" || u.User != nil || u.Fragment != "" ||
		!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return ""
	}
	return to
}
