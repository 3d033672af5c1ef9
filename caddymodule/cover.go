package caddymodule

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// cover puts a [Sanitizer] before every route of the site that visitors can reach
// without passing the gate. open reports whether any of these routes serves
// visitors without a session.
func (s site) cover(ctx caddy.Context, g *Gate) (open bool, err error) {
	sanitizer := &Sanitizer{Gate: g}
	for depth, l := range s.levels {
		for i, leak := range l.beside() {
			if err := s.insert(ctx, &l.routes[i], sanitizer, depth); err != nil {
				return open, err
			}
			open = open || leak
		}
	}
	return open, nil
}

// beside yields the routes of a level that visitors can reach without passing its gate
// and that no [Sanitizer] covers. open reports whether the route serves visitors
// without a session.
func (l siteLevel) beside() iter.Seq2[int, bool] {
	return func(yield func(i int, open bool) bool) {
		own := l.routes[l.own]
		if hasHost(own.MatcherSets) {
			return // its neighbors belong to other sites
		}
		for i, r := range l.routes {
			instead := own.Group != "" && r.Group == own.Group // handle blocks exclude one another
			after := i > l.own && len(own.MatcherSets) > 0
			serves := true
			switch {
			case i == l.own:
				continue
			case i < l.own && !instead:
				forwards, asks := forwarding(r)
				if !forwards || hasHost(r.MatcherSets) {
					continue // the route does not forward the request to another server
				}
				serves = !asks
			case !instead && !after:
				continue
			}
			covered := beginsWithSanitizer(r)
			if !covered && !holdsGate(r) {
				if !yield(i, serves) {
					return
				}
				covered = true
			}
			if covered && after && !instead && len(r.MatcherSets) == 0 {
				return // the remaining routes run after this one, which is covered
			}
		}
	}
}

// forwarding reports whether a route forwards requests to another server, at any depth,
// and whether it only asks that server for authorization, as forward_auth does.
func forwarding(r caddyhttp.Route) (forwards, asks bool) {
	asks = true
	for _, h := range r.Handlers {
		switch h := h.(type) {
		case *reverseproxy.Handler:
			forwards, asks = true, asks && len(h.HandleResponse) > 0
		case *caddyhttp.Subroute:
			for _, inner := range h.Routes {
				if f, a := forwarding(inner); f {
					forwards, asks = true, asks && a
				}
			}
		}
	}
	return forwards, asks
}

// asksFirst reports whether a route without conditions of its own forwards requests to
// another server before its gate runs. A [Sanitizer] cannot be inserted there.
func asksFirst(r caddyhttp.Route) bool {
	for _, raw := range r.HandlersRaw {
		var h struct {
			Handler string `json:"handler"`
		}
		switch err := json.Unmarshal(raw, &h); {
		case err != nil || h.Handler == "session_gate":
			return false
		case h.Handler == "reverse_proxy":
			return true
		}
	}
	return false
}

// insert makes h the first handler of a route, which may already be provisioned.
func (s site) insert(ctx caddy.Context, r *caddyhttp.Route, h *Sanitizer, depth int) error {
	if len(r.HandlersRaw) > 0 {
		r.HandlersRaw = slices.Insert(r.HandlersRaw, 0, caddyconfig.JSONModuleObject(h, "handler", "session_gate_left_out", nil))
		return nil
	}
	loaded, err := ctx.LoadModuleByID("http.handlers.session_gate_left_out", caddyconfig.JSON(h, nil))
	if err != nil {
		return fmt.Errorf("session_gate: %w", err)
	}
	r.Handlers = slices.Insert(r.Handlers, 0, loaded.(caddyhttp.MiddlewareHandler))
	metrics := s.metrics
	if depth > 0 {
		metrics = nil
	}
	return r.ProvisionHandlers(ctx, metrics)
}

// beginsWithSanitizer reports whether a route begins with a [Sanitizer].
func beginsWithSanitizer(r caddyhttp.Route) bool {
	if len(r.HandlersRaw) > 0 {
		var h struct {
			Handler string `json:"handler"`
		}
		return json.Unmarshal(r.HandlersRaw[0], &h) == nil && h.Handler == "session_gate_left_out"
	}
	if len(r.Handlers) == 0 {
		return false
	}
	_, ok := r.Handlers[0].(*Sanitizer)
	return ok
}
