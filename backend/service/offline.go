package service

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// What became of an entry that an edge admitted while it could not reach the service.
const (
	offlineCounted   = "counted"   // the session was live: the use counts
	offlineAfterEnd  = "after_end" // the session was over already, and was served without payment
	offlineElsewhere = "elsewhere" // the link had been used in another browser
)

// maxServed is the longest time that an edge may report to have served a session before
// it redeemed it.
const maxServed = session.MaxDuration * time.Second

// servedBefore returns how long an edge served a session before it redeemed the launch.
func servedBefore(o *protocol.OfflineEntry) time.Duration {
	if o == nil {
		return 0
	}
	return max(0, min(time.Duration(min(o.ServedMS, maxServed.Milliseconds()))*time.Millisecond, maxServed))
}

// offlineOutcome returns what became of an offline entry whose redemption ended with err,
// or "" if nothing is known of it.
func offlineOutcome(err error) string {
	if err == nil {
		return offlineCounted
	}
	refused, ok := errors.AsType[*Refusal](err)
	if !ok {
		return ""
	}
	switch refused.Code {
	case protocol.LaunchSpent:
		return offlineElsewhere
	case protocol.SessionExpired, protocol.SessionCompleted, protocol.SessionRevoked, protocol.SessionCanceled:
		return offlineAfterEnd
	}
	return ""
}

// recordOffline records an offline entry in the timeline of its session, and counts and
// logs it.
func (s *Service) recordOffline(ctx context.Context, id, outcome string, o *protocol.OfflineEntry) {
	recorded, err := write(ctx, s, Request{}, func(w *writeTx) (bool, error) {
		return w.RecordOffline(ctx, id, outcome, o.AdmittedAtMS, servedBefore(o), w.now)
	})
	if err != nil {
		s.log.Error("failed to record an entry that an edge admitted while it could not reach the service", zap.String("session", id), zap.Error(err))
	}
	if err == nil && !recorded {
		return // the edge repeats a report whose answer it lost
	}
	s.metric.offline.WithLabelValues(outcome).Inc()
	log := s.log.Info
	if outcome != offlineCounted {
		log = s.log.Warn
	}
	log("an edge admitted a session while it could not reach the service", zap.String("session", id), zap.String("outcome", outcome),
		zap.Duration("served", servedBefore(o)))
}

// Entered records that somebody entered a session where no edge redeems the launch token:
// a page or its server that uses the session's token. It returns the session after it.
// For a session that is charged whether or not somebody enters, a database that does not
// accept the record is no reason to refuse.
func (s *Service) Entered(ctx context.Context, c session.Session) (session.Session, error) {
	if c.EnteredAt != 0 || c.Status != session.Active && c.Status != session.Paused {
		return c, nil
	}
	after, err := write(ctx, s, Request{}, func(w *writeTx) (session.Session, error) {
		return w.apply(ctx, c.ID, session.Enter{})
	})
	if err == nil {
		return after, nil
	}
	if _, illegal := errors.AsType[*session.IllegalError](err); illegal {
		return s.Session(ctx, c.ID) // it ended meanwhile
	}
	if c.UnenteredTerm() == session.CaptureUnentered {
		s.log.Warn("failed to record that a session was entered", zap.String("session", c.ID), zap.Error(err))
		return c, nil
	}
	return c, err
}
