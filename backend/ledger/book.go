package ledger

import "fmt"

// Book is a ledger in memory, for tests. It enforces the same rules as the
// constraints of the store, and can verify all balances against the transfers.
type Book struct {
	Balances  map[string]Balance // by user id
	Holds     map[string]Hold    // by session id
	Transfers map[string]Transfer
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{Balances: map[string]Balance{}, Holds: map[string]Hold{}, Transfers: map[string]Transfer{}}
}

// Post applies p. If it returns an error, the book is unchanged.
func (b *Book) Post(p Posting) error {
	bal := b.Balances[p.UserID]
	bal.Posted += p.PostedDelta
	bal.Held += p.HeldDelta
	if bal.Available() < 0 {
		return ErrInsufficient
	}
	if p.Hold != nil && b.Holds[p.Hold.ID].Settled {
		return ErrSettled
	}
	for _, t := range p.Transfers {
		if _, twice := b.Transfers[t.ID]; twice {
			return fmt.Errorf("transfer %s is already recorded", t.ID)
		}
	}
	b.Balances[p.UserID] = bal
	if p.Hold != nil {
		b.Holds[p.Hold.ID] = *p.Hold
	}
	for _, t := range p.Transfers {
		b.Transfers[t.ID] = t
	}
	return nil
}

// Check recomputes all balances and holds from the transfers and returns the first
// difference.
func (b *Book) Check() error {
	sums := map[Account]int64{}
	captures := map[string]int{}
	for _, t := range b.Transfers {
		if t.Amount < 1 {
			return fmt.Errorf("transfer %s moves %d", t.ID, t.Amount)
		}
		sums[t.Debit] -= t.Amount
		sums[t.Credit] += t.Amount
		if t.Kind == KindCapture {
			captures[t.SessionID]++
		}
	}
	var total int64
	for account, sum := range sums {
		total += sum
		if sum < 0 && !account.IsIssue() {
			return fmt.Errorf("account %s is at %d", account, sum)
		}
	}
	if total != 0 {
		return fmt.Errorf("accounts sum to %d", total)
	}
	held := map[string]int64{}
	for id, h := range b.Holds {
		if captures[id] > 1 {
			return fmt.Errorf("hold %s was captured %d times", id, captures[id])
		}
		if h.Settled && h.Captured+h.Released != h.Amount {
			return fmt.Errorf("hold %s of %d settled as %d + %d", id, h.Amount, h.Captured, h.Released)
		}
		if !h.Settled {
			held[h.UserID] += h.Amount
		}
	}
	for user, bal := range b.Balances {
		if bal.Held != held[user] || bal.Held != sums[Held(user)] {
			return fmt.Errorf("user %s holds %d, open holds are %d, its account %d", user, bal.Held, held[user], sums[Held(user)])
		}
		if bal.Available() != sums[Available(user)] {
			return fmt.Errorf("user %s has %d available, its account %d", user, bal.Available(), sums[Available(user)])
		}
	}
	return nil
}
