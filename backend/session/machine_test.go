package session

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

// t0 is half past a full second, so that rounding shows.
var t0 = time.Unix(1_800_000_000, 500_000_000)

func after(seconds float64) time.Time {
	return t0.Add(time.Duration(seconds * float64(time.Second)))
}

func newSession(t *testing.T, change func(*Order)) Session {
	t.Helper()
	o := Order{
		ID: "s", UserID: "u", ProviderID: "p", Tokens: 100, Duration: 60, ReturnURL: "https://m.example/",
		Terms: Terms{
			Settlement: Prorated,
			Pause:      &Pauses{MaxCount: 2, MaxSeconds: 20},
			Offer:      &Offer{Seconds: 30, Tokens: 50, MaxCount: 1},
		},
	}
	if change != nil {
		change(&o)
	}
	tr, err := New(o, t0)
	if err != nil {
		t.Fatal(err)
	}
	if tr.Hold != o.Tokens {
		t.Fatalf("new session holds %d, want %d", tr.Hold, o.Tokens)
	}
	return tr.Session
}

// run applies events at seconds after t0 and returns the session after them.
func run(t *testing.T, s Session, steps ...any) Session {
	t.Helper()
	for i := 0; i+1 < len(steps); i += 2 {
		tr, err := Apply(s, steps[i+1].(Event), after(steps[i].(float64)))
		if err != nil {
			t.Fatalf("%T at %v: %v", steps[i+1], steps[i], err)
		}
		s = tr.Session
	}
	return s
}

func launch(o *Order) { o.Clock = AtLaunch; o.LaunchWindow = 100 }

func TestClockStartsAtTheNextFullSecond(t *testing.T) {
	t.Parallel()
	s := newSession(t, nil)
	if s.Status != Active || s.StartedAt != 1_800_000_001 || s.ExpiresAt != 1_800_000_061 || s.Due() != s.ExpiresAt-leastNotice {
		t.Errorf("created as %+v", s)
	}
	p := newSession(t, launch)
	if p.Status != Pending || p.StartedAt != 0 || p.LaunchBy != 1_800_000_101 || p.Due() != p.LaunchBy {
		t.Errorf("created as %+v", p)
	}
	p = run(t, p, 10.0, Launch{RedemptionID: "r"})
	if p.Status != Active || p.StartedAt != 1_800_000_011 || p.ExpiresAt != 1_800_000_071 {
		t.Errorf("launched as %+v", p)
	}
}

