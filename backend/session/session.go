// Package session is the life of one paid session as a pure state machine:
// values in, values out, the clock an argument.
//
//	            launch window over ─► canceled (hold released)
//	pending ─launch─► active ⇄ paused
//	                    │ ├─ complete (marketplace, or user ends)  ─► completed
//	                    │ ├─ deadline passes                        ─► expired
//	                    │ └─ revoke (operator, marketplace)         ─► revoked
//
// Seconds are whole. The clock rounds in the user's favor: it starts at the
// next full second after the moment of creation or launch, a pause begins at
// the full second before it was asked for and ends at the one after. A second
// that has started counts as used when a session is settled by time.
//
//	session.go     the record and what follows from it
//	event.go       what may happen
//	machine.go     Apply: what it changes
//	settlement.go  who gets which tokens at the end
//	errors.go      why something may not happen
package session

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Status is where a session stands in its life.
type Status string

// The states. Terminal ones never change again.
const (
	Pending   Status = "pending"
	Active    Status = "active"
	Paused    Status = "paused"
	Completed Status = "completed"
	Expired   Status = "expired"
	Revoked   Status = "revoked"
	Canceled  Status = "canceled"
)

// Terminal reports whether a session in this state is over.
func (s Status) Terminal() bool {
	switch s {
	case Pending, Active, Paused:
		return false
	}
	return true
}

// Clock is the moment at which paid time begins.
type Clock string

// The two clocks.
const (
	AtCreation Clock = "creation"
	AtLaunch   Clock = "launch"
)

// Limits that hold for every session, whatever its terms.
const (
	// MaxDuration is the most paid seconds one session may have, extensions
	// included.
	MaxDuration = 31 * 24 * 3600
	// MaxTokens is the most tokens one session may hold, extensions included.
	MaxTokens = 1_000_000_000_000
	// DefaultLaunchWindow is how long a pending session waits, in seconds.
	DefaultLaunchWindow = 900
	// RedeemAgain is how long, in seconds, the same redemption may repeat its
	// launch, so that an answer lost on the way costs nobody a session.
	RedeemAgain = 60
)

// Session is the record of one session. Times are Unix seconds, 0 for never.
type Session struct {
	ID         string
	UserID     string
	ProviderID string
	Status     Status
	// Grows by one with every change.
	Version int64
	Clock   Clock
	// Tokens on hold for this session, extensions included.
	Tokens int64
	// Paid seconds, extensions included.
	Duration  int64
	ReturnURL string
	// Where the user may agree to spend more than the offer, on the
	// marketplace's own origin. May be empty.
	ConsentURL string
	Terms      Terms
	// How many extensions of the offer were taken.
	OfferUsed int64

	CreatedAt int64
	// The last moment at which a pending session may be launched.
	LaunchBy  int64
	StartedAt int64
	// When paid time ends. Stands still while paused; see [Session.Due].
	ExpiresAt int64
	// When the user is next warned that time runs out; see [Terms].
	WarnAt   int64
	PausedAt int64
	// Seconds of finished pauses, and how many pauses were begun.
	PausedSeconds int64
	PauseCount    int64

	// Who redeemed the launch token, and when.
	RedemptionID string
	RedeemedAt   int64

	EndedAt    int64
	EndReason  string
	Settlement *Settlement
}

// Terms is what was agreed when the session was created. A provider that
// changes its policies changes no session already sold.
type Terms struct {
	Settlement     Policy  `json:"settlement"`
	Pause          *Pauses `json:"pause,omitempty"`
	Offer          *Offer  `json:"offer,omitempty"`
	WarningSeconds []int64 `json:"warning_seconds,omitempty"`
}

// Pauses is what a provider's policy lets a user pause: at most MaxCount times
// and MaxSeconds altogether.
type Pauses struct {
	MaxCount   int64 `json:"max_count"`
	MaxSeconds int64 `json:"max_seconds"`
}

// Offer is how much more a user may buy from inside the provider's page.
type Offer struct {
	Seconds  int64 `json:"additional_seconds"`
	Tokens   int64 `json:"tokens"`
	MaxCount int64 `json:"max_count"`
}

// Order is what a marketplace sells: the input of [New].
type Order struct {
	ID           string
	UserID       string
	ProviderID   string
	Tokens       int64
	Duration     int64
	ReturnURL    string
	ConsentURL   string
	Clock        Clock
	LaunchWindow int64
	Terms        Terms
}

// New returns the transition that brings a session into being. The caller has
// made ID unique.
func New(o Order, now time.Time) (Transition, error) {
	if err := o.validate(); err != nil {
		return Transition{}, fmt.Errorf("creating session: %w", err)
	}
	s := Session{
		ID: o.ID, UserID: o.UserID, ProviderID: o.ProviderID,
		Version: 1, Clock: o.Clock, Tokens: o.Tokens, Duration: o.Duration,
		ReturnURL: o.ReturnURL, ConsentURL: o.ConsentURL, Terms: o.Terms,
		CreatedAt: floor(now),
	}
	if s.Clock == AtLaunch {
		window := o.LaunchWindow
		if window <= 0 {
			window = DefaultLaunchWindow
		}
		s.Status, s.LaunchBy = Pending, ceil(now)+window
		return Transition{Session: s, Name: Created, Hold: o.Tokens}, nil
	}
	s.Clock, s.Status = AtCreation, Active
	s.start(now)
	return Transition{Session: s, Name: Started, Hold: o.Tokens}, nil
}

