package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// bill is what the API says of a session's money.
type bill struct {
	Status     string `json:"status"`
	EnteredAt  int64  `json:"entered_at"`
	Duration   int64  `json:"duration_limit_seconds"`
	Tokens     int64  `json:"tokens_allocated"`
	Settlement *struct {
		Captured    int64 `json:"captured"`
		Released    int64 `json:"released"`
		UsedSeconds int64 `json:"used_seconds"`
	} `json:"settlement"`
	Purchases []struct {
		Seconds     int64 `json:"seconds"`
		Tokens      int64 `json:"tokens"`
		UsedSeconds int64 `json:"used_seconds"`
		Captured    int64 `json:"captured"`
		Released    int64 `json:"released"`
	} `json:"purchases"`
}

// served measures for how long the edge let a user use the app, at least: from the answer
// to the first request of a run to the last one that was answered later.
type served struct {
	first, last time.Time
	total       time.Duration
}

func (u *served) answered(asked, answered time.Time) {
	if u.first.IsZero() {
		u.first, u.last = answered, answered
		return
	}
	u.last = asked
}

// stop ends a run.
func (u *served) stop() {
	if !u.first.IsZero() {
		u.total += max(0, u.last.Sub(u.first))
	}
	u.first = time.Time{}
}

// TestUseIsBilledThroughTheEdge lets users do random things at random moments of a second:
// use the app, pause, resume, buy more time, end or run out. Whatever they do, they are
// billed for the whole seconds in which the app answered them, at the price of those
// seconds, and for no more than they bought.
func TestUseIsBilledThroughTheEdge(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	a := Caller(s.AdminKey).Do(t, "PATCH", s.API+"/api/v1/providers/"+s.ProviderID, map[string]any{"policies": map[string]any{
		"settlement": "prorated", "return_hosts": []string{"market.example"}, "pause": map[string]any{"max_count": 1000, "max_seconds": 600},
	}})
	if a.Status != http.StatusOK {
		t.Fatalf("setting policies: %d %s", a.Status, a.Body)
	}
	const visits = 8
	t.Run("visits", func(t *testing.T) {
		for i := range visits {
			seed := uint64(time.Now().UnixNano()) + uint64(i)
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				s.visit(t, rand.New(rand.NewPCG(seed, 0)), i%2 == 0)
			})
		}
	})
}

// visit is one session; a short one runs out while it is used.
func (s *Split) visit(t *testing.T, r *rand.Rand, short bool) {
	user := s.newUser(t, 100_000)
	w := terms{User: user, Seconds: 300 + r.Int64N(300), Tokens: 300 + r.Int64N(5000), Clock: []string{"", "launch"}[r.IntN(2)],
		Extension: map[string]any{"additional_seconds": 3600, "tokens": 1, "max_count": 3}}
	if short {
		w.Seconds, w.Extension, w.Clock = 3+r.Int64N(3), nil, "launch"
	}
	sold := s.buy(t, w)
	b := s.enter(t, sold.LaunchURL)
	var use served
	paused, over := false, false
	act := func(action string) {
		use.stop()
		a := page(b, t, "POST", s.App+"/.session-gate/"+action, map[string]any{})
		if a.Status == http.StatusOK {
			paused = action == "pause" || paused && action != "resume"
		} else if a.Code() == "session_expired" || a.Code() == "session_completed" {
			over = true
		}
	}
	steps := 10 + r.IntN(20)
	for step := 0; (step < steps || short) && !over; step++ {
		switch n := r.IntN(10); {
		case n < 2 && !short:
			act("extend")
		case n < 5 && !paused:
			act("pause")
		default:
			if paused {
				act("resume")
			}
		}
		for until := time.Now().Add(time.Duration(r.IntN(400)) * time.Millisecond); time.Now().Before(until) && !over; {
			asked := time.Now()
			a := page(b, t, "GET", s.App+"/", nil)
			switch {
			case a.Status == http.StatusOK:
				use.answered(asked, time.Now())
			case a.Code() == "session_paused":
				time.Sleep(5 * time.Millisecond) // nothing happens in a pause
			default:
				over = true
			}
		}
	}
	use.stop()
	if !over {
		if r.IntN(3) == 0 {
			a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+sold.Session.ID+"/revoke", map[string]any{"refund": "prorated"})
			if a.Status != http.StatusOK {
				t.Fatalf("revoking: %d %s", a.Status, a.Body)
			}
		} else {
			act("end")
		}
	}
	s.settled(t, sold.Session.ID)
	var got bill
	Caller(s.MarketplaceKey).Do(t, "GET", s.API+"/api/v1/sessions/"+sold.Session.ID, nil).JSON(t, &got)
	got.check(t, use.total)
	if left := s.balance(t, user); left != (balance{100_000 - got.Settlement.Captured, 0}) {
		t.Errorf("the balance is %+v after a settlement of %+v", left, got.Settlement)
	}
}

// check compares a bill with the time for which the app answered.
func (b *bill) check(t *testing.T, used time.Duration) {
	t.Helper()
	whole, x := int64(used/time.Second), b.Settlement
	t.Logf("%s after %v of use: %d of %d s for %d of %d tokens, %d purchases", b.Status, used, x.UsedSeconds, b.Duration, x.Captured, b.Tokens, len(b.Purchases))
	if b.EnteredAt == 0 || x.UsedSeconds < max(1, min(whole, b.Duration)) || x.UsedSeconds > b.Duration || x.Captured+x.Released != b.Tokens {
		t.Errorf("%v of use are billed as %+v of %d s", used, *x, b.Duration)
	}
	if used >= time.Duration(b.Duration+1)*time.Second {
		t.Errorf("the app could be used for %v, and %d s were bought", used, b.Duration)
	}
	left := max(1, whole)
	var captured, usedSeconds int64
	for _, p := range b.Purchases {
		n := min(left, p.Seconds)
		left -= n
		if p.Captured*p.Seconds < p.Tokens*n || p.Captured+p.Released != p.Tokens {
			t.Errorf("%d s of a purchase of %d s for %d tokens cost %d", n, p.Seconds, p.Tokens, p.Captured)
		}
		captured, usedSeconds = captured+p.Captured, usedSeconds+p.UsedSeconds
	}
	if captured != x.Captured || usedSeconds != x.UsedSeconds {
		t.Errorf("the purchases come to %d s for %d tokens, the settlement is %+v", usedSeconds, captured, *x)
	}
}
