package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// switchProtocols hands on 101 and copies data in both directions until both have ended.
func (x *exchange) switchProtocols() error {
	h := &x.conn.head
	asked := x.asked
	if x.out.Tunnel {
		asked = "websocket"
	}
	if asked == "" || !h.upgrades || !strings.EqualFold(h.upgrade, asked) {
		return malformed("the response changes to a protocol that was not asked for")
	}
	if x.out.Tunnel {
		return x.tunnelStream()
	}
	if x.upload != nil && x.upload.settle(x.out.Context()) {
		if err := x.upload.failure(); err != nil {
			return err
		}
		return malformed("the response changes the protocol before the request was sent")
	}
	header := x.w.Header()
	delete(header, "Server")
	h.copyTo(header)
	header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{h.upgrade}
	nameWebSocketFields(header)
	x.begun = true
	x.w.WriteHeader(http.StatusSwitchingProtocols)
	client, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return &Error{Kind: Client, Err: err}
	}
	defer client.Close()
	if err := rw.Flush(); err != nil {
		return &Error{Kind: Client, Err: err}
	}
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ = rw.Reader.Peek(n)
	}
	x.copyBoth(client, early)
	return nil
}

// webSocketNames are the names of fields as RFC 6455 spells them. Some programs compare them
// by case.
var webSocketNames = map[string]string{
	"Sec-Websocket-Accept": "Sec-WebSocket-Accept", "Sec-Websocket-Extensions": "Sec-WebSocket-Extensions", "Sec-Websocket-Key": "Sec-WebSocket-Key",
	"Sec-Websocket-Protocol": "Sec-WebSocket-Protocol", "Sec-Websocket-Version": "Sec-WebSocket-Version",
}

// nameWebSocketFields spells names as RFC 6455 does.
func nameWebSocketFields(h http.Header) {
	for canonical, name := range webSocketNames {
		if values, ok := h[canonical]; ok {
			delete(h, canonical)
			h[name] = values
		}
	}
}

// tunnelStream is switchProtocols for a stream of HTTP/2 or HTTP/3.
func (x *exchange) tunnelStream() error {
	header := x.w.Header()
	delete(header, "Server")
	x.conn.head.copyTo(header)
	for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept"} {
		delete(header, name)
	}
	x.begun = true
	x.w.WriteHeader(http.StatusOK)
	if err := x.flush(); err != nil {
		return err
	}
	x.copyBoth(&streamConn{body: x.out.Body, w: x.w}, nil)
	return nil
}

// streamConn is a stream as a connection.
type streamConn struct {
	body io.ReadCloser
	w    http.ResponseWriter
}

func (s *streamConn) Read(p []byte) (int, error) { return s.body.Read(p) }

func (s *streamConn) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	if err := http.NewResponseController(s.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return n, err
	}
	return n, nil
}

func (s *streamConn) Close() error { return s.body.Close() }

// copyBoth copies data between the client and the origin until both directions have ended.
// The end of one direction ends only this one, and from then on the other may not be silent
// for longer than the pool's Stall; a failure ends both. early is what was read from the
// client already.
func (x *exchange) copyBoth(client io.ReadWriteCloser, early []byte) {
	c := x.conn
	c.taken = true
	// A request that ends, ends the connection: a hijacked one is not ended by the server.
	stop := context.AfterFunc(x.out.Context(), func() { client.Close() })
	defer stop()
	var moved activity
	oneEnded := make(chan struct{}, 2)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-oneEnded:
			moved.endIfSilent(x.pool.config.Stall, ended, func() {
				c.raw.Close()
				client.Close()
			})
		case <-ended:
		}
	}()
	up := make(chan struct{})
	go func() {
		defer close(up)
		if len(early) > 0 {
			if _, err := c.Write(early); err != nil {
				c.raw.Close()
				return
			}
		}
		if copyHalf(c.Conn, client, &moved) != nil {
			c.raw.Close()
		}
		oneEnded <- struct{}{}
	}()
	down := copyBuffered(client, c)
	if down == nil {
		down = copyHalf(client, c.Conn, &moved)
	}
	oneEnded <- struct{}{}
	if down != nil {
		c.raw.Close()
		client.Close()
	}
	<-up
	c.raw.Close()
}

// copyBuffered writes what came from the origin with the head of its response.
func copyBuffered(client io.Writer, c *conn) error {
	if b := c.buffered(); len(b) > 0 {
		_, err := client.Write(b)
		c.discard(len(b))
		return err
	}
	return nil
}

// errNoHalf means that a direction has ended and that its connection has no end of its own.
var errNoHalf = errors.New("the connection cannot be closed in one direction")

// copyHalf copies until the source ends, and then ends that direction of dst.
func copyHalf(dst io.Writer, src io.Reader, moved *activity) error {
	if err := copyData(dst, src, moved); err != nil {
		return err
	}
	half, ok := dst.(interface{ CloseWrite() error })
	if !ok {
		return errNoHalf
	}
	return half.CloseWrite()
}

// copyData copies with a borrowed buffer.
func copyData(dst io.Writer, src io.Reader, moved *activity) error {
	buffer := smallBuffers.Get().(*[smallBuffer]byte)
	defer smallBuffers.Put(buffer)
	for {
		n, err := src.Read(buffer[:])
		if n > 0 {
			moved.count.Add(1)
			if _, err := dst.Write(buffer[:n]); err != nil {
				return err
			}
			moved.count.Add(1)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// activity counts what moves through a tunnel.
type activity struct{ count atomic.Int64 }

// endIfSilent calls end when nothing has moved for a while. It returns then, or when ended
// is closed.
func (a *activity) endIfSilent(limit time.Duration, ended <-chan struct{}, end func()) {
	look := time.NewTicker(limit)
	defer look.Stop()
	for before := a.count.Load(); ; {
		select {
		case <-ended:
			return
		case <-look.C:
		}
		now := a.count.Load()
		if now == before {
			end()
			return
		}
		before = now
	}
}
