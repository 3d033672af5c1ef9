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
	// The longest sleep of the loop that applies standstills to sessions.
	standstillSleep = time.Second
	// Sessions changed in one transaction.
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

// limitMaintenance limits changes of a provider's maintenance. A repeated request and a
// guest that may not change the site do not count.
func (s *Service) limitMaintenance(ctx context.Context, req Request, id string) error {
	if done, err := s.answered(ctx, req); err != nil || done {
		return err
	}
	if err := s.guestMay(ctx, s.store.Reader, req, id, guestItem{name: "site", fresh: true}); err != nil {
		return err
	}
	return s.limited(ctx, "maintenance", id, maintenanceSwitches)
}

// longestWait is the longest time in a Retry-After.
const longestWait = time.Hour

// setStandstill records that a provider's app cannot be used from now on, or can be used
// again. [Service.standstillLoop] applies that to the provider's sessions, unless another
// change of a session does so first. In both cases it takes effect as of this moment.
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

// moments lists the beginnings and ends of standstills that have not been applied to a
// session, up to now, in order of time.
func moments(c session.Session, stops []store.Standstill, now time.Time) (list []moment) {
	born := c.CreatedAt * 1_000_000
	for _, s := range stops {
		switch {
		case s.SinceUS > now.UnixMicro():
			return list
		case s.SinceUS < c.Standstill.UntilUS, s.UntilUS != 0 && s.UntilUS <= born:
			continue // applied already, or over before the sale
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

// applyStandstills applies to a session what is left of its provider's standstills.
func (w *writeTx) applyStandstills(ctx context.Context, c session.Session) (session.Session, error) {
	if c.PassID != "" { // nobody has paid, and the provider's team works during a maintenance
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

// standstillLoop applies standstills to sessions until ctx ends. What is left to do is in the
// database, so that a restarted service continues. Providers take turns, a batch each.
func (s *Service) standstillLoop(ctx context.Context) {
	for last := ""; ; {
		provider, err := s.applyStandstill(ctx, last)
		if err != nil && ctx.Err() == nil {
			s.log.Error("failed to apply a standstill to sessions", zap.String("provider", provider), zap.Error(err))
		}
		idle := provider == "" && last == "" // not only after the last provider
		last = provider
		if err == nil && !idle {
			continue
		}
		if !sleep(ctx, standstillSleep, s.wakeStandstill) {
			return
		}
	}
}

// errOvertaken is returned if another process has applied a standstill to the same
// sessions, or the standstill has ended.
var errOvertaken = errors.New("another process applied the standstill")

// applyStandstill applies a standstill of the next provider after the given one to a batch
// of its sessions. It returns the provider, or "" if there is none. Two services never
// apply it to the same batch.
func (s *Service) applyStandstill(ctx context.Context, after string) (provider string, err error) {
	stop, found, err := s.store.PendingStandstill(ctx, after, s.now().UnixMicro())
	if err != nil || !found {
		return "", err
	}
	ids, err := s.store.LiveSessionsOf(ctx, stop.ProviderID, stop.LastID, standstillBatch)
	if err != nil {
		return stop.ProviderID, err
	}
	done, last := len(ids) < standstillBatch, stop.LastID
	if len(ids) > 0 {
		last = ids[len(ids)-1]
	}
	err = s.applyToBatch(ctx, stop, ids, last, done)
	if err != nil && !errors.Is(err, errOvertaken) {
		// A session that cannot be changed must not hold up the others. The standstill is
		// applied to it with its next change.
		for _, id := range ids {
			if _, err := s.advance(ctx, []string{id}); err != nil {
				s.log.Error("failed to apply a standstill to a session", zap.String("session", id), zap.Error(err))
			}
		}
		err = s.applyToBatch(ctx, stop, nil, last, done)
	}
	if errors.Is(err, errOvertaken) {
		err = nil
	}
	return stop.ProviderID, err
}

// applyToBatch applies a standstill to sessions and records how far it has been applied.
func (s *Service) applyToBatch(ctx context.Context, stop store.Standstill, ids []string, last string, done bool) error {
	_, err := write(ctx, s, Request{}, func(w *writeTx) (int, error) {
		ours, err := w.AdvanceStandstill(ctx, stop, last, done)
		if err != nil {
			return 0, err
		}
		if !ours {
			return 0, errOvertaken
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
