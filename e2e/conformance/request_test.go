package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// raw sends bytes over HTTP/1.1 and returns the first answer's status. @HOST@ is the
// origin's host, @COOKIE@ the session's cookie.
func (e *edge) raw(t *testing.T, o *origin, sent string) int {
	t.Helper()
	c := e.dial(t)
	sent = strings.NewReplacer("@HOST@", o.host, "@COOKIE@", "session_gate="+e.session.Cookie).Replace(sent)
	if _, err := io.WriteString(c, sent); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestTargets: the origin is asked for what the client asks for, as it is written.
func TestTargets(t *testing.T) {
	t.Parallel()
	same := []string{
		"/", "/?", "/a?", "/a?b", "/a??b=?", "/a/", "/a//b", "//a/b", "//", "/a%2fb%2FB", "/%2e%2E/", "/a/../b", "/./a", "/a/.", "/%E2%82%AC", "/%e2%82%ac", "/a;b=c", "/a:b@c", "/a!$&'()*+,;=~_-.", "/%20%0a%00", "/%25", "/%C3%28",
		"/a?b=c&b=d&&=", "/a?b=%20+%2B%26", "/a?b=[c]", "/a?b={c}", "/a?b=|", "/a?b=^`", "/a?b=\"", "/a?b=<>", "/a?b=\\", "/a?http://x/?y", "/a?b=/../", "/a?b=%zz", "/a?b=%", "/a?b=\xc3\xa4", "/" + strings.Repeat("a", 8000), "/a?" + strings.Repeat("b", 8000),
		"/a[b]", "/a/%5c..%5cb",
	}
	// Characters that no path has as they are.
	escaped := map[string]string{"/a|b": "/a%7Cb", "/a\"b": "/a%22b", "/a{b}": "/a%7Bb%7D", "/a^b": "/a%5Eb", "/a`b": "/a%60b", "/a<b>": "/a%3Cb%3E", "/a\\b": "/a%5Cb", "/\xc3\xa4": "/%C3%A4"}
	for _, target := range same {
		escaped[target] = target
	}
	for _, e := range edges {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			o := e.origin(t, answer(text+"Content-Length: 0\r\n\r\n"))
			for target, want := range escaped {
				before := len(o.seen())
				status := e.raw(t, o, "GET "+target+" HTTP/1.1\r\nHost: @HOST@\r\nCookie: @COOKIE@\r\nConnection: close\r\n\r\n")
				seen := o.seen()[before:]
				if status != 200 || len(seen) != 1 || seen[0].target != want {
					var got string
					for _, r := range seen {
						got += r.target + " "
					}
					t.Errorf("%.100q is answered %d; the origin got %.100q", target, status, got)
				}
			}
			for sent, want := range map[string]string{
				"GET http://@HOST@/a?b HTTP/1.1": "GET /a?b HTTP/1.1",
				"GET http://@HOST@ HTTP/1.1":     "GET / HTTP/1.1",
				"GET http://@HOST@?b HTTP/1.1":   "GET /?b HTTP/1.1",
				"get / HTTP/1.1":                 "get / HTTP/1.1",
				"PROPFIND /a HTTP/1.1":           "PROPFIND /a HTTP/1.1",
				"M-SEARCH /a HTTP/1.1":           "M-SEARCH /a HTTP/1.1",
				"X!#$%&'*+.^_`|~9 /a HTTP/1.1":   "X!#$%&'*+.^_`|~9 /a HTTP/1.1",
				"GET /a HTTP/1.0":                "GET /a HTTP/1.1",
			} {
				before := len(o.seen())
				status := e.raw(t, o, sent+"\r\nHost: @HOST@\r\nCookie: @COOKIE@\r\nConnection: close\r\n\r\n")
				seen := o.seen()[before:]
				if status != 200 || len(seen) != 1 || !strings.HasPrefix(seen[0].head, want+"\r\n") {
					t.Errorf("%s is answered %d; the origin got %v", sent, status, seen)
				}
			}
			for _, sent := range []string{
				"GET /a b HTTP/1.1", "GET /a\x00 HTTP/1.1", "GET /a\x7f HTTP/1.1", "GET /%zz HTTP/1.1", "GET /% HTTP/1.1", "GET a HTTP/1.1", "GET HTTP/1.1", "G T / HTTP/1.1", "G(T / HTTP/1.1", "GET * HTTP/1.1x", "GET mailto:a HTTP/1.1", "TRACE / HTTP/1.1", "CONNECT @HOST@:80 HTTP/1.1",
			} {
				before := len(o.seen())
				status := e.raw(t, o, sent+"\r\nHost: @HOST@\r\nCookie: @COOKIE@\r\nConnection: close\r\n\r\n")
				if status/100 == 2 || len(o.seen()) != before {
					t.Errorf("%q is answered %d; the origin got %d requests", sent, status, len(o.seen())-before)
				}
			}
		})
	}
}

