package session

import (
	"errors"
	"testing"
	"time"
)

// whole is a whole second.
var whole = t0.Truncate(time.Second)

// TestStandstillMovesTheDeadlineByWhatItLasted: to the microsecond, and it costs no pause.
func TestStandstillMovesTheDeadlineByWhatItLasted(t *testing.T) {
	t.Parallel()
	s := started(t, Pauses{MaxCount: 1, MaxSeconds: 60})
	due := s.ExpiresAt
	s = must(t, s, Suspend{Reason: "maintenance"}, whole.Add(10*time.Second))
	if s.Status != Paused || s.Remaining(whole.Add(time.Hour)) != 290 || s.Used(whole.Add(time.Hour)) != 10 {
		t.Fatalf("stands still as %+v", s)
	}
	s = must(t, s, Continue{}, whole.Add(90*time.Second+500*time.Millisecond))
	if s.Status != Active || s.ExpiresAt != due+81 || s.PauseCount != 0 || s.PausedSeconds != 0 || s.Standstill.StoodUS != 80_500_000 {
		t.Errorf("goes on as %+v, was due at %d", s, due)
	}
}

// TestPauseGoesOnAfterAStandstill: the user's own pause waits, too, and uses nothing of
// its allowance meanwhile.
func TestPauseGoesOnAfterAStandstill(t *testing.T) {
	t.Parallel()
	s := started(t, Pauses{MaxCount: 1, MaxSeconds: 60})
	s = must(t, s, Pause{}, whole.Add(10*time.Second))
	s = must(t, s, Suspend{Reason: "maintenance"}, whole.Add(30*time.Second))
	if _, err := Apply(s, Resume{}, whole.Add(40*time.Second)); !errors.Is(err, ErrStandstill) {
		t.Errorf("resuming meanwhile: %v", err)
	}
	s = must(t, s, Continue{}, whole.Add(1000*time.Second))
	if s.Status != Paused || s.Due() != whole.Add(1040*time.Second).Unix() {
		t.Fatalf("the pause goes on as %+v, due at %d", s, s.Due())
	}
	s = must(t, s, Resume{}, whole.Add(1010*time.Second))
	if s.PausedSeconds != 30 || s.Remaining(whole.Add(1010*time.Second)) != 290 {
		t.Errorf("resumed as %+v", s)
	}
}

// TestLaunchWindowStandsStill: a session that was not entered yet can be entered for as
// long afterwards, and its link is not spent meanwhile.
func TestLaunchWindowStandsStill(t *testing.T) {
	t.Parallel()
	tr, err := New(Order{ID: "s", UserID: "u", ProviderID: "p", Tokens: 10, Duration: 300, Clock: AtLaunch, LaunchWindow: 100}, whole)
	if err != nil {
		t.Fatal(err)
	}
	s := must(t, tr.Session, Suspend{Reason: "maintenance"}, whole.Add(40*time.Second))
	if _, err := Apply(s, Launch{RedemptionID: "r"}, whole.Add(500*time.Second)); !errors.Is(err, ErrStandstill) {
		t.Errorf("launching meanwhile: %v", err)
	}
	if _, err := Apply(s, Tick{}, whole.Add(500*time.Second)); !errors.Is(err, ErrNotDue) {
		t.Errorf("the window closes: %v", err)
	}
	s = must(t, s, Continue{}, whole.Add(500*time.Second))
	if s.LaunchBy != whole.Add(560*time.Second).Unix() {
		t.Errorf("the window closes at %d", s.LaunchBy)
	}
	if s = must(t, s, Launch{RedemptionID: "r"}, whole.Add(555*time.Second)); s.Status != Active {
		t.Errorf("launched as %+v", s)
	}
}

// TestStandstillWithoutEndReleasesWhatWasNotUsed: no tokens are held for ever.
func TestStandstillWithoutEndReleasesWhatWasNotUsed(t *testing.T) {
	t.Parallel()
	s := must(t, started(t, Pauses{}), Suspend{Reason: "maintenance"}, whole.Add(30*time.Second))
	late := whole.Add(30*time.Second + MaxStandstill*time.Second)
	if _, err := Apply(s, Tick{}, late.Add(-time.Second)); !errors.Is(err, ErrNotDue) {
		t.Errorf("before: %v", err)
	}
	s = must(t, s, Tick{}, late)
	if s.Status != Revoked || s.EndReason != "maintenance" || s.Settlement.UsedSeconds != 30 || s.Settlement.Captured != 30 || s.Settlement.Released != 270 {
		t.Errorf("ended as %+v, %+v", s, s.Settlement)
	}
}

