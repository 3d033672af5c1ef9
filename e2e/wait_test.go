package e2e_test

import (
	"testing"
	"time"
)

const (
	// patience is how long a test waits for what must happen at some time. It
	// promises nothing: it ends a test that would otherwise never end.
	patience = 2 * time.Minute

	// endsWithin is what the product promises: a session's connections end within
	// a second of the moment at which they are due.
	endsWithin = time.Second

	// allowance is added to each promise of time, because a test sees an end only
	// when the machine runs the backend, the edge and the test itself. With two
	// busy cores and eight tests in parallel each of the three may wait for its turn
	// for some hundred milliseconds.
	allowance = 2 * time.Second

	// earliest is how far before its deadline a connection may end: an edge measures
	// the backend's clock to within half of a round trip.
	earliest = 500 * time.Millisecond
)

// eventually waits until done reports true, and fails the test with what says
// if that does not happen.
func eventually(t testing.TB, done func() bool, says func() string) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("not within %s: %s", patience, says())
		}
	}
}

// onTime fails the test if what was due between from and due ended before that or
// later than the product promises. The two are the same for a deadline; for a
// request, from is when it was sent, and due when it was answered.
func onTime(t testing.TB, from, due, ended time.Time) {
	t.Helper()
	if early := from.Sub(ended); early > earliest {
		t.Errorf("ended %s before it was due", early)
	}
	if late := ended.Sub(due); late > endsWithin+allowance {
		t.Errorf("ended %s after it was due", late)
	}
}

// deadlineOf is when a session's time runs out, or ran out, by its record.
func (s *System) deadlineOf(t testing.TB, id string) time.Time {
	t.Helper()
	return time.Unix(s.read(t, id).ExpiresAt, 0)
}

// revoke revokes a session without a refund, and returns when that was asked for
// and when it was answered.
func (s *System) revoke(t testing.TB, id string) (asked, answered time.Time) {
	t.Helper()
	asked = time.Now()
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+id+"/revoke", map[string]any{"refund": "none", "reason": "test"})
	answered = time.Now()
	if a.Status != 200 {
		t.Errorf("revoking: %d %s", a.Status, a.Body)
	}
	return asked, answered
}
