package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(LeftOut{})
}

// guardedVar says that a gate has had a request; see [LeftOut].
const guardedVar = "session_gate.guarded"

// LeftOut stands beside a gate that has a matcher, and takes from the requests
// that the matcher leaves out what no origin may see on any path of the site: a
// client's own identity headers, the session's cookie, and a launch token. The
// Caddyfile's session_gate directive adds it by itself; JSON configurations put
// it into a route without a matcher. It does not matter which of the two comes
// first.
type LeftOut struct{}

// CaddyModule implements [caddy.Module].
func (LeftOut) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_gate_left_out", New: func() caddy.Module { return new(LeftOut) }}
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (LeftOut) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if caddyhttp.GetVar(r.Context(), guardedVar) != nil {
		return next.ServeHTTP(w, r)
	}
	dropIdentity(r.Header)
	hideCookies(r.Header)
	hideReferer(r)
	if tokens, rest := launchTokens(r.URL.RawQuery); len(tokens) > 0 {
		hideTokens(r, rest)
	}
	return next.ServeHTTP(w, r)
}

// Interface guards
var _ caddyhttp.MiddlewareHandler = LeftOut{}