// TestStandstillsAddUp: no row of short openings holds tokens for longer.
func TestStandstillsAddUp(t *testing.T) {
	t.Parallel()
	const most = MaxStandstill * time.Second
	s := must(t, started(t, Pauses{}), Suspend{Reason: "maintenance"}, whole.Add(30*time.Second))
	s = must(t, s, Continue{}, whole.Add(30*time.Second+most-time.Hour))
	s = must(t, s, Suspend{Reason: "maintenance"}, whole.Add(31*time.Second+most-time.Hour))
	if due := whole.Add(31*time.Second + most).Unix(); s.Due() != due {
		t.Errorf("due at %d, want %d", s.Due(), due)
	}
	tr, err := New(Order{ID: "s", UserID: "u", ProviderID: "p", Tokens: 10, Duration: 300, Clock: AtLaunch, LaunchWindow: 100}, whole)
	if err != nil {
		t.Fatal(err)
	}
	p := must(t, tr.Session, Suspend{Reason: "maintenance"}, whole.Add(time.Second))
	p = must(t, p, Continue{}, whole.Add(most-time.Second))
	if p.LaunchBy > whole.Add(most).Unix() {
		t.Errorf("the launch window is open until %d", p.LaunchBy)
	}
}

// TestOlderVersionGoesOn: a session that a version without standstills has resumed goes on
// as that version left it.
func TestOlderVersionGoesOn(t *testing.T) {
	t.Parallel()
	s := must(t, started(t, Pauses{}), Suspend{Reason: "maintenance"}, whole.Add(30*time.Second))
	s.Status, s.PausedAt, s.Meter.PausedAtUS = Active, 0, 0
	s.ExpiresAt = s.deadline()
	due := s.ExpiresAt
	s.RestoreMeter()
	if s.StandsStill() || s.Due() > due {
		t.Fatalf("restored as %+v", s)
	}
	if tr, err := Apply(s, Continue{}, whole.Add(time.Minute)); err != nil || !tr.Unchanged {
		t.Errorf("continuing: %+v, %v", tr, err)
	}
}

// TestFullPriceIsNotChargedDuringAStandstill: a session that is sold for its full price is
// charged for what was used if its user does not wait.
func TestFullPriceIsNotChargedDuringAStandstill(t *testing.T) {
	t.Parallel()
	s := started(t, Pauses{})
	s.Terms.Settlement = Full
	s = must(t, s, Suspend{Reason: "maintenance"}, whole.Add(30*time.Second))
	s = must(t, s, Complete{By: User}, whole.Add(time.Hour))
	if s.Settlement.Captured != 30 || s.Settlement.Released != 270 || s.Standstill.UntilUS == 0 {
		t.Errorf("ended as %+v, %+v", s.Standstill, s.Settlement)
	}
}

// TestEndDuringAStandstill: whoever ends the session meanwhile pays for what was used.
func TestEndDuringAStandstill(t *testing.T) {
	t.Parallel()
	s := must(t, started(t, Pauses{}), Suspend{Reason: "maintenance"}, whole.Add(30*time.Second))
	s = must(t, s, Complete{By: User}, whole.Add(1000*time.Second))
	if s.Status != Completed || s.StandsStill() || s.Settlement.UsedSeconds != 30 {
		t.Errorf("ended as %+v, %+v", s, s.Settlement)
	}
}

// started is an entered session of 300 s and 300 tokens, settled by the second.
func started(t *testing.T, p Pauses) Session {
	t.Helper()
	tr, err := New(Order{ID: "s", UserID: "u", ProviderID: "p", Tokens: 300, Duration: 300, Terms: Terms{Settlement: Prorated, Pause: &p}}, whole)
	if err != nil {
		t.Fatal(err)
	}
	return must(t, tr.Session, Launch{RedemptionID: "r"}, whole)
}

func must(t *testing.T, s Session, e Event, at time.Time) Session {
	t.Helper()
	tr, err := Apply(s, e, at)
	if err != nil {
		t.Fatalf("%T: %v", e, err)
	}
	return tr.Session
}
