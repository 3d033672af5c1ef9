package origin

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// fakeConn is a connection from which a message is read, step bytes at a time.
type fakeConn struct {
	net.Conn
	message *bytes.Reader
	step    int
}

func (c fakeConn) Read(p []byte) (int, error) { return c.message.Read(p[:min(len(p), c.step)]) }

func reading(message []byte, step int) *conn {
	c := fakeConn{message: bytes.NewReader(message), step: max(1, step)}
	return &conn{reader: reader{src: c}, Conn: c, raw: c}
}

// A head that is accepted says to net/http what it says here: the same status, the same
// fields, the same framing.
func FuzzHead(f *testing.F) {
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\nhello", "HTTP/1.0 200\r\n\r\n", "HTTP/1.1 304 Not Modified\nEtag: \"x\"\n\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 05\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "HTTP/1.1 200 OK\r\n: b\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close, X\r\nX: y\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
	} {
		f.Add([]byte(head), 7)
	}
	f.Fuzz(func(t *testing.T, message []byte, step int) {
		c := reading(message, step)
		defer c.release()
		if c.readHead(&c.head, 1<<16) != nil {
			return
		}
		h := &c.head
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(message)), &http.Request{Method: http.MethodGet})
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", message, err)
		}
		if resp.StatusCode != h.status || resp.ProtoMinor != h.minor {
			t.Fatalf("%q: %d %d, net/http reads %d %d", message, h.minor, h.status, resp.ProtoMinor, resp.StatusCode)
		}
		ours, theirs := make(http.Header), resp.Header
		h.copyTo(ours)
		for name := range theirs {
			if hopByHop(name) || h.nominated && h.nominates(name) {
				delete(theirs, name)
			}
		}
		if h.status == http.StatusNoContent {
			delete(theirs, "Content-Length")
		}
		if len(theirs["Content-Length"]) > 1 {
			theirs["Content-Length"] = theirs["Content-Length"][:1]
		}
		if !maps.EqualFunc(ours, theirs, slices.Equal) {
			t.Fatalf("%q: %q, net/http reads %q", message, ours, theirs)
		}
		if resp.StatusCode < 200 || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
			return // no body
		}
		if chunked := slices.Equal(resp.TransferEncoding, []string{"chunked"}); chunked != h.chunked || !chunked && resp.ContentLength != h.length {
			t.Fatalf("%q: chunked %t, %d bytes; net/http reads %t, %d", message, h.chunked, h.length, chunked, resp.ContentLength)
		}
	})
}

// A chunked body that is accepted has for net/http the same data, the same trailers and the
// same end.
func FuzzChunks(f *testing.F) {
	for _, body := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "5;ext=1\r\nhello\r\n0\r\nX: y\r\n\r\n", "0005\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n", "5\r\nhelloo\r\n0\r\n\r\n",
		"-5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "fffffffffffffffff\r\nhello", "F\r\nhello hello hel\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "\r\n", "5\r\nhel",
	} {
		f.Add([]byte(body), 3)
	}
	f.Fuzz(func(t *testing.T, message []byte, step int) {
		c := reading(message, step)
		defer c.release()
		var k chunks
		var data []byte
		for {
			err := k.next(&c.reader)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			for k.left > 0 {
				if len(c.buffered()) == 0 && c.fill(largeBuffer) != nil {
					return
				}
				b := c.buffered()
				b = b[:min(int64(len(b)), k.left)]
				data = append(data, b...)
				c.discard(len(b))
				k.left -= int64(len(b))
			}
		}
		trailers, err := c.readTrailers()
		if err != nil {
			return
		}
		rest := c.src.(fakeConn).message.Len() + len(c.buffered())
		source := bufio.NewReader(bytes.NewReader(message))
		want, err := io.ReadAll(httputil.NewChunkedReader(source))
		if err != nil || !bytes.Equal(want, data) {
			t.Fatalf("%q: %q, net/http reads %q, %v", message, data, want, err)
		}
		header, err := textproto.NewReader(source).ReadMIMEHeader()
		if err != nil {
			t.Fatalf("%q: net/http refuses the trailers: %v", message, err)
		}
		for name, values := range trailers {
			if !slices.Equal(header[name], values) {
				t.Fatalf("%q: trailer %s: %q, net/http reads %q", message, name, values, header[name])
			}
		}
		left, _ := io.ReadAll(source)
		if len(left) != rest {
			t.Fatalf("%q: %d bytes follow, net/http leaves %d", message, rest, len(left))
		}
	})
}

// A request that is written is for net/http one request, with what was asked for.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/a?b=c", "app.example", "X-A", "b", "connection", "close")
	f.Add("POST", "/%2f//x", "app.example:80", "Transfer-Encoding", "chunked", "Content-Length", "7")
	f.Add("GET", "/ HTTP/1.1\r\nX: y", "a b", "x\r\ny", "z", "Session-Gate-User", "me\r\nX: y")
	f.Add("GET", "/", "h", "", "b", "a", "")
	f.Add("OPTIONS", "*", "h", "Upgrade", "websocket", "Connection", "x, upgrade")
	f.Fuzz(func(t *testing.T, method, target, host, name, value, name2, value2 string) {
		r, err := http.NewRequest("GET", "http://x/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = r.URL.Parse(target); err != nil || !strings.HasPrefix(r.URL.Path, "/") {
			return
		}
		r.URL.Scheme, r.URL.Host, r.URL.User, r.URL.Opaque = "", "", nil, ""
		r.Method = method
		r.Header = http.Header{http.CanonicalHeaderKey(name): {value}}
		r.Header[http.CanonicalHeaderKey(name2)] = append(r.Header[http.CanonicalHeaderKey(name2)], value2)
		out := &Outgoing{Request: r, Host: host, Headers: []Header{{"X-Forwarded-For", "192.0.2.1"}}}
		message, err := appendHead(nil, out, 0, &[4]string{"1.0 x", "1.1 x", "2.0 x", "3.0 x"})
		if err != nil {
			return
		}
		source := bufio.NewReader(bytes.NewReader(append(message, "GET /next HTTP/1.1\r\nHost: y\r\n\r\n"...)))
		got, err := http.ReadRequest(source)
		if err != nil {
			// What net/http refuses harms nobody, as long as nothing follows from it.
			return
		}
		if got.Method != method || got.RequestURI != r.URL.RequestURI() && got.RequestURI != "*" || got.Host != host || got.ContentLength != 0 || len(got.TransferEncoding) > 0 {
			t.Fatalf("%q is %s %q of %q with %d bytes", message, got.Method, got.RequestURI, got.Host, got.ContentLength)
		}
		if forwarded := got.Header["X-Forwarded-For"]; !slices.Equal(forwarded, []string{"192.0.2.1"}) {
			t.Fatalf("%q has X-Forwarded-For %q", message, forwarded)
		}
		for k, values := range got.Header {
			switch k {
			case "Via", "Connection", "Upgrade", "X-Forwarded-For", "Te", "Content-Length":
			default:
				if len(r.Header[k]) != len(values) {
					t.Fatalf("%q has %s: %q", message, k, values)
				}
			}
		}
		if next, err := http.ReadRequest(source); err != nil || next.URL.Path != "/next" {
			t.Fatalf("after %q comes %v, %v", message, next, err)
		}
	})
}
