package session

import (
	"errors"
	"fmt"
	"time"
)

// Apply returns the transition that e causes in s at the time now. If e is not
// allowed, Apply returns an [*IllegalError] or another error of this package. Apply
// is pure. Deadlines take precedence: once a deadline has passed, every event is
// illegal until [Tick] was applied, so that a late request cannot act on a session
// that is over.
func Apply(s Session, e Event, now time.Time) (Transition, error) {
	if _, tick := e.(Tick); tick {
		return applyTick(s, now)
	}
	if s.Status.Terminal() {
		return Transition{}, illegal(s, e)
	}
	if s.over(now) {
		return Transition{}, illegal(s, e)
	}
	switch e := e.(type) {
	case Launch:
		return applyLaunch(s, e, now)
	case Enter:
		return applyEnter(s, e, now)
	case Extend:
		return applyExtend(s, e, now)
	case Pause:
		return applyPause(s, e, now)
	case Resume:
		return applyResume(s, e, now)
	case Complete:
		return applyComplete(s, e, now)
	case Revoke:
		return applyRevoke(s, e, now)
	case Relaunch:
		return applyRelaunch(s, now)
	case Suspend:
		return applySuspend(s, e, now)
	case Continue:
		return applyContinue(s, now)
	case Advance:
		return applyAdvance(s, e)
	}
	return Transition{}, illegal(s, e)
}

func applyTick(s Session, now time.Time) (Transition, error) {
	due := s.Due()
	if due == 0 || now.Unix() < due {
		return Transition{}, ErrNotDue
	}
	at := time.Unix(due, 0) // the transition counts from its deadline, however late the tick is
	if s.StandsStill() {
		return endStandstill(s, at), nil
	}
	switch s.Status {
	case Pending:
		return end(s, Canceled, "launch_window", at, RefundFull, 0), nil
	case Active:
		if !s.over(now) {
			s.WarnAt = s.nextWarning(now)
			return changed(s, Warned), nil
		}
		at = time.Unix(s.ExpiresAt, 0)
		if s.free() {
			return end(s, Canceled, "deadline", at, RefundFull, 0), nil
		}
		return end(s, Expired, "deadline", at, RefundNone, s.Duration), nil
	}
	// The pause has used up its allowance and ends.
	return resume(s, at), nil
}

func applyLaunch(s Session, e Launch, now time.Time) (Transition, error) {
	if s.Void(e.Link) {
		return Transition{}, ErrSpent
	}
	if s.Spent() {
		if s.RedemptionID == e.RedemptionID && now.Unix()-s.RedeemedAt <= RedeemAgain+int64(e.Served/time.Second) {
			return Transition{Session: s, Name: Redeemed, Unchanged: true}, nil
		}
		return Transition{}, ErrSpent
	}
	if s.StandsStill() {
		return launchDuringStandstill(s, e, now)
	}
	name := Redeemed
	switch s.Status {
	case Paused:
		s.serve(e.Served, now)
	case Pending:
		name = Started
		s.Status = Active
		s.start(max(now.UnixMicro()-max(0, e.Served.Microseconds()), s.CreatedAt*second), now)
	}
	return redeemed(s, e, name, now), nil
}

func redeemed(s Session, e Launch, name Name, now time.Time) Transition {
	s.RedemptionID, s.RedeemedAt, s.RedeemedLink = e.RedemptionID, floor(now), s.Relaunches
	if s.EnteredAt == 0 {
		s.EnteredAt = floor(now)
	}
	return changed(s, name)
}

func applyEnter(s Session, e Enter, now time.Time) (Transition, error) {
	switch {
	case s.Status == Pending:
		return Transition{}, illegal(s, e)
	case s.EnteredAt != 0:
		return Transition{Session: s, Name: Redeemed, Unchanged: true}, nil
	}
	s.EnteredAt = floor(now)
	return changed(s, Redeemed), nil
}

func applyExtend(s Session, e Extend, now time.Time) (Transition, error) {
	if e.By == User {
		if s.Status == Pending {
			return Transition{}, illegal(s, e)
		}
		offer := s.Terms.Offer
		if offer == nil || s.OfferUsed >= offer.MaxCount {
			return Transition{}, ErrConsent
		}
		if e.Seconds == 0 && e.Tokens == 0 {
			e.Seconds, e.Tokens = offer.Seconds, offer.Tokens
		}
		if e.Seconds != offer.Seconds || e.Tokens != offer.Tokens {
			return Transition{}, ErrConsent
		}
		s.OfferUsed++
	}
	if e.Seconds < 1 || e.Tokens < 0 || e.Seconds > MaxDuration-s.Duration || e.Tokens > MaxTokens-s.Tokens {
		return Transition{}, ErrTerms
	}
	if !s.Bought(s.Purchases) {
		s.Restore(nil)
	}
	list, err := AddPurchase(s.Purchases, Purchase{By: e.By, Seconds: e.Seconds, Tokens: e.Tokens, At: floor(now)})
	if err != nil {
		return Transition{}, err
	}
	s.Purchases = list
	s.Duration += e.Seconds
	s.Tokens += e.Tokens
	if s.Status != Pending {
		s.ExpiresAt = s.deadline()
	}
	if s.Status == Active {
		s.WarnAt = s.nextWarning(now)
	}
	t := changed(s, Extended)
	t.Hold = e.Tokens
	t.Extension = &Extension{By: e.By, Seconds: e.Seconds, Tokens: e.Tokens}
	return t, nil
}

