package edge

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// launches counts what is asked of the backend, which takes a moment and redeems
// a link once.
type launches struct {
	e     *Edge
	asked atomic.Int64
}

func (l *launches) enter(t *testing.T, r *http.Request) (string, error) {
	return l.e.Launches.Do(t.Context(), LaunchKeyOf(r, "token"), "s", func() (string, error) {
		first := l.asked.Add(1) == 1
		time.Sleep(50 * time.Millisecond)
		if !first {
			return "", &protocol.Problem{Code: protocol.LaunchSpent}
		}
		l.e.Sessions.Put(stateOf("s", 1, protocol.Active, time.Hour), MonotonicMS())
		return "cookie", nil
	})
}

func visit(userAgent string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://app.example/?session=token", nil)
	r.Header.Set("User-Agent", userAgent)
	return r
}

func TestLinkOpenedTwiceByOneClientEnters(t *testing.T) {
	for _, tt := range []struct {
		name   string
		again  string        // user agent of the second request
		after  time.Duration // from the first's start
		before func(*Edge)   // what comes in between
		want   string
	}{
		{"a double click", "a", 10 * time.Millisecond, nil, "cookie"},
		{"a reload", "a", 3 * time.Second, nil, "cookie"},
		{"another client", "b", 10 * time.Millisecond, nil, ""},
		{"somebody is in", "a", time.Second, func(e *Edge) { e.Sessions.ByID("s").Register(&live.Registration{Cutter: cutterFunc(func() {})}) }, ""},
		{"a new link was made meanwhile", "a", time.Second, func(e *Edge) {
			e.Sessions.BindToken("cookie", e.Sessions.ByID("s"))
			again := stateOf("s", 2, protocol.Active, time.Hour)
			again.Relaunches = 1
			e.Sessions.Put(again, MonotonicMS())
		}, ""},
		{"too late", "a", 11 * time.Second, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &launches{e: aloneEdge(t)}
				first := make(chan string, 1)
				go func() {
					cookie, _ := l.enter(t, visit("a"))
					first <- cookie
				}()
				time.Sleep(tt.after)
				if tt.before != nil {
					tt.before(l.e)
				}
				got, err := l.enter(t, visit(tt.again))
				if got != tt.want || (err == nil) != (tt.want != "") {
					t.Errorf("the second request got %q, %v; want %q", got, err, tt.want)
				}
				var problem *protocol.Problem
				if err != nil && (!errors.As(err, &problem) || problem.Code != protocol.LaunchSpent) {
					t.Errorf("refused with %v", err)
				}
				if got := <-first; got != "cookie" {
					t.Errorf("the first request got %q", got)
				}
			})
		})
	}
}

// TestFailedEntriesAreTriedAgain: a backend that was down for the first request
// is asked by the second.
func TestFailedEntriesAreTriedAgain(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	for _, want := range []error{ErrBackendDown, nil} {
		cookie, err := e.Launches.Do(t.Context(), LaunchKeyOf(visit("a"), "token"), "s", func() (string, error) { return "cookie", want })
		if !errors.Is(err, want) || cookie != "cookie" {
			t.Errorf("%q, %v; want %v", cookie, err, want)
		}
	}
	if n := len(e.Launches.recent); n != 1 {
		t.Errorf("%d entries are kept", n)
	}
}

// TestBrokenLaunchHoldsUpNobody: a launch that panics leaves nothing behind for
// others to wait for.
func TestBrokenLaunchHoldsUpNobody(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	key := LaunchKeyOf(visit("a"), "token")
	func() {
		defer func() { _ = recover() }()
		_, _ = e.Launches.Do(t.Context(), key, "s", func() (string, error) { panic(http.ErrAbortHandler) })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if cookie, err := e.Launches.Do(ctx, key, "s", func() (string, error) { return "cookie", nil }); cookie != "cookie" || err != nil {
		t.Errorf("%q, %v after a launch that was broken off", cookie, err)
	}
}

// TestEntriesAreForgotten: what is kept does not grow with the day's launches.
func TestEntriesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 1024
		e := aloneEdge(t)
		for n := range 10 * burst {
			if n%burst == 0 {
				time.Sleep(repeatWindow)
			}
			r := visit(string(rune(n)))
			_, _ = e.Launches.Do(t.Context(), LaunchKeyOf(r, "token"), "s", func() (string, error) { return "cookie", nil })
		}
		if n := len(e.Launches.recent); n > burst {
			t.Errorf("%d entries are kept", n)
		}
	})
}