func TestEndings(t *testing.T) {
	t.Parallel()
	full := func(o *Order) { o.Terms.Settlement = Full }
	for name, c := range map[string]struct {
		order  func(*Order)
		steps  []any
		status Status
		reason string
		want   Settlement
	}{
		"deadline":                     {nil, []any{60.5, Tick{}}, Expired, "deadline", Settlement{100, 0, 60}},
		"deadline, noticed late":       {nil, []any{9999.0, Tick{}}, Expired, "deadline", Settlement{100, 0, 60}},
		"user ends, prorated":          {nil, []any{30.0, Complete{By: User}}, Completed, "user_ended", Settlement{50, 50, 30}},
		"part of a second counts":      {nil, []any{30.6, Complete{By: User}}, Completed, "user_ended", Settlement{52, 48, 31}},
		"before the clock starts":      {nil, []any{0.2, Complete{By: User}}, Completed, "user_ended", Settlement{0, 100, 0}},
		"user ends, full":              {full, []any{30.0, Complete{By: User}}, Completed, "user_ended", Settlement{100, 0, 30}},
		"marketplace completes":        {nil, []any{30.0, Complete{By: Marketplace}}, Completed, "completed", Settlement{50, 50, 30}},
		"revoked, full refund":         {full, []any{30.0, Revoke{Refund: RefundFull}}, Revoked, "revoked", Settlement{0, 100, 30}},
		"revoked, prorated refund":     {full, []any{30.0, Revoke{Refund: RefundProrated, Reason: "abuse"}}, Revoked, "abuse", Settlement{50, 50, 30}},
		"revoked, no refund":           {nil, []any{30.0, Revoke{Refund: RefundNone}}, Revoked, "revoked", Settlement{100, 0, 30}},
		"never launched":               {launch, []any{100.5, Tick{}}, Canceled, "launch_window", Settlement{0, 100, 0}},
		"completed before launch":      {launch, []any{5.0, Complete{By: Marketplace}}, Canceled, "completed", Settlement{0, 100, 0}},
		"revoked before launch":        {launch, []any{5.0, Revoke{Refund: RefundProrated}}, Revoked, "revoked", Settlement{0, 100, 0}},
		"pauses are not used":          {nil, []any{10.5, Pause{}, 20.5, Resume{}, 40.5, Complete{By: User}}, Completed, "user_ended", Settlement{50, 50, 30}},
		"ended while paused":           {nil, []any{10.5, Pause{}, 20.5, Complete{By: User}}, Completed, "user_ended", Settlement{17, 83, 10}},
		"paused before the start":      {nil, []any{0.1, Pause{}, 10.0, Complete{By: User}}, Completed, "user_ended", Settlement{0, 100, 0}},
		"an unresumed pause runs out":  {nil, []any{10.5, Pause{}, 30.5, Tick{}, 80.5, Tick{}}, Expired, "deadline", Settlement{100, 0, 60}},
		"extended by offer, then ends": {nil, []any{10.0, Extend{By: User}, 45.0, Complete{By: User}}, Completed, "user_ended", Settlement{75, 75, 45}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, newSession(t, c.order), c.steps...)
			if s.Status != c.status || s.EndReason != c.reason || s.Settlement == nil || *s.Settlement != c.want {
				t.Errorf("got %s (%s) %+v, want %s (%s) %+v", s.Status, s.EndReason, s.Settlement, c.status, c.reason, c.want)
			}
			if s.Due() != 0 {
				t.Errorf("still due at %d", s.Due())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	noPause := func(o *Order) { o.Terms.Pause = nil }
	noOffer := func(o *Order) { o.Terms.Offer = nil }
	for name, c := range map[string]struct {
		order func(*Order)
		steps []any
		at    float64
		event Event
		want  error // nil: an IllegalError
	}{
		"launch after the deadline":    {nil, nil, 60.5, Launch{RedemptionID: "r"}, nil},
		"extend at the deadline":       {nil, nil, 60.5, Extend{By: User}, nil},
		"launch after the window":      {launch, nil, 100.5, Launch{RedemptionID: "r"}, nil},
		"launch by another entry":      {nil, []any{1.0, Launch{RedemptionID: "a"}}, 2, Launch{RedemptionID: "b"}, ErrSpent},
		"same entry, too late":         {func(o *Order) { o.Duration = 600 }, []any{1.0, Launch{RedemptionID: "a"}}, 62, Launch{RedemptionID: "a"}, ErrSpent},
		"user extends without offer":   {noOffer, nil, 1, Extend{By: User}, ErrConsent},
		"user extends once too often":  {nil, []any{1.0, Extend{By: User}}, 2, Extend{By: User}, ErrConsent},
		"user names other figures":     {nil, nil, 1, Extend{By: User, Seconds: 30, Tokens: 1}, ErrConsent},
		"user extends before launch":   {launch, nil, 1, Extend{By: User}, nil},
		"extension without seconds":    {nil, nil, 1, Extend{By: Marketplace, Tokens: 5}, ErrTerms},
		"extension beyond all bounds":  {nil, nil, 1, Extend{By: Marketplace, Seconds: MaxDuration}, ErrTerms},
		"pause without policy":         {noPause, nil, 1, Pause{}, ErrPause},
		"a third pause":                {nil, []any{1.0, Pause{}, 2.0, Resume{}, 3.0, Pause{}, 4.0, Resume{}}, 5, Pause{}, ErrPause},
		"pause before launch":          {launch, nil, 1, Pause{}, nil},
		"resume before launch":         {launch, nil, 1, Resume{}, nil},
		"tick before it is due":        {nil, nil, 40.4, Tick{}, ErrNotDue},
		"tick when over":               {nil, []any{1.0, Complete{By: User}}, 9999, Tick{}, ErrNotDue},
		"anything when over":           {nil, []any{1.0, Complete{By: User}}, 2, Complete{By: User}, nil},
		"revoke without refund choice": {nil, nil, 1, Revoke{}, ErrRefund},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, newSession(t, c.order), c.steps...)
			_, err := Apply(s, c.event, after(c.at))
			_, illegal := errors.AsType[*IllegalError](err)
			if (c.want == nil && !illegal) || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestRepeatsChangeNothing(t *testing.T) {
	t.Parallel()
	s := run(t, newSession(t, nil), 1.0, Launch{RedemptionID: "a"})
	for name, c := range map[string]struct {
		s  Session
		at float64
		e  Event
	}{
		"launch": {s, 30, Launch{RedemptionID: "a"}},
		"pause":  {run(t, s, 2.0, Pause{}), 3, Pause{}},
		"resume": {s, 3, Resume{}},
	} {
		tr, err := Apply(c.s, c.e, after(c.at))
		if err != nil || !tr.Unchanged || tr.Session.Version != c.s.Version {
			t.Errorf("%s again: %+v, %v", name, tr, err)
		}
	}
}

func TestPauseMovesTheDeadlineByItsLength(t *testing.T) {
	t.Parallel()
	s := run(t, newSession(t, nil), 10.4, Pause{}) // …010.9
	if s.PausedAt != 1_800_000_010 || s.Due() != 1_800_000_031 {
		t.Errorf("paused at %d, due %d", s.PausedAt, s.Due())
	}
	s = run(t, s, 15.6, Resume{}) // …016.1
	if s.ExpiresAt != 1_800_000_066 || s.Meter.PausedUS != 5_200_000 || s.PausedSeconds != 5 {
		t.Errorf("resumed with deadline %d after %d µs", s.ExpiresAt, s.Meter.PausedUS)
	}
	// 60 s after …000.5 plus 5.2 s of pause, at the next whole second.
	if tr, err := Apply(s, Tick{}, time.Unix(s.ExpiresAt, 0)); err != nil || tr.Session.Status != Expired || tr.Settlement.UsedSeconds != 60 {
		t.Errorf("got %+v, %v", tr, err)
	}
}

func TestMarketplaceExtendsAPendingSession(t *testing.T) {
	t.Parallel()
	s := run(t, newSession(t, launch), 1.0, Extend{By: Marketplace, Seconds: 60, Tokens: 10}, 2.0, Launch{RedemptionID: "r"})
	if s.Duration != 120 || s.ExpiresAt-s.StartedAt != 120 || s.Tokens != 110 {
		t.Errorf("got %+v", s)
	}
}

func TestOrdersOutOfRange(t *testing.T) {
	t.Parallel()
	good := Order{ID: "s", UserID: "u", ProviderID: "p", Tokens: 1, Duration: 1}
	for name, change := range map[string]func(*Order){
		"no id":           func(o *Order) { o.ID = "" },
		"negative tokens": func(o *Order) { o.Tokens = -1 },
		"no duration":     func(o *Order) { o.Duration = 0 },
		"too long":        func(o *Order) { o.Duration = MaxDuration + 1 },
		"unknown clock":   func(o *Order) { o.Clock = "dawn" },
		"empty offer":     func(o *Order) { o.Terms.Offer = &Offer{} },
		"negative pause":  func(o *Order) { o.Terms.Pause = &Pauses{MaxCount: -1} },
	} {
		o := good
		change(&o)
		if _, err := New(o, t0); !errors.Is(err, ErrTerms) {
			t.Errorf("%s: got %v, want ErrTerms", name, err)
		}
	}
}

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
