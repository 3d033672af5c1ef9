package session_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
)

// ticked applies what is due, and returns the transitions.
func ticked(t *testing.T, s session.Session, now time.Time) (session.Session, []session.Name) {
	t.Helper()
	var names []session.Name
	for {
		tr, err := session.Apply(s, session.Tick{}, now)
		if errors.Is(err, session.ErrNotDue) {
			return s, names
		}
		if err != nil {
			t.Fatal(err)
		}
		s, names = tr.Session, append(names, tr.Name)
	}
}

// advanced moves the clock of a test session as the service does.
func advanced(t *testing.T, s session.Session, left int64, now time.Time) (session.Session, []session.Name) {
	t.Helper()
	var names []session.Name
	for left > 0 && !s.Status.Terminal() {
		step := s.Step(left, now)
		tr, err := session.Apply(s, session.Advance{Seconds: step}, now)
		if err != nil {
			t.Fatal(err)
		}
		var due []session.Name
		s, due = ticked(t, tr.Session, now)
		names = append(names, due...)
		left -= step
	}
	return s, names
}

// A session whose clock is moved goes through what a session goes through that is waited
// for: whatever its terms are, and whenever it is paused.
func TestAdvanceIsLikeWaiting(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 19))
	for round := range 500 {
		order := session.Order{
			ID: "s1", UserID: "u", ProviderID: "p", Mode: session.TestMode, Tokens: random.Int64N(1000), Duration: 1 + random.Int64N(900), ReturnURL: "https://m.example/",
			Terms: session.Terms{Settlement: session.Prorated, Pause: &session.Pauses{MaxCount: 5, MaxSeconds: 1 + random.Int64N(300)}},
		}
		if random.IntN(3) == 0 {
			order.Clock = session.AtLaunch
		}
		begin := time.Unix(1_800_000_000, random.Int64N(1_000_000)*1000)
		tr, err := session.New(order, begin)
		if err != nil {
			t.Fatal(err)
		}
		moved, waited := tr.Session, tr.Session
		clock := begin // of the session that waits
		for range 8 {
			n := 1 + random.Int64N(400)
			var e session.Event
			switch random.IntN(5) {
			case 0:
				e = session.Pause{}
			case 1:
				e = session.Resume{}
			case 2:
				e = session.Launch{RedemptionID: "r"}
			case 3:
				e = session.Extend{By: session.Marketplace, Seconds: 1 + random.Int64N(100), Tokens: random.Int64N(50)}
			}
			if e != nil {
				a, errA := session.Apply(moved, e, begin)
				b, errB := session.Apply(waited, e, clock)
				if (errA == nil) != (errB == nil) {
					t.Fatalf("round %d: %T gives %v after moving, %v after waiting", round, e, errA, errB)
				}
				if errA == nil {
					moved, waited = a.Session, b.Session
				}
			}
			var got, want []session.Name
			moved, got = advanced(t, moved, n, begin)
			for range n { // the service ticks at least every second
				clock = clock.Add(time.Second)
				var due []session.Name
				waited, due = ticked(t, waited, clock)
				want = append(want, due...)
			}
			if !reflect.DeepEqual(got, want) || moved.Status != waited.Status || moved.Remaining(begin) != waited.Remaining(clock) || moved.Used(begin) != waited.Used(clock) || !reflect.DeepEqual(moved.Settlement, waited.Settlement) {
				t.Fatalf("round %d: moving gives %v %s %+v, waiting %v %s %+v", round, got, moved.Status, moved.Settlement, want, waited.Status, waited.Settlement)
			}
		}
	}
}

// Only the clock of a test session is moved, forward, by at most the longest session.
func TestAdvanceIsForTestSessions(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, mode := range []session.Mode{"", session.LiveMode, session.TestMode, session.StaffMode, session.PreviewMode} {
		tr, err := session.New(session.Order{ID: "s1", UserID: "u", ProviderID: "p", Mode: mode, Duration: 60}, now)
		if err != nil {
			t.Fatal(err)
		}
		want := session.ErrNotTest
		if mode == session.TestMode {
			want = session.ErrTerms
		}
		for _, seconds := range []int64{-1, 0, session.MaxDuration + 1} {
			if _, err := session.Apply(tr.Session, session.Advance{Seconds: seconds}, now); !errors.Is(err, want) {
				t.Errorf("%q by %d: %v, want %v", mode, seconds, err, want)
			}
		}
	}
}
