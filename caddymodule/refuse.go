package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// retryAfter is the value of Retry-After, in seconds.
const retryAfter = "5"

// Answer is how the gate turns a navigation away: by a page of its own, or by
// a redirect. Anything but a navigation gets a 401 problem document.
type Answer struct {
	// Redirect instead of showing a page.
	Redirect bool `json:"redirect,omitempty"`
	// Where to, or where the page's button leads; placeholders are replaced.
	// Empty: the session's return_url.
	To string `json:"to,omitempty"`
}

// checkDestination returns an error unless to is a URL or a path of this site: a
// name without a scheme would be a path, too. Placeholders are not known yet.
func checkDestination(to string) error {
	if to == "" || strings.Contains(to, "{") || (strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//")) {
		return nil
	}
	u, err := url.Parse(to)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%q is neither a URL such as https://market.example/ nor a path of this site", to)
	}
	return nil
}

// refusal is why a request does not pass.
type refusal struct {
	code      protocol.Code
	returnURL string // where the session's marketplace wants its user back
	sessionID string
}

// refusalOf says why a session does not pass; with an empty code it passes.
func refusalOf(s *live.Session, code protocol.Code) refusal {
	if code == "" {
		return refusal{}
	}
	return refusal{code: code, returnURL: s.ReturnURL(), sessionID: s.ID()}
}

// refuse answers a request that may not pass.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, why refusal) error {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	// A copy of a refusal must not answer a request of another kind.
	h.Set("Vary", "Sec-Fetch-Mode, Sec-Fetch-Dest, Accept, Accept-Language, Cookie")
	switch {
	case isManifestRequest(r):
		return writeEmptyManifest(w, r)
	case asksForWorker(r) && replacesWorker(why.code):
		return writeReplacementWorker(w, r)
	}
	g.edge.Metrics.CountRefusal(why.code)
	if why.code == protocol.SessionMissing && mayHaveCookies(r) {
		h.Set("Activate-Storage-Access", `retry; allowed-origin="null"`)
	}
	if !isNavigation(r) {
		problem := problemFor(why)
		if why.code == protocol.InMaintenance {
			g.detailClosed(problem, r)
		}
		return writeProblem(w, problem)
	}
	setRetryAfter(h, why.code)
	closed := g.settingsFor(r).rules().maintenance
	if why.code == protocol.InMaintenance {
		h.Set("Retry-After", strconv.FormatInt(g.reopensIn(closed), 10))
	}
	to, redirect := g.redirectTarget(r, why.code, protocol.WithSessionID(why.returnURL, why.sessionID))
	if leadsBack(r, to) {
		to, redirect = "", false // it would be refused again, and redirect again
	}
	if redirect && fillsWindow(r) {
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Location", to)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	p := pageOf(why.code, to, textsFor(r.Header.Get("Accept-Language")))
	switch why.code {
	case protocol.SessionPaused:
		p.ResumeTo = localTarget(r)
	case protocol.InMaintenance:
		g.explainClosed(&p, closed)
	}
	return g.writePage(w, r, protocol.StatusOf(why.code), p)
}

// writeEmptyManifest answers a request for a web app manifest without a session.
// Browsers send it without cookies, and report an error on every page if it fails.
func writeEmptyManifest(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/manifest+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := io.WriteString(w, "{}\n")
	return err
}

// forgetAnswer removes the headers of a body that was not sent: its length and
// coding are not those of the refusal that is sent instead.
func forgetAnswer(h http.Header) {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Range",
		"Accept-Ranges", "Etag", "Last-Modified", "Trailer", "Transfer-Encoding"} {
		delete(h, name)
	}
}

