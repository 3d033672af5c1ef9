package session

import (
	"math"
	"time"
)

// second is a second in microseconds.
const second = 1_000_000

// Meter holds the exact times of a session, in Unix microseconds. Use begins with the
// creation or the launch and stops during pauses, to the microsecond, so that many short
// pauses add up to what they are.
//
//	      StartedUS   StartedAt                            the deadline
//	──────┼───────────┼────────────────────────────────────┼─► time
//	      │ courtesy  │ the paid clock, without pauses     │
//	      └─ < 1 s ───┘                                    │
//	      └─ at least the seconds bought, less than 1 s more
//
// The clock that is billed starts at the first whole second, so the part of a second
// before it is a courtesy. The deadline is a whole second, too: the first one at which
// all bought seconds could be used since StartedUS. However a session is paused, its
// user has at least the seconds bought, and less than one second more.
type Meter struct {
	// When the app could be used first; 0 before that.
	StartedUS int64
	// When the present pause began; 0 if there is none.
	PausedAtUS int64
	// The length of all finished pauses.
	PausedUS int64
}

// RestoreMeter sets the exact times of a session that was stored without them, or was
// changed by a version that does not have them, to its whole seconds.
func (s *Session) RestoreMeter() {
	if ceilUS(s.Meter.StartedUS) != s.StartedAt {
		s.Meter.StartedUS = s.StartedAt * second
	}
	if s.Meter.PausedUS/second != s.PausedSeconds {
		s.Meter.PausedUS = s.PausedSeconds * second
	}
	switch at := s.Meter.PausedAtUS / second; {
	case s.PausedAt == 0:
		s.Meter.PausedAtUS = 0
	case s.Meter.PausedAtUS == 0 || max(at, s.StartedAt) != s.PausedAt:
		s.Meter.PausedAtUS = s.PausedAt * second
	}
	if s.EnteredAt == 0 {
		s.EnteredAt = s.RedeemedAt
	}
	if s.StandsStill() && s.Status != Pending && s.Status != Paused { // a version that has no standstills went on
		s.Standstill = Standstill{UntilUS: s.Standstill.UntilUS, StoodUS: s.Standstill.StoodUS}
	}
}

// start starts the paid clock as of the moment at, which is not after now.
func (s *Session) start(at int64, now time.Time) {
	s.Meter.StartedUS = at
	s.StartedAt = ceilUS(at)
	s.ExpiresAt = s.deadline()
	s.WarnAt = s.nextWarning(now)
}

// deadline returns when paid time ends, in Unix seconds, without the present pause.
func (s *Session) deadline() int64 {
	return ceilUS(s.Meter.StartedUS + s.Meter.PausedUS + s.Standstill.StoodUS + s.Duration*second)
}

// Remaining returns the paid seconds that are left, rounded up; 0 if s has ended.
func (s *Session) Remaining(now time.Time) int64 {
	switch s.Status {
	case Pending:
		return s.Duration
	case Active:
		return max(0, min(s.ExpiresAt-floor(now), s.Duration))
	case Paused:
		return max(0, min(s.ExpiresAt-s.PausedAt, s.Duration))
	}
	return 0
}

// Used returns the paid seconds that have started by now: at least one once somebody
// has entered, at most Duration. It is 0 while a session is free; see [Unentered].
func (s *Session) Used(now time.Time) int64 {
	if s.StartedAt == 0 || s.free() {
		return 0
	}
	at := now.UnixMicro()
	if s.Status == Paused {
		at = min(at, s.Meter.PausedAtUS)
	}
	used := max(0, ceilUS(at-s.StartedAt*second-s.Meter.PausedUS-s.Standstill.StoodUS))
	if s.EnteredAt != 0 {
		used = max(1, used)
	}
	return min(used, s.Duration)
}

// stop stops the paid clock at the moment at: a pause or a standstill begins.
func (s *Session) stop(at int64) {
	s.Meter.PausedAtUS = at
	// The page shows the time that is left at PausedAt, which is not more than all.
	s.PausedAt = max(at/second, s.StartedAt)
}

// serve counts time for which the app was open during the present pause: the pause begins
// that much later, at the deadline at most.
func (s *Session) serve(open time.Duration, now time.Time) {
	at := min(s.Meter.PausedAtUS+open.Microseconds(), now.UnixMicro(), s.ExpiresAt*second)
	if at <= s.Meter.PausedAtUS {
		return
	}
	s.Meter.PausedAtUS = at
	s.PausedAt = max(at/second, s.StartedAt)
}

// unpause ends the present pause at the moment at.
func (s *Session) unpause(at int64) {
	s.Meter.PausedUS += max(0, at-s.Meter.PausedAtUS)
	s.Meter.PausedAtUS, s.PausedAt = 0, 0
	s.PausedSeconds = s.Meter.PausedUS / second
	s.ExpiresAt = s.deadline()
}

// pauseLeftUS returns the microseconds of pause that the terms still allow. A pause ends
// by itself at the first whole second after it has used them up.
func (s *Session) pauseLeftUS() int64 {
	if s.Terms.Pause == nil {
		return 0
	}
	return max(0, s.Terms.Pause.MaxSeconds*second-s.Meter.PausedUS)
}

func floor(t time.Time) int64 { return t.Unix() }

func ceil(t time.Time) int64 {
	if t.Nanosecond() == 0 || t.Unix() == math.MaxInt64 {
		return t.Unix()
	}
	return t.Unix() + 1
}

// ceilUS returns microseconds as seconds, rounded up.
func ceilUS(us int64) int64 {
	if us > 0 {
		return (us-1)/second + 1
	}
	return us / second
}
