// Package conformance says what the edge owes to clients and origins when it forwards a
// request, and holds every way of forwarding to it. The real program forwards; clients
// speak HTTP/1.1, 2 and 3; origins are real servers, and scripts that send byte by byte
// what no real server should.
//
// A test is an [exchange] where one request and one answer suffice, and a plain story
// where they do not. Every way gives the same answer, unless the exchange names a
// stricter one for the gate's own forwarder.
package conformance
