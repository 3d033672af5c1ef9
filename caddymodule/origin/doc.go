// Package origin forwards requests to the server of an app, in HTTP/1.1 over plain or TLS
// connections that it keeps.
//
// [Pool.Forward] writes the request, reads the response, and hands it on to a
// [http.ResponseWriter] as it arrives. It does what a proxy owes: interim responses,
// trailers, chunked bodies in both directions, upgrades, cancellation, and one more attempt
// on a new connection where a kept one turns out to be closed and the request may be
// repeated. It is strict about the framing of responses, because a framing that two
// programs read differently lets one response pass for two.
//
// What a request and a response say about the gate is not known here: the caller removes
// and adds headers before and after.
package origin
