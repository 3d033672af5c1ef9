package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestSplitting: what an origin sends beyond an answer is never taken for that to the next
// request.
func TestSplitting(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, answer string
	}{
		{"a length", "GET", text + "Content-Length: 5\r\n\r\nhello"},
		{"a length of zero", "GET", text + "Content-Length: 0\r\n\r\n"},
		{"chunks", "GET", chunkedText + "\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"chunks with a trailer", "GET", chunkedText + "\r\n5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"},
		{"HEAD", "HEAD", text + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(next))},
		{"HEAD without a length", "HEAD", text + "\r\n"},
		{"HEAD, chunked", "HEAD", chunkedText + "\r\n"},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"204 with a length", "GET", fmt.Sprintf("HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n", len(next))},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n"},
		{"304 with a length", "GET", fmt.Sprintf("HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n", len(next))},
		{"205", "GET", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"},
		{"POST", "POST", text + "Content-Length: 5\r\n\r\nhello"},
		{"HTTP/1.0, kept", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"},
	} {
		for _, late := range []bool{false, true} {
			name := tt.name
			if late {
				name += ", a moment later"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				each(t, func(t *testing.T, e *edge, protocol string) {
					if late && e.name == reverseProxy {
						return // it does not always see in time that something has come
					}
					answered := make(chan struct{})
					sent := make(chan struct{})
					o := e.origin(t, func(c *conn, r *request) bool {
						if !c.read(r) {
							return false
						}
						if r.target == "/mine" {
							return c.say(text+"Content-Length: 4\r\n\r\nmine") == nil
						}
						defer close(sent)
						if late {
							_ = c.say(tt.answer)
							wait(t, answered, "the answer")
							return c.say(next) == nil
						}
						_, err := c.Write([]byte(tt.answer + next))
						return err == nil
					})
					c := e.client(t, protocol)
					if got := c.do(t, o.host, call{method: tt.method}); got.failed == nil && strings.Contains(got.body, "smuggled") {
						t.Errorf("the first answer is %s", got)
					}
					close(answered)
					wait(t, sent, "the second answer")
					for range 3 {
						if err := ok("mine").check(c.do(t, o.host, call{path: "/mine"})); err != nil {
							t.Error(err)
						}
					}
				})
			})
		}
	}
}

// TestKeptConnections: connections are used again, unless the answer says otherwise.
func TestKeptConnections(t *testing.T) {
	t.Parallel()
	const calls = 20
	for _, tt := range []struct {
		name   string
		answer string
		kept   bool
	}{
		{"a length", text + "Content-Length: 5\r\n\r\nhello", true},
		{"chunks", chunkedText + "\r\n5\r\nhello\r\n0\r\n\r\n", true},
		{"HTTP/1.0, kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", true},
		{"kept with other options", text + "Connection: x-y, keep-alive\r\nContent-Length: 5\r\n\r\nhello", true},
		{"close", text + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", false},
		{"close among other options", text + "Connection: x-y , Close\r\nContent-Length: 5\r\n\r\nhello", false},
		{"close in a second field", text + "Connection: keep-alive\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *edge, protocol string) {
				o := e.origin(t, answer(tt.answer))
				c := e.client(t, protocol)
				for range calls {
					if err := ok("hello").check(c.do(t, o.host, call{})); err != nil {
						t.Fatal(err)
					}
				}
				o.mu.Lock()
				conns := len(o.conns)
				o.mu.Unlock()
				// The client may ask again a moment before the connection is back in its place.
				if tt.kept && conns > calls/2 || !tt.kept && conns != calls {
					t.Errorf("%d requests took %d connections", calls, conns)
				}
			})
		})
	}
}

// TestManyAtOnce: each client gets the answer to its own request.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		o := e.origin(t, func(c *conn, r *request) bool {
			if !c.read(r) {
				return false
			}
			body := r.method + r.target + r.body
			return c.say(fmt.Sprintf(text+"Content-Length: %d\r\n\r\n%s", len(body), body)) == nil
		})
		c := e.client(t, protocol)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 25 {
					call := call{path: fmt.Sprintf("/%d-%d", i, j)}
					if j%2 == 1 {
						call.method, call.body = "POST", strings.Repeat("x", 100*j)
					}
					want := ok("GET" + call.path)
					if call.body != "" {
						want = ok("POST" + call.path + call.body)
					}
					if err := want.check(c.do(t, o.host, call)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// TestDeadConnections: a request that may be repeated is sent again on a new connection
// when a kept one turns out to be dead. Any other one reaches the origin once.
func TestDeadConnections(t *testing.T) {
	t.Parallel()
	ends := map[string]func(c *conn){
		"closed": func(c *conn) { c.Close() },
		"reset":  func(c *conn) { c.reset() },
		"after 408": func(c *conn) {
			_ = c.say("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
		},
		"after a request": nil, // which is read, and gets no answer
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, e *edge, protocol string) {
				for _, tt := range []struct {
					call    call
					repeats bool
				}{
					{call{method: "GET"}, true}, {call{method: "HEAD"}, true}, {call{method: "OPTIONS"}, true},
					{call{method: "POST", body: "a body"}, false}, {call{method: "POST"}, false}, {call{method: "PUT", body: "a body"}, false}, {call{method: "GET", body: "a body"}, false}, {call{method: "DELETE"}, false}, {call{method: "PATCH", body: strings.Repeat("x", 200_000)}, false},
				} {
					if end != nil && !tt.repeats && e.name == reverseProxy {
						continue // it may not have noticed that the connection is closed, and answers 502
					}
					dead := make(chan struct{})
					o := e.origin(t, func(c *conn, r *request) bool {
						if !c.read(r) {
							return false
						}
						if r.target == "/again" && r.conn == 1 {
							return false // read on a kept connection, which ends without an answer
						}
						body := "Content-Length: 5\r\n\r\nhello"
						if r.method == "HEAD" {
							body = "Content-Length: 5\r\n\r\n"
						}
						_ = c.say(text + body)
						if end != nil && r.target == "/" {
							end(c)
							close(dead)
							return false
						}
						return true
					})
					c := e.client(t, protocol)
					if err := ok("hello").check(c.do(t, o.host, call{})); err != nil {
						t.Fatal(err)
					}
					if end != nil {
						wait(t, dead, "the end of the connection")
					}
					tt.call.path = "/again"
					got := c.do(t, o.host, tt.call)
					want := ok("hello")
					switch {
					case tt.call.method == "HEAD":
						want = ok("")
					case end == nil && !tt.repeats:
						want = bad(502)
					}
					if err := want.check(got); err != nil {
						t.Errorf("%s of %d bytes: %v", tt.call.method, len(tt.call.body), err)
					}
					n := 0
					for _, r := range o.seen() {
						if r.target == "/again" {
							n++
						}
					}
					if n > 1 && !tt.repeats || n == 0 {
						t.Errorf("%s of %d bytes reached the origin %d times", tt.call.method, len(tt.call.body), n)
					}
				}
			})
		})
	}
}
