// Package origin forwards requests to the server of an app, in HTTP/1.1 over plain or TLS
// connections that it keeps.
//
// [Pool.Forward] writes the request, reads the response, and hands it on to a
// [http.ResponseWriter] as it arrives. It handles what HTTP requires of a proxy: interim
// responses, trailers, chunked bodies in both directions, upgrades and cancellation. If a
// kept connection turns out to be closed and the request may be repeated, it tries once more
// on a new connection. It is strict about the framing of responses, because a framing that two
// programs read differently lets one response pass for two.
//
// The package knows nothing of the gate: its caller adds and removes the gate's headers.
package origin
