package session

// Event is something that happens to a session.
type Event interface {
	name() string
}

// Actor is who asks for something.
type Actor string

// Who may ask. A user acts through a provider's page, whose scripts share its
// origin; a marketplace acts with its own key.
const (
	User        Actor = "user"
	Marketplace Actor = "marketplace"
	Operator    Actor = "operator"
)

// Launch redeems the launch token. RedemptionID names the one entry that may
// repeat it.
type Launch struct{ RedemptionID string }

// Extend buys more time. A user may take the session's offer and nothing else;
// zero figures mean "as offered". A marketplace names its own.
type Extend struct {
	By      Actor
	Seconds int64
	Tokens  int64
}

// Pause stops the paid clock.
type Pause struct{}

// Resume starts it again.
type Resume struct{}

// Complete ends the session in agreement: the user has done, or the
// marketplace closes the sale. A session never entered is canceled.
type Complete struct{ By Actor }

// Revoke ends the session against the user's plan.
type Revoke struct {
	By     Actor
	Refund Refund
	Reason string
}

// Tick is the passing of time: it does what is due by now, one step.
type Tick struct{}

func (Launch) name() string   { return "launch" }
func (Extend) name() string   { return "extend" }
func (Pause) name() string    { return "pause" }
func (Resume) name() string   { return "resume" }
func (Complete) name() string { return "complete" }
func (Revoke) name() string   { return "revoke" }
func (Tick) name() string     { return "tick" }

// Name is what a transition did, as logs and webhooks call it.
type Name string

// The transitions.
const (
	Created  Name = "created" // pending, clock stands still
	Started  Name = "started"
	Redeemed Name = "redeemed" // entered; the clock ran already
	Warned   Name = "warning"  // time runs out; nothing else changed
	Extended Name = "extended"
	PausedAt Name = "paused"
	Resumed  Name = "resumed"
	Ended    Name = "ended"
)

// Transition is what an event does to a session: the record after it, and the
// tokens that move.
type Transition struct {
	Session Session
	Name    Name
	// The event changed nothing: it repeats one that already took effect.
	// Nothing is to be stored.
	Unchanged bool
	// Tokens to set aside, beyond those already held.
	Hold int64
	// What was bought, with [Extended].
	Extension *Extension
	// Who gets what, with [Ended].
	Settlement *Settlement
}

// Extension is one purchase of more time.
type Extension struct {
	By      Actor
	Seconds int64
	Tokens  int64
}
