package attack

import (
	"fmt"
	"strings"
	"testing"
)

// smuggled is a request that a server may find at the end of another one's body.
func smuggled(host string) string {
	return "GET /paid/nosession-smuggled HTTP/1.1\r\nHost: " + host + "\r\nSession-Gate-User: forged\r\nSession-Gate-Session: forged\r\nX: y\r\n\r\n"
}

// framings are requests of which two servers may disagree where they end. %s is the
// smuggled request. Each follows the request line, Host and cookie.
func framings(host string) map[string]string {
	inner := smuggled(host)
	size := fmt.Sprint(len(inner))
	chunk := fmt.Sprintf("%x", len(inner))
	ends := "0\r\n\r\n" // of a chunked body, with the smuggled request behind it
	all := map[string]string{
		"CL.TE":                           "Content-Length: " + fmt.Sprint(len(ends)+len(inner)) + "\r\nTransfer-Encoding: chunked\r\n\r\n" + ends + inner,
		"TE.CL":                           "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunk + "\r\n" + inner + "\r\n0\r\n\r\n",
		"two lengths, the short first":    "Content-Length: 0\r\nContent-Length: " + size + "\r\n\r\n" + inner,
		"two lengths, the long first":     "Content-Length: " + size + "\r\nContent-Length: 0\r\n\r\n" + inner,
		"the same length twice":           "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + inner,
		"lengths in a list":               "Content-Length: 0, " + size + "\r\n\r\n" + inner,
		"the same length in a list":       "Content-Length: 0, 0\r\n\r\n" + inner,
		"length with a sign":              "Content-Length: +" + size + "\r\n\r\n" + inner,
		"negative length":                 "Content-Length: -1\r\n\r\n" + inner,
		"length in hexadecimal":           "Content-Length: 0x" + chunk + "\r\n\r\n" + inner,
		"length with a space in it":       "Content-Length: 0 " + size + "\r\n\r\n" + inner,
		"length with an underscore":       "Content-Length: 0_0\r\n\r\n" + inner,
		"empty length":                    "Content-Length: \r\n\r\n" + inner,
		"length beyond 64 bits":           "Content-Length: 18446744073709551616\r\n\r\n" + inner,
		"length behind a tab":             "Content-Length:\t" + size + "\r\n\r\n" + inner,
		"length of another digit":         "Content-Length: \xd9\xa0\r\n\r\n" + inner,
		"Content_Length":                  "Content_Length: " + size + "\r\n\r\n" + inner,
		"Content~Length":                  "Content~Length: " + size + "\r\nContent-Length: 0\r\n\r\n" + inner,
		"space before the colon":          "Content-Length : " + size + "\r\n\r\n" + inner,
		"tab before the colon":            "Transfer-Encoding\t: chunked\r\nContent-Length: 5\r\n\r\n" + ends + inner,
		"Transfer_Encoding":               "Transfer_Encoding: chunked\r\nContent-Length: " + fmt.Sprint(len(ends)+len(inner)) + "\r\n\r\n" + ends + inner,
		"xchunked":                        "Transfer-Encoding: xchunked\r\n\r\n" + ends + inner,
		"chunked behind a vertical tab":   "Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n\r\n" + ends + inner,
		"chunked behind a space":          "Transfer-Encoding:  chunked\r\nContent-Length: 5\r\n\r\n" + ends + inner,
		"chunked in quotes":               "Transfer-Encoding: \"chunked\"\r\n\r\n" + ends + inner,
		"chunked twice":                   "Transfer-Encoding: chunked, chunked\r\n\r\n" + ends + inner,
		"chunked in two lines":            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + ends + inner,
		"chunked, then identity":          "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + ends + inner,
		"identity, then chunked":          "Transfer-Encoding: identity, chunked\r\n\r\n" + ends + inner,
		"gzip, chunked":                   "Transfer-Encoding: gzip, chunked\r\n\r\n" + ends + inner,
		"chunked and a comma":             "Transfer-Encoding: chunked,\r\n\r\n" + ends + inner,
		"a comma and chunked":             "Transfer-Encoding: , chunked\r\n\r\n" + ends + inner,
		"chunked and a semicolon":         "Transfer-Encoding: chunked;q=1\r\n\r\n" + ends + inner,
		"chunked in capitals":             "Transfer-Encoding: CHUNKED\r\n\r\n" + ends + inner,
		"chunked on a folded line":        "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n" + ends + inner,
		"chunked hidden by a folded line": "X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + ends + inner,
		"a folded first line":             " Transfer-Encoding: chunked\r\n\r\n" + ends + inner,
		"chunked with NUL":                "Transfer-Encoding: chunked\x00\r\n\r\n" + ends + inner,
		"a name with NUL":                 "Transfer-\x00Encoding: chunked\r\n\r\n" + ends + inner,
		"a value with NUL":                "X: y\x00\r\nContent-Length: 0\r\n\r\n" + inner,
		"a bare carriage return":          "X: y\rTransfer-Encoding: chunked\r\n\r\n" + ends + inner,
		"bare line feeds":                 "Content-Length: 0\n\n" + inner,
		"a bare line feed in the head":    "X: y\nTransfer-Encoding: chunked\r\n\r\n" + ends + inner,
		"a line without a colon":          "Transfer-Encoding chunked\r\n\r\n" + ends + inner,
		"an empty name":                   ": chunked\r\nContent-Length: 0\r\n\r\n" + inner,
		"chunk extension":                 "Transfer-Encoding: chunked\r\n\r\n0;a=b\r\n\r\n" + inner,
		"chunk extension with a newline":  "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n" + inner,
		"chunk extension in quotes":       "Transfer-Encoding: chunked\r\n\r\n0;a=\"\r\n\r\n" + inner + "\"\r\n\r\n",
		"long chunk extensions":           "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 40) + ends + inner,
		"chunk size with a prefix":        "Transfer-Encoding: chunked\r\n\r\n0x" + chunk + "\r\n" + inner + "\r\n0\r\n\r\n",
		"chunk size with a sign":          "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + inner,
		"chunk size with a space":         "Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n" + inner,
		"chunk size behind a space":       "Transfer-Encoding: chunked\r\n\r\n 0\r\n\r\n" + inner,
		"chunk size beyond 64 bits":       "Transfer-Encoding: chunked\r\n\r\n1" + strings.Repeat("0", 16) + "\r\n" + inner,
		"chunk size with underscore":      "Transfer-Encoding: chunked\r\n\r\n0_0\r\n\r\n" + inner,
		"empty chunk size":                "Transfer-Encoding: chunked\r\n\r\n\r\n" + inner,
		"chunk without its end":           "Transfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n" + inner,
		"chunk longer than its size":      "Transfer-Encoding: chunked\r\n\r\n1\r\naa\r\n0\r\n\r\n" + inner,
		"chunks that end in line feeds":   "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n" + inner,
		"last chunk without an end":       "Transfer-Encoding: chunked\r\n\r\n0\r\n" + inner,
		"trailer that is a request":       "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n" + inner,
		"Expect":                          "Expect: 100-continue\r\nContent-Length: " + size + "\r\n\r\n" + inner,
		"Expect of something else":        "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n" + inner,
		"Expect, obfuscated":              "Expect: y 100-continue\r\nContent-Length: " + size + "\r\n\r\n" + inner,
		"Connection names Content-Length": "Connection: Content-Length\r\nContent-Length: " + size + "\r\n\r\n" + inner,
		"Connection names the rest":       "Connection: Transfer-Encoding, Session-Gate-Session, Host, X-Forwarded-For\r\nTransfer-Encoding: chunked\r\n\r\n" + ends + inner,
		"a second Host":                   "Host: other.example\r\nContent-Length: 0\r\n\r\n" + inner,
		"no body at all":                  "\r\n" + inner,
	}
	return all
}

