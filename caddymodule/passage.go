package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/caddymodule/live"
)

// passage is an admitted request under way: what ends it, its place in its
// session, and the values that the origin is told. They are one piece of memory.
type passage struct {
	cut.Request
	live.Registration
	identity [4]string // the values of the request's identity headers
}

// beneath controls the server's own writer below Caddy's idle timeouts, which
// keep what deadline a handler sets and are for its goroutine alone.
func beneath(w http.ResponseWriter) *http.ResponseController {
	for inner := w; ; {
		switch t := inner.(type) {
		case *caddyhttp.IdleTimeoutWriter:
			return t.Ctrl
		case interface{ Unwrap() http.ResponseWriter }:
			inner = t.Unwrap()
		default:
			return http.NewResponseController(w)
		}
	}
}
