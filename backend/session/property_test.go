package session

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// Random events at random moments: whatever happens, what the package promises
// holds.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	const lives = 20_000
	for seed := range uint64(lives) {
		r := rand.New(rand.NewPCG(seed, 1))
		if problem := live(r); problem != "" {
			t.Fatalf("life %d: %s", seed, problem)
		}
	}
}

func live(r *rand.Rand) (problem string) {
	now := t0.Add(time.Duration(r.Int64N(int64(time.Second)))).Truncate(time.Microsecond)
	tr, err := New(randomOrder(r), now)
	if err != nil {
		return err.Error()
	}
	s, held := tr.Session, tr.Hold
	var served use
	served.after(Session{}, tr, now)
	// Some lives are quick: many events in few seconds, at any part of them.
	steps, pace := 1+r.IntN(30), 40*time.Second
	if r.IntN(2) == 0 {
		steps, pace = 200, time.Second
	}
	for range steps {
		now = now.Add(time.Duration(r.Int64N(int64(pace)))).Truncate(time.Microsecond)
		e := randomEvent(r)
		if _, early := e.(Complete); early && pace == time.Second && r.IntN(20) > 0 {
			e = Resume{}
		}
		tr, err := Apply(s, e, now)
		if err != nil {
			if !known(err) {
				return "untyped error: " + err.Error()
			}
			continue
		}
		if l, ok := e.(Launch); ok && l.Link < s.Relaunches {
			return "a link opened the session after a newer one was made"
		}
		if tr.Unchanged {
			continue
		}
		held += tr.Hold
		if p := check(s, tr, held, now); p != "" {
			return p
		}
		if l, ok := e.(Launch); ok && s.Status == Paused { // open during the pause
			served.total += max(0, min(l.Served, now.Sub(time.UnixMicro(s.Meter.PausedAtUS)), time.Unix(s.ExpiresAt, 0).Sub(time.UnixMicro(s.Meter.PausedAtUS))))
		}
		if l, ok := e.(Launch); ok && s.Status == Pending && s.StandsStill() { // open before the clock stood still
			served.total += min(l.Served, now.Sub(time.Unix(s.CreatedAt, 0)))
		}
		served.after(s, tr, now)
		if p := served.check(tr.Session, e); p != "" {
			return p
		}
		s = tr.Session
	}
	return ""
}

func check(before Session, tr Transition, held int64, now time.Time) string {
	s := tr.Session
	switch {
	case before.Status.Terminal():
		return "a session that is over changed"
	case s.Version != before.Version+1:
		return "the version did not grow by one"
	case s.Tokens != held:
		return "tokens are not what was held"
	case s.Status.Terminal() != (s.Settlement != nil) || s.Status.Terminal() != (tr.Settlement != nil) || s.Status.Terminal() != (s.Due() == 0):
		return "ending, settlement and deadline disagree"
	case s.Status == Pending && s.StartedAt != 0:
		return "a pending session's clock runs"
	case s.StartedAt != 0 && s.ExpiresAt != ceilUS(s.Meter.StartedUS+s.Duration*second+s.Meter.PausedUS+s.Standstill.StoodUS):
		return "the deadline is not start + duration + pauses + standstills"
	case s.PausedSeconds != s.Meter.PausedUS/second || (s.Status == Paused) != (s.Meter.PausedAtUS != 0):
		return "the exact times are not those that are shown"
	case s.StandsStill() != (s.Standstill.SinceUS != 0) || s.StandsStill() && s.Status != Paused && s.Status != Pending:
		return "a session that stands still goes on"
	case !s.Bought(s.Purchases):
		return "the purchases are not what was bought"
	case s.WarnAt != 0 && (s.Status != Active || s.WarnAt <= s.StartedAt || s.WarnAt >= s.ExpiresAt):
		return "a warning is due when there is nothing to warn of"
	case tr.Name == Warned && (before.WarnAt > now.Unix() || s.WarnAt == before.WarnAt || s.ExpiresAt != before.ExpiresAt):
		return "warned at the wrong time, or twice"
	case s.Status == Expired && (now.Unix() < s.ExpiresAt || s.Settlement.Captured != s.Tokens):
		return "cut off early, or not for the whole"
	case s.Terms.Pause != nil && (s.PauseCount > s.Terms.Pause.MaxCount || s.PausedSeconds > s.Terms.Pause.MaxSeconds):
		return "paused beyond the policy"
	case tr.Name == Redeemed && before.Spent() && before.EnteredAt != 0:
		return "a spent link opened the session again"
	case s.Relaunches > before.Relaunches && s.Spent():
		return "a new link is spent before it was opened"
	case s.Terms.Offer != nil && s.OfferUsed > s.Terms.Offer.MaxCount:
		return "extended beyond the offer"
	}
	if x := s.Settlement; x != nil {
		if x.Captured < 0 || x.Released < 0 || x.Captured+x.Released != s.Tokens || x.UsedSeconds < 0 || x.UsedSeconds > s.Duration {
			return "the settlement does not divide what was held"
		}
		var sum Settlement
		for _, p := range s.Purchases {
			if p.Captured < 0 || p.Released < 0 || p.Captured+p.Released != p.Tokens || p.UsedSeconds < 0 || p.UsedSeconds > p.Seconds {
				return "a settlement does not divide its purchase"
			}
			sum = Settlement{sum.Captured + p.Captured, sum.Released + p.Released, sum.UsedSeconds + p.UsedSeconds}
		}
		if sum != *x {
			return "the purchases' settlements are not the session's"
		}
	}
	return ""
}

