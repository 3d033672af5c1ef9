package edge

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/limits"
)

// A key has so many uses at once, gets them back over the period, and takes nothing from
// other keys.
func TestBucketsRefill(t *testing.T) {
	t.Parallel()
	var b buckets
	now := time.Hour
	use := func(key string, times int) (allowed int) {
		for range times {
			if b.takeAt(now, key, time.Minute, 6) {
				allowed++
			}
		}
		return allowed
	}
	if n := use("a", 20); n != 6 {
		t.Errorf("%d uses at once, want 6", n)
	}
	if n := use("b", 2); n != 2 {
		t.Errorf("another key has %d", n)
	}
	now += 20 * time.Second
	if n := use("a", 20); n != 2 {
		t.Errorf("%d after 20 s, want 2", n)
	}
	now += time.Hour
	if n := use("a", 20); n != 6 {
		t.Errorf("%d after an hour, want 6", n)
	}
	if !b.takeAt(now, "a", time.Minute, limits.Unlimited) {
		t.Error("a limit that is off refuses")
	}
}

// However many keys there are, so many are counted; keys without uses make room.
func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	var b buckets
	for i := range 3 * maxBuckets {
		b.takeAt(time.Hour, fmt.Sprint(i), time.Minute, 6)
	}
	if n := len(b.due); n > maxBuckets {
		t.Errorf("%d keys are kept", n)
	}
	if !b.takeAt(2*time.Hour, "late", time.Minute, 6) || len(b.due) != 1 {
		t.Errorf("%d keys are kept an hour later", len(b.due))
	}
}

// WebSockets are counted by session, provider and edge, and given back once.
func TestWebSocketsAreLimited(t *testing.T) {
	t.Parallel()
	l := aloneEdge(t).Limits
	l.Use(Limits{WebSocketsPerSession: 2, WebSocketsPerProvider: 3, WebSockets: 4})
	open := func(session, provider string, want bool) func() {
		t.Helper()
		release, ok := l.OpenSocket(session, provider)
		if ok != want {
			t.Errorf("%s of %s: %v, want %v", session, provider, ok, want)
		}
		return release
	}
	first := open("s1", "p", true)
	open("s1", "p", true)
	open("s1", "p", false)
	open("s2", "p", true)
	open("s2", "p", false)
	open("s3", "q", true)
	open("s3", "q", false)
	first()
	first() // once is enough
	if n := l.OpenSockets(); n != 3 {
		t.Errorf("%d are open", n)
	}
	open("s4", "p", true)
	open("s4", "q", false)
	l.Use(Limits{WebSocketsPerSession: limits.Unlimited, WebSocketsPerProvider: limits.Unlimited, WebSockets: limits.Unlimited})
	for range 100 {
		open("s1", "p", true)
	}
}

// The documentation has the limits' table.
func TestLimitsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	want := new(Limits).List().Table() + "\n"
	if !strings.Contains(string(page), want) {
		t.Errorf("docs/caddyfile.md must have this table:\n%s", want)
	}
}

// Every limit has a default, a unit and a description, and its name in JSON.
func TestLimitsAreDescribed(t *testing.T) {
	t.Parallel()
	var l Limits
	for _, x := range l.List() {
		if x.Default < 1 || x.Value != x.Default || x.Unit == "" || x.Of == "" {
			t.Errorf("%+v", x)
		}
		if err := l.Set(x.Name, "7"); err != nil {
			t.Error(err)
		}
	}
	for _, x := range l.List() {
		if x.Value != 7 {
			t.Errorf("%s is %d after it was set", x.Name, x.Value)
		}
	}
	for _, bad := range [][2]string{{"websocket", "1"}, {"websockets", "0"}, {"websockets", "-1"}, {"websockets", "many"}, {"websockets", "99999999999"}} {
		if err := l.Set(bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := l.Set("websockets", "off"); err != nil || l.WebSockets != limits.Unlimited || l.Check() != nil {
		t.Errorf("off: %v, %d", err, l.WebSockets)
	}
	l.WebSockets = -2
	if l.Check() == nil {
		t.Error("-2 passes")
	}
}
