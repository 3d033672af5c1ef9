package origin

import (
	"context"
	"crypto/tls"
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

	abortFunc func()  // abort, as a value
	peeked    [1]byte // room for hasMore
}

func newConn(c, raw net.Conn) *conn {
	fresh := &conn{reader: reader{src: c}, Conn: c, raw: raw, quiet: quietFunc(raw)}
	fresh.abortFunc = fresh.abort
	return fresh
}

// hasMore reports whether TLS holds data that it has read from the connection, and that
// quiet does not see there any more. One read of the connection can return several records.
// A time limit that has passed keeps TLS from reading the connection.
func (c *conn) hasMore() bool {
	if _, ok := c.Conn.(*tls.Conn); !ok {
		return false
	}
	if c.SetReadDeadline(time.Unix(1, 0)) != nil {
		return true
	}
	n, err := c.Read(c.peeked[:])
	return n > 0 || !isTimeout(err) || c.SetReadDeadline(time.Time{}) != nil
}

// abort ends whatever reads or writes the connection. It may be called at any time, from
// any goroutine.
func (c *conn) abort() { c.raw.Close() }

// abortOn aborts the connection when ctx ends. stop reports whether it has not, and ends
// the watch.
func (c *conn) abortOn(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, c.abortFunc)
}

// keptFields is how many fields of a head a connection keeps the memory of.
const keptFields = 64

// rest gives up what a connection does not need between two requests. The text of a head
// can be long, and so can the list of its fields.
func (c *conn) rest() {
	c.release()
	if cap(c.head.fields) > keptFields {
		c.head.fields = nil
	}
	clear(c.head.fields)
	c.head = head{fields: c.head.fields[:0]}
}

// close ends the connection for good.
func (c *conn) close() {
	c.release()
	c.raw.Close()
}
