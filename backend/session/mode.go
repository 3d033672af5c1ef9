package session

import (
	"cmp"
	"errors"
	"time"
)

// Mode says what a session is for. Only live sessions are revenue.
type Mode string

// The modes of a session.
const (
	LiveMode    Mode = "live"    // sold; the mode of a session that has none
	TestMode    Mode = "test"    // sold by a test key, from test balances
	StaffMode   Mode = "staff"   // opened by a pass, for the provider's own people
	PreviewMode Mode = "preview" // opened by a pass, to show the clock, the warning and the end
)

// Purpose returns the mode of s.
func (s *Session) Purpose() Mode { return cmp.Or(s.Mode, LiveMode) }

// Advance moves the clock of a test session forward, as if so many seconds had passed
// since its last change. Apply [Tick] afterwards; [Session.Step] says how far to move at
// once, so that nothing which would have happened meanwhile is left out.
type Advance struct{ Seconds int64 }

func (Advance) name() string { return "advance" }

// Advanced is the transition of an [Advance].
const Advanced Name = "advanced"

// ErrNotTest is returned for an [Advance] of a session that is no test session.
var ErrNotTest = errors.New("only test sessions can be advanced")

// Step returns how far to advance s at once on the way to left seconds: to its next
// deadline or warning, or all the way.
func (s *Session) Step(left int64, now time.Time) int64 {
	due := s.Due()
	if due == 0 {
		return left
	}
	return min(left, max(1, due-floor(now)))
}

func applyAdvance(s Session, e Advance) (Transition, error) {
	switch {
	case s.Mode != TestMode:
		return Transition{}, ErrNotTest
	case s.StandsStill():
		return Transition{}, ErrStandstill
	case e.Seconds < 1 || e.Seconds > MaxDuration:
		return Transition{}, ErrTerms
	}
	// The session's times move into the past. When it was created and what was bought when
	// are records, and stay.
	for _, at := range []*int64{&s.LaunchBy, &s.StartedAt, &s.ExpiresAt, &s.WarnAt, &s.PausedAt, &s.EnteredAt, &s.RedeemedAt, &s.RelaunchedAt} {
		if *at != 0 {
			*at -= e.Seconds
		}
	}
	for _, at := range []*int64{&s.Meter.StartedUS, &s.Meter.PausedAtUS} {
		if *at != 0 {
			*at -= e.Seconds * second
		}
	}
	return changed(s, Advanced), nil
}
