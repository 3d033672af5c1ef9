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
	now := t0.Add(time.Duration(r.Int64N(int64(time.Second))))
	tr, err := New(randomOrder(r), now)
	if err != nil {
		return err.Error()
	}
	s, held := tr.Session, tr.Hold
	for range 1 + r.IntN(30) {
		now = now.Add(time.Duration(r.Int64N(int64(40 * time.Second))))
		e := randomEvent(r)
		tr, err := Apply(s, e, now)
		if err != nil {
			if !known(err) {
				return "untyped error: " + err.Error()
			}
			continue
		}
		if tr.Unchanged {
			continue
		}
		held += tr.Hold
		if p := check(s, tr, held, now); p != "" {
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
	case s.StartedAt != 0 && s.ExpiresAt != s.StartedAt+s.Duration+s.PausedSeconds:
		return "the deadline is not start + duration + pauses"
	case s.WarnAt != 0 && (s.Status != Active || s.WarnAt <= s.StartedAt || s.WarnAt >= s.ExpiresAt):
		return "a warning is due when there is nothing to warn of"
	case tr.Name == Warned && (before.WarnAt > now.Unix() || s.WarnAt == before.WarnAt || s.ExpiresAt != before.ExpiresAt):
		return "warned at the wrong time, or twice"
	case s.Status == Expired && (now.Unix() < s.ExpiresAt || s.Settlement.Captured != s.Tokens):
		return "cut off early, or not for the whole"
	case s.Terms.Pause != nil && (s.PauseCount > s.Terms.Pause.MaxCount || s.PausedSeconds > s.Terms.Pause.MaxSeconds):
		return "paused beyond the policy"
	case s.Terms.Offer != nil && s.OfferUsed > s.Terms.Offer.MaxCount:
		return "extended beyond the offer"
	}
	if x := s.Settlement; x != nil {
		if x.Captured < 0 || x.Released < 0 || x.Captured+x.Released != s.Tokens || x.UsedSeconds < 0 || x.UsedSeconds > s.Duration {
			return "the settlement does not divide what was held"
		}
	}
	return ""
}

func known(err error) bool {
	_, illegal := errors.AsType[*IllegalError](err)
	return illegal || errors.Is(err, ErrSpent) || errors.Is(err, ErrConsent) || errors.Is(err, ErrPause) ||
		errors.Is(err, ErrNotDue) || errors.Is(err, ErrTerms) || errors.Is(err, ErrRefund)
}

func randomOrder(r *rand.Rand) Order {
	o := Order{
		ID: "s", UserID: "u", ProviderID: "p", Tokens: r.Int64N(1000), Duration: 1 + r.Int64N(300),
		Clock: []Clock{AtCreation, AtLaunch}[r.IntN(2)], LaunchWindow: r.Int64N(200),
		Terms: Terms{Settlement: []Policy{Full, Prorated}[r.IntN(2)], WarningSeconds: []int64{60, 10}[:r.IntN(3)]},
	}
	if r.IntN(2) == 0 {
		o.Terms.Pause = &Pauses{MaxCount: r.Int64N(4), MaxSeconds: r.Int64N(60)}
	}
	if r.IntN(2) == 0 {
		o.Terms.Offer = &Offer{Seconds: 1 + r.Int64N(100), Tokens: r.Int64N(100), MaxCount: 1 + r.Int64N(3)}
	}
	return o
}

func randomEvent(r *rand.Rand) Event {
	switch r.IntN(12) {
	case 0, 1:
		return Launch{RedemptionID: []string{"a", "b"}[r.IntN(2)]}
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
		return Revoke{Refund: []Refund{RefundFull, RefundProrated, RefundNone, ""}[r.IntN(4)]}
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
