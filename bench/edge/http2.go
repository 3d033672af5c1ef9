package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The windows that Chrome gives: what a client of ours is likely to be.
const (
	streamWindow     = 6 << 20
	connectionWindow = 15 << 20
)

// http2Client keeps several requests in flight on one connection. One goroutine
// does it all, and writes what it has gathered when there is nothing to read.
type http2Client struct {
	conn   net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	fr     *http2.Framer
	want   want
	cookie string

	enc     *hpack.Encoder
	block   bytes.Buffer // what enc writes
	dec     *hpack.Decoder
	current *answer // whose headers dec is reading

	next     uint32 // stream
	open     map[uint32]*answer
	spare    []*answer
	received int // bytes since the connection's last window update
}

// answer is one that is being received.
type answer struct {
	status int
	coding string
	body   []byte
}

func newHTTP2Client(conn net.Conn, w want, cookie string) (*http2Client, error) {
	c := &http2Client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), w: bufio.NewWriterSize(conn, 16<<10), want: w,
		cookie: cookie, next: 1, open: make(map[uint32]*answer)}
	c.fr = http2.NewFramer(c.w, c.r)
	c.fr.SetReuseFrames()
	c.enc = hpack.NewEncoder(&c.block)
	c.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		switch f.Name {
		case ":status":
			c.current.status, _ = strconv.Atoi(f.Value)
		case "content-encoding":
			c.current.coding = f.Value
		}
	})
	_, err := c.w.WriteString(http2.ClientPreface)
	return c, errors.Join(err,
		c.fr.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow}),
		c.fr.WriteWindowUpdate(0, connectionWindow-65535))
}

func (c *http2Client) close() { c.conn.Close() }

func (c *http2Client) run(more func() bool) (int, error) {
	n := 0
	for range streams {
		if !more() {
			break
		}
		if err := c.ask(); err != nil {
			return n, err
		}
	}
	for len(c.open) > 0 {
		if c.r.Buffered() == 0 {
			if err := c.w.Flush(); err != nil {
				return n, err
			}
		}
		ended, err := c.readFrame()
		if err != nil {
			return n, err
		}
		if !ended {
			continue
		}
		n++
		if more() {
			if err := c.ask(); err != nil {
				return n, err
			}
		}
	}
	return n, c.w.Flush()
}

// ask opens a stream with a request.
func (c *http2Client) ask() error {
	c.block.Reset()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: host}, {Name: ":path", Value: c.want.page.path()},
		{Name: "sec-fetch-mode", Value: "navigate"}, {Name: "sec-fetch-dest", Value: "document"}, {Name: "accept", Value: "text/html"},
		{Name: "cookie", Value: "theme=dark"}, {Name: "cookie", Value: c.cookie}, // each by itself, as browsers send them
		{Name: "accept-encoding", Value: "gzip"},
	}
	if !c.want.page.gzip {
		fields = fields[:len(fields)-1]
	}
	for _, f := range fields {
		if err := c.enc.WriteField(f); err != nil {
			return err
		}
	}
	a := new(answer)
	if n := len(c.spare); n > 0 {
		a, c.spare = c.spare[n-1], c.spare[:n-1]
	}
	*a = answer{body: a.body[:0]}
	c.open[c.next] = a
	err := c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
	c.next += 2
	return err
}

// readFrame reads a frame, and tells whether an answer ended with it.
func (c *http2Client) readFrame() (ended bool, err error) {
	frame, err := c.fr.ReadFrame()
	if err != nil {
		return false, err
	}
	switch f := frame.(type) {
	case *http2.HeadersFrame:
		if c.current = c.open[f.StreamID]; c.current == nil {
			return false, fmt.Errorf("headers of stream %d, which is not open", f.StreamID)
		}
		last := f.StreamEnded()
		if err := c.readBlock(f.HeaderBlockFragment(), f.HeadersEnded()); err != nil {
			return false, err
		}
		if last {
			return true, c.end(f.StreamID)
		}
	case *http2.DataFrame:
		a := c.open[f.StreamID]
		if a == nil {
			return false, fmt.Errorf("data of stream %d, which is not open", f.StreamID)
		}
		a.body = append(a.body, f.Data()...)
		if c.received += int(f.Length); c.received > connectionWindow/2 {
			if err := c.fr.WriteWindowUpdate(0, uint32(c.received)); err != nil {
				return false, err
			}
			c.received = 0
		}
		if f.StreamEnded() {
			return true, c.end(f.StreamID)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
				c.enc.SetMaxDynamicTableSizeLimit(size)
			}
			return false, c.fr.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return false, c.fr.WritePing(true, f.Data)
		}
	case *http2.RSTStreamFrame:
		return false, fmt.Errorf("the proxy reset stream %d: %s", f.StreamID, f.ErrCode)
	case *http2.GoAwayFrame:
		return false, fmt.Errorf("the proxy ends the connection: %s", f.ErrCode)
	}
	return false, nil
}

// readBlock decodes a block of headers, of which this is the first fragment.
func (c *http2Client) readBlock(fragment []byte, last bool) error {
	if _, err := c.dec.Write(fragment); err != nil {
		return err
	}
	for !last {
		frame, err := c.fr.ReadFrame()
		if err != nil {
			return err
		}
		f, ok := frame.(*http2.ContinuationFrame)
		if !ok {
			return fmt.Errorf("a %s frame within headers", frame.Header().Type)
		}
		if _, err := c.dec.Write(f.HeaderBlockFragment()); err != nil {
			return err
		}
		last = f.HeadersEnded()
	}
	return c.dec.Close()
}

// end checks an answer that is complete.
func (c *http2Client) end(stream uint32) error {
	a := c.open[stream]
	delete(c.open, stream)
	c.spare = append(c.spare, a)
	return c.want.check(a.status, a.coding, a.body)
}