// TestTargetsOfStreams: the same over HTTP/2 and 3.
func TestTargetsOfStreams(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, e *edge, protocol string) {
		o := e.origin(t, answer(text+"Content-Length: 0\r\n\r\n"))
		c := e.client(t, protocol)
		for _, target := range []string{"/", "/?", "/a?b=c&d=%20", "/a//b", "/a%2fb", "/a?b=|{}", "/a/../b", "/a;b", "/%E2%82%AC"} {
			if err := ok("").check(c.do(t, o.host, call{path: target})); err != nil {
				t.Errorf("%s: %v", target, err)
			}
			if seen := o.seen(); len(seen) == 0 || seen[len(seen)-1].target != target {
				t.Errorf("%s: the origin got %v", target, seen)
			}
		}
	})
}

// TestRequestFields: what the origin is told.
func TestRequestFields(t *testing.T) {
	hello := answer(text + "Content-Length: 5\r\n\r\nhello")
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header[pairs[i]] = append(header[pairs[i]], pairs[i+1])
		}
		return header
	}
	// gets checks fields, of which repeated ones are joined by |.
	gets := func(pairs ...string) func(*testing.T, *origin) {
		return func(t *testing.T, o *origin) {
			r := o.first(t)
			for i := 0; i < len(pairs); i += 2 {
				want := strings.ReplaceAll(pairs[i+1], "@HOST@", o.host)
				if got := r.value(pairs[i]); got != want {
					t.Errorf("the origin got %s: %.300q, want %.300q", pairs[i], got, want)
				}
			}
		}
	}
	long := strings.Repeat("m", 6_000)
	x := func(name string, header http.Header, pairs ...string) exchange {
		return exchange{name: name, call: call{header: header}, script: hello, want: ok("hello"), origin: gets(pairs...)}
	}
	all := []exchange{
		x("who asks", nil, "Host", "@HOST@", "X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "@HOST@", "Cookie", "", "Session-Gate-User", user, "Accept-Encoding", "", "Content-Length", "", "Connection", ""),
		x("who pretends to ask", h("X-Forwarded-For", "1.2.3.4", "X-Forwarded-For", "1.2.3.5", "X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "other.example", "Session-Gate-User", "forged"),
			"X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "@HOST@", "Session-Gate-User", user),
		x("repeated fields", h("X-A", "1", "X-A", "2", "X-A", ""), "X-A", "1|2|"),
		x("odd values", h("X-A", "\xe4 \"q\\\"\t;,=:"), "X-A", "\xe4 \"q\\\"\t;,=:"),
		x("codings", h("Accept-Encoding", "gzip"), "Accept-Encoding", "gzip"),
		x("agent", h("User-Agent", "x/1"), "User-Agent", "x/1"),
		x("no agent", h("User-Agent", ""), "User-Agent", ""),
		x("range and conditions", h("Range", "bytes=0-1", "If-Range", "\"a\"", "If-None-Match", "\"b\""), "Range", "bytes=0-1", "If-Range", "\"a\"", "If-None-Match", "\"b\""),
		x("authorization", h("Authorization", "Basic YTpi"), "Authorization", "Basic YTpi"),
		x("trailers are welcome", h("Te", "trailers"), "Te", "trailers"),
		x("a long field", h("X-Long", long), "X-Long", long),
	}
	proxied := x("via another proxy", h("Via", "1.0 other"))
	proxied.origin = func(t *testing.T, o *origin) {
		if got := o.first(t).values("Via"); len(got) != 2 || got[0] != "1.0 other" || !strings.HasSuffix(got[1], " Caddy") {
			t.Errorf("the origin got Via: %q", got)
		}
	}
	all = append(all, proxied)
	for protocol, want := range map[string][2]string{http11: {"http", "1.1 Caddy"}, http20: {"https", "2.0 Caddy"}, http30: {"https", "3.0 Caddy"}} {
		named := x("scheme and version", nil, "X-Forwarded-Proto", want[0], "Via", want[1])
		cookies := x("cookies", h("Cookie", "a=1; b=2", "Cookie", "c=3"), "Cookie", "a=1; b=2; c=3") // RFC 9113, 8.2.3
		if protocol == http11 {
			cookies = x("cookies", h("Cookie", "a=1; b=2", "Cookie", "c=3"), "Cookie", "a=1; b=2|c=3")
		}
		named.only, cookies.only = protocol, protocol
		all = append(all, named, cookies)
	}
	run(t, all)
}

// TestRequestsOfOneConnection: what concerns the client's connection alone stays there, and
// what Connection names cannot change where the request ends.
func TestRequestsOfOneConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, fields, body string
		gets               map[string]string
	}{
		{"named fields", "Connection: close, X-Hop, x-other\r\nX-Hop: a\r\nX-Other: b\r\nX-Kept: c\r\n", "", map[string]string{"X-Hop": "", "X-Other": "", "X-Kept": "c"}},
		{"fields of a connection", "Connection: close\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nTe: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "", map[string]string{"Te": "", "Upgrade": ""}},
		{"Connection names the length", "Connection: close, content-length\r\nContent-Length: 6\r\n", "a body", nil},
		{"Connection names the coding", "Connection: close, transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "6\r\na body\r\n0\r\n\r\n", nil},
		{"Connection names Host and others", "Connection: close, host, cookie, session-gate-user, x-forwarded-for, via\r\n", "", map[string]string{"Session-Gate-User": user}},
		{"chunks with extensions and a trailer", "Connection: close\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n", "2;a=b\r\na \r\n4\r\nbody\r\n0\r\nX-Sum: a\r\n\r\n", nil},
		{"Expect", "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 6\r\n", "a body", nil},
		{"a length with zeros", "Connection: close\r\nContent-Length: 006\r\n", "a body", nil},
		{"the same length twice", "Connection: close\r\nContent-Length: 6\r\nContent-Length: 6\r\n", "a body", nil},
	} {
		for _, e := range edges {
			t.Run(tt.name+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				o := e.origin(t, answer(text+"Content-Length: 0\r\n\r\n"))
				method := "GET"
				if tt.body != "" {
					method = "POST"
				}
				c := e.dial(t)
				fmt.Fprintf(c, "%s / HTTP/1.1\r\nHost: %s\r\nCookie: session_gate=%s\r\n%s\r\n%s", method, o.host, e.session.Cookie, tt.fields, tt.body)
				in := bufio.NewReader(c)
				for {
					resp, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					if resp.StatusCode == 100 {
						continue
					}
					if resp.StatusCode != 200 {
						t.Errorf("the answer is %s", resp.Status)
					}
					break
				}
				seen := o.seen()
				if len(seen) != 1 {
					t.Fatalf("the origin got %d requests", len(seen))
				}
				if r := seen[0]; (r.body == "a body") != (tt.body != "") {
					t.Errorf("the origin got %q with the body %q", r.head, r.body)
				}
				for name, value := range tt.gets {
					if got := seen[0].value(name); got != value {
						t.Errorf("the origin got %s: %q, want %q", name, got, value)
					}
				}
				if v := seen[0].values("Via"); len(v) != 1 {
					t.Errorf("the origin got Via: %q", v)
				}
			})
		}
	}
}
