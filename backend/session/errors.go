package session

import (
	"errors"
	"fmt"
)

// Errors that callers tell apart.
var (
	// ErrTerms: the order or the extension is outside of what any session may be.
	ErrTerms = errors.New("terms are out of range")
	// ErrSpent: the launch token was redeemed by another entry.
	ErrSpent = errors.New("launch token is spent")
	// ErrConsent: more than the offer covers; only the user can agree to it, on
	// the marketplace's own origin.
	ErrConsent = errors.New("extension is beyond the offer")
	// ErrPause: the provider's policy allows no (further) pause.
	ErrPause = errors.New("pause is not allowed")
	// ErrNotDue: a tick came before anything was due.
	ErrNotDue = errors.New("nothing is due")
	// ErrRefund: a revocation without a known refund choice.
	ErrRefund = errors.New("unknown refund choice")
)

// IllegalError is an event that the session's state does not allow.
type IllegalError struct {
	From  Status
	Event string
}

func (e *IllegalError) Error() string {
	return fmt.Sprintf("session is %s: cannot %s", e.From, e.Event)
}

func illegal(s Session, e Event) error {
	return &IllegalError{From: s.Status, Event: e.name()}
}
