package conformance

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// clock is in every page that has got the clock.
const clock = "/.session-gate/boot."

// eachServer runs a story over all ways, protocols and real servers.
func eachServer(t *testing.T, story func(t *testing.T, s *server, host string, c *client)) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		for _, s := range servers {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				story(t, s, s.name+".example", e.client(t, protocol))
			})
		}
	})
}

// TestRealPages: pages get the clock, whole or compressed, and are validated by ETag.
func TestRealPages(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server, host string, c *client) {
		page := call{path: "/page", header: http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}}
		a := c.do(t, host, page)
		if a.failed != nil || a.status != 200 || !strings.Contains(a.body, clock) || !strings.HasSuffix(a.body, pageText[len(pageText)-20:]) {
			t.Errorf("the page is %s", a)
		}
		tag := a.header.Get("Etag")
		head := page
		head.method = "HEAD"
		if b := c.do(t, host, head); b.failed != nil || b.status != 200 || b.body != "" || b.header.Get("Etag") != tag {
			t.Errorf("the page's head is %s, and that of GET %v", b, a.header)
		}
		if tag != "" {
			again := page
			again.header = page.header.Clone()
			again.header.Set("If-None-Match", tag)
			if b := c.do(t, host, again); b.failed != nil || b.status != 304 || b.body != "" {
				t.Errorf("the page with ETag %s is %s", tag, b)
			}
		} else if s.name != "php" {
			t.Error("the page has no ETag")
		}
		zipped := page
		zipped.header = page.header.Clone()
		zipped.header.Set("Accept-Encoding", "gzip")
		b := c.do(t, host, zipped)
		body := b.body
		if s.encodes || b.header.Get("Content-Encoding") != "" {
			z, err := gzip.NewReader(strings.NewReader(b.body))
			if err != nil {
				t.Fatalf("the compressed page is %s: %v", b, err)
			}
			text, err := io.ReadAll(z)
			if err != nil {
				t.Errorf("the compressed page: %v", err)
			}
			body = string(text)
		}
		if b.failed != nil || b.status != 200 || !strings.Contains(body, clock) || !strings.HasSuffix(body, "</body></html>\n") {
			t.Errorf("the compressed page is %.300q: %s", body, b)
		}
	})
}

// TestRealDownloads: large files arrive whole, and in ranges.
func TestRealDownloads(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server, host string, c *client) {
		large := call{path: "/large.bin"}
		a := c.do(t, host, large)
		if sum := sha256.Sum256([]byte(a.body)); a.failed != nil || a.status != 200 || sum != largeSum {
			t.Errorf("the download is %d with %d bytes, %v", a.status, len(a.body), a.failed)
		}
		large.method = "HEAD"
		if b := c.do(t, host, large); b.failed != nil || b.status != 200 || b.header.Get("Content-Length") != fmt.Sprint(largeSize) || b.body != "" {
			t.Errorf("its head is %s", b)
		}
		if s.ranges {
			part := call{path: "/large.bin", header: http.Header{"Range": {"bytes=1000000-1000099"}}}
			if b := c.do(t, host, part); b.failed != nil || b.status != 206 || len(b.body) != 100 || b.body != a.body[1_000_000:1_000_100] || b.header.Get("Content-Range") != fmt.Sprintf("bytes 1000000-1000099/%d", largeSize) {
				t.Errorf("its part is %d with %d bytes", b.status, len(b.body))
			}
			part.header = http.Header{"Range": {"bytes=999999999-"}}
			if b := c.do(t, host, part); b.failed != nil || b.status != 416 {
				t.Errorf("the part beyond its end is %s", b)
			}
		}
		if s.chunks {
			var want strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&want, "line %d\n", i)
			}
			if err := ok(want.String()).check(c.do(t, host, call{path: "/chunked"})); err != nil {
				t.Error(err)
			}
		}
		if err := (want{status: 302, header: map[string]string{"Location": "/page"}}).check(noBody(c.do(t, host, call{path: "/redirect"}))); err != nil {
			// Apache makes the address whole.
			if s.name != "apache" || !strings.Contains(err.Error(), host+"/page") {
				t.Error(err)
			}
		}
	})
}

// noBody is an answer whose body does not matter.
func noBody(a *received) *received {
	a.body = ""
	return a
}

// TestRealUploads: uploads arrive whole, with a length and without.
func TestRealUploads(t *testing.T) {
	all := strings.Repeat("0123456789abcdef", 320<<10) // 5 MiB
	part := all[:256<<10]
	eachServer(t, func(t *testing.T, s *server, host string, c *client) {
		if !s.uploads && !s.echoes {
			return
		}
		want := func(upload string) want {
			if s.echoes {
				return ok(upload)
			}
			return ok(fmt.Sprintf("%x %d", sha256.Sum256([]byte(upload)), len(upload)))
		}
		long := all
		if c.protocol == http30 { // whose packets take the tests a lot of time
			long = all[:1<<20]
		}
		if err := want(long).check(c.do(t, host, call{method: "POST", path: "/upload", body: long})); err != nil {
			t.Errorf("of known length: %v", err)
		}
		if err := want(part).check(c.do(t, host, call{method: "POST", path: "/upload", reader: strings.NewReader(part)})); err != nil {
			t.Errorf("of unknown length: %v", err)
		}
	})
}

// TestRealParallel: hundreds of requests to each server, many at once, each with its own
// answer.
func TestRealParallel(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server, host string, c *client) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 8 {
					if s.name == "apache" && j > 4 { // which starts a program for each
						return
					}
					n := fmt.Sprint(1000*i + j)
					if err := ok(n).check(c.do(t, host, call{path: "/echo?n=" + n})); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// TestRealWebSockets: messages go there and back.
func TestRealWebSockets(t *testing.T) {
	t.Parallel()
	for _, e := range edges {
		for _, s := range servers {
			if !s.webSocket {
				continue
			}
			for _, kind := range tunnels[1:] {
				t.Run(e.name+"/"+s.name+"/"+kind.name, func(t *testing.T) {
					t.Parallel()
					o := &origin{host: s.name + ".example"}
					var ws *tunnel
					if kind.client == http11 {
						ws = e.openUpgrade(t, o, webSocket, "")
					} else {
						ws = e.openStream(t, o, kind.client)
					}
					if ws.head.StatusCode/100 != 2 && ws.head.StatusCode != 101 {
						t.Fatalf("the WebSocket is answered %s", ws.head.Status)
					}
					for i := range 50 {
						text := fmt.Sprintf("message %d", i)
						if _, err := ws.w.Write(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)); err != nil {
							t.Fatal(err)
						}
						got := make([]byte, 2+len(text))
						if _, err := io.ReadFull(ws.r, got); err != nil || string(got[2:]) != text {
							t.Fatalf("got %q, %v", got, err)
						}
					}
				})
			}
		}
	}
}
