package service

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord"
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

// maintenanceSwitches limits changes of a provider's maintenance: each has all of its
// sessions changed.
var maintenanceSwitches = coord.Limit{Interval: 2 * time.Minute, Burst: 30}

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
	if c.PassID != "" { // nobody has paid, and the provider's team works during the maintenance
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
// the database, so that a restarted service goes on where it was. Providers take turns, a
// batch each.
func (s *Service) standstillLoop(ctx context.Context) {
	last := ""
	for {
		provider, err := s.tellStandstills(ctx, last)
		if err != nil && ctx.Err() == nil {
			s.log.Error("failed to tell sessions of a standstill", zap.String("provider", provider), zap.Error(err))
		}
		begins := last == "" // with the first provider
		if last = provider; provider != "" || !begins {
			if err == nil {
				continue
			}
		}
		if !sleep(ctx, standstillSleep, s.stopped) {
			return
		}
	}
}

// errTold is returned if another process tells the same sessions.
var errTold = errors.New("another process tells these sessions")

// tellStandstills tells one batch of sessions of a standstill of the next provider after
// the given one. It returns the provider, or "" if there is none. Two backends never tell
// the same batch.
func (s *Service) tellStandstills(ctx context.Context, after string) (provider string, err error) {
	stop, found, err := s.store.StandstillToTell(ctx, after, s.now().UnixMicro())
	if err != nil || !found {
		return "", err
	}
	ids, err := s.store.LiveSessionsOf(ctx, stop.ProviderID, stop.ToldID, standstillBatch)
	if err != nil {
		return stop.ProviderID, err
	}
	done, told := len(ids) < standstillBatch, stop.ToldID
	if len(ids) > 0 {
		told = ids[len(ids)-1]
	}
	if err = s.tell(ctx, stop, ids, told, done); err == nil || errors.Is(err, errTold) {
		return stop.ProviderID, nil
	}
	// One session that cannot be changed must not keep the others from being told. It is
	// told when something changes it.
	for _, id := range ids {
		if _, err := s.advance(ctx, []string{id}); err != nil {
			s.log.Error("failed to tell a session of a standstill", zap.String("session", id), zap.Error(err))
		}
	}
	if err = s.tell(ctx, stop, nil, told, done); errors.Is(err, errTold) {
		err = nil
	}
	return stop.ProviderID, err
}

// tell tells sessions of a standstill and records up to which id all know of it.
func (s *Service) tell(ctx context.Context, stop store.Standstill, ids []string, told string, done bool) error {
	_, err := write(ctx, s, Request{}, func(w *writeTx) (int, error) {
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
	return err
}

// wakeStandstills has the loop look at once.
func (s *Service) wakeStandstills() {
	select {
	case s.stopped <- struct{}{}:
	default: // it has been woken already
	}
}
