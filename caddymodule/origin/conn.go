package origin

import (
	"context"
	"net"
	"time"
)

// conn is a connection to an origin. One request uses it at a time.
type conn struct {
	reader
	net.Conn          // TLS, or the same as raw
	raw      net.Conn // below TLS
	quiet    func() bool
	head     head // of the response that is being read; its memory is used again

	reused   bool      // a response was read from it before
	answered bool      // something of the response to the present request came
	taken    bool      // by an upgrade
	since    time.Time // when it became idle

	abortFunc func() // abort, as a value
}

func newConn(c, raw net.Conn) *conn {
	fresh := &conn{reader: reader{src: c}, Conn: c, raw: raw, quiet: quietFunc(raw)}
	fresh.abortFunc = fresh.abort
	return fresh
}

// abort ends whatever reads or writes the connection. It may be called at any time, from
// any goroutine.
func (c *conn) abort() { c.raw.Close() }

// abortOn aborts the connection when ctx ends. stop reports whether it has not, and ends
// the watch.
func (c *conn) abortOn(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, c.abortFunc)
}

// close ends the connection for good.
func (c *conn) close() {
	c.release()
	c.raw.Close()
}
