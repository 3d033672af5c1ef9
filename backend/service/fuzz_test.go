package service

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/limits"
)

// FuzzReturnURL: a user returns to a registered host only, as browsers read the URL.
func FuzzReturnURL(f *testing.F) {
	for _, raw := range []string{
		"https://market.example/done", "https://market.example:8443/", "https://evil.example@market.example/", "https://market.example.evil.example/",
		`https://market.example\@evil.example/`, "https:market.example", "//market.example", "https://MARKET.example./", "https://xn--market-.example/", "javascript://market.example/%0a(1)",
	} {
		f.Add(raw)
	}
	hosts := []string{"market.example", "127.0.0.1:8080"}
	f.Fuzz(func(t *testing.T, raw string) {
		isPage(raw)
		isOrigin(raw)
		if !returnAllowed(raw, hosts) {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
			t.Fatalf("%q is allowed", raw)
		}
		host, err := normalizeDomain(u.Hostname())
		if err != nil || host != "market.example" && host+":"+u.Port() != "127.0.0.1:8080" {
			t.Errorf("%q is allowed", raw)
		}
	})
}

// FuzzAttempt: the cookie of a sign-in on its way, which its browser can change, is read
// or refused.
func FuzzAttempt(f *testing.F) {
	good, err := attempt{State: "ABCDEFGH", Nonce: "n", Verifier: "v", To: "/"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", good, good[:8], "e30", "!!", "ABCDEFGHIJ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		at, ok := decodeAttempt(encoded)
		if ok && (at.State == "" || at.Nonce == "" || at.Verifier == "") {
			t.Errorf("%q is an attempt", encoded)
		}
		if name := AttemptName(encoded); name != "" && (len(name) != 8 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "") {
			t.Errorf("%q is named %q", encoded, name)
		}
	})
}

// FuzzLimits: a limit is set or refused, and every limit stays in its range.
func FuzzLimits(f *testing.F) {
	for _, s := range []string{"", "reads=1", "reads=-1", " reads = 7 ", "reads=0", "reads=99999999999999999999", "=", "key_rate=1=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var l Limits
		err := l.Set(text)
		changed := 0
		for _, x := range l.List() {
			if x.Value != limits.Unlimited && (x.Value < 1 || x.Value > maxLimit) {
				t.Errorf("%q sets %s to %d", text, x.Name, x.Value)
			}
		}
		for fields, i := reflect.ValueOf(l), 0; i < fields.NumField(); i++ {
			if !fields.Field(i).IsZero() {
				changed++
			}
		}
		if (err == nil) != (changed == 1) {
			t.Errorf("%q: %v, %d limits changed", text, err, changed)
		}
	})
}
