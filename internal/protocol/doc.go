// Package protocol holds what the edge, the backend and the browser say to one
// another: paths, bodies, states and error codes, one copy for all sides.
//
//	browser ── /.session-gate/… ──► edge ── /api/v1/edge/… ──► backend
//	                                  └──── /api/v1/sessions/{id}/… (the user's own session)
//
// All bodies are JSON in UTF-8 with snake_case names. Times are whole Unix
// seconds, except fields that end in _ms, which are Unix milliseconds. Amounts
// of tokens are integers. Errors are [Problem] documents (RFC 9457) with a
// stable code; see [Code].
package protocol
