package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// isNavigation reports whether a browser requests a page to show: by Fetch
// Metadata where the browser sends it, otherwise by the Accept header.
func isNavigation(r *http.Request) bool {
	if r.Method == http.MethodOptions || cut.IsWebSocket(r) || isDownload(r.Header) {
		return false
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	switch {
	case mode == "navigate", isPageDest(dest):
		return true
	case mode == "" && dest == "":
		return r.Header.Get("X-Requested-With") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return passedByWorker(r)
}

// isDownload reports a request that saves a file, as <a download> makes it: Chromium
// sends it with the mode of a navigation. A page of ours would be saved in its place.
func isDownload(h http.Header) bool {
	return h.Get("Sec-Fetch-Mode") == "navigate" && h.Get("Sec-Fetch-Dest") == "empty" && h.Get("Upgrade-Insecure-Requests") != "1"
}

// isPageDest reports whether a request's destination shows a document.
func isPageDest(dest string) bool {
	switch dest {
	case "document", "iframe", "frame", "object", "embed":
		return true
	}
	return false
}

// passedByWorker reports a navigation that an app's service worker forwarded with
// fetch(event.request). Its destination is "empty", and in Firefox its mode is
// same-origin, but it keeps the header that only navigations have.
func passedByWorker(r *http.Request) bool {
	dest, mode := r.Header.Get("Sec-Fetch-Dest"), r.Header.Get("Sec-Fetch-Mode")
	return (dest == "empty" || dest == "") && (mode == "same-origin" || mode == "") &&
		r.Header.Get("Upgrade-Insecure-Requests") == "1" && r.Header.Get("X-Requested-With") == ""
}

// fillsWindow reports whether a navigation may replace the page that the user sees.
// A frame may not be redirected to the marketplace: the page around it is, and a
// marketplace that acts on session_id would act twice. What a service worker
// forwarded may be for a frame, so that it counts as one.
func fillsWindow(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "document" || dest == "" && r.Header.Get("Sec-Fetch-Mode") != "same-origin"
}

// isManifestRequest reports a request for a web app manifest.
func isManifestRequest(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Dest") == "manifest" && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// activationMS is longer than browsers take a page to act for its user after a
// click. A page that reloads itself within that time claims a user's navigation.
const activationMS = 10_000

// byPerson reports whether a navigation of the app's window was certainly started by
// its user: by the address bar, a bookmark or the reload button, which no page can
// imitate, or by a click on a page of this origin. The click that paused the session
// must not count, so that a click counts only some time after it.
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

// resumes reports whether the request resumes its paused session: a navigation of
// its user does. Pages that reload themselves, frames, other sites' links and
// browsers that prepare a page do not; they get a page with a button that does.
func (v verdict) resumes(r *http.Request) bool {
	return v.refusal.code == protocol.SessionPaused && byPerson(r, v.session)
}

// maxLocalTarget is the longest address that a page of the gate leads back to.
const maxLocalTarget = 4 << 10

// localTarget returns the path and query of a request, for a page to lead back to.
func localTarget(r *http.Request) string {
	_, rest := launchTokens(r.URL.RawQuery)
	to, query := addressOf(r, rest)
	if query != "" {
		to += "?" + query
	}
	if localPath(to) == "" || strings.HasPrefix(to, protocol.GatePrefix) {
		return "/"
	}
	return to
}

// localPath returns to if it is a path of this site, with or without a query, that
// no browser takes for another host; otherwise "".
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > maxLocalTarget || u.Scheme != "" || u.Host != "" || u.User != nil || u.Fragment != "" ||
		!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return ""
	}
	return to
}
