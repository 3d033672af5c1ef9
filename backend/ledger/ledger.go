// Package ledger is double-entry bookkeeping of tokens, as pure values.
//
// Every movement is a [Transfer] of a positive amount from one account to
// another, written once and never changed; so all accounts together are always
// zero. A user has two accounts: what is available, and what is held for
// sessions. Tokens come from the issue account, which alone may go below zero.
//
//	issue ──credit──► user available ──hold──► user held ──capture──► provider
//	                        ▲                      │
//	                        └───────release────────┘
//
// Functions plan a [Posting]: the transfers, and what they do to the stored
// balance and hold. The store writes it in the transaction of the change that
// caused it, and fails it if a balance or a hold is not as the plan needs it.
package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Account names one side of a transfer.
type Account string

// Issue is where tokens come from: its balance is minus all tokens in being.
const Issue Account = "issue"

// Available is what a user may spend.
func Available(userID string) Account { return Account("user:" + userID + ":available") }

// Held is what is set aside for a user's running sessions.
func Held(userID string) Account { return Account("user:" + userID + ":held") }

// Provider is what a provider has earned.
func Provider(providerID string) Account { return Account("provider:" + providerID) }

// Kind is what a transfer is for.
type Kind string

// The kinds of transfers.
const (
	KindCredit  Kind = "credit"
	KindHold    Kind = "hold"
	KindCapture Kind = "capture"
	KindRelease Kind = "release"
)

// MaxAmount is the most tokens one transfer may move.
const MaxAmount = 1_000_000_000_000

// Errors that callers tell apart.
var (
	ErrAmount       = errors.New("amount is out of range")
	ErrInsufficient = errors.New("not enough tokens available")
	ErrSettled      = errors.New("hold is already settled")
	ErrUnbalanced   = errors.New("capture and release do not add up to the hold")
)

// Transfer is one movement. ID is derived from what caused it, so that writing
// it twice is refused by its uniqueness.
type Transfer struct {
	ID         string
	Kind       Kind
	Debit      Account // gives
	Credit     Account // receives
	Amount     int64   // > 0
	UserID     string
	ProviderID string
	SessionID  string
	// Unix microseconds. Transfers of one posting differ, in the order of
	// writing.
	At int64
}

// Balance is a user's stored balance: Posted = available + held.
type Balance struct {
	Posted int64
	Held   int64
}

// Available is what may be spent.
func (b Balance) Available() int64 { return b.Posted - b.Held }

// Hold is tokens set aside for one session; its id is the session's.
type Hold struct {
	ID         string
	UserID     string
	ProviderID string
	Amount     int64
	// How many times the amount grew. The next transfer's id counts on.
	Grown    int64
	Settled  bool
	Captured int64
	Released int64
}

// Posting is a plan: transfers, the user's balance moved by them, and the hold
// as it is afterwards (nil for a credit).
type Posting struct {
	UserID      string
	PostedDelta int64
	HeldDelta   int64
	Transfers   []Transfer
	Hold        *Hold
}

// Credit plans new tokens for a user. id makes it unique.
func Credit(id, userID string, amount int64, now time.Time) (Posting, error) {
	if amount < 1 || amount > MaxAmount {
		return Posting{}, fmt.Errorf("crediting: %w", ErrAmount)
	}
	return Posting{UserID: userID, PostedDelta: amount, Transfers: []Transfer{{
		ID: "credit:" + id, Kind: KindCredit, Debit: Issue, Credit: Available(userID), Amount: amount,
		UserID: userID, At: now.UnixMicro(),
	}}}, nil
}

// Open plans the hold of a new session. A session that costs nothing has a
// hold of zero, and no transfer.
func Open(sessionID, userID, providerID string, amount int64, now time.Time) (Posting, error) {
	if amount < 0 || amount > MaxAmount {
		return Posting{}, fmt.Errorf("holding: %w", ErrAmount)
	}
	h := Hold{ID: sessionID, UserID: userID, ProviderID: providerID}
	return h.set(amount, "hold:"+sessionID, now), nil
}

// Grow plans amount more on an open hold.
func Grow(h Hold, amount int64, now time.Time) (Posting, error) {
	if h.Settled {
		return Posting{}, fmt.Errorf("extending hold: %w", ErrSettled)
	}
	if amount < 0 || amount > MaxAmount-h.Amount {
		return Posting{}, fmt.Errorf("extending hold: %w", ErrAmount)
	}
	h.Grown++
	return h.set(amount, "hold:"+h.ID+":"+strconv.FormatInt(h.Grown, 10), now), nil
}

// Settle plans the end of a hold: captured goes to the provider, released back
// to the user; together they are all that is held.
func Settle(h Hold, captured, released int64, now time.Time) (Posting, error) {
	switch {
	case h.Settled:
		return Posting{}, fmt.Errorf("settling: %w", ErrSettled)
	case captured < 0 || released < 0 || captured > h.Amount || released != h.Amount-captured:
		return Posting{}, fmt.Errorf("settling: %w", ErrUnbalanced)
	}
	p := Posting{UserID: h.UserID, PostedDelta: -captured, HeldDelta: -h.Amount}
	if captured > 0 {
		p.Transfers = append(p.Transfers, h.transfer("capture:"+h.ID, KindCapture, Held(h.UserID), Provider(h.ProviderID), captured, now.UnixMicro()))
	}
	if released > 0 {
		p.Transfers = append(p.Transfers, h.transfer("release:"+h.ID, KindRelease, Held(h.UserID), Available(h.UserID), released, now.UnixMicro()+1))
	}
	h.Settled, h.Captured, h.Released = true, captured, released
	p.Hold = &h
	return p, nil
}

func (h Hold) set(amount int64, id string, now time.Time) Posting {
	h.Amount += amount
	p := Posting{UserID: h.UserID, HeldDelta: amount, Hold: &h}
	if amount > 0 {
		p.Transfers = []Transfer{h.transfer(id, KindHold, Available(h.UserID), Held(h.UserID), amount, now.UnixMicro())}
	}
	return p
}

func (h Hold) transfer(id string, k Kind, debit, credit Account, amount, at int64) Transfer {
	return Transfer{
		ID: id, Kind: k, Debit: debit, Credit: credit, Amount: amount,
		UserID: h.UserID, ProviderID: h.ProviderID, SessionID: h.ID, At: at,
	}
}
