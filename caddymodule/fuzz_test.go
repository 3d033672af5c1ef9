package caddymodule

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// FuzzLaunchTokens: what looks like a token leaves the query, and nothing else
// of it changes.
func FuzzLaunchTokens(f *testing.F) {
	for _, q := range []string{"", "session=eyJa.b.c", "a=1&session=eyJ&b", "%73ession=eyJ&%zz=1", "session=1", "&&session=eyJ&="} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		tokens, rest := launchTokens(query)
		for _, tok := range tokens {
			if !isOurs(tok) {
				t.Errorf("took %q for a token", tok)
			}
		}
		if len(tokens) == 0 && rest != query {
			t.Errorf("%q became %q without a token in it", query, rest)
		}
		if again, _ := launchTokens(rest); len(again) > 0 {
			t.Errorf("%q still holds %q", rest, again)
		}
		for _, v := range mustQuery(rest)[protocol.LaunchParam] {
			if isOurs(v) {
				t.Errorf("the origin would read the token %q from %q", v, rest)
			}
		}
	})
}

func mustQuery(raw string) url.Values {
	v, _ := url.ParseQuery(raw) // what an origin makes of it, errors skipped
	return v
}

// FuzzCookies: the gate's cookies never reach the origin, others are kept.
func FuzzCookies(f *testing.F) {
	for _, c := range []string{"", "a=1; session_gate=tok", "session_gate", ";;=;session_gate=x;b", " __Host-session_gate =x"} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		stripCookies(h)
		r := http.Request{Header: h}
		for _, c := range r.Cookies() {
			if isGateCookie(c.Name) {
				t.Errorf("%q leaves %q", line, h["Cookie"])
			}
		}
		eachCookie(http.Header{"Cookie": {line}}, plainCookie, func(v string) bool {
			if v == "" || strings.ContainsAny(v, ";") {
				t.Errorf("%q yields the value %q", line, v)
			}
			return true
		})
	})
}
