// Package attack tries to get past the edge on the wire. A [Kit] runs the real program
// before real servers, each of which records what it was asked for; the tests send
// HTTP/1.1 byte by byte, frames of HTTP/2 and HTTP/3, and look at the records.
//
// Two things must hold whatever is sent: no request without a session reaches a path
// behind the gate, and no server is told an identity but the edge's own. [Kit.Check]
// looks for both in all records, so that a request that one server reads as two is found
// however it came about.
package attack
