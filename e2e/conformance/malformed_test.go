package conformance

import (
	"strings"
	"testing"
)

// next is an answer that some server may find behind another one.
const next = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nsmuggled"

// TestChunks: of a body whose chunks are malformed, the client gets no more than what
// stands before the fault, and learns that it is not whole.
func TestChunks(t *testing.T) {
	const trailing = chunkedText + "\r\n5\r\nhello\r\n0\r\n"
	all := []exchange{}
	for name, body := range map[string]string{
		"negative size":            "-5\r\nhello\r\n0\r\n\r\n",
		"size with a plus":         "+5\r\nhello\r\n0\r\n\r\n",
		"17 digits":                "10000000000000005\r\nhello\r\n0\r\n\r\n",
		"17 digits with zeros":     "00000000000000005\r\nhello\r\n0\r\n\r\n",
		"16 digits of f":           "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
		"size beyond 63 bits":      "8000000000000000\r\nhello\r\n0\r\n\r\n",
		"hexadecimal prefix":       "0x5\r\nhello\r\n0\r\n\r\n",
		"underscore":               "0_5\r\nhello\r\n0\r\n\r\n",
		"no digits":                "\r\nhello\r\n0\r\n\r\n",
		"no digits, an extension":  ";a=b\r\nhello\r\n0\r\n\r\n",
		"no hexadecimal digit":     "g\r\nhello\r\n0\r\n\r\n",
		"a word":                   "five\r\nhello\r\n0\r\n\r\n",
		"a comma":                  "5,5\r\nhello\r\n0\r\n\r\n",
		"a digit of another kind":  "\xd9\xa5\r\nhello\r\n0\r\n\r\n",
		"NUL":                      "5\x00\r\nhello\r\n0\r\n\r\n",
		"space before":             " 5\r\nhello\r\n0\r\n\r\n",
		"space within":             "0 5\r\nhello\r\n0\r\n\r\n",
		"space before extension":   "5 ;a=b\r\nhello\r\n0\r\n\r\n",
		"no end of a chunk":        "5\r\nhello0\r\n\r\n",
		"a longer chunk":           "5\r\nhello!\r\n0\r\n\r\n",
		"carriage return at end":   "5\r\nhello\r0\r\n\r\n",
		"a line as long as 64 KiB": "5;" + strings.Repeat("a", 64<<10) + "\r\nhello\r\n0\r\n\r\n",
		"nothing at all":           "",
		"half a size":              "5",
		"half a chunk":             "5\r\nhel",
		"a chunk without its end":  "5\r\nhello",
		"no last chunk":            "5\r\nhello\r\n",
		"half a last chunk":        "5\r\nhello\r\n0",
		"a last chunk, no end":     "5\r\nhello\r\n0\r\n",
		"half a trailer":           "5\r\nhello\r\n0\r\nX-A: b",
		"a trailer without an end": "5\r\nhello\r\n0\r\nX-A: b\r\n",
	} {
		all = append(all, exchange{name: name, script: closing(chunkedText + "\r\n" + body), want: broken("hello\r\n0\r\n\r\n")})
	}
	for name, body := range map[string]string{
		"trailer without a colon":  "X-A b\r\n",
		"trailer without a name":   ": b\r\n",
		"folded first trailer":     " X-A: b\r\n",
		"NUL in a trailer":         "X-A: b\x00c\r\n",
		"a carriage return in one": "X-A: b\rX-B: c\r\n",
	} {
		all = append(all, exchange{name: name, script: closing(trailing + body + "\r\n"), want: broken("hello")})
	}
	all = append(all,
		exchange{name: "folded trailer", script: closing(trailing + "X-A: b\r\n c\r\n\r\n"), want: want{status: 200, body: "hello", trailer: map[string]string{"X-A": "b c"}}, strict: strictly(broken("hello"))},
		// reverse_proxy hands such names on, whereupon streams of HTTP/2 do not end.
		exchange{name: "trailer with a space in it", script: closing(trailing + "X A: b\r\n\r\n"), want: broken("hello"), own: true},
		exchange{name: "trailer with a space behind it", script: closing(trailing + "X-A : b\r\n\r\n"), want: broken("hello"), own: true},
		exchange{name: "endless trailer", script: endless(trailing+"X-A: ", "aaaaaaaa"), want: broken("hello"), only: http11},
		exchange{name: "endless trailers", script: endless(trailing, "X-A: b\r\n"), want: broken("hello"), only: http11},
		exchange{name: "endless extension", script: endless(chunkedText+"\r\n5;", "aaaaaaaa"), want: broken(""), only: http11},
		exchange{name: "endless extensions", script: endless(chunkedText+"\r\n", "1;"+strings.Repeat("a", 2000)+"\r\nx\r\n"), want: broken(strings.Repeat("x", 1<<20)), only: http11},
		exchange{name: "endless zeros", script: endless(chunkedText+"\r\n", "00000000"), want: broken(""), only: http11},
	)
	run(t, all)
}