// use is the time in which the app could be used, counted beside the session.
type use struct {
	open  bool
	since time.Time
	total time.Duration
}

// after counts the time up to a transition.
func (u *use) after(before Session, tr Transition, now time.Time) {
	s := tr.Session
	at := now
	switch {
	case tr.Name == Resumed && before.Due() <= now.Unix(): // by itself
		at = time.Unix(before.Due(), 0)
	case s.Status == Expired || s.Status == Canceled && s.EndReason == "deadline":
		at = time.Unix(s.ExpiresAt, 0) // edges cut there
	}
	if u.open {
		u.total += at.Sub(u.since)
	}
	u.open, u.since = s.Status == Active, at
}

// check compares what was used with what is billed.
func (u *use) check(s Session, e Event) string {
	if l, ok := e.(Launch); ok && s.Clock == AtLaunch && l.Served > 0 && u.total == 0 {
		u.since = time.UnixMicro(s.Meter.StartedUS) // open before
	}
	const courtesy = time.Second
	bought := time.Duration(s.Duration) * time.Second
	switch {
	case u.total >= bought+courtesy:
		return "the app could be used for longer than was bought"
	case s.Status == Expired && u.total < bought:
		return "the app could be used for less than was bought"
	case s.Settlement == nil || s.EnteredAt == 0:
		return ""
	}
	whole := min(int64(u.total/time.Second), s.Duration)
	if s.Settlement.UsedSeconds < max(1, whole) {
		return "less was billed than was used"
	}
	if u.total > courtesy && s.Settlement.UsedSeconds > int64((u.total+time.Second-1)/time.Second) {
		return "more was billed than was begun"
	}
	if r, ok := e.(Revoke); ok && r.Refund == RefundFull {
		return ""
	}
	left := whole
	for _, p := range s.Purchases {
		n := min(left, p.Seconds)
		left -= n
		// captured / tokens ≥ n / seconds
		if new(big.Int).Mul(big.NewInt(p.Captured), big.NewInt(p.Seconds)).Cmp(new(big.Int).Mul(big.NewInt(p.Tokens), big.NewInt(n))) < 0 {
			return "less was captured than the price of what was used"
		}
	}
	return ""
}

func known(err error) bool {
	_, illegal := errors.AsType[*IllegalError](err)
	return illegal || errors.Is(err, ErrSpent) || errors.Is(err, ErrConsent) || errors.Is(err, ErrPause) || errors.Is(err, ErrStandstill) ||
		errors.Is(err, ErrNotDue) || errors.Is(err, ErrPurchases) || errors.Is(err, ErrRelaunches) || errors.Is(err, ErrTerms) || errors.Is(err, ErrRefund)
}

func randomOrder(r *rand.Rand) Order {
	o := Order{
		ID: "s", UserID: "u", ProviderID: "p", Tokens: r.Int64N(1000), Duration: 1 + r.Int64N(300),
		Clock: []Clock{AtCreation, AtLaunch}[r.IntN(2)], LaunchWindow: r.Int64N(200),
		Terms: Terms{Settlement: []Policy{Full, Prorated}[r.IntN(2)], WarningSeconds: []int64{60, 10}[:r.IntN(3)]},
	}
	if r.IntN(2) == 0 {
		o.Terms.Pause = &Pauses{MaxCount: []int64{3, 1000}[r.IntN(2)], MaxSeconds: r.Int64N(60)}
	}
	if o.Clock == AtCreation {
		o.Terms.Unentered = []Unentered{"", CaptureUnentered, ReleaseUnentered}[r.IntN(3)]
	}
	if r.IntN(2) == 0 {
		o.Terms.Offer = &Offer{Seconds: 1 + r.Int64N(100), Tokens: r.Int64N(100), MaxCount: 1 + r.Int64N(3)}
	}
	return o
}

func randomEvent(r *rand.Rand) Event {
	switch r.IntN(17) {
	case 0, 1:
		return Launch{RedemptionID: []string{"a", "b"}[r.IntN(2)], Link: r.Int64N(4), Served: time.Duration(r.Int64N(20)-10) * 100 * time.Millisecond}
	case 2, 3:
		return Extend{By: User}
	case 4:
		return Extend{By: Marketplace, Seconds: r.Int64N(100), Tokens: r.Int64N(100)}
	case 5, 6:
		return Pause{}
	case 7:
		return Resume{}
	case 8:
		return Complete{By: User}
	case 9:
		return Enter{}
	case 10:
		return Relaunch{}
	case 11:
		return Revoke{Refund: []Refund{RefundFull, RefundProrated, RefundNone, ""}[r.IntN(4)]}
	case 12, 13:
		return Continue{}
	case 14:
		return Suspend{Reason: "maintenance"}
	}
	return Tick{}
}

func TestCeilDivAgainstBigIntegers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		c := 1 + r.Int64N(MaxDuration)
		a, b := r.Int64N(MaxTokens+1), r.Int64N(c+1)
		product := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		want, rem := new(big.Int).DivMod(product, big.NewInt(c), new(big.Int))
		if rem.Sign() > 0 {
			want.Add(want, big.NewInt(1))
		}
		if got := ceilDiv(a, b, c); got != want.Int64() {
			t.Fatalf("⌈%d·%d/%d⌉ = %d, want %v", a, b, c, got, want)
		}
	}
}
