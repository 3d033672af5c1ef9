// Package caddymodule is the edge: a Caddy app and a handler that admit live
// sessions to a provider's site, show them their clock, and end them on time.
//
//	request ──► Gate.ServeHTTP
//	             ├─ /.session-gate/…   the page's own API          api.go, apiproxy.go
//	             ├─ ?session=<launch>  entry, once                 launch.go
//	             └─ cookie ─► admission ─► live session            gate.go, live.go, session.go
//	                           ├─ refused: redirect, page, 401     refuse.go, page.go
//	                           └─ admitted: identity, injection,   identity.go, inject/
//	                              origin, cut off at the deadline  open.go, websocket.go
//
// What must outlive a reload of the configuration stands in an [edge], which
// configurations share through a usage pool: live sessions, the issuer's keys,
// the event stream, the heartbeats on their way, the backend's clock.
package caddymodule
