package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// origin is a server that does what a script says, and records what it was asked for.
type origin struct {
	host   string // of its site at the edge
	l      net.Listener
	script script
	accept func(c *conn) bool // with each connection; false ends it
	pace   int                // bytes that say sends at once; 0: all

	mu       sync.Mutex // guards the rest
	requests []*request
	conns    []*conn
	wrong    []string
	closed   bool
}

// script answers one request. It returns whether the origin reads another one from the
// connection; otherwise the connection is closed.
type script func(c *conn, r *request) (again bool)

// conn is a connection from the edge.
type conn struct {
	*net.TCPConn
	r    *bufio.Reader
	o    *origin
	gone bool // the script has taken over, or ended it
}

// request is a request as it came over the wire.
type request struct {
	head    string // with its empty line
	method  string
	target  string
	version string
	fields  [][2]string
	body    string // once read
	trailer string
	conn    int // the number of its connection
}

// origin serves a site of the edge until the test ends.
func (e *edge) origin(t *testing.T, s script) *origin { return e.serve(t, &origin{script: s}) }

func (e *edge) serve(t *testing.T, o *origin) *origin {
	t.Helper()
	o.host, o.l = e.take(t)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := o.l.Accept()
			if err != nil {
				return
			}
			tcp := c.(*net.TCPConn)
			_ = tcp.SetDeadline(time.Now().Add(harness.Patience))
			all.Go(func() { o.talk(&conn{TCPConn: tcp, r: bufio.NewReader(tcp), o: o}) })
		}
	})
	t.Cleanup(func() {
		o.l.Close()
		o.mu.Lock()
		o.closed = true
		for _, c := range o.conns {
			c.Close()
		}
		o.mu.Unlock()
		all.Wait()
		for _, w := range o.wrong {
			t.Error(w)
		}
	})
	return o
}

// talk serves a connection.
func (o *origin) talk(c *conn) {
	defer func() {
		if !c.gone {
			c.Close()
		}
	}()
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	o.conns = append(o.conns, c)
	number := len(o.conns)
	o.mu.Unlock()
	if o.accept != nil && !o.accept(c) {
		return
	}
	for {
		r, err := c.head()
		if r == nil {
			if err != nil {
				o.fault("the origin was sent %v", err)
			}
			return
		}
		r.conn = number
		o.mu.Lock()
		o.requests = append(o.requests, r)
		o.mu.Unlock()
		o.inspect(r)
		if !o.script(c, r) {
			return
		}
	}
}

// fault records what the edge must not do. The test fails when it ends.
func (o *origin) fault(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// seen are the requests so far.
func (o *origin) seen() []*request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*request(nil), o.requests...)
}

// first is the first request.
func (o *origin) first(t *testing.T) *request {
	t.Helper()
	seen := o.seen()
	if len(seen) == 0 {
		t.Fatal("the origin was not asked")
	}
	return seen[0]
}

// head reads the head of a request: nil if the edge closes the connection instead.
func (c *conn) head() (*request, error) {
	var head strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			if head.Len() > 0 {
				return nil, fmt.Errorf("half a head: %q: %w", head.String(), err)
			}
			return nil, nil
		}
		if line == "\r\n" {
			break
		}
	}
	r := &request{head: head.String()}
	lines := strings.Split(strings.TrimSuffix(r.head, "\r\n\r\n"), "\r\n")
	first := strings.Split(lines[0], " ")
	if len(first) != 3 {
		return nil, fmt.Errorf("the request line %q", lines[0])
	}
	r.method, r.target, r.version = first[0], first[1], first[2]
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(line, "\r\n\x00") {
			return nil, fmt.Errorf("the line %q", line)
		}
		r.fields = append(r.fields, [2]string{name, value})
	}
	return r, nil
}

