// Package session implements the life of a paid session as a pure state machine:
// it does no I/O, and the current time is an argument.
//
//	            launch window over ─► canceled (hold released)
//	pending ─launch─► active ⇄ paused
//	                    │ ├─ complete (marketplace, or user ends)  ─► completed
//	                    │ ├─ deadline passes                        ─► expired
//	                    │ └─ revoke (operator, marketplace)         ─► revoked
//
// Use is counted exactly, without pauses, and billed in started seconds; see [Meter].
// Each purchase (the sale, then each extension) is settled by itself, at its own price,
// the earliest first; see [Purchase]. A session that nobody entered is charged or
// released as its terms say; see [Unentered].
//
//	session.go     the session and its terms
//	meter.go       exact time: use, pauses, the deadline
//	settlement.go  purchases, and how they are settled
//	warning.go     when the user is warned
//	event.go       events and transitions
//	machine.go     Apply, which turns an event into a transition, and its errors
//	standstill.go  times in which the app cannot be used
//	relaunch.go    new links to a session
//	mode.go        what a session is for, and how the clock of a test session is moved
package session

import (
	"fmt"
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
	// What the session is for. Empty: live; see [Session.Purpose].
	Mode Mode `json:",omitempty"`
	// The pass that opened it. Empty if it was sold.
	PassID string `json:",omitempty"`
	Status Status
	// Grows by one with every change.
	Version int64
	Clock   Clock
	// Tokens held for this session, including extensions.
	Tokens int64
	// Paid seconds, including extensions.
	Duration int64
	// What was bought, the earliest first: the sale, then each extension.
	Purchases []Purchase
	ReturnURL string
	// The marketplace's page on which the user may agree to an extension beyond the
	// offer. May be empty.
	ConsentURL string
	Terms      Terms
	// How many times the user took the offer.
	OfferUsed int64

	CreatedAt int64
	// The end of the launch window of a pending session.
	LaunchBy int64
	// The first whole second of the paid clock; see [Meter].
	StartedAt int64
	// When somebody first entered the session.
	EnteredAt int64
	// When paid time ends. Not updated during a pause; see [Session.Due].
	ExpiresAt int64
	// When the next warning is due; see [Terms].
	WarnAt   int64
	PausedAt int64
	// Total seconds of finished pauses, and the number of pauses started.
	PausedSeconds int64
	PauseCount    int64
	// The exact times that StartedAt, PausedAt and PausedSeconds are rounded from.
	Meter      Meter
	Standstill Standstill

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
	// Empty in sessions that were sold before this term existed; see
	// [Session.UnenteredTerm].
	Unentered Unentered `json:"unentered,omitempty"`
}

// Unentered says what a session costs that nobody entered.
type Unentered string

// The choices for a session that nobody entered. A session whose clock starts at launch
// is always released: it is canceled.
const (
	// CaptureUnentered charges the session like any other.
	CaptureUnentered Unentered = "capture"
	// ReleaseUnentered cancels the session at its end and releases all tokens.
	ReleaseUnentered Unentered = "release"
)

// UnenteredTerm returns what s costs if nobody enters it. A session without the term is
// captured if its clock starts at creation.
func (s *Session) UnenteredTerm() Unentered {
	switch {
	case s.Clock == AtLaunch:
		return ReleaseUnentered
	case s.Terms.Unentered == "":
		return CaptureUnentered
	}
	return s.Terms.Unentered
}

// free reports whether s ends without a charge because nobody has entered it.
func (s *Session) free() bool {
	return s.EnteredAt == 0 && s.UnenteredTerm() == ReleaseUnentered
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
	Mode         Mode   // empty: live
	PassID       string // the pass that opens it; empty if it is sold
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
		ID: o.ID, UserID: o.UserID, ProviderID: o.ProviderID, Mode: o.Mode, PassID: o.PassID,
		Version: 1, Clock: o.Clock, Tokens: o.Tokens, Duration: o.Duration,
		ReturnURL: o.ReturnURL, ConsentURL: o.ConsentURL, Terms: o.Terms,
		CreatedAt: floor(now),
	}
	if s.Clock == "" {
		s.Clock = AtCreation
	}
	if s.Mode == LiveMode {
		s.Mode = ""
	}
	s.Terms.Unentered = s.UnenteredTerm()
	s.Purchases = []Purchase{{By: Marketplace, Seconds: o.Duration, Tokens: o.Tokens, At: s.CreatedAt}}
	if s.Clock == AtLaunch {
		window := o.LaunchWindow
		if window <= 0 {
			window = DefaultLaunchWindow
		}
		s.Status, s.LaunchBy = Pending, ceil(now)+window
		return Transition{Session: s, Name: Created, Hold: o.Tokens}, nil
	}
	s.Status = Active
	s.start(now.UnixMicro(), now)
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
	switch o.Terms.Unentered {
	case "", ReleaseUnentered:
	case CaptureUnentered:
		if o.Clock == AtLaunch {
			return fmt.Errorf("%w: a session whose clock starts at launch is released if nobody enters it", ErrTerms)
		}
	default:
		return fmt.Errorf("%w: unknown choice for a session that nobody entered", ErrTerms)
	}
	if f := o.Terms.Offer; f != nil && (f.Seconds < 1 || f.Seconds > MaxDuration || f.Tokens < 0 || f.Tokens > MaxTokens || f.MaxCount < 1) {
		return fmt.Errorf("%w: extension offer out of range", ErrTerms)
	}
	if p := o.Terms.Pause; p != nil && (p.MaxCount < 0 || p.MaxSeconds < 0 || p.MaxSeconds > MaxDuration) {
		return fmt.Errorf("%w: pause policy out of range", ErrTerms)
	}
	return nil
}

// Due returns when the passing of time next changes s (see [Tick]), in Unix seconds,
// or 0 if it never does.
func (s *Session) Due() int64 {
	if s.StandsStill() {
		return s.standstillDue()
	}
	switch s.Status {
	case Pending:
		return s.LaunchBy
	case Active:
		if s.WarnAt != 0 {
			return min(s.WarnAt, s.ExpiresAt)
		}
		return s.ExpiresAt
	case Paused:
		return ceilUS(s.Meter.PausedAtUS + s.pauseLeftUS())
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
