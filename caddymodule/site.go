package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// site is the position of a gate in the configuration that is being provisioned: the
// lists of routes around it, outermost first. Caddy provisions the routes of a list in
// order and in place, so later routes can still be changed.
type site struct {
	server  *caddyhttp.Server
	metrics *caddyhttp.Metrics // of the server's routes
	levels  []siteLevel
	// The routes above the first level are unknown, because the gate is in a named
	// route or in an error route.
	partial bool
}

// siteLevel is a list of routes and the index of the one that holds the gate.
type siteLevel struct {
	routes caddyhttp.RouteList
	own    int
}

// siteOf returns the site of the gate that is being provisioned with ctx.
func siteOf(ctx caddy.Context) site {
	s := site{server: serverOf(ctx)}
	if s.server == nil {
		return s
	}
	lists := []caddyhttp.RouteList{s.server.Routes}
	for _, module := range ctx.Modules() {
		switch m := module.(type) {
		case *caddyhttp.App:
			s.metrics = m.Metrics
		case *caddyhttp.Subroute:
			lists = append(lists, m.Routes)
		}
	}
	var levels []siteLevel
	for i, routes := range lists {
		own := slices.IndexFunc(routes, func(r caddyhttp.Route) bool { return len(r.HandlersRaw) > 0 && len(r.Handlers) == 0 })
		if own < 0 && i == 0 {
			s.partial = true
			continue
		}
		if own < 0 {
			return s
		}
		levels = append(levels, siteLevel{routes, own})
	}
	s.levels = levels
	return s
}

// acceptFinalDots makes the site answer to its names with a final dot as well. Caddy
// would answer those requests with an empty page. The gate redirects them to the name
// without the dot.
func (s site) acceptFinalDots() {
	for _, l := range s.levels {
		for _, set := range l.routes[l.own].MatcherSets {
			for i, matcher := range set {
				if m, ok := matcher.(*caddyhttp.MatchHost); ok {
					set[i] = dottedHost{m}
				}
			}
		}
	}
}

// dottedHost matches a host with or without a final dot.
type dottedHost struct{ *caddyhttp.MatchHost }

// MatchWithError implements [caddyhttp.RequestMatcherWithError].
func (m dottedHost) MatchWithError(r *http.Request) (bool, error) {
	if host, dotted := withoutFinalDot(r.Host); dotted {
		bare := *r
		bare.Host = host
		r = &bare
	}
	return m.MatchHost.MatchWithError(r)
}

// Match implements [caddyhttp.RequestMatcher].
func (m dottedHost) Match(r *http.Request) bool {
	ok, _ := m.MatchWithError(r)
	return ok
}

// withoutFinalDot removes the final dot from a host name, also before a port.
func withoutFinalDot(host string) (bare string, dotted bool) {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i:]
	}
	if name, dotted = strings.CutSuffix(name, "."); !dotted || name == "" {
		return host, false
	}
	return name + port, true
}

// redirectFinalDot redirects a request for a name with a final dot to the name without
// it, because browsers treat the two names as different sites. Requests that cannot be
// redirected continue under the dotted name. It reports whether it wrote a response.
func redirectFinalDot(w http.ResponseWriter, r *http.Request) (answered bool) {
	host, dotted := withoutFinalDot(r.Host)
	if !dotted {
		return false
	}
	if cut.IsWebSocket(r) || r.Method == http.MethodConnect {
		r.Host = host
		return false
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true) // the query may hold a launch token
	h := w.Header()
	h.Set("Location", scheme(r)+"://"+host+originalURL(r).RequestURI())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusPermanentRedirect)
	return true
}

// originalURL returns the URL of the request before any rewriting.
func originalURL(r *http.Request) *url.URL {
	if orig, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return orig.URL
	}
	return r.URL
}

// admits reports whether a visit to a path of the site reaches the gate. Route
// conditions other than the path may cause it to return false.
func (s site) admits(g *Gate, path string) bool {
	if len(s.levels) == 0 || s.partial {
		return false
	}
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return false
	}
	r.RemoteAddr = "127.0.0.1:1"
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nowhere{}, s.server)
	if g.open.match(r) {
		return false
	}
	for _, l := range s.levels {
		own := l.routes[l.own]
		for _, earlier := range l.routes[:l.own] {
			if own.Group == "" || earlier.Group != own.Group {
				continue
			}
			if taken, err := earlier.MatcherSets.AnyMatchWithError(r); err != nil || taken {
				return false
			}
		}
		if ok, err := withoutHosts(own.MatcherSets).AnyMatchWithError(r); err != nil || !ok {
			return false
		}
	}
	return true
}

