package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

var now = time.Unix(1_800_000_000, 0)

func must(t *testing.T) func(Posting, error) Posting {
	return func(p Posting, err error) Posting {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func TestHoldGrowsAndSettles(t *testing.T) {
	t.Parallel()
	b, plan := NewBook(), must(t)
	post := func(p Posting) {
		t.Helper()
		if err := b.Post(p); err != nil {
			t.Fatal(err)
		}
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
	}
	post(plan(Credit("1", "u", 500, now)))
	post(plan(Open("s", "u", "p", 100, now)))
	post(plan(Grow(b.Holds["s"], 50, now)))
	if got := b.Balances["u"]; got.Available() != 350 || got.Held != 150 {
		t.Errorf("after holding: %+v", got)
	}
	post(plan(Settle(b.Holds["s"], 60, 90, now)))
	if got := b.Balances["u"]; got.Available() != 440 || got.Held != 0 || got.Posted != 440 {
		t.Errorf("after settling: %+v", got)
	}
	if _, err := Settle(b.Holds["s"], 60, 90, now); !errors.Is(err, ErrSettled) {
		t.Errorf("settling twice: %v", err)
	}
	if _, err := Grow(b.Holds["s"], 1, now); !errors.Is(err, ErrSettled) {
		t.Errorf("growing a settled hold: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	hold := Hold{ID: "s", UserID: "u", ProviderID: "p", Amount: 10}
	for name, c := range map[string]struct {
		plan func() (Posting, error)
		want error
	}{
		"credit of nothing":  {func() (Posting, error) { return Credit("1", "u", 0, now) }, ErrAmount},
		"credit below zero":  {func() (Posting, error) { return Credit("1", "u", -5, now) }, ErrAmount},
		"credit too large":   {func() (Posting, error) { return Credit("1", "u", MaxAmount+1, now) }, ErrAmount},
		"hold below zero":    {func() (Posting, error) { return Open("s", "u", "p", -1, now) }, ErrAmount},
		"growth below zero":  {func() (Posting, error) { return Grow(hold, -1, now) }, ErrAmount},
		"growth overflows":   {func() (Posting, error) { return Grow(hold, MaxAmount, now) }, ErrAmount},
		"captures too much":  {func() (Posting, error) { return Settle(hold, 11, -1, now) }, ErrUnbalanced},
		"releases too much":  {func() (Posting, error) { return Settle(hold, 5, 6, now) }, ErrUnbalanced},
		"leaves a remainder": {func() (Posting, error) { return Settle(hold, 5, 4, now) }, ErrUnbalanced},
	} {
		if _, err := c.plan(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestBookRefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	b, plan := NewBook(), must(t)
	if err := b.Post(plan(Open("s", "u", "p", 1, now))); !errors.Is(err, ErrInsufficient) {
		t.Errorf("holding of nothing: %v", err)
	}
	credit := plan(Credit("1", "u", 5, now))
	if err := b.Post(credit); err != nil {
		t.Fatal(err)
	}
	if err := b.Post(credit); err == nil {
		t.Error("the same transfer was written twice")
	}
}

// Random operations on a few users: the book always balances.
func TestRandomOperationsBalance(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		b := NewBook()
		for i := range 200 {
			p, err := randomPosting(r, b, i)
			if err == nil {
				err = b.Post(p)
			}
			if err != nil && !errors.Is(err, ErrInsufficient) && !errors.Is(err, ErrSettled) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := b.Check(); err != nil {
				t.Fatalf("seed %d, operation %d: %v", seed, i, err)
			}
		}
	}
}

func randomPosting(r *rand.Rand, b *Book, i int) (Posting, error) {
	user := fmt.Sprintf("u%d", r.IntN(3))
	hold, ok := b.Holds["s"+strconv.Itoa(r.IntN(i+1))]
	switch n := r.IntN(4); {
	case n == 0:
		return Credit(strconv.Itoa(i), user, 1+r.Int64N(100), now)
	case n == 1 || !ok:
		return Open("s"+strconv.Itoa(i), user, "p", r.Int64N(80), now)
	case n == 2:
		return Grow(hold, r.Int64N(50), now)
	}
	captured := r.Int64N(hold.Amount + 1)
	return Settle(hold, captured, hold.Amount-captured, now)
}
