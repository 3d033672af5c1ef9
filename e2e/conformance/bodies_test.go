package conformance

import (
	"fmt"
	"strings"
	"testing"
)

// text is a head that begins an answer with a body that the edge leaves alone.
const text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

// chunkedText is that of one in chunks.
const chunkedText = text + "Transfer-Encoding: chunked\r\n"

// chunks is a body in chunks of this size.
func chunks(body string, size int) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

// TestBodies: what the origin sends is what the client gets, however it is framed.
func TestBodies(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	run(t, []exchange{
		{name: "length", script: answer(text + "Content-Length: 5\r\n\r\nhello"), want: want{status: 200, body: "hello", header: map[string]string{"Content-Length": "5", "Content-Type": "text/plain"}}},
		{name: "length of zero", script: answer(text + "Content-Length: 0\r\n\r\n"), want: want{status: 200, header: map[string]string{"Content-Length": "0"}}},
		{name: "long length", script: answer(text + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(long)) + long), want: ok(long)},
		{name: "length with leading zeros", script: answer(text + "Content-Length: 005\r\n\r\nhello"), want: ok("hello")},
		{name: "length with spaces around", script: answer(text + "Content-Length: \t 5 \t\r\n\r\nhello"), want: ok("hello")},
		{name: "name in lower case", script: answer("HTTP/1.1 200 OK\r\ncontent-type:text/plain\r\ncontent-length:5\r\n\r\nhello"), want: want{status: 200, body: "hello", header: map[string]string{"Content-Type": "text/plain", "Content-Length": "5"}}},

		{name: "chunked", script: answer(chunkedText + "\r\n5\r\nhello\r\n0\r\n\r\n"), want: want{status: 200, body: "hello", header: map[string]string{"Transfer-Encoding": ""}}},
		{name: "chunked, empty", script: answer(chunkedText + "\r\n0\r\n\r\n"), want: ok("")},
		{name: "chunked in capitals", script: answer(text + "TRANSFER-ENCODING: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), want: ok("hello")},
		{name: "chunk extensions", script: answer(chunkedText + "\r\n2;a\r\nhe\r\n2;a=b;c=\"d;e\"\r\nll\r\n1; a=b\r\no\r\n0;end\r\n\r\n"), want: ok("hello")},
		{name: "chunk sizes in capitals", script: answer(chunkedText + "\r\n0A\r\n0123456789\r\nB\r\n0123456789a\r\n000\r\n\r\n"), want: ok("01234567890123456789a")},
		{name: "large chunks", script: answer(chunkedText + "\r\n" + chunks(long, 300_000)), want: ok(long)},
		{name: "very small chunks", script: answer(chunkedText + "\r\n" + chunks(long[:20_000], 1)), want: ok(long[:20_000])},
		{name: "chunks of a buffer's size", script: answer(chunkedText + "\r\n" + chunks(long, 4096)), want: ok(long)},

		{name: "until the end of the connection", script: closing(text + "\r\nhello"), want: ok("hello")},
		{name: "until the end, announced", script: closing(text + "Connection: close\r\n\r\nhello"), want: want{status: 200, body: "hello", header: map[string]string{"Connection": ""}}},
		{name: "until the end, empty", script: closing(text + "\r\n"), want: ok("")},
		{name: "until the end, long", script: closing(text + "\r\n" + long), want: ok(long)},
		{name: "length and an announced end", script: closing(text + "Connection: close\r\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "chunked and an announced end", script: closing(chunkedText + "Connection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), want: ok("hello")},

		{name: "HTTP/1.0", script: closing("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"), want: ok("hello")},
		{name: "HTTP/1.0 with a length", script: closing("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "HTTP/1.0, kept", script: answer("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},

		{name: "trailer, announced", script: answer(chunkedText + "Trailer: X-Sum, X-Other\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\nX-Other: def\r\n\r\n"),
			want: want{status: 200, body: "hello", trailer: map[string]string{"X-Sum": "abc", "X-Other": "def"}}},
		{name: "trailer, not announced", script: answer(chunkedText + "\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n"), want: want{status: 200, body: "hello", trailer: map[string]string{"X-Sum": "abc"}}},
		{name: "trailer, announced and missing", script: answer(chunkedText + "Trailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), want: want{status: 200, body: "hello", trailer: map[string]string{"X-Sum": ""}}},
		{name: "trailer of an empty body", script: answer(chunkedText + "Trailer: X-Sum\r\n\r\n0\r\nX-Sum: abc\r\n\r\n"), want: want{status: 200, trailer: map[string]string{"X-Sum": "abc"}}},
		{name: "trailer twice", script: answer(chunkedText + "Trailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\nX-Sum: def\r\n\r\n"), want: want{status: 200, body: "hello", trailer: map[string]string{"X-Sum": "abc|def"}}},
		{name: "trailer that is framing", script: answer(chunkedText + "\r\n5\r\nhello\r\n0\r\nContent-Length: 3\r\nX-Sum: abc\r\n\r\n"),
			want: ok("hello"), strict: strictly(want{status: 200, body: "hello", trailer: map[string]string{"Content-Length": ""}, mayBreak: true})},
		{name: "trailer that sets the gate's cookie", script: answer(chunkedText + "Trailer: Set-Cookie\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: session_gate=x\r\n\r\n"),
			want: ok("hello"), strict: strictly(want{status: 200, body: "hello", trailer: map[string]string{"Set-Cookie": ""}, mayBreak: true})},
	})
}

// TestAnswersWithoutBody: no body, whatever the header says, and what follows on the
// connection is not taken for one.
func TestAnswersWithoutBody(t *testing.T) {
	head := call{method: "HEAD"}
	length := func(n string) map[string]string { return map[string]string{"Content-Length": n} }
	run(t, []exchange{
		{name: "HEAD with a length", call: head, script: answer(text + "Content-Length: 5\r\n\r\n"), want: want{status: 200, header: length("5")}},
		{name: "HEAD with a long length", call: head, script: answer(text + "Content-Length: 123456789012\r\n\r\n"), want: want{status: 200, header: length("123456789012")}},
		{name: "HEAD without a length", call: head, script: answer(text + "\r\n"), want: ok("")},
		{name: "HEAD, chunked", call: head, script: answer(chunkedText + "\r\n"), want: ok("")},
		{name: "HEAD with a body", call: head, script: answer(text + "Content-Length: 5\r\n\r\nhello"), want: ok("")},
		{name: "HEAD with an error", call: head, script: answer("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"), want: want{status: 404, header: length("9")}},
		{name: "204", script: answer("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"), want: want{status: 204, header: map[string]string{"X-A": "b"}}},
		{name: "204 with a length of zero", script: answer("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), want: bad(204)},
		{name: "204 with a length", script: answer("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), want: bad(204), strict: strictly(want{status: 204, header: length("")})},
		{name: "204 with a body", script: answer("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), want: bad(204), strict: strictly(want{status: 204, header: length("")})},
		{name: "204, chunked", script: answer("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), want: bad(204)},
		{name: "205", script: answer("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"), want: bad(205)},
		{name: "205, chunked and empty", script: answer("HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), want: bad(205)},
		{name: "304", script: answer("HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\n\r\n"), want: want{status: 304, header: map[string]string{"Etag": `"a"`}}},
		{name: "304 with a length", script: answer("HTTP/1.1 304 Not Modified\r\nEtag: \"a\"\r\nContent-Length: 100\r\n\r\n"), want: bad(304)},
		{name: "304, chunked", script: answer("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"), want: bad(304)},
		{name: "304 with a body", script: answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"), want: bad(304)},
		{name: "redirect", script: answer("HTTP/1.1 302 Found\r\nLocation: /there?x=%20y\r\nContent-Length: 0\r\n\r\n"), want: want{status: 302, header: map[string]string{"Location": "/there?x=%20y"}}},
	})
}

// TestHeads: fields and statuses arrive as they were sent.
func TestHeads(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "X-Field-%d: %d\r\n", i, i)
		}
		return b.String()
	}
	mib := strings.Repeat("m", 1<<20)
	run(t, []exchange{
		{name: "cookies", script: answer(text + "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2, c\r\nContent-Length: 0\r\nSet-Cookie: a=3\r\n\r\n"), want: want{status: 200, header: map[string]string{"Set-Cookie": "a=1; Path=/|b=2, c|a=3"}}},
		{name: "the gate's cookies", script: answer(text + "Set-Cookie: session_gate=x; Path=/\r\nSet-Cookie: b=2\r\nSet-Cookie: __Host-session_gate=\r\nContent-Length: 0\r\n\r\n"), want: want{status: 200, header: map[string]string{"Set-Cookie": "b=2"}}},
		{name: "repeated fields", script: answer(text + "X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-A:\r\nContent-Length: 0\r\n\r\n"), want: want{status: 200, header: map[string]string{"X-A": "1|3|", "X-B": "2"}}},
		{name: "values with odd characters", script: answer(text + "X-A: \xe4\xf6 \"q\\\"\t;,=:\r\nContent-Length: 0\r\n\r\n"), want: want{status: 200, header: map[string]string{"X-A": "\xe4\xf6 \"q\\\"\t;,=:"}}},
		{name: "names with odd characters", script: answer(text + "X_A!#$%&'*+.^`|~1: b\r\nContent-Length: 0\r\n\r\n"), want: want{status: 200, header: map[string]string{"X_a!#$%&'*+.^`|~1": "b"}}},
		{name: "date and server", script: answer(text + "Date: Mon, 02 Jan 2006 15:04:05 GMT\r\nServer: x/1\r\nContent-Length: 0\r\n\r\n"), want: want{status: 200, header: map[string]string{"Date": "Mon, 02 Jan 2006 15:04:05 GMT", "Server": "x/1"}}},
		{name: "no reason", script: answer("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "an empty reason", script: answer("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "a long reason", script: answer("HTTP/1.1 404 " + strings.Repeat("why ", 500) + "\r\nContent-Length: 5\r\n\r\nhello"), want: want{status: 404, body: "hello"}},
		{name: "status 299", script: answer("HTTP/1.1 299 Odd\r\nContent-Length: 5\r\n\r\nhello"), want: want{status: 299, body: "hello"}},
		{name: "status 599", script: answer("HTTP/1.1 599 Odd\r\nContent-Length: 5\r\n\r\nhello"), want: want{status: 599, body: "hello"}},
		{name: "502 of the origin's own", script: answer("HTTP/1.1 502 Bad\r\nContent-Length: 5\r\n\r\nhello"), want: want{status: 502, body: "hello"}},
		{name: "fields of one connection", script: answer(text + "Connection: X-Hop, x-other\r\nX-Hop: a\r\nX-Other: b\r\nX-Kept: c\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authenticate: Basic\r\nTe: trailers\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"),
			want: want{status: 200, header: map[string]string{"Connection": "", "X-Hop": "", "X-Other": "", "X-Kept": "c", "Keep-Alive": "", "Proxy-Connection": "", "Te": "", "Upgrade": ""}}},
		{name: "Connection names the length", script: answer(text + "Connection: content-length\r\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "Connection names the coding", script: answer(chunkedText + "Connection: transfer-encoding\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), want: ok("hello")},
		{name: "Connection names the type and cookies", script: answer(text + "Connection: content-type, set-cookie\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "a field of 1 MiB", script: answer(text + "X-Long: " + mib + "\r\nContent-Length: 5\r\n\r\nhello"), want: want{status: 200, body: "hello", header: map[string]string{"X-Long": mib}}, strict: strictly(bad(502)), only: http20},
		{name: "a field of 200 KB", script: answer(text + "X-Long: " + mib[:200_000] + "\r\nContent-Length: 5\r\n\r\nhello"), want: want{status: 200, body: "hello", header: map[string]string{"X-Long": mib[:200_000]}}},
		{name: "2,000 fields", script: answer(text + many(2000) + "Content-Length: 5\r\n\r\nhello"), want: want{status: 200, body: "hello", header: map[string]string{"X-Field-1999": "1999"}}},
		{name: "50,000 fields", script: answer(text + many(50_000) + "Content-Length: 5\r\n\r\nhello"), want: want{status: 200, body: "hello", header: map[string]string{"X-Field-49999": "49999"}}, only: http11, strict: strictly(bad(502))},
	})
}