// checkRedirects returns an error if a configured redirect leads to a page that the
// gate refuses as well.
func (s site) checkRedirects(g *Gate) error {
	for name, answer := range map[string]*Answer{"on_missing": g.OnMissing, "on_expired": g.OnExpired} {
		if answer == nil || !answer.Redirect || answer.To == "" || strings.Contains(answer.To, "{") {
			continue
		}
		to, err := url.Parse(answer.To)
		if err != nil || to.Host != "" && !s.has(to.Host) {
			continue
		}
		if path := "/" + strings.TrimPrefix(to.EscapedPath(), "/"); s.admits(g, path) {
			return fmt.Errorf("session_gate: %s redirect %s leads back to this gate, which refuses %s as well, so that browsers would go in a circle; "+
				"leave that page open (open %s), or name a page of another site", name, answer.To, path, path)
		}
	}
	return nil
}

// has reports whether the site has this name.
func (s site) has(host string) bool {
	u := url.URL{Host: host}
	for _, l := range s.levels {
		for _, set := range l.routes[l.own].MatcherSets {
			for _, matcher := range set {
				if m, ok := hostsOf(matcher); ok && slices.ContainsFunc(*m, func(name string) bool { return strings.EqualFold(name, u.Hostname()) }) {
					return true
				}
			}
		}
	}
	return false
}

func hostsOf(matcher any) (*caddyhttp.MatchHost, bool) {
	switch m := matcher.(type) {
	case *caddyhttp.MatchHost:
		return m, true
	case dottedHost:
		return m.MatchHost, true
	}
	return nil, false
}

func hasHost(sets caddyhttp.MatcherSets) bool {
	return slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool {
		return slices.ContainsFunc(set, func(m any) bool { _, ok := hostsOf(m); return ok })
	})
}

// withoutHosts returns sets without their host conditions.
func withoutHosts(sets caddyhttp.MatcherSets) (kept caddyhttp.MatcherSets) {
	for _, set := range sets {
		kept = append(kept, slices.DeleteFunc(slices.Clone(set), func(m any) bool { _, ok := hostsOf(m); return ok }))
	}
	return kept
}

// forwards reports whether a route that is not provisioned yet begins with a reverse_proxy.
func forwards(r caddyhttp.Route) bool {
	var first struct {
		Handler string `json:"handler"`
	}
	return len(r.HandlersRaw) > 0 && json.Unmarshal(r.HandlersRaw[0], &first) == nil && first.Handler == "reverse_proxy"
}

// holdsGate reports whether a route contains a gate, at any depth.
func holdsGate(r caddyhttp.Route) bool {
	for _, raw := range r.HandlersRaw {
		var v any
		if json.Unmarshal(raw, &v) == nil && namesGate(v) {
			return true
		}
	}
	for _, h := range r.Handlers {
		switch h := h.(type) {
		case *Gate:
			return true
		case *caddyhttp.Subroute:
			if slices.ContainsFunc(h.Routes, holdsGate) {
				return true
			}
		}
	}
	return false
}

// namesGate reports whether a handler's JSON contains a gate.
func namesGate(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if v["handler"] == "session_gate" {
			return true
		}
		for _, inner := range v {
			if namesGate(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, namesGate)
	}
	return false
}

// fitSite adapts the site to the gate. It covers the routes beside the gate, and
// refuses redirects that lead back to the gate.
func (g *Gate) fitSite(ctx caddy.Context) error {
	s := siteOf(ctx)
	if s.partial {
		if err := s.checkInvocations(); err != nil {
			return err
		}
	}
	if len(s.levels) == 0 {
		return nil
	}
	s.acceptFinalDots()
	if err := s.checkRedirects(g); err != nil {
		return err
	}
	last := s.levels[len(s.levels)-1]
	if asksFirst(last.routes[last.own]) {
		g.logger.Warn("a handler before this session_gate, such as forward_auth, passes requests on with their launch tokens, session cookies " +
			"and identity headers; let the gate come first, with the global option: order session_gate before forward_auth")
	}
	if g.forwarder != nil && len(last.routes[last.own].MatcherSets) == 0 && slices.ContainsFunc(last.routes[last.own+1:], forwards) {
		g.logger.Warn("this session_gate forwards to its origin, so that the reverse_proxy after it gets no requests; remove one of the two")
	}
	declared := slices.ContainsFunc(last.routes[last.own+1:], beginsWithSanitizer) // by a matcher in the Caddyfile
	open, err := s.cover(ctx, g)
	switch {
	case err != nil:
		return err
	case open:
		g.logger.Warn("routes beside this session_gate admit visitors without a session; a launch link that leads there is redeemed, " +
			"and identity headers and the session's cookie are removed. If no path is to be open, write session_gate outside of handle")
	case declared && !s.admits(g, "/"):
		g.logger.Warn("the page / of this site is not behind this session_gate; a launch link that leads there is redeemed, but the page has no clock; " +
			"make sure that the provider's app_url is a page behind the gate: without a path, app_url leads to /")
	case !declared && !s.partial && !s.admits(g, protocol.GateSession):
		g.logger.Warn("requests for " + protocol.GatePrefix + "* do not reach this session_gate, so that pages have no clock; " +
			"write session_gate outside of handle, or let its handle match this path as well")
	}
	return nil
}

// nowhere is a response writer for requests that are only matched.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// Interface guards
var _ caddyhttp.RequestMatcherWithError = dottedHost{}
