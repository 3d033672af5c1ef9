package service

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// The longest sleep of the loop that tells sessions of standstills.
	standstillSleep = time.Second
	// Sessions told in one transaction.
	standstillBatch = 64
)

// reasonMaintenance is why a clock stands still.
const reasonMaintenance = "maintenance"

// inMaintenance reports whether a provider has closed its site for a while.
func inMaintenance(p store.Provider) bool { return p.Site.Maintenance != nil && p.Site.Maintenance.On }

// closed returns the refusal of a sale while a provider's site is closed.
func closed(p store.Provider, now time.Time) *Refusal {
	r := &Refusal{Code: protocol.InMaintenance, Detail: "The provider has closed its site for maintenance. Sell the session later."}
	if wait := time.Unix(p.Site.Maintenance.Until, 0).Sub(now); wait > 0 {
		r.Cause = &WaitError{min(wait, longestWait)}
	}
	return r
}

// longestWait is the longest time in a Retry-After.
const longestWait = time.Hour

// setStandstill records that a provider's app cannot be used from now on, or can be again.
// Its sessions are told by [Service.standstillLoop], or before by whatever changes them.
// Whenever that is, their clocks stand still from this moment on.
func (w *writeTx) setStandstill(ctx context.Context, providerID string, on bool) error {
	if _, err := w.EndStandstill(ctx, providerID, w.now.UnixMicro()); err != nil || !on {
		return err
	}
	return w.BeginStandstill(ctx, store.Standstill{ProviderID: providerID, SinceUS: w.now.UnixMicro(), Reason: reasonMaintenance})
}

// moment is a time at which a clock stops or goes on.
type moment struct {
	at    time.Time
	event session.Event
}

// moments lists what a session has not been told of standstills, up to now. They are in
// the order of time.
func moments(c session.Session, stops []store.Standstill, now time.Time) (list []moment) {
	born := c.CreatedAt * 1_000_000
	for _, s := range stops {
		switch {
		case s.SinceUS > now.UnixMicro():
			return list
		case s.SinceUS < c.Standstill.UntilUS, s.UntilUS != 0 && s.UntilUS <= born:
			continue // it knows, or was not there
		}
		if c.Standstill.SinceUS == 0 || s.SinceUS > c.Standstill.SinceUS {
			list = append(list, moment{time.UnixMicro(max(s.SinceUS, born)), session.Suspend{Reason: s.Reason}})
		}
		if s.UntilUS != 0 && s.UntilUS <= now.UnixMicro() {
			list = append(list, moment{time.UnixMicro(s.UntilUS), session.Continue{}})
		}
	}
	return list
}

// applyStandstills writes what a session has not been told of its provider's standstills.
func (w *writeTx) applyStandstills(ctx context.Context, c session.Session) (session.Session, error) {
	if c.Purpose() == session.StaffMode { // the provider's team works during the maintenance
		return c, nil
	}
	stops, known := w.stops[c.ProviderID]
	if !known {
		var err error
		if stops, err = w.Standstills(ctx, c.ProviderID); err != nil {
			return c, err
		}
		if w.stops == nil {
			w.stops = make(map[string][]store.Standstill)
		}
		w.stops[c.ProviderID] = stops
	}
	for _, m := range moments(c, stops, w.now) {
		var err error
		if c, err = w.tick(ctx, c, m.at); err != nil || c.Status.Terminal() {
			return c, err
		}
		tr, err := session.Apply(c, m.event, m.at)
		if err != nil {
			return c, err
		}
		if tr.Unchanged {
			continue
		}
		if err := w.record(ctx, tr); err != nil {
			return c, err
		}
		c = tr.Session
	}
	return c, nil
}

// standstillLoop tells sessions of standstills until ctx ends. What is to be told is in
// the database, so that a restarted service goes on where it was.
func (s *Service) standstillLoop(ctx context.Context) {
	for {
		more, err := s.TellStandstills(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("failed to tell sessions of a standstill", zap.Error(err))
		}
		if more && err == nil {
			continue
		}
		if !sleep(ctx, standstillSleep, s.stopped) {
			return
		}
	}
}

// errTold is returned if another process tells the same sessions.
var errTold = errors.New("another process tells these sessions")

// TellStandstills tells one batch of sessions of a standstill. It reports whether there is
// more to do. Two backends never tell the same batch.
func (s *Service) TellStandstills(ctx context.Context) (more bool, err error) {
	stop, found, err := s.store.StandstillToTell(ctx)
	if err != nil || !found {
		return false, err
	}
	ids, err := s.store.LiveSessionsOf(ctx, stop.ProviderID, stop.ToldID, standstillBatch)
	if err != nil {
		return false, err
	}
	done, told := len(ids) < standstillBatch, stop.ToldID
	if len(ids) > 0 {
		told = ids[len(ids)-1]
	}
	_, err = write(ctx, s, Request{}, func(w *writeTx) (int, error) {
		ours, err := w.ClaimStandstill(ctx, stop, told, done)
		if err != nil {
			return 0, err
		}
		if !ours {
			return 0, errTold
		}
		for _, id := range ids {
			if _, err := w.catchUp(ctx, id); err != nil {
				return 0, err
			}
		}
		if done && stop.UntilUS != 0 {
			return len(ids), w.DeleteStandstill(ctx, stop)
		}
		return len(ids), nil
	})
	if errors.Is(err, errTold) {
		return true, nil
	}
	return true, err
}

// wakeStandstills has the loop look at once.
func (s *Service) wakeStandstills() {
	select {
	case s.stopped <- struct{}{}:
	default: // it has been woken already
	}
}