// inspect looks for what no request may have, whatever a test is about.
func (o *origin) inspect(r *request) {
	for _, name := range []string{"Host", "Content-Length", "Transfer-Encoding"} {
		if n := len(r.values(name)); n > 1 || n == 0 && name == "Host" {
			o.fault("the origin got %d fields %s: %q", n, name, r.head)
		}
	}
	if r.has("Content-Length") && r.has("Transfer-Encoding") {
		o.fault("the origin got two framings: %q", r.head)
	}
	for _, name := range []string{"Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Http2-Settings"} {
		if r.has(name) {
			o.fault("the origin got %s: %q", name, r.head)
		}
	}
	if c := r.value("Connection"); c != "" && !strings.EqualFold(c, "Upgrade") {
		o.fault("the origin got Connection: %s: %q", c, r.head)
	}
	if te := r.value("Te"); te != "" && te != "trailers" {
		o.fault("the origin got TE: %s: %q", te, r.head)
	}
	if r.version != "HTTP/1.1" {
		o.fault("the origin got %s: %q", r.version, r.head)
	}
	if strings.Contains(r.head, "session_gate=") || strings.Contains(r.head, "eyJ") {
		o.fault("the origin got a token: %q", r.head)
	}
	if got := r.value("Session-Gate-User"); got != user {
		o.fault("the origin is told user %q: %q", got, r.head)
	}
}

// values are the values of a field, in order.
func (r *request) values(name string) (values []string) {
	for _, f := range r.fields {
		if strings.EqualFold(f[0], name) {
			values = append(values, f[1])
		}
	}
	return values
}

func (r *request) has(name string) bool { return len(r.values(name)) > 0 }

// value is all values of a field, joined by |.
func (r *request) value(name string) string { return strings.Join(r.values(name), "|") }

// framing is how the request says where its body ends.
func (r *request) framing() string {
	switch {
	case r.has("Transfer-Encoding"):
		return r.value("Transfer-Encoding")
	case r.has("Content-Length"):
		return r.value("Content-Length")
	}
	return "none"
}

// content is the body that is to be read.
func (c *conn) content(r *request) io.Reader {
	switch f := r.framing(); f {
	case "none":
		return strings.NewReader("")
	case "chunked":
		return httputil.NewChunkedReader(c.r)
	default:
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			c.o.fault("the origin got Content-Length %q", f)
		}
		return io.LimitReader(c.r, n)
	}
}

// read reads the body and the trailer. It returns false if the body is not whole.
func (c *conn) read(r *request) bool {
	body, err := io.ReadAll(c.content(r))
	r.body = string(body)
	if err != nil {
		return false
	}
	switch r.framing() {
	case "none":
		return true
	case "chunked":
		for {
			line, err := c.r.ReadString('\n')
			if err != nil {
				return false
			}
			if line == "\r\n" {
				return true
			}
			r.trailer += line
		}
	default:
		return strconv.Itoa(len(body)) == r.framing()
	}
}

// say sends text, in pieces if the origin has a pace.
func (c *conn) say(text string) error {
	pace := c.o.pace
	if pace == 0 || len(text) > 4<<10 {
		pace = max(len(text), 1)
	}
	for len(text) > 0 {
		n := min(pace, len(text))
		if _, err := io.WriteString(c.TCPConn, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// reset ends the connection with an RST.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	c.Close()
}

// waitClosed waits until the edge has closed the connection, and returns how much it has
// sent until then.
func (c *conn) waitClosed() (rest int64) {
	rest, err := io.Copy(io.Discard, c.r)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		c.o.fault("the edge keeps a connection of which it has no use")
	}
	return rest
}

// answer reads the request and sends text. The connection stays open.
func answer(text string) script {
	return func(c *conn, r *request) bool { return c.read(r) && c.say(text) == nil }
}

// closing is answer for an origin that closes the connection then.
func closing(text string) script {
	return func(c *conn, r *request) bool {
		if c.read(r) {
			_ = c.say(text)
		}
		return false
	}
}

// resetting is answer for an origin whose connection breaks then.
func resetting(text string) script {
	return func(c *conn, r *request) bool {
		if c.read(r) {
			_ = c.say(text)
		}
		c.reset()
		return false
	}
}

// endless reads the request and sends text, and then more for as long as the edge reads.
func endless(text, more string) script {
	return func(c *conn, r *request) bool {
		if !c.read(r) || c.say(text) != nil {
			return false
		}
		block := strings.Repeat(more, 64<<10/len(more))
		for sent := 0; ; sent += len(block) {
			if _, err := io.WriteString(c.TCPConn, block); err != nil {
				return false
			}
			if sent > endlessMax {
				c.o.fault("the edge has read %d MiB of what has no end", sent>>20)
				return false
			}
		}
	}
}

// endlessMax is more than an edge may read of a head, a trailer or an extension.
const endlessMax = 64 << 20
