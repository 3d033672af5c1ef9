package conformance

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestResets: whatever breaks, the client sees 502, or half an answer that does not look
// whole; and what may not be repeated reaches the origin once.
func TestResets(t *testing.T) {
	page := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
	const begun = "<!doctype html><html><head><title>t</title></head><body>"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, begun+strings.Repeat("x", 100))
	_ = z.Flush()
	once := func(t *testing.T, o *origin) {
		if n := len(o.seen()); n != 1 {
			t.Errorf("the origin got %d requests", n)
		}
	}
	var all []exchange
	for name, after := range map[string]func(string) script{"close": closing, "reset": resetting} {
		add := func(what string, x exchange, text string) {
			x.name, x.script = name+" "+what, after(text)
			all = append(all, x)
		}
		post := call{method: "POST", body: "a body"}
		add("after the request", exchange{want: bad(502)}, "")
		add("after a POST", exchange{call: post, want: bad(502), origin: once}, "")
		add("after a PUT", exchange{call: call{method: "PUT", body: "a body"}, want: bad(502), origin: once}, "")
		add("after a POST without a body", exchange{call: call{method: "POST"}, want: bad(502), origin: once}, "")
		add("after HEAD", exchange{call: call{method: "HEAD"}, want: bad(502)}, "")
		add("in the status line", exchange{want: bad(502)}, "HTTP/1.1 2")
		add("in the head", exchange{want: bad(502)}, text+"Content-Le")
		add("in the head of the answer to a POST", exchange{call: post, want: bad(502), origin: once}, text+"Content-Le")
		add("before the body", exchange{want: broken("")}, text+"Content-Length: 10\r\n\r\n")
		add("in the body", exchange{want: broken("hello")}, text+"Content-Length: 10\r\n\r\nhello")
		add("in a chunked body", exchange{want: broken("hello")}, chunkedText+"\r\n5\r\nhello\r\n")
		add("in a chunk", exchange{want: broken("hel")}, chunkedText+"\r\n5\r\nhel")
		add("in a long body", exchange{want: broken(strings.Repeat("x", 1<<20))}, text+"Content-Length: 2000000\r\n\r\n"+strings.Repeat("x", 1<<20))
		add("in a page", exchange{want: want{broken: true, anyBody: true}}, page+"Content-Length: 1000\r\n\r\n"+begun)
		add("in a chunked page", exchange{want: want{broken: true, anyBody: true}}, page+"Transfer-Encoding: chunked\r\n\r\n"+fmt.Sprintf("%x\r\n%s\r\n", len(begun), begun))
		add("in a compressed page", exchange{want: want{broken: true, anyBody: true}}, page+"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"+fmt.Sprintf("%x\r\n%s\r\n", zipped.Len(), zipped.String()))
	}
	all = append(all,
		exchange{name: "reset in a body without a length", script: resetting(text + "\r\nhello"), want: broken("hello")},
		exchange{name: "reset in an announced body without a length", script: resetting(text + "Connection: close\r\n\r\nhello"), want: broken("hello")},
		exchange{name: "reset in a page without a length", script: resetting(page + "\r\n" + begun), want: want{broken: true, anyBody: true}},
	)
	run(t, all)
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		for name, end := range map[string]func(c *conn){"closed": func(c *conn) { c.Close() }, "reset": func(c *conn) { c.reset() }} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				each(t, func(t *testing.T, e *edge, protocol string) {
					o := e.serve(t, &origin{script: answer(""), accept: func(c *conn) bool { end(c); return false }})
					for _, method := range []string{"GET", "POST"} {
						if err := bad(502).check(e.client(t, protocol).do(t, o.host, call{method: method})); err != nil {
							t.Error(method, err)
						}
					}
				})
			})
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, e *edge, protocol string) {
			host, l := e.take(t)
			l.Close()
			if err := bad(502).check(e.client(t, protocol).do(t, host, call{})); err != nil {
				t.Error(err)
			}
		})
	})
}