// TestFraming sends requests whose end is unclear, with another one behind it.
func TestFraming(t *testing.T) {
	type cell struct{ method, host, path, rest string }
	var cells []cell
	for i, o := range kit.Origins {
		for name, rest := range framings(o.Whole()) {
			turn := i + len(name)
			host := []string{o.Whole(), o.Part()}[turn%2]
			path := strings.NewReplacer(" ", "-", ",", "").Replace(name)
			cells = append(cells, cell{[]string{"GET", "POST"}[turn/2%2], host, path, strings.ReplaceAll(rest, o.Whole(), host)})
		}
	}
	for _, session := range []bool{false, true} {
		t.Run(mark(session, "framing"), func(t *testing.T) {
			atOnce(cells, func(c cell) {
				sendBlind(t, fmt.Sprintf("%s /open/%s HTTP/1.1\r\nHost: %s\r\n%s%s", c.method, mark(session, c.path), c.host, cookie(session), c.rest))
			})
			check(t)
		})
	}
	t.Logf("%d cells", 2*len(cells))
}

// TestVersions sends what is not HTTP/1.1, or is so only nearly.
func TestVersions(t *testing.T) {
	var cells []string
	for _, o := range kit.Origins {
		for _, session := range []bool{true, false} {
			at := "/open/" + mark(session, "version")
			head := "\r\nHost: " + o.Whole() + "\r\n" + cookie(session)
			cells = append(cells,
				"GET "+at+" HTTP/1.0"+head+"\r\n"+smuggled(o.Whole()),
				"GET "+at+" HTTP/1.0"+head+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+smuggled(o.Whole()),
				"GET "+at+" HTTP/1.0"+head+"Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"+smuggled(o.Whole()),
				"GET "+at+"\r\n"+smuggled(o.Whole()),
				"GET "+at+" HTTP/0.9"+head+"\r\n"+smuggled(o.Whole()),
				"GET "+at+" HTTP/2.0"+head+"\r\n"+smuggled(o.Whole()),
				"GET "+at+" HTTP/1.1 HTTP/1.1"+head+"\r\n"+smuggled(o.Whole()),
				"GET  "+at+" HTTP/1.1"+head+"\r\n"+smuggled(o.Whole()),
				"GET\t"+at+"\tHTTP/1.1"+head+"\r\n"+smuggled(o.Whole()),
				"\r\n\r\nGET "+at+" HTTP/1.1"+head+"\r\n"+smuggled(o.Whole()),
				"PROXY TCP4 127.0.0.1 127.0.0.1 1 443\r\nGET "+at+" HTTP/1.1"+head+"\r\n",
			)
		}
	}
	cells = append(cells, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x16\x03\x01\x00\x00", "\x00", "\n\n\n\n")
	atOnce(cells, func(sent string) { sendBlind(t, sent) })
	check(t)
}
