package caddymodule

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// ServeHTTP implements [caddyhttp.MiddlewareHandler]. A request goes from the top
// of it to the bottom: the gate's own API and launches are answered here, requests
// without a live session are refused, and the others pass to the origin.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	explain := g.asksForOutcome(r)
	sanitize(r)
	if strings.HasPrefix(r.URL.Path, protocol.GatePrefix) {
		return g.serveAPI(w, r)
	}
	if tokens, rest := launchTokens(r.URL.RawQuery); len(tokens) > 0 {
		if g.policy.entersBy(r) {
			return g.enter(w, r, tokens, rest)
		}
		stripTokens(r, rest)
	}
	v := g.decide(r)
	if v.resumes(r) {
		v.refusal = g.resume(r.Context(), v)
	}
	if v.refusal.code != "" {
		return g.policy.refuse(w, r, next, v.refusal)
	}
	return g.pass(w, r, next, v, explain)
}

// asksForOutcome reports whether the request carries the debug key, and its
// answer the injection result. It reads a header that stripForged removes.
func (g *Gate) asksForOutcome(r *http.Request) bool {
	return g.debugKey != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get(headerDebug)), []byte(g.debugKey)) == 1
}

// sanitize takes from a request what a client may not tell the origin: the
// gate's own headers, and a launch token in the Referer.
func sanitize(r *http.Request) {
	caddyhttp.SetVar(r.Context(), handledVar, true)
	stripIdentity(r.Header)
	stripReferer(r)
}

// resumes reports whether the request resumes its paused session: a navigation of
// its user does, a browser that only prepares a page does not.
func (v verdict) resumes(r *http.Request) bool {
	return v.refusal.code == protocol.SessionPaused && isNavigation(r) && !isPrefetch(r)
}

// pass forwards an admitted request to the origin, and ends it when its session
// ends.
func (g *Gate) pass(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, v verdict, explain bool) error {
	p, cancel := g.newPassage(w, r, v)
	defer cancel()
	if code := g.policy.begin(p); code != "" { // it ended since the decision
		return g.refuse(w, r, refusalOf(v.session, code))
	}
	defer g.policy.end(p) // from begin on it may be cut at any time
	g.edge.Metrics.Admissions.Inc()
	if err := p.identify(); err != nil {
		return err
	}
	p.inject(explain)
	return p.conclude(p.forward(next))
}

// Interface guards
var _ caddyhttp.MiddlewareHandler = (*Gate)(nil)
