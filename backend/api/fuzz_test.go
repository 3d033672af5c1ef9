package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// FuzzForwardedFor: without trusted proxies, the address is the connection's, whatever
// the header says; with one, it is an address or the proxy's.
func FuzzForwardedFor(f *testing.F) {
	for _, h := range []string{"", "192.0.2.1", "a, 192.0.2.1:80", `"[2001:db8::1]:1", 10.0.0.1`, "10.0.0.1, 10.0.0.2", ",,,", "\x00", "[::1", "::ffff:10.0.0.1%eth0"} {
		f.Add(h, "203.0.113.9:1")
		f.Add(h, "10.0.0.9:1")
	}
	f.Fuzz(func(t *testing.T, header, remote string) {
		r := httptest.NewRequest(http.MethodGet, "http://x/", nil)
		r.RemoteAddr = remote
		plain := new(api).addressOf(r)
		r.Header["X-Forwarded-For"] = []string{header}
		if got := new(api).addressOf(r); got != plain {
			t.Errorf("%q from %q is believed: %q", header, remote, got)
		}
		trusting := &api{Options: Options{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
		got := trusting.addressOf(r)
		if got != plain {
			if a, err := netip.ParseAddr(got); err != nil || a.Zone() != "" || !trusting.trusts(plain) {
				t.Errorf("%q from %q is %q", header, remote, got)
			}
		}
	})
}

// FuzzBodies: the bodies that edges and pages send are decoded or refused, and a refusal
// quotes no value.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"events":[{"name":"a","at":1,"props":{"a":"b"}}]}`, `{"edge_id":"e","beats":[{"id":"s","at":1}],"pages":[{}]}`, `{"ids":["a"]}`,
		`{"token":"secret-value","redemption_id":1}`, `[]`, `{`, `{"beats":null}{}`, `{"beats":[{"at":1e400}]}`, "\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, into := range []any{new(protocol.HeartbeatsRequest), new(protocol.EventsRequest), new(protocol.LaunchRequest), new(protocol.StatesRequest), new(protocol.ExtendRequest)} {
			p := decodeStrictly(body, into)
			if p == nil {
				if _, err := json.Marshal(into); err != nil {
					t.Errorf("%q: %v", body, err)
				}
				continue
			}
			if p.Status < 400 || p.Code != protocol.InvalidRequest || strings.Contains(string(p.JSON()), "secret-value") {
				t.Errorf("%q: %s", body, p.JSON())
			}
		}
	})
}

// FuzzQuery: a query is understood or refused, and a cursor is one that we made.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "limit=1&limit=2", "%zz", "cursor=MSBh", "a;b", "nonce=1", strings.Repeat("a&", 100)} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if p := refusedQuery(query, []string{"limit", "cursor"}, "nonce"); p != nil && len(p.JSON()) > 8<<10 {
			t.Errorf("%q is refused with %d bytes", query, len(p.JSON()))
		}
		if at, id, err := parseCursor(query); err == nil {
			if again, same, err := parseCursor(cursorOf(at, id)); err != nil || again != at || same != id {
				t.Errorf("%q is %d %q, and that %d %q, %v", query, at, id, again, same, err)
			}
		}
		if goodRequestID(query) && url.QueryEscape(query) != query {
			t.Errorf("%q is accepted as a request id", query)
		}
	})
}

// FuzzReturnPath: where a browser goes after a sign-in is a path of this service.
func FuzzReturnPath(f *testing.F) {
	for _, to := range []string{"/dashboard/", "//evil.example", `/\evil`, "https://evil.example", "/a\tb", "/%0d%0a", "/?a#b", "/@evil.example"} {
		f.Add(to)
	}
	site := &url.URL{Scheme: "https", Host: "api.example", Path: "/auth/"}
	f.Fuzz(func(t *testing.T, to string) {
		u, err := site.Parse(localPath(to))
		if err != nil || u.Host != "api.example" || u.Scheme != "https" {
			t.Errorf("%q leads to %v, %v", to, u, err)
		}
	})
}

// FuzzCells: no cell of a CSV begins as a formula does.
func FuzzCells(f *testing.F) {
	for _, text := range []string{"", "=1+1", " =1", "\u200b=1", "\uff1d1", "a=1", "\t", "-1", "'=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := cells(sessionRow{ID: text}, 1)[0]
		if trimmed := strings.TrimLeft(got, " \t\r\n"); trimmed != "" && strings.ContainsRune("=+-@", rune(trimmed[0])) {
			t.Errorf("%q becomes %q", text, got)
		}
		if got != text && got != "'"+text {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}
