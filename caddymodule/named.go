package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// checkInvocations returns an error if a named route that holds a gate is invoked
// beside routes that visitors can reach without passing it. Caddy compiles those routes
// before it provisions the named ones, so no [Sanitizer] can be inserted before them.
func (s site) checkInvocations() error {
	if s.server == nil {
		return nil
	}
	for name, route := range s.server.NamedRoutes {
		if holdsGate(*route) && invokedBeside(s.server.Routes, name) {
			return fmt.Errorf("session_gate: the named route %s is invoked beside routes that visitors reach without a session, "+
				"and those would pass on launch tokens and forged identity headers; make it a snippet: write (%s) instead of &(%s), and import instead of invoke",
				name, name, name)
		}
	}
	return nil
}

// invokedBeside reports whether routes invoke a named route, at any depth, beside other
// routes that visitors can reach without passing it.
func invokedBeside(routes caddyhttp.RouteList, name string) bool {
	for i, r := range routes {
		here := false
		for _, h := range r.Handlers {
			switch h := h.(type) {
			case *caddyhttp.Invoke:
				here = here || h.Name == name
			case *caddyhttp.Subroute:
				if invokedBeside(h.Routes, name) {
					return true
				}
				here = here || invokes(h.Routes, name)
			}
		}
		if !here {
			continue
		}
		for range (siteLevel{routes, i}).beside() {
			return true
		}
	}
	return false
}

// invokes reports whether routes invoke a named route, at any depth.
func invokes(routes caddyhttp.RouteList, name string) bool {
	for _, r := range routes {
		for _, h := range r.Handlers {
			switch h := h.(type) {
			case *caddyhttp.Invoke:
				if h.Name == name {
					return true
				}
			case *caddyhttp.Subroute:
				if invokes(h.Routes, name) {
					return true
				}
			}
		}
	}
	return false
}
