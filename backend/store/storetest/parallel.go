package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// together runs f n times at once.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		all.Go(func() { <-gate; f(i) })
	}
	close(gate)
	all.Wait()
}

func parallelHolds(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 500)
	var granted, refused atomic.Int64
	together(20, func(i int) {
		switch err := insert(s, newSession(t, fmt.Sprint("s", i), "u", 75)); {
		case err == nil:
			granted.Add(1)
		case errors.Is(err, ledger.ErrInsufficient):
			refused.Add(1)
		default:
			t.Error(err)
		}
	})
	if granted.Load() != 6 || refused.Load() != 14 {
		t.Errorf("granted %d, refused %d", granted.Load(), refused.Load())
	}
	if b, err := s.Balance(ctx, "u"); err != nil || b != (ledger.Balance{Posted: 500, Held: 450}) {
		t.Errorf("balance is %+v, %v", b, err)
	}
}

func parallelCaptures(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 100)
	sell(t, s, "s1", "u", 100)
	var settled, over atomic.Int64
	together(16, func(i int) {
		err := settle(s, "s1", session.Tick{}, Now.Add(time.Hour))
		switch {
		case err == nil:
			settled.Add(1)
		case errors.Is(err, session.ErrNotDue):
			over.Add(1)
		default:
			t.Error(err)
		}
	})
	if settled.Load() != 1 || over.Load() != 15 {
		t.Errorf("settled %d times, found over %d times", settled.Load(), over.Load())
	}
}

func parallelOnce(t *testing.T, s *store.Store) {
	var fresh atomic.Int64
	together(100, func(i int) {
		var first bool
		err := s.Write(ctx, func(tx *store.Tx) (err error) {
			var answer string
			if answer, first, err = tx.Once(ctx, "a", "k", "h", Now); err != nil {
				return err
			}
			if !first {
				if answer != "done" {
					return fmt.Errorf("answered %q", answer)
				}
				return nil
			}
			p, err := ledger.Credit("c", "u", 5, Now)
			if err != nil {
				return err
			}
			if err := tx.Post(ctx, p); err != nil {
				return err
			}
			return tx.Remember(ctx, "a", "k", "done")
		})
		if err != nil {
			t.Error(err)
		}
		if first {
			fresh.Add(1)
		}
	})
	if fresh.Load() != 1 {
		t.Errorf("%d effects", fresh.Load())
	}
	if b, err := s.Balance(ctx, "u"); err != nil || b.Posted != 5 {
		t.Errorf("balance is %+v, %v", b, err)
	}
}

func randomWriters(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	for u := range 3 {
		credit(t, s, fmt.Sprint("c", u), fmt.Sprint("u", u), 300)
	}
	together(16, func(i int) {
		for n := range 12 {
			id := fmt.Sprintf("s%d-%d", i, n)
			err := insert(s, newSession(t, id, fmt.Sprint("u", (i+n)%3), int64(10+n)))
			if errors.Is(err, ledger.ErrInsufficient) {
				continue
			}
			if err == nil && n%2 == 0 {
				err = settle(s, id, session.Complete{By: session.User}, Now.Add(time.Duration(n)*time.Second))
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
}
