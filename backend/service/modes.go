package service

import (
	"context"
	"errors"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Sessions are of four modes. A marketplace's test keys have a tenant of their own, with
// users, balances, sessions and ledger accounts: to every query it is another
// marketplace. Passes open sessions without a sale. Everything that sums or counts for a
// provider counts live sessions, unless it is asked for another mode.

// modeOf returns the mode of the sessions that a user buys.
func modeOf(subject string) session.Mode {
	if _, test := protocol.SplitTenant(protocol.MarketplaceOf(subject)); test {
		return session.TestMode
	}
	return session.LiveMode
}

// webhookMode returns the mode of the webhooks that hear of a session.
func webhookMode(c session.Session) string {
	if c.Purpose() == session.LiveMode {
		return store.LiveWebhook
	}
	return store.TestWebhook
}

// Reading returns the caller as it reads sessions of a mode, and the mode: without one,
// that of its key. A live key of a marketplace reads what the marketplace's test keys
// made if it asks for the mode test, and changes none of it. A test key reads test
// sessions alone.
func (c Caller) Reading(asked Mode) (Caller, Mode, error) {
	switch {
	case c.Test && asked != "" && asked != session.TestMode:
		return c, asked, Refuse(protocol.Forbidden, "A test key reads test sessions only. Use a live key.")
	case c.Test:
		asked = session.TestMode
	case asked == "" && c.Role == RoleAdmin:
		return c, session.LiveMode, nil // an id names a session of any mode
	case asked == "":
		asked = session.LiveMode
	case asked == session.TestMode && c.Role == RoleMarketplace:
		c.MarketplaceID = protocol.TestTenant(c.MarketplaceID)
	}
	c.mode = asked
	return c, asked, nil
}

// sees reports whether the caller reads sessions of the mode of found; see
// [Caller.Reading]. Bearers of a session's own token see it whatever its mode is.
func (c Caller) sees(found session.Session) bool {
	mode := c.mode
	switch {
	case c.Role == RoleSession || c.Role == RoleLaunch, c.Role == RoleAdmin && mode == "":
		return true
	case mode == "" && c.Test:
		mode = session.TestMode
	case mode == "":
		mode = session.LiveMode
	}
	return found.Purpose() == mode
}

// advanceLimit limits how often the clock of one test session is moved, because each
// time is kept in its record.
const advanceLimit = 30

// Advance moves the clock of a test session forward. What would have happened in that
// time happens now, in its order: warnings, the end of a pause, the end of the session
// and its settlement.
func (s *Service) Advance(ctx context.Context, req Request, by Caller, id string, seconds int64) (session.Session, error) {
	if !by.Test {
		return session.Session{}, Refuse(protocol.Forbidden, "Only test keys move clocks, and only those of test sessions. Sell the session with a test key.")
	}
	answered, err := s.answered(ctx, req)
	if err == nil && !answered {
		err = s.limited(ctx, "advances", id, every(time.Minute, advanceLimit))
	}
	if err != nil {
		return session.Session{}, err
	}
	return write(ctx, s, req, func(w *writeTx) (session.Session, error) {
		c, err := w.catchUp(ctx, id)
		if err != nil {
			return c, err
		}
		if c.Status.Terminal() {
			return c, over(c)
		}
		for left := seconds; left > 0 && !c.Status.Terminal(); {
			step := c.Step(left, w.now)
			tr, err := session.Apply(c, session.Advance{Seconds: step}, w.now)
			if errors.Is(err, session.ErrNotTest) {
				return c, &Refusal{Code: protocol.IllegalTransition, SessionID: c.ID, Cause: err, Detail: "Only the clocks of test sessions can be moved."}
			}
			if err != nil {
				return c, err
			}
			if err := w.record(ctx, tr); err != nil {
				return c, err
			}
			left -= step
			if c, err = w.catchUp(ctx, id); err != nil {
				return c, err
			}
		}
		return c, nil
	})
}
