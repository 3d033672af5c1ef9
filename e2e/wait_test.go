package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
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
	// for some hundred milliseconds. A busier machine gets more, by its delays.
	allowance = 2 * time.Second

	// turns is how often something of an end may wait as long as the machine's clock did.
	turns = 10

	// earliest is how far before its deadline a connection may end: an edge measures
	// the backend's clock to within half of a round trip.
	earliest = 500 * time.Millisecond
)

// delays measures how late this machine does what is due.
type delays struct {
	mu   sync.Mutex // guards seen
	seen []delay    // the latest last
}

type delay struct {
	at   time.Time
	long time.Duration
}

// machine has measured since the tests began. Nothing ends it but their end.
var machine = func() *delays {
	d := new(delays)
	go func() {
		const pause, kept = 50 * time.Millisecond, 20_000
		work := make([]byte, 64<<10)
		for {
			began := time.Now()
			time.Sleep(pause)
			work[0] = sha256.Sum256(work)[0] // a slice of a core, as all else needs it
			now := time.Now()
			d.mu.Lock()
			if d.seen = append(d.seen, delay{now, now.Sub(began) - pause}); len(d.seen) > kept {
				d.seen = append([]delay(nil), d.seen[kept/2:]...)
			}
			d.mu.Unlock()
		}
	}()
	return d
}()

// longest returns the longest delay that was seen since a time.
func (d *delays) longest(since time.Time) (long time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.seen) - 1; i >= 0 && !d.seen[i].at.Before(since); i-- {
		long = max(long, d.seen[i].long)
	}
	return long
}

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
	busy := turns * machine.longest(due.Add(-10*time.Second))
	if early := from.Sub(ended); early > earliest+busy {
		t.Errorf("ended %s before it was due", early)
	}
	if late := ended.Sub(due); late > endsWithin+allowance+busy {
		t.Errorf("ended %s after it was due, on a machine that is %s late", late, busy/turns)
	}
}

var fewUsers atomic.Int64

// few returns how many seconds a session needs that is to end soon: so many, and ten
// times as many as this machine just took to sell another one, open it and ask for a page.
// enter opens a launch link and asks for a page.
func (s *System) few(t testing.TB, seconds int64, enter func(sale)) int64 {
	t.Helper()
	began := time.Now()
	user := fmt.Sprint("few-", fewUsers.Add(1)) // names of tests may hold what names of users may not
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/users/"+user+"/tokens", map[string]any{"amount": 10})
	if a.Status/100 != 2 {
		t.Fatalf("crediting: %d %s", a.Status, a.Body)
	}
	enter(s.buy(t, terms{User: user, Seconds: 600, Tokens: 1, Clock: "launch"}))
	return seconds + int64(10*time.Since(began)/time.Second)
}

// fewByLink returns the same for a session that is opened by its link.
func (s *System) fewByLink(t testing.TB, seconds int64) int64 {
	t.Helper()
	return s.few(t, seconds, func(sold sale) { s.enter(t, sold.LaunchURL).Do(t, "GET", s.App+"/", nil) })
}

// arrivals tells when a request of a session has reached an app of [origin] and stays open.
type arrivals struct {
	mu sync.Mutex // guards by
	by map[string]*arrival
}

type arrival struct {
	once sync.Once
	came chan struct{}
}

// openRequests is for every app of these tests: sessions have ids of their own.
var openRequests = &arrivals{by: map[string]*arrival{}}

func (a *arrivals) of(id string) *arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by[id] == nil {
		a.by[id] = &arrival{came: make(chan struct{})}
	}
	return a.by[id]
}

func (a *arrival) tell() { a.once.Do(func() { close(a.came) }) }

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
