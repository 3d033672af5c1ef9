package session

import (
	"errors"
	"testing"
)

func warned(o *Order) { o.Terms.WarningSeconds = []int64{300, 30, 10} }

func TestWarningsComeOnceEach(t *testing.T) {
	t.Parallel()
	s := newSession(t, warned) // runs from 1 to 61
	if s.WarnAt != s.ExpiresAt-30 || s.Due() != s.WarnAt {
		t.Fatalf("a warning longer than the session, or none: %+v", s)
	}
	if _, err := Apply(s, Tick{}, after(30)); !errors.Is(err, ErrNotDue) {
		t.Errorf("warned early: %v", err)
	}
	tr, err := Apply(s, Tick{}, after(31))
	if err != nil || tr.Name != Warned || tr.Session.WarnAt != s.ExpiresAt-10 || tr.Session.Status != Active || tr.Settlement != nil {
		t.Fatalf("got %+v, %v", tr, err)
	}
	s = tr.Session
	// Late by more than a warning: the user hears the newest, not both.
	late, err := Apply(newSession(t, warned), Tick{}, after(55))
	if err != nil || late.Name != Warned || late.Session.WarnAt != 0 {
		t.Errorf("got %+v, %v", late, err)
	}
	// Late by all of it: the end is the news.
	over, err := Apply(s, Tick{}, after(100))
	if err != nil || over.Session.Status != Expired || over.Session.EndedAt != s.ExpiresAt || over.Session.WarnAt != 0 {
		t.Errorf("got %+v, %v", over, err)
	}
}

func TestMovedDeadlinesMoveWarnings(t *testing.T) {
	t.Parallel()
	s := run(t, newSession(t, warned), 31.0, Tick{}, 40.0, Extend{By: User})
	if s.WarnAt != s.ExpiresAt-30 {
		t.Errorf("after an extension: %+v", s)
	}
	s = run(t, newSession(t, warned), 10.0, Pause{})
	if s.WarnAt != 0 {
		t.Errorf("a paused session is warned at %d", s.WarnAt)
	}
	if s = run(t, s, 15.0, Resume{}); s.WarnAt != s.ExpiresAt-30 {
		t.Errorf("after a pause: %+v", s)
	}
	// A warning that is due is in nobody's way, and is not lost.
	s = run(t, newSession(t, warned), 35.0, Launch{RedemptionID: "r"})
	if tr, err := Apply(s, Tick{}, after(35)); err != nil || tr.Name != Warned {
		t.Errorf("got %+v, %v", tr, err)
	}
	if s = run(t, newSession(t, warned), 35.0, Complete{By: User}); s.WarnAt != 0 {
		t.Errorf("over, and warned at %d", s.WarnAt)
	}
}
