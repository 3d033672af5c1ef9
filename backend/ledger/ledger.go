// Package ledger implements double-entry bookkeeping of tokens, as pure functions.
//
// Every movement is a [Transfer] of a positive amount from one account to another.
// Transfers are never changed, so the sum of all accounts is always zero. A user has
// two accounts: available tokens, and tokens held for sessions. Tokens come from the
// issue account of the user's marketplace, the only kind of account that may be negative.
// Users are named by their subjects (see protocol.Subject).
//
//	issue ──credit──► user available ──hold──► user held ──capture──► provider
//	                        ▲                      │
//	                        └───────release────────┘
//
// Functions return a [Posting]: the transfers, and the resulting changes of the
// stored balance and hold. The store writes a posting in the same transaction as the
// change that caused it. The transaction fails if the balance is too low or the hold
// has changed.
package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Kind is the purpose of a transfer.
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

// Transfer moves tokens from one account to another. Its ID is derived from the
// cause of the transfer and is unique, so that a transfer cannot be written twice.
type Transfer struct {
	ID         string
	Kind       Kind
	Debit      Account // gives
	Credit     Account // receives
	Amount     int64   // > 0
	UserID     string
	ProviderID string
	SessionID  string
	// Unix microseconds. Different for each transfer of a posting, in the order of
	// the transfers.
	At int64
}

// Balance is the stored balance of a user. Posted is available plus held.
type Balance struct {
	Posted int64
	Held   int64
}

// Available returns the tokens that the user may spend.
func (b Balance) Available() int64 { return b.Posted - b.Held }

// Hold is the tokens held for one session. Its ID is the ID of the session.
type Hold struct {
	ID         string
	UserID     string
	ProviderID string
	Amount     int64
	// How many times the amount was increased. Part of the ids of later transfers.
	Grown    int64
	Settled  bool
	Captured int64
	Released int64
}

// Posting is a planned change: the transfers, the resulting changes of the user's
// balance, and the hold after the change (nil for a credit).
type Posting struct {
	UserID      string
	PostedDelta int64
	HeldDelta   int64
	Transfers   []Transfer
	Hold        *Hold
}

// Credit returns the posting that gives a user new tokens. id identifies the credit:
// the same id can be posted only once.
func Credit(id, userID string, amount int64, now time.Time) (Posting, error) {
	if amount < 1 || amount > MaxAmount {
		return Posting{}, fmt.Errorf("crediting: %w", ErrAmount)
	}
	return Posting{UserID: userID, PostedDelta: amount, Transfers: []Transfer{{
		ID: "credit:" + id, Kind: KindCredit, Debit: Issue(userID), Credit: Available(userID), Amount: amount,
		UserID: userID, At: now.UnixMicro(),
	}}}, nil
}

// Open returns the posting that holds the tokens of a new session. A free session has
// a hold of zero and no transfer.
func Open(sessionID, userID, providerID string, amount int64, now time.Time) (Posting, error) {
	if amount < 0 || amount > MaxAmount {
		return Posting{}, fmt.Errorf("holding: %w", ErrAmount)
	}
	h := Hold{ID: sessionID, UserID: userID, ProviderID: providerID}
	return h.add(amount, "hold:"+sessionID, now), nil
}

// Grow returns the posting that adds amount to an open hold.
func Grow(h Hold, amount int64, now time.Time) (Posting, error) {
	if h.Settled {
		return Posting{}, fmt.Errorf("extending hold: %w", ErrSettled)
	}
	if amount < 0 || amount > MaxAmount-h.Amount {
		return Posting{}, fmt.Errorf("extending hold: %w", ErrAmount)
	}
	h.Grown++
	return h.add(amount, "hold:"+h.ID+":"+strconv.FormatInt(h.Grown, 10), now), nil
}

// Settle returns the posting that settles a hold: captured goes to the provider,
// released goes back to the user. Their sum must be the amount of the hold.
func Settle(h Hold, captured, released int64, now time.Time) (Posting, error) {
	switch {
	case h.Settled:
		return Posting{}, fmt.Errorf("settling: %w", ErrSettled)
	case captured < 0 || released < 0 || captured > h.Amount || released != h.Amount-captured:
		return Posting{}, fmt.Errorf("settling: %w", ErrUnbalanced)
	}
	p := Posting{UserID: h.UserID, PostedDelta: -captured, HeldDelta: -h.Amount}
	if captured > 0 {
		p.Transfers = append(p.Transfers, h.transfer("capture:"+h.ID, KindCapture, Held(h.UserID), Provider(h.ProviderID, h.UserID), captured, now.UnixMicro()))
	}
	if released > 0 {
		p.Transfers = append(p.Transfers, h.transfer("release:"+h.ID, KindRelease, Held(h.UserID), Available(h.UserID), released, now.UnixMicro()+1))
	}
	h.Settled, h.Captured, h.Released = true, captured, released
	p.Hold = &h
	return p, nil
}

// add returns the posting that adds amount to the hold.
func (h Hold) add(amount int64, id string, now time.Time) Posting {
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