// TestLineFeeds: lines that end in a line feed alone are lines to some, and not to others.
func TestLineFeeds(t *testing.T) {
	run(t, []exchange{
		{name: "head", script: answer("HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 5\n\nhello"), want: ok("hello")},
		{name: "one line of the head", script: answer(text + "X-A: b\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "end of the head", script: answer(text + "Content-Length: 5\r\n\nhello"), want: ok("hello")},
		{name: "status line", script: answer("HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello"), want: ok("hello")},
		{name: "chunk size", script: closing(chunkedText + "\r\n5\nhello\r\n0\r\n\r\n"), want: broken("hello")},
		{name: "end of a chunk", script: closing(chunkedText + "\r\n5\r\nhello\n0\r\n\r\n"), want: broken("hello")},
		{name: "last chunk", script: closing(chunkedText + "\r\n5\r\nhello\r\n0\n\r\n"), want: broken("hello")},
		{name: "end of the body", script: closing(chunkedText + "\r\n5\r\nhello\r\n0\r\n\n"), want: broken("hello")},
		{name: "trailer", script: closing(chunkedText + "\r\n5\r\nhello\r\n0\r\nX-A: b\n\r\n"), want: broken("hello")},
		{name: "in an extension", script: closing(chunkedText + "\r\n5;a\nhello\r\n0\r\n\r\n"), want: broken("hello")},
	})
}

// TestFraming: an answer of which two readers may disagree where it ends is no answer.
func TestFraming(t *testing.T) {
	const hello, chunked = "hello", "5\r\nhello\r\n0\r\n\r\n"
	all := []exchange{
		{name: "a length twice", script: closing(text + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n" + hello), want: ok("hello")},
	}
	for name, rest := range map[string]string{
		"two lengths":                   "Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + hello + "!",
		"two lengths, the longer last":  "Content-Length: 5\r\nContent-Length: 99\r\n\r\n" + hello + next,
		"a list of lengths":             "Content-Length: 5, 6\r\n\r\n" + hello,
		"a list of one length":          "Content-Length: 5, 5\r\n\r\n" + hello,
		"length with a plus":            "Content-Length: +5\r\n\r\n" + hello,
		"negative length":               "Content-Length: -5\r\n\r\n" + hello,
		"hexadecimal length":            "Content-Length: 0x5\r\n\r\n" + hello,
		"length with an underscore":     "Content-Length: 0_5\r\n\r\n" + hello,
		"length with a space in it":     "Content-Length: 5 5\r\n\r\n" + hello,
		"length with a fraction":        "Content-Length: 5.0\r\n\r\n" + hello,
		"length beyond 63 bits":         "Content-Length: 9223372036854775813\r\n\r\n" + hello,
		"length beyond 64 bits":         "Content-Length: 18446744073709551621\r\n\r\n" + hello,
		"length that is a word":         "Content-Length: five\r\n\r\n" + hello,
		"length of another digit":       "Content-Length: \xd9\xa5\r\n\r\n" + hello,
		"length behind NUL":             "Content-Length: \x005\r\n\r\n" + hello,
		"xchunked":                      "Transfer-Encoding: xchunked\r\n\r\n" + chunked,
		"chunked twice":                 "Transfer-Encoding: chunked, chunked\r\n\r\n" + chunked,
		"chunked in two fields":         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
		"gzip, chunked":                 "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked,
		"chunked, gzip":                 "Transfer-Encoding: chunked, gzip\r\n\r\n" + chunked,
		"gzip":                          "Transfer-Encoding: gzip\r\n\r\n" + hello,
		"identity":                      "Transfer-Encoding: identity\r\n\r\n" + hello,
		"identity, chunked":             "Transfer-Encoding: identity, chunked\r\n\r\n" + chunked,
		"chunked with a parameter":      "Transfer-Encoding: chunked;q=1\r\n\r\n" + chunked,
		"chunked in quotes":             "Transfer-Encoding: \"chunked\"\r\n\r\n" + chunked,
		"chunked behind a comma":        "Transfer-Encoding: , chunked\r\n\r\n" + chunked,
		"chunked and a comma":           "Transfer-Encoding: chunked,\r\n\r\n" + chunked,
		"chunked behind vertical tab":   "Transfer-Encoding: \x0bchunked\r\n\r\n" + chunked,
		"chunked before NUL":            "Transfer-Encoding: chunked\x00\r\n\r\n" + chunked,
		"empty coding":                  "Transfer-Encoding: \r\n\r\n" + hello,
		"coding and a malformed length": "Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n" + chunked,
		"empty length":                  "Content-Length: \r\n\r\n" + hello,
		"two codings in fields":         "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
	} {
		all = append(all, exchange{name: name, script: closing(text + rest), want: bad(502)})
	}
	// Go's client takes these: the length does not count beside a coding.
	for name, rest := range map[string]string{
		"length and coding":                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
		"coding and length":                "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunked,
		"coding and the length of nothing": "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + chunked,
	} {
		all = append(all, exchange{name: name, script: closing(text + rest), want: ok("hello"), strict: strictly(bad(502))})
	}
	all = append(all,
		// The coding does not exist in HTTP/1.0, and those that read it there read another body.
		exchange{name: "coding in HTTP/1.0", script: closing("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked), want: ok(chunked), strict: strictly(bad(502))},
		exchange{name: "coding and length in HTTP/1.0", script: closing("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + chunked), want: ok(chunked[:5]), strict: strictly(bad(502))},
		exchange{name: "shorter than its length", script: closing(text + "Content-Length: 6\r\n\r\nhello"), want: broken("hello")},
		exchange{name: "nothing of its length", script: closing(text + "Content-Length: 6\r\n\r\n"), want: broken("")},
	)
	run(t, all)
}

// TestMalformedHeads: what is no head of HTTP/1.1 is no answer.
func TestMalformedHeads(t *testing.T) {
	const rest = "Content-Length: 5\r\n\r\nhello"
	all := []exchange{}
	for name, answer := range map[string]string{
		"nothing":                     "",
		"an empty line":               "\r\n",
		"garbage":                     "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a word":                      "hello",
		"a line":                      "hello\r\n\r\n",
		"a page without a head":       "<!doctype html><p>hello</p>\r\n\r\n",
		"a request":                   "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"half a status line":          "HTTP/1.1 20",
		"half a head":                 "HTTP/1.1 200 OK\r\nContent-Le",
		"a head without its end":      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
		"status 99":                   "HTTP/1.1 99 Odd\r\n" + rest,
		"status 1000":                 "HTTP/1.1 1000 Odd\r\n" + rest,
		"status 0200":                 "HTTP/1.1 0200 OK\r\n" + rest,
		"status 20x":                  "HTTP/1.1 20x OK\r\n" + rest,
		"status -20":                  "HTTP/1.1 -20 OK\r\n" + rest,
		"no status":                   "HTTP/1.1 OK\r\n" + rest,
		"no status at all":            "HTTP/1.1\r\n" + rest,
		"a tab before the status":     "HTTP/1.1\t200 OK\r\n" + rest,
		"http in lower case":          "http/1.1 200 OK\r\n" + rest,
		"HTTP/1":                      "HTTP/1 200 OK\r\n" + rest,
		"HTTP/1.10":                   "HTTP/1.10 200 OK\r\n" + rest,
		"HTTP/11.1":                   "HTTP/11.1 200 OK\r\n" + rest,
		"HTTP/x":                      "HTTP/x 200 OK\r\n" + rest,
		"ICY":                         "ICY 200 OK\r\n" + rest,
		"a space before the version":  " HTTP/1.1 200 OK\r\n" + rest,
		"a byte order mark":           "\xef\xbb\xbfHTTP/1.1 200 OK\r\n" + rest,
		"no colon":                    "HTTP/1.1 200 OK\r\nX-A b\r\n" + rest,
		"no name":                     "HTTP/1.1 200 OK\r\n: b\r\n" + rest,
		"a name in quotes":            "HTTP/1.1 200 OK\r\n\"X-A\": b\r\n" + rest,
		"a name with NUL":             "HTTP/1.1 200 OK\r\nX\x00A: b\r\n" + rest,
		"a name beyond ASCII":         "HTTP/1.1 200 OK\r\nX-\xc3\xa4: b\r\n" + rest,
		"a value with NUL":            "HTTP/1.1 200 OK\r\nX-A: b\x00c\r\n" + rest,
		"a value with a control":      "HTTP/1.1 200 OK\r\nX-A: b\x01c\r\n" + rest,
		"a value with DEL":            "HTTP/1.1 200 OK\r\nX-A: b\x7fc\r\n" + rest,
		"a value with an escape":      "HTTP/1.1 200 OK\r\nX-A: b\x1b[0m\r\n" + rest,
		"carriage return in a value":  "HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\r\n" + rest,
		"carriage returns at its end": "HTTP/1.1 200 OK\r\nX-A: b\r\r\n" + rest,
		"a folded first line":         "HTTP/1.1 200 OK\r\n X-A: b\r\n" + rest,
	} {
		all = append(all, exchange{name: name, script: closing(answer), want: bad(502)})
	}
	all = append(all,
		// Go's client takes these.
		exchange{name: "HTTP/2.0", script: closing("HTTP/2.0 200 OK\r\n" + rest), want: ok("hello"), strict: strictly(bad(502))},
		exchange{name: "HTTP/0.9", script: closing("HTTP/0.9 200 OK\r\n" + rest), want: ok("hello"), strict: strictly(bad(502))},
		exchange{name: "HTTP/1.2", script: closing("HTTP/1.2 200 OK\r\n" + rest), want: ok("hello"), strict: strictly(bad(502))},
		exchange{name: "two spaces before the status", script: closing("HTTP/1.1  200 OK\r\n" + rest), want: ok("hello"), strict: strictly(bad(502))},
		exchange{name: "carriage return alone", script: closing("HTTP/1.1 200 OK\rX-A: b\r\n" + rest), want: ok("hello"), strict: strictly(bad(502))},
		exchange{name: "an empty line before", script: closing("\r\nHTTP/1.1 200 OK\r\n" + rest), want: bad(502)},
		// And these, of which its server then makes half an answer, or none.
		exchange{name: "status 099", script: closing("HTTP/1.1 099 Odd\r\n" + rest), want: broken(""), strict: strictly(bad(502))},
		exchange{name: "status 000", script: closing("HTTP/1.1 000 Odd\r\n" + rest), want: broken(""), strict: strictly(bad(502))},
		exchange{name: "status +20", script: closing("HTTP/1.1 +20 OK\r\n" + rest), want: broken(""), strict: strictly(bad(502))},
		exchange{name: "a space before the colon", script: closing("HTTP/1.1 200 OK\r\nX-A : b\r\n" + rest), want: bad(502), own: true},
		exchange{name: "a tab before the colon", script: closing("HTTP/1.1 200 OK\r\nX-A\t: b\r\n" + rest), want: bad(502)},
		exchange{name: "a space before the length's colon", script: closing("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello"), want: bad(502), own: true},
		exchange{name: "a space in a name", script: closing("HTTP/1.1 200 OK\r\nX A: b\r\n" + rest), want: bad(502), own: true},
		exchange{name: "an endless line", script: endless("", "aaaaaaaa"), want: bad(502), only: http11},
		exchange{name: "an endless status line", script: endless("HTTP/1.1 200 ", "aaaaaaaa"), want: bad(502), only: http11},
		exchange{name: "an endless name", script: endless("HTTP/1.1 200 OK\r\n", "aaaaaaaa"), want: bad(502), only: http11},
		exchange{name: "an endless value", script: endless("HTTP/1.1 200 OK\r\nX-A: ", "aaaaaaaa"), want: bad(502), only: http11},
		exchange{name: "endless fields", script: endless("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), want: bad(502), only: http11},
		exchange{name: "endless empty lines", script: endless("", "\r\n"), want: bad(502), only: http11},
		exchange{name: "a folded value", script: closing("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n" + rest), want: want{status: 200, body: "hello", header: map[string]string{"X-A": "b c"}}, strict: strictly(bad(502))},
		exchange{name: "a folded length", script: closing("HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello"), want: ok("hello"), strict: strictly(bad(502))},
		exchange{name: "a folded coding", script: closing("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), want: ok("hello"), strict: strictly(bad(502))},
	)
	run(t, all)
}
