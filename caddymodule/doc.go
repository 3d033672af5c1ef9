// Package caddymodule is a Caddy app and a handler that admit live sessions to a
// provider's site, show them their clock, and end them on time.
//
//	request ──► Gate.ServeHTTP                                     gate.go
//	             ├─ /.session-gate/…   the page's own API          api.go
//	             ├─ ?session=<launch>  entry, once                 launch.go
//	             └─ cookie ─► decision ─► live session             decide.go, live/
//	                           ├─ refused: redirect, page, 401     refuse.go, page.go
//	                           └─ admitted: identity, injection,   identity.go, inject/
//	                              origin, cut off at the deadline  passage.go, cut/
//
// Package edge holds what must outlive a reload of the configuration.
package caddymodule