// redirectTarget returns where a refused navigation leads, "" for nowhere, and
// whether it is redirected there or shown a page with a link.
func (g *Gate) redirectTarget(r *http.Request, code protocol.Code, back string) (to string, redirect bool) {
	var answer *Answer
	switch code {
	case protocol.SessionMissing:
		answer = g.OnMissing
	case protocol.SessionExpired, protocol.SessionCompleted, protocol.SessionRevoked, protocol.SessionCanceled:
		answer = g.OnExpired
	}
	if answer == nil {
		return back, false
	}
	if to = answer.To; to == "" {
		return back, answer.Redirect && back != ""
	}
	if repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); repl != nil {
		to = repl.ReplaceAll(to, "")
	}
	return to, answer.Redirect && to != ""
}

// marketplaceOf returns the front page of the marketplace that sells sessions of the
// provider at the request's host, or "" if it is not known. A page that refuses a user
// would otherwise lead nowhere. It uses only what is known already.
func (g *Gate) marketplaceOf(r *http.Request) string {
	if g.edge == nil {
		return ""
	}
	host, _, err := g.edge.Hosts.Known(r.Host)
	if err != nil || g.Provider != "" && host.ProviderID != g.Provider {
		return ""
	}
	for _, name := range host.ReturnHosts {
		if strings.EqualFold(withoutDefaultPort(name), withoutDefaultPort(r.Host)) {
			continue // this app, which has just refused the user
		}
		page := url.URL{Scheme: "https", Host: name, Path: "/"}
		if isLoopback(page.Hostname()) {
			page.Scheme = "http"
		}
		return page.String()
	}
	return ""
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// leadsBack reports whether to is the address that the request came for, or one that
// grows by it each time (redirect /welcome{uri}).
func leadsBack(r *http.Request, to string) bool {
	if to == "" {
		return false
	}
	asked := originalURL(r)
	here := &url.URL{Scheme: scheme(r), Host: r.Host, Path: asked.Path, RawPath: asked.RawPath}
	there, err := here.Parse(to)
	if err != nil || !strings.EqualFold(withoutDefaultPort(there.Host), withoutDefaultPort(here.Host)) {
		return false
	}
	path := "/" + strings.TrimLeft(there.Path, "/")
	return path == here.Path || here.Path != "/" && strings.HasSuffix(path, here.Path)
}

// withoutDefaultPort removes the ports of http and https, and a final dot.
func withoutDefaultPort(host string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80"), ".")
}

// problemFor is the problem document of a refusal.
func problemFor(why refusal) *protocol.Problem {
	return &protocol.Problem{
		Code: why.code, Detail: detailOf(why.code),
		ReturnURL: protocol.WithSessionID(why.returnURL, why.sessionID), SessionID: why.sessionID,
	}
}

// writeProblem answers with a problem document, and with Retry-After where its
// cause passes by itself. The status is the code's unless p has another.
func writeProblem(w http.ResponseWriter, p *protocol.Problem) error {
	if p.Status == 0 {
		p.Status = protocol.StatusOf(p.Code)
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	setRetryAfter(w.Header(), p.Code)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	w.Header().Set("Content-Type", protocol.ProblemType)
	w.WriteHeader(p.Status)
	_, err := w.Write(p.JSON())
	return err
}

// setRetryAfter says when to try again, if trying again may help.
func setRetryAfter(h http.Header, code protocol.Code) {
	switch code {
	case protocol.BackendUnavailable, protocol.OriginUnavailable, protocol.Unavailable, protocol.RateLimited:
		h.Set("Retry-After", retryAfter)
	}
}

// originFailure turns an error of the origin's into the gate's own page, since
// Caddy's answer would be an empty one; others are passed on to handle_errors.
func (g *Gate) originFailure(w http.ResponseWriter, r *http.Request, provider string, err error) error {
	handlerErr, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok {
		return err
	}
	switch handlerErr.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return err
	}
	g.edge.Origins.Failed(provider, handlerErr.StatusCode, time.Now())
	if !isNavigation(r) || g.OriginErrors == passErrors {
		return err
	}
	g.logger.Warn("the origin is not responding", zap.String("provider", provider), zap.Error(handlerErr.Err))
	return g.refuse(w, r, refusal{code: protocol.OriginUnavailable})
}
