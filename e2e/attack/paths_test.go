package attack

import (
	"fmt"
	"strings"
	"testing"
)

// TestPaths asks without a session, in spellings that servers read differently, for what
// is behind the gate.
func TestPaths(t *testing.T) {
	targets := []string{
		"/paid/x", "//paid/x", "/./paid/x", "/open/../paid/x", "/open/..//paid/x", "/open/%2e%2e/paid/x", "/open/%2E./paid/x", "/open/.%2e/paid/x",
		"/open/..%2fpaid/x", "/open%2f..%2fpaid/x", "/open/%2e%2e%2fpaid/x", "/open/..%5cpaid/x", `/open/..\paid/x`, `/open\..\paid\x`, `\paid\x`, `/\paid/x`,
		"/open/..;/paid/x", "/open/;/../paid/x", "/paid;x/y", "/;/paid/x", "/open/x;/../../paid/x", "/%70aid/x", "/p%61id/x", "/PAID/x", "/Paid/x", "/paid%2fx", "/paid/%2e",
		"/paid", "/paid/", "/paid?x", "/paid/?x", "/paid#x", "/paid/x?/open/", "/paid/x#/open/", "/open/x#/../../paid/x", "/open/x?/../../paid/x", "/x/..;/paid/x",
		"/open/x/../../paid/x", "/open/./../paid/x", "/open/%252e%252e/paid/x", "/open/..%252fpaid/x", "/open/%c0%ae%c0%ae/paid/x", "/open/..%c0%afpaid/x",
		"/open/..%00/paid/x", "/paid%00/x", "/paid%20/x", "/paid%0d%0aX:%20y/x", "/paid/x%0d%0aSession-Gate-User:%20forged", "/open/x%20HTTP/1.1%0d%0aSession-Gate-User:%20forged",
		"/paid.", "/paid/.", "/./././paid/x", "/x/../paid/x", "/x/%2e%2e/paid/x", "/x//..//paid/x", "*", "paid/x", "", "?x", "/paid/x HTTP/1.1\r\nX: y", "/open/\x80/../../paid/x",
		"http://HOST/paid/x", "http://HOST//paid/x", "http://HOST/open/../paid/x", "https://HOST/paid/x", "http://HOST:80/paid/x", "http://user:pw@HOST/paid/x",
		"http://HOST@other.example/paid/x", "http://other.example@HOST/paid/x", "http://other.example/paid/x", "http:/paid/x", "http:paid/x", "//HOST/paid/x", "///HOST/paid/x",
		"http://HOST.:80/paid/x", "http://HOST%2f/paid/x", "http://HOST\\@other.example/paid/x", "ftp://HOST/paid/x", "http://[::1]/paid/x", "http:///paid/x", "javascript:paid",
		"/.session-gate/../paid/x", "/.session-gate/session/../../paid/x", "/.session-gate%2f..%2fpaid/x", "/.session-gate/%2e%2e/paid/x",
	}
	type cell struct{ method, target, host, extra string }
	var cells []cell
	for _, o := range kit.Origins {
		for i, target := range targets {
			host := o.Whole()
			if i%2 == 0 {
				host = o.Part()
			}
			for _, h := range []string{host, strings.ToUpper(host), host + "."} {
				cells = append(cells, cell{"GET", strings.ReplaceAll(target, "HOST", h), h, ""})
			}
			cells = append(cells, cell{"POST", strings.ReplaceAll(target, "HOST", host), host, "Content-Length: 0\r\n"})
		}
		// What some servers take for the address.
		for _, header := range []string{
			"X-Original-URL: /paid/x", "X-Rewrite-URL: /paid/x", "X-Forwarded-Host: other.example", "X-Forwarded-Prefix: /paid", "X-Accel-Redirect: /paid/x", "X-HTTP-Method-Override: GET",
			"Forwarded: host=other.example", "X-Original-Host: other.example", "Host: " + o.Part(), "host: " + o.Part(), "Content-Location: /paid/x", "Max-Forwards: 0", "Destination: /paid/x",
		} {
			cells = append(cells, cell{"GET", "/open/x", o.Whole(), header + "\r\n"})
		}
		for _, host := range []string{"", " ", "a b", "..", "/", "127.0.0.1", "localhost", o.Whole() + ":0", o.Whole() + ":99999", o.Whole() + "/../", "@" + o.Whole(), o.Whole() + "@x", o.Whole() + "\x00", "[" + o.Whole() + "]", o.Address} {
			cells = append(cells, cell{"GET", "/paid/x", host, ""})
		}
	}
	atOnce(cells, func(c cell) {
		separator := "?"
		if strings.Contains(c.target, "?") {
			separator = "&"
		}
		target := c.target + separator + "nosession-path"
		if before, after, ok := strings.Cut(c.target, "#"); ok {
			target = before + separator + "nosession-path#" + after
		}
		if c.target == "*" {
			c.method, target = "OPTIONS", "*"
		}
		send(t, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", c.method, target, c.host, c.extra))
	})
	t.Logf("%d cells", len(cells))
	// One that reaches the origins, so that the records say something.
	for _, o := range kit.Origins {
		send(t, "GET /open/nosession-path HTTP/1.1\r\nHost: "+o.Whole()+"\r\nConnection: close\r\n\r\n")
	}
	check(t)
}
