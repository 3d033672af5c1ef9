package backend_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// timeline reads a session's timeline, as kind and name.
func (w *world) timeline(id, key string) (words []string, details []map[string]any) {
	w.t.Helper()
	a := w.call("GET", "/api/v1/sessions/"+id+"/timeline", key, nil).want(200)
	before := 0.0
	for _, v := range a.at("entries").([]any) {
		e := v.(map[string]any)
		words = append(words, fmt.Sprint(e["kind"], " ", e["name"]))
		details = append(details, e["detail"].(map[string]any))
		if at := e["at_ms"].(float64); at < before {
			w.t.Errorf("%v comes after something later", e)
		} else {
			before = at
		}
	}
	return words, details
}

// TestTimelineTellsASession lives one session through, and reads all of it back
// in order, as a provider, a marketplace and an administrator.
func TestTimelineTellsASession(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		hook, _ := w.hook("http://127.0.0.1:1/", "session.ended")
		id, launch := w.sell("clock", "launch", "extension", map[string]any{"additional_seconds": 60, "tokens": 20, "max_count": 1})
		w.clock.Add(time.Second)
		token := w.enter(launch)
		at := w.clock.Now().Unix()
		w.clock.Add(time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/events", token, map[string]any{"events": []any{
			map[string]any{"name": "page_view", "at": w.clock.Now().UnixMilli(), "props": map[string]any{"step": "2"}},
		}}).want(202)
		w.clock.Add(time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/pause", token, nil).want(200)
		w.clock.Add(time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/resume", token, nil).want(200)
		w.clock.Add(time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", token, map[string]any{"timestamp": at, "active": true}).want(200)
		w.b.FlushBeats(context.Background())
		w.clock.Add(time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/extend", token, nil).want(200)
		w.clock.Add(time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/end", token, nil).want(200)

		words, details := w.timeline(id, w.provider)
		want := []string{
			"session created", "ledger hold", "session started", "page page_view", "session paused", "session resumed",
			"heartbeats heartbeats", "session extended", "extension bought", "ledger hold", "session ended", "ledger capture", "ledger release", "delivery session.ended",
		}
		if !slices.Equal(words, want) {
			t.Fatalf("the timeline is\n%s\nwant\n%s", strings.Join(words, ", "), strings.Join(want, ", "))
		}
		for i, check := range map[int]map[string]any{
			1: {"amount": 100.0, "debit": "user:user_1:available", "credit": "user:user_1:held"}, 3: {"step": "2"},
			6: {"count": 1.0, "active": 1.0}, 8: {"by": "user", "seconds": 60.0, "tokens": 20.0},
			10: {"status": "completed", "reason": "user_ended"}, 13: {"webhook_id": hook, "status": "pending", "attempts": 0.0},
		} {
			for name, value := range check {
				if details[i][name] != value {
					t.Errorf("%s: %s is %v, want %v", words[i], name, details[i][name], value)
				}
			}
		}
		for _, key := range []string{w.market, w.admin} {
			if other, _ := w.timeline(id, key); !slices.Equal(other, words) {
				t.Errorf("another caller reads %v", other)
			}
		}
		w.call("GET", "/api/v1/sessions/"+strings.Repeat("0", 36)+"/timeline", w.admin, nil).want(404)

		// Whom it was is gone with the user.
		w.call("POST", "/api/v1/users/user_1/erase", w.market, nil).want(200)
		if a := w.call("GET", "/api/v1/sessions/"+id+"/timeline", w.admin, nil).want(200); strings.Contains(string(a.raw), "user_1") {
			t.Errorf("the erased user is named: %s", a.raw)
		}
	})
}

// TestTimelineIsBounded fills a session with what its pages noticed: its own
// life still shows to the end.
func TestTimelineIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	token := w.enter(launch)
	for range 11 {
		var events []any
		for range 100 {
			events = append(events, map[string]any{"name": "scroll", "at": w.clock.Now().UnixMilli()})
		}
		w.call("POST", "/api/v1/sessions/"+id+"/events", token, map[string]any{"events": events}).want(202)
	}
	w.clock.Add(time.Second)
	w.call("POST", "/api/v1/sessions/"+id+"/end", token, nil).want(200)
	words, _ := w.timeline(id, w.provider)
	if len(words) > 1000 || len(words) < 900 || !slices.Contains(words, "session ended") || !slices.Contains(words, "ledger capture") {
		t.Errorf("%d entries, the last is %s", len(words), words[len(words)-1])
	}
}

// A session's token never expires by itself; what its pages may record does.
func TestPageEventsEndWithTheSession(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, launch := w.sell()
		session := w.enter(launch)
		send := func() *answer {
			return w.call("POST", "/api/v1/sessions/"+id+"/events", session, map[string]any{"events": []any{map[string]any{"name": "a", "at": 1}}})
		}
		send().want(202)
		w.clock.Add(59 * time.Second)
		send().want(202)
		w.clock.Add(2 * time.Second) // over, whether it is settled yet or not
		send().want(409, "session_expired")
		w.clock.Add(24 * time.Hour)
		send().want(409, "session_expired")
		if n := w.pageEvents(id); n != 2 {
			t.Errorf("%d events are recorded", n)
		}
	})
}
