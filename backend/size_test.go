package backend_test

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A return_url may have 2048 characters, and JSON writes some of them as six.
// Whatever is sold can be entered.
func TestWhatIsSoldFitsIntoItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := func(unit string) string {
		u := "https://market.example/done?"
		return u + strings.Repeat(unit, (2048-len(u))/utf8.RuneCountInString(unit))
	}
	_, launch := w.sell("return_url", long("a"))
	w.enter(launch)
	_, held := w.balance("user_1")
	for _, unit := range []string{"a&", "é"} {
		body := map[string]any{
			"user_id": "user_1", "provider_id": "prov_demo", "tokens_allocated": 1, "duration_limit_seconds": 60, "return_url": long(unit),
		}
		w.call("POST", "/api/v1/sessions", w.market, body).want(422, "invalid_request")
	}
	if _, now := w.balance("user_1"); now != held {
		t.Errorf("%d tokens are held for sessions that were refused", now-held)
	}
}
