package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// TestInterim: answers with a status of 1xx go on to the client, and the last one counts.
func TestInterim(t *testing.T) {
	const early, hello = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n", text + "Content-Length: 5\r\n\r\nhello"
	with := func(codes ...int) want { return want{status: 200, body: "hello", interim: codes} }
	several := make([]int, 4)
	for i := range several {
		several[i] = 103
	}
	run(t, []exchange{
		{name: "103", script: answer(early + hello), want: with(103)},
		{name: "four of 103", script: answer(strings.Repeat(early, 4) + hello), want: with(several...)},
		{name: "102", script: answer("HTTP/1.1 102 Processing\r\n\r\n" + hello), want: with(102)},
		{name: "103 and no body", script: answer(early + "HTTP/1.1 204 No Content\r\n\r\n"), want: want{status: 204, interim: []int{103}}},
		{name: "103 with a length", script: answer("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + hello), want: with(103)},
		{name: "103 and HEAD", call: call{method: "HEAD"}, script: answer(early + text + "Content-Length: 5\r\n\r\n"), want: want{status: 200, interim: []int{103}}},
		{name: "103 and the end", script: closing(early), want: broken("")},
		{name: "103 and a reset", script: resetting(early), want: broken("")},
		{name: "103 and half a head", script: closing(early + text), want: broken("")},
		{name: "103 and garbage", script: closing(early + "hello\r\n\r\n"), want: broken("")},
		{name: "endless 103", script: endless("", early), want: broken(""), only: http11, own: true},
		{name: "a 103 of endless fields", script: endless("HTTP/1.1 103 Early Hints\r\n", "X-A: b\r\n"), want: broken(""), only: http11},
		{name: "101 that nobody has asked for", script: closing("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: my-protocol\r\n\r\nhello"), want: ok(""), strict: strictly(bad(502))},
		{name: "101 without a protocol", script: closing("HTTP/1.1 101 Switching Protocols\r\n\r\nhello"), want: ok(""), strict: strictly(bad(502))},
		{name: "100 that nobody has asked for", script: answer("HTTP/1.1 100 Continue\r\n\r\n" + hello), want: ok("hello")},
		{name: "several of 100", script: answer(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 3) + hello), want: ok("hello")},
		{name: "100 to an upload", call: call{method: "POST", body: "a body"}, script: answer("HTTP/1.1 100 Continue\r\n\r\n" + hello), want: ok("hello")},
	})
}

// TestHintsInTime: hints are with the client before the origin sends anything else.
func TestHintsInTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		seen := make(chan struct{})
		o := e.origin(t, func(c *conn, r *request) bool {
			_ = c.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
			wait(t, seen, "the hints")
			return c.say(text+"Content-Length: 5\r\n\r\nhello") == nil
		})
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		defer cancel()
		ctx = onInterim(ctx, func(code int, h http.Header) {
			if code != 103 || h.Get("Link") != "</a.css>" {
				t.Errorf("%d %v", code, h)
			}
			close(seen)
		})
		c := e.client(t, protocol)
		r, err := c.request(ctx, o.host, call{})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// TestExpect: a client that waits for 100 gets it from the edge, or an answer.
func TestExpect(t *testing.T) {
	t.Parallel()
	const head = "POST /up HTTP/1.1\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 6\r\n"
	for _, tt := range []struct {
		name   string
		script script
		status int
		body   bool // the client is told to send it, and the origin gets it
	}{
		{"origin says 100", func(c *conn, r *request) bool {
			return c.say("HTTP/1.1 100 Continue\r\n\r\n") == nil && c.read(r) && c.say(text+"Content-Length: 5\r\n\r\nhello") == nil
		}, 200, true},
		{"origin says nothing", answer(text + "Content-Length: 5\r\n\r\nhello"), 200, true},
		{"origin says 417", func(c *conn, r *request) bool {
			_ = c.say("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			c.waitClosed()
			return false
		}, 417, false},
		{"origin says 401 and reads on", func(c *conn, r *request) bool {
			_ = c.say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
			c.waitClosed()
			return false
		}, 401, false},
	} {
		for _, e := range edges {
			t.Run(e.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				o := e.origin(t, tt.script)
				c := e.dial(t)
				fmt.Fprintf(c, "%sHost: %s\r\nCookie: session_gate=%s\r\n\r\n", head, o.host, e.session.Cookie)
				in := bufio.NewReader(c)
				first, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				final := first
				if first.StatusCode == http.StatusContinue {
					_, _ = io.WriteString(c, "a body")
				}
				for final.StatusCode == http.StatusContinue { // reverse_proxy hands on the origin's, besides
					if final, err = http.ReadResponse(in, nil); err != nil {
						t.Fatal(err)
					}
				}
				defer final.Body.Close()
				if final.StatusCode != tt.status {
					t.Errorf("the answer is %d, want %d", final.StatusCode, tt.status)
				}
				if tt.body {
					if got := o.first(t).body; got != "a body" || first.StatusCode != http.StatusContinue {
						t.Errorf("the client was told %d; the origin got the body %q", first.StatusCode, got)
					}
				}
			})
		}
	}
}

// dial opens a connection to the edge in the clear.
func (e *edge) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", e.http, harness.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(harness.Patience))
	return c.(*net.TCPConn)
}

// wait waits for what must happen.
func wait(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(harness.Patience):
		t.Errorf("waiting for %s in vain", what)
	}
}
