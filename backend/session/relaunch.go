package session

import (
	"errors"
	"time"
)

// Limits of new links to a session; see [Relaunch].
const (
	// MaxRelaunches is the most new links of one session.
	MaxRelaunches = 100
	// RelaunchAgain is how long, in seconds, a further [Relaunch] makes no new link, so
	// that a double click on the marketplace's page does not void the link that it opens.
	RelaunchAgain = 10
)

// ErrRelaunches is returned for a [Relaunch] of a session that has had [MaxRelaunches].
var ErrRelaunches = errors.New("too many relaunches")

// Relaunch gives the session a new link: the user's browser has lost its cookie, or is not
// at hand. All earlier tokens of the session, launch and session tokens alike, are void
// from then on. The paid clock is not affected.
type Relaunch struct{}

func (Relaunch) name() string { return "relaunch" }

// Relaunched is the transition of a [Relaunch].
const Relaunched Name = "relaunched"

func applyRelaunch(s Session, now time.Time) (Transition, error) {
	switch {
	case s.Relaunches > 0 && !s.Spent() && now.Unix()-s.RelaunchedAt < RelaunchAgain:
		return Transition{Session: s, Name: Relaunched, Unchanged: true}, nil
	case s.Relaunches >= MaxRelaunches:
		return Transition{}, ErrRelaunches
	}
	s.Relaunches++
	s.RelaunchedAt = floor(now)
	return changed(s, Relaunched), nil
}

// Spent reports whether the session's link was redeemed: the latest one, if it has had
// several.
func (s *Session) Spent() bool { return s.RedemptionID != "" && s.RedeemedLink == s.Relaunches }

// Void reports whether a token that was made when the session had had so many relaunches
// is void, because there was a further one.
func (s *Session) Void(relaunches int64) bool { return relaunches < s.Relaunches }
