// Package session implements the life of a paid session as a pure state machine:
// it does no I/O, and the current time is an argument.
//
//	            launch window over ─► canceled (hold released)
//	pending ─launch─► active ⇄ paused
//	                    │ ├─ complete (marketplace, or user ends)  ─► completed
//	                    │ ├─ deadline passes                        ─► expired
//	                    │ └─ revoke (operator, marketplace)         ─► revoked
//
// Times are whole seconds, rounded in the user's favor. Paid time starts at the next
// full second after creation or launch. A pause begins at the last full second before
// the request and ends at the next full second after the request to resume. When a
// session is settled by time, a second that has started counts as used.
//
//	session.go  the session, its terms and its settlement
//	event.go    events and transitions
//	machine.go  Apply, which turns an event into a transition, and its errors
//	relaunch.go new links to a session
package session

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Status is the state of a session.
type Status string

// The states of a session. A session in a terminal state never changes again.
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

// Clock says when paid time begins.
type Clock string

// Paid time begins at creation or at launch.
const (
	AtCreation Clock = "creation"
	AtLaunch   Clock = "launch"
)

// Limits of every session, whatever its terms.
const (
	// MaxDuration is the most paid seconds of one session, including extensions.
	MaxDuration = 31 * 24 * 3600
	// MaxTokens is the most tokens of one session, including extensions.
	MaxTokens = 1_000_000_000_000
	// DefaultLaunchWindow is how long a pending session can be launched, in seconds.
	DefaultLaunchWindow = 900
	// RedeemAgain is how long, in seconds, the same redemption may repeat a launch,
	// so that a lost response does not cost the user the session.
	RedeemAgain = 60
)

// Session is one paid session. Times are Unix seconds; 0 means never.
type Session struct {
	ID         string
	UserID     string
	ProviderID string
	Status     Status
	// Grows by one with every change.
	Version int64
	Clock   Clock
	// Tokens held for this session, including extensions.
	Tokens int64
	// Paid seconds, including extensions.
	Duration  int64
	ReturnURL string
	// The marketplace's page on which the user may agree to an extension beyond the
	// offer. May be empty.
	ConsentURL string
	Terms      Terms
	// How many times the user took the offer.
	OfferUsed int64

	CreatedAt int64
	// The end of the launch window of a pending session.
	LaunchBy  int64
	StartedAt int64
	// When paid time ends. Not updated during a pause; see [Session.Due].
	ExpiresAt int64
	// When the next warning is due; see [Terms].
	WarnAt   int64
	PausedAt int64
	// Total seconds of finished pauses, and the number of pauses started.
	PausedSeconds int64
	PauseCount    int64

	// The last redemption of a launch token, its time, and the number of the link that it
	// redeemed: 0 for the link of the sale.
	RedemptionID string
	RedeemedAt   int64
	RedeemedLink int64
	// How many new links there were, which is the number of the link that counts, and when
	// the last one was made; see [Relaunch].
	Relaunches   int64
	RelaunchedAt int64

	EndedAt    int64
	EndReason  string
	Settlement *Settlement
}

// Terms are the provider's policies at the time of creation. Later changes of the
// policies do not affect the session.
type Terms struct {
	Settlement     Policy  `json:"settlement"`
	Pause          *Pauses `json:"pause,omitempty"`
	Offer          *Offer  `json:"offer,omitempty"`
	WarningSeconds []int64 `json:"warning_seconds,omitempty"`
}

// Pauses limits pauses by the user: at most MaxCount pauses, of MaxSeconds in total.
type Pauses struct {
	MaxCount   int64 `json:"max_count"`
	MaxSeconds int64 `json:"max_seconds"`
}

// Offer is the extension that a user may buy from within the provider's page, up to
// MaxCount times.
type Offer struct {
	Seconds  int64 `json:"additional_seconds"`
	Tokens   int64 `json:"tokens"`
	MaxCount int64 `json:"max_count"`
}

// Order describes a new session; see [New].
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

// New returns the transition that creates a session. It returns [ErrTerms] if the
// order is out of range. The caller makes sure that the ID is unique.
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

// nextWarning returns the time of the first warning that is after now and after the
// start, or 0 if there is none.
func (s *Session) nextWarning(now time.Time) int64 {
	var next int64
	for _, w := range WarningThresholds(s.Terms.WarningSeconds, s.Duration) {
		at := s.ExpiresAt - w
		if at > floor(now) && at > s.StartedAt && at < s.ExpiresAt && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// Due returns when the passing of time next changes s (see [Tick]), in Unix seconds,
// or 0 if it never does.
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

// over reports whether a deadline of s has passed, so that [Tick] must be applied
// before any other event. A warning that is due does not count.
func (s *Session) over(now time.Time) bool {
	if s.Status == Active {
		return now.Unix() >= s.ExpiresAt
	}
	due := s.Due()
	return due != 0 && now.Unix() >= due
}

// Remaining returns the paid seconds that are left, rounded up; 0 if s has ended.
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

// Used returns the paid seconds that have started by now, at most Duration.
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

// pauseLeft returns the seconds of pause that the terms still allow.
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

// Policy says how a launched session is settled when it completes or expires.
type Policy string

// The settlement policies of a provider.
const (
	// Full captures all tokens, however early the user leaves.
	Full Policy = "full"
	// Prorated captures the share of the seconds that have started, rounded up to
	// whole tokens, and releases the rest.
	Prorated Policy = "prorated"
)

// Refund says which tokens a revocation releases.
type Refund string

// The refund choices of [Revoke].
const (
	RefundFull     Refund = "full"     // all tokens
	RefundProrated Refund = "prorated" // the unused share
	RefundNone     Refund = "none"     // no tokens
)

// Settlement is the division of a hold. Captured plus Released is the amount held.
type Settlement struct {
	Captured int64
	Released int64
	// Paid seconds that had started, without pauses.
	UsedSeconds int64
}

// settle divides the tokens of a session in which used of duration seconds have
// started. The captured share is rounded up to whole tokens.
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

const (
	// A user gets at least this many seconds to respond to a warning (WCAG 2.2.1).
	leastNotice = 20
	// A shorter session has no warning, unless its thresholds are in its second half.
	shortestWarned = 30
)

// defaultWarnings are the thresholds of a session whose terms name none.
var defaultWarnings = []int64{300, 60}

// WarningThresholds returns the seconds before the end at which the user of a session
// of total seconds is warned, largest first: those that lie in its second half, else
// one of 20 s, else none. The clock in the page warns by the same rule, so that a
// provider's server is told of the warnings that the user sees. Both are tested with
// testdata/warnings.json.
func WarningThresholds(configured []int64, total int64) []int64 {
	if len(configured) == 0 {
		configured = defaultWarnings
	}
	kept := []int64{}
	for _, w := range configured {
		if w > 0 && w <= total/2 {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 && total >= shortestWarned {
		return []int64{leastNotice}
	}
	slices.SortFunc(kept, func(a, b int64) int { return int(b - a) })
	return kept
}