func (o *Order) validate() error {
	switch {
	case o.ID == "" || o.UserID == "" || o.ProviderID == "":
		return fmt.Errorf("%w: id, user and provider are required", ErrTerms)
	case o.Tokens < 0 || o.Tokens > MaxTokens:
		return fmt.Errorf("%w: tokens out of range", ErrTerms)
	case o.Duration < 1 || o.Duration > MaxDuration:
		return fmt.Errorf("%w: duration out of range", ErrTerms)
	case o.Clock != "" && o.Clock != AtCreation && o.Clock != AtLaunch:
		return fmt.Errorf("%w: unknown clock", ErrTerms)
	}
	if f := o.Terms.Offer; f != nil && (f.Seconds < 1 || f.Seconds > MaxDuration || f.Tokens < 0 || f.Tokens > MaxTokens || f.MaxCount < 1) {
		return fmt.Errorf("%w: extension offer out of range", ErrTerms)
	}
	if p := o.Terms.Pause; p != nil && (p.MaxCount < 0 || p.MaxSeconds < 0 || p.MaxSeconds > MaxDuration) {
		return fmt.Errorf("%w: pause policy out of range", ErrTerms)
	}
	return nil
}

func (s *Session) start(now time.Time) {
	s.StartedAt = ceil(now)
	s.ExpiresAt = s.StartedAt + s.Duration
	s.WarnAt = s.nextWarning(now)
}

// nextWarning is the first moment after now, and after the start, at which the
// terms want the user warned; 0 for none.
func (s *Session) nextWarning(now time.Time) int64 {
	var next int64
	for _, w := range s.Terms.WarningSeconds {
		at := s.ExpiresAt - w
		if at > floor(now) && at > s.StartedAt && at < s.ExpiresAt && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// Due is when time itself next changes s (see [Tick]), in Unix seconds; 0 when
// it never will.
func (s *Session) Due() int64 {
	switch s.Status {
	case Pending:
		return s.LaunchBy
	case Active:
		if s.WarnAt != 0 {
			return min(s.WarnAt, s.ExpiresAt)
		}
		return s.ExpiresAt
	case Paused:
		return s.PausedAt + s.pauseLeft()
	}
	return 0
}

// over reports whether time alone has ended s's state by now: nothing else may
// happen to it before [Tick]. A warning that is due stands in nobody's way.
func (s *Session) over(now time.Time) bool {
	if s.Status == Active {
		return now.Unix() >= s.ExpiresAt
	}
	due := s.Due()
	return due != 0 && now.Unix() >= due
}

// Remaining is how many paid seconds s has left, rounded up; 0 when over.
func (s *Session) Remaining(now time.Time) int64 {
	switch s.Status {
	case Pending:
		return s.Duration
	case Active:
		return max(0, min(s.ExpiresAt-floor(now), s.Duration))
	case Paused:
		return max(0, s.ExpiresAt-s.PausedAt)
	}
	return 0
}

// Used is how many paid seconds have started by now, at most Duration.
func (s *Session) Used(now time.Time) int64 {
	if s.StartedAt == 0 {
		return 0
	}
	at := ceil(now)
	if s.Status == Paused {
		at = min(at, s.PausedAt)
	}
	return max(0, min(at-s.StartedAt-s.PausedSeconds, s.Duration))
}

func (s *Session) pauseLeft() int64 {
	if s.Terms.Pause == nil {
		return 0
	}
	return max(0, s.Terms.Pause.MaxSeconds-s.PausedSeconds)
}

func floor(t time.Time) int64 { return t.Unix() }

func ceil(t time.Time) int64 {
	if t.Nanosecond() == 0 || t.Unix() == math.MaxInt64 {
		return t.Unix()
	}
	return t.Unix() + 1
}

// Policy is how a session that was entered is settled when it completes or
// expires.
type Policy string

// The settlement policies of a provider.
const (
	// Full: every allocated token is captured, however early the user leaves.
	Full Policy = "full"
	// Prorated: tokens are captured per started second, rounded up; the rest is
	// released.
	Prorated Policy = "prorated"
)

// Refund is what a revocation gives back.
type Refund string

// The refund choices of [Revoke].
const (
	RefundFull     Refund = "full"     // everything
	RefundProrated Refund = "prorated" // what was not used
	RefundNone     Refund = "none"     // nothing
)

// Settlement is how a hold ended. Captured + Released is all that was held.
type Settlement struct {
	Captured int64
	Released int64
	// Paid seconds that had started, pauses left out.
	UsedSeconds int64
}

// settle divides tokens of a session of which used of duration seconds have
// started. A part of a token counts as one.
func settle(p Policy, tokens, used, duration int64) Settlement {
	used = max(0, min(used, duration))
	captured := tokens
	if p == Prorated {
		captured = ceilDiv(tokens, used, duration)
	}
	return Settlement{Captured: captured, Released: tokens - captured, UsedSeconds: used}
}

// ceilDiv is ⌈a·b / c⌉ for a ≥ 0 and 0 ≤ b ≤ c, c > 0, without overflow: the
// product needs up to 128 bits, the quotient is at most a.
func ceilDiv(a, b, c int64) int64 {
	if b >= c {
		return a
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, rem := bits.Div64(hi, lo, uint64(c))
	if rem > 0 {
		q++
	}
	return int64(q)
}
