package session

import "time"

// Event is an input of [Apply].
type Event interface {
	name() string
}

// Actor is the party that requests an event.
type Actor string

// The actors. A user acts through the provider's page, so that scripts of that page
// can act in the user's name. A marketplace acts with its API key.
const (
	User        Actor = "user"
	Marketplace Actor = "marketplace"
	Operator    Actor = "operator"
)

// Launch redeems a launch token. Only the same RedemptionID may repeat it, within
// [RedeemAgain] seconds.
type Launch struct {
	RedemptionID string
	// The number of the token's link: 0 for the link of the sale; see [Relaunch].
	Link int64
	// How long the app was open to the user before: an edge may admit a launch while it
	// cannot redeem it. A clock that starts at launch has run for that time, and a paused
	// one, too. The same RedemptionID may repeat the launch for so much longer.
	Served time.Duration
}

// Enter records that somebody entered a session whose clock runs, where no edge redeems
// the launch token.
type Enter struct{}

// Extend buys more time. A user may take only the session's offer; zero Seconds and
// Tokens mean the offered ones. A marketplace may choose both.
type Extend struct {
	By      Actor
	Seconds int64
	Tokens  int64
}

// Pause stops the paid clock.
type Pause struct{}

// Resume starts the paid clock again after a pause.
type Resume struct{}

// Complete ends the session at the request of the user or the marketplace. A session
// that was never launched is canceled.
type Complete struct{ By Actor }

// Revoke ends the session early, for a reason other than the user's request.
type Revoke struct {
	By     Actor
	Refund Refund
	Reason string
}

// Tick applies the next deadline or warning that is due. If several are due, apply
// it again.
type Tick struct{}

func (Launch) name() string   { return "launch" }
func (Enter) name() string    { return "enter" }
func (Extend) name() string   { return "extend" }
func (Pause) name() string    { return "pause" }
func (Resume) name() string   { return "resume" }
func (Complete) name() string { return "complete" }
func (Revoke) name() string   { return "revoke" }
func (Tick) name() string     { return "tick" }

// Name identifies a transition in logs and webhooks.
type Name string

// The transitions.
const (
	Created  Name = "created" // pending: paid time has not begun
	Started  Name = "started"
	Redeemed Name = "redeemed" // launched when paid time had already begun
	Warned   Name = "warning"  // a warning was due; the state did not change
	Extended Name = "extended"
	PausedAt Name = "paused"
	Resumed  Name = "resumed"
	Ended    Name = "ended"
)

// Transition is the result of an event: the session after it, and the tokens to
// hold or settle.
type Transition struct {
	Session Session
	Name    Name
	// The event repeats one that already took effect. There is nothing to store.
	Unchanged bool
	// Tokens to hold in addition to those already held.
	Hold int64
	// The extension, if Name is [Extended].
	Extension *Extension
	// The settlement, if Name is [Ended].
	Settlement *Settlement
}

// Extension is one purchase of more time.
type Extension struct {
	By      Actor
	Seconds int64
	Tokens  int64
}