func applyPause(s Session, e Event, now time.Time) (Transition, error) {
	switch {
	case s.Status == Paused:
		return Transition{Session: s, Name: PausedAt, Unchanged: true}, nil
	case s.Status != Active:
		return Transition{}, illegal(s, e)
	case s.Terms.Pause == nil || s.PauseCount >= s.Terms.Pause.MaxCount || s.pauseLeftUS() == 0:
		return Transition{}, ErrPause
	}
	s.Status = Paused
	s.stop(now.UnixMicro())
	s.PauseCount++
	s.WarnAt = 0
	return changed(s, PausedAt), nil
}

func applyResume(s Session, e Event, now time.Time) (Transition, error) {
	switch s.Status {
	case Active:
		return Transition{Session: s, Name: Resumed, Unchanged: true}, nil
	case Paused:
		if s.StandsStill() {
			return Transition{}, ErrStandstill
		}
		return resume(s, now), nil
	}
	return Transition{}, illegal(s, e)
}

func resume(s Session, at time.Time) Transition {
	s.Status = Active
	s.unpause(at.UnixMicro())
	s.WarnAt = s.nextWarning(at)
	return changed(s, Resumed)
}

func applyComplete(s Session, e Complete, now time.Time) (Transition, error) {
	reason := "completed"
	if e.By == User {
		reason = "user_ended"
	}
	if s.free() {
		return end(s, Canceled, reason, now, RefundFull, 0), nil
	}
	refund := s.Terms.Settlement.refund()
	if s.StandsStill() { // whoever does not wait until the app can be used again pays for what was used
		refund = RefundProrated
	}
	return end(s, Completed, reason, now, refund, s.Used(now)), nil
}

func applyRevoke(s Session, e Revoke, now time.Time) (Transition, error) {
	switch e.Refund {
	case RefundFull, RefundProrated, RefundNone:
	default:
		return Transition{}, ErrRefund
	}
	refund := e.Refund
	if s.free() {
		refund = RefundFull
	}
	reason := e.Reason
	if reason == "" {
		reason = "revoked"
	}
	return end(s, Revoked, reason, now, refund, s.Used(now)), nil
}

// end ends s at a moment and settles it.
func end(s Session, to Status, reason string, at time.Time, r Refund, used int64) Transition {
	result := s.settle(r, used)
	s.Status = to
	s.EndedAt = floor(at)
	s.EndReason = reason
	s.PausedAt, s.Meter.PausedAtUS, s.WarnAt = 0, 0, 0
	if s.StandsStill() {
		s.Standstill = Standstill{UntilUS: at.UnixMicro(), StoodUS: s.Standstill.StoodUS}
	}
	s.Settlement = &result
	t := changed(s, Ended)
	t.Settlement = &result
	return t
}

func changed(s Session, n Name) Transition {
	s.Version++
	return Transition{Session: s, Name: n}
}

// Errors that callers tell apart.
var (
	// ErrTerms is returned for an order or extension beyond the limits of sessions.
	ErrTerms = errors.New("terms are out of range")
	// ErrSpent is returned if another redemption already used the launch token, or if a
	// [Relaunch] has replaced it.
	ErrSpent = errors.New("launch token is spent")
	// ErrConsent is returned for an extension beyond the offer. The user can agree
	// to it only on the marketplace's own origin.
	ErrConsent = errors.New("extension is beyond the offer")
	// ErrPause is returned if the terms allow no pause, or no further pause.
	ErrPause = errors.New("pause is not allowed")
	// ErrNotDue is returned for a [Tick] before [Session.Due].
	ErrNotDue = errors.New("nothing is due")
	// ErrPurchases is returned for an extension of a session that has [MaxPurchases].
	ErrPurchases = errors.New("session has too many different extensions")
	// ErrRefund is returned for a revocation with an unknown [Refund].
	ErrRefund = errors.New("unknown refund choice")
)

// IllegalError is returned for an event that the state of the session does not
// allow.
type IllegalError struct {
	From  Status
	Event string
}

func (e *IllegalError) Error() string {
	return fmt.Sprintf("session is %s: cannot %s", e.From, e.Event)
}

func illegal(s Session, e Event) error {
	return &IllegalError{From: s.Status, Event: e.name()}
}
