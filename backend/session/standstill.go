package session

import (
	"errors"
	"time"
)

// Standstill is a time in which the provider's app cannot be used, such as its
// maintenance. The clock of a session stands still: paid time, the launch window and the
// user's own pause go on where they were. It costs the user no pause.
//
//	paid clock ────┐                    ┌────►
//	               └─ standstill ───────┘
//	               Suspend        Continue
type Standstill struct {
	// Why the clock stands still; empty if it does not.
	Reason string
	// When it began, in Unix microseconds; 0 if it does not stand still.
	SinceUS int64
	// When the last one ended; 0 if there was none. What began before is over.
	UntilUS int64
	// The length of all that are over, in microseconds.
	StoodUS int64
	// The user had paused the session, which stays paused afterwards.
	Paused bool
}

// MaxStandstill is how long the clock of a session stands still in all, in seconds. Then
// the session is revoked and charged for what was used, so that no tokens are held for ever.
// The launch window of a session that nobody entered ends as long after its creation at most.
const MaxStandstill = 31 * 24 * 3600

// Suspend begins a standstill. Apply it with the moment at which it began.
type Suspend struct{ Reason string }

// Continue ends a standstill. Apply it with the moment at which it ended.
type Continue struct{}

func (Suspend) name() string  { return "suspend" }
func (Continue) name() string { return "continue" }

// Suspended begins the standstill of a pending session. Continued ends that of a session
// that stays pending, or stays paused by its user. The others are [PausedAt] and [Resumed].
const (
	Suspended Name = "suspended"
	Continued Name = "continued"
)

// ErrStandstill is returned for an event that has to wait until a standstill is over.
var ErrStandstill = errors.New("the provider's app cannot be used now; the clock stands still")

// StandsStill reports whether the clock of s stands still.
func (s *Session) StandsStill() bool { return s.Standstill.Reason != "" }

func applySuspend(s Session, e Suspend, now time.Time) (Transition, error) {
	if s.StandsStill() || e.Reason == "" {
		return Transition{Session: s, Name: Suspended, Unchanged: true}, nil
	}
	at := now.UnixMicro()
	name := PausedAt
	switch s.Status {
	case Pending:
		name = Suspended
	case Paused: // by its user
		s.Meter.PausedUS += max(0, at-s.Meter.PausedAtUS)
		s.PausedSeconds = s.Meter.PausedUS / second
		s.ExpiresAt = s.deadline()
		s.Standstill.Paused = true
		s.stop(max(at, s.Meter.PausedAtUS))
	default:
		s.Status = Paused
		s.stop(max(at, s.Meter.StartedUS))
	}
	s.Standstill.Reason, s.Standstill.SinceUS = e.Reason, at
	s.WarnAt = 0
	return changed(s, name), nil
}

func applyContinue(s Session, now time.Time) (Transition, error) {
	if !s.StandsStill() {
		return Transition{Session: s, Name: Continued, Unchanged: true}, nil
	}
	at := max(now.UnixMicro(), s.Standstill.SinceUS)
	name := Continued
	switch {
	case s.Status == Pending:
		s.LaunchBy = max(s.LaunchBy, min(s.LaunchBy+ceilUS(at-s.Standstill.SinceUS), s.CreatedAt+MaxStandstill))
	case s.Standstill.Paused && s.pauseLeftUS() > 0: // the user's own pause goes on
		s.Standstill.StoodUS += max(0, at-s.Meter.PausedAtUS)
		s.ExpiresAt = s.deadline()
		s.stop(max(at, s.Meter.PausedAtUS))
	default:
		name = Resumed
		s.Standstill.StoodUS += max(0, at-s.Meter.PausedAtUS)
		s.Meter.PausedAtUS, s.PausedAt = 0, 0
		s.Status = Active
		s.ExpiresAt = s.deadline()
		s.WarnAt = s.nextWarning(now)
	}
	s.Standstill = Standstill{UntilUS: at, StoodUS: s.Standstill.StoodUS}
	return changed(s, name), nil
}

// launchDuringStandstill redeems a link that an edge has admitted while it did not know of the
// standstill: the time for which it has served counts, and then the clock stands still.
func launchDuringStandstill(s Session, e Launch, now time.Time) (Transition, error) {
	if e.Served <= 0 {
		return Transition{}, ErrStandstill
	}
	if s.Status == Pending {
		s.Status = Paused
		s.start(max(now.UnixMicro()-e.Served.Microseconds(), s.CreatedAt*second), now)
		s.stop(now.UnixMicro())
		s.WarnAt = 0
	} else {
		s.serve(e.Served, now)
	}
	return redeemed(s, e, Redeemed, now), nil
}

// standstillDue is when the clock has stood still for too long, in Unix seconds.
func (s *Session) standstillDue() int64 {
	since := ceilUS(s.Standstill.SinceUS)
	if s.Status == Pending {
		return max(since, s.LaunchBy, s.CreatedAt+MaxStandstill)
	}
	return since + max(0, MaxStandstill-s.Standstill.StoodUS/second)
}

// endStandstill ends a session whose clock stood still for too long.
func endStandstill(s Session, at time.Time) Transition {
	if s.free() || s.StartedAt == 0 {
		return end(s, Canceled, s.Standstill.Reason, at, RefundFull, 0)
	}
	return end(s, Revoked, s.Standstill.Reason, at, RefundProrated, s.Used(at))
}
