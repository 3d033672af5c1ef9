package session

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestWarningThresholds holds the rule to the file that the page's rule is held to.
func TestWarningThresholds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/warnings.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Configured []int64
		Total      int64
		Want       []int64
	}
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) < 10 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		got := WarningThresholds(c.Configured, c.Total)
		if !slices.Equal(got, c.Want) {
			t.Errorf("%v in a session of %d s: %v, want %v", c.Configured, c.Total, got, c.Want)
		}
		// What a page is told, it makes the same of.
		if again := WarningThresholds(got, c.Total); len(got) > 0 && !slices.Equal(again, got) {
			t.Errorf("%v in a session of %d s becomes %v", got, c.Total, again)
		}
	}
}

// A session that is extended moves its half: a warning may come into being.
func TestExtendedSessionsAreWarnedEarlier(t *testing.T) {
	t.Parallel()
	s := newSession(t, func(o *Order) { o.Terms.WarningSeconds = []int64{60} }) // of 60 s
	if s.WarnAt != s.ExpiresAt-leastNotice {
		t.Errorf("warned %d s before the end, want %d", s.ExpiresAt-s.WarnAt, leastNotice)
	}
	s = run(t, s, 10.0, Extend{By: Marketplace, Seconds: 60})
	if s.WarnAt != s.ExpiresAt-60 {
		t.Errorf("after an extension it is warned %d s before the end, want 60", s.ExpiresAt-s.WarnAt)
	}
}
