package protocol

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// FuzzLinks: what is added to a marketplace's or an app's URL is one parameter of its
// query. Its host stays, and it can stand in a header.
func FuzzLinks(f *testing.F) {
	for _, page := range []string{"https://market.example/done", "https://a.example/?x=1#f", "https://a.example?", "/x", "", "%zz", "https://a.example/\r\nSet-Cookie: a=b", "https://ä.example/ü", "?#?"} {
		f.Add(page, "s 1&x=2#")
	}
	f.Fuzz(func(t *testing.T, page, id string) {
		got := WithSessionID(page, id)
		if got == "" || got == page {
			return
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q becomes %q", page, got)
		}
		was, err := url.Parse(page)
		if err != nil {
			t.Fatalf("%q becomes %q", page, got)
		}
		is, err := url.Parse(got)
		if err != nil {
			return // an address that is valid with letters beyond ASCII alone
		}
		if is.Scheme != was.Scheme || !strings.EqualFold(is.Host, was.Host) && !strings.ContainsFunc(was.Host, func(r rune) bool { return r >= 0x7f || r <= ' ' }) {
			t.Errorf("%q becomes %q", page, got)
		}
		if values := is.Query()["session_id"]; len(values) == 0 || values[len(values)-1] != id {
			t.Errorf("%q with %q becomes %q", page, id, got)
		}
	})
}

// FuzzHeadOf: the head of any state that this package writes is the state's.
func FuzzHeadOf(f *testing.F) {
	f.Add([]byte(`{"id":"s1","user_id":"u","provider_id":"p","status":"active","version":7,"expires_at":9}`))
	f.Add([]byte(`{"id":"s1","user_id":"\"\\","provider_id":"p","status":"paused","version":-7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = HeadOf(data)
		var st LiveState
		if json.Unmarshal(data, &st) != nil {
			return
		}
		again, err := json.Marshal(st)
		if err != nil {
			return
		}
		var want StateHead
		if err := json.Unmarshal(again, &want); err != nil {
			t.Fatal(err)
		}
		if got, err := HeadOf(again); err != nil || got != want {
			t.Errorf("%s: %+v, %v", again, got, err)
		}
	})
}
