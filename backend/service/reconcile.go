package service

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/store"
)

const (
	reconcileEvery = time.Second
	// How far back from the last round each round looks. Since clocks differ between
	// machines and transactions take time, every reconcileFarEach-th round looks
	// further back.
	reconcileBack    = 8 * time.Second
	reconcileFar     = 15 * time.Second
	reconcileFarEach = 5
	// The most changes that one round publishes, and the most that one query lists.
	reconcileMax  = 20_000
	reconcilePage = 5000
)

// errManyChanges is returned if there are too many changes to publish all of them.
var errManyChanges = errors.New("too many sessions changed since the last time; some changes may reach edges late")

// reconcileLoop publishes recent changes again until ctx ends. A change is normally
// published by the process that commits it. If that process crashes first, cannot
// reach Redis, or loses the database's response to the commit, any other process
// publishes the change here. A change that was already published costs one lookup in
// memory: its session is not read.
func (s *Service) reconcileLoop(ctx context.Context) {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	var r recent
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := s.now()
		err := s.reconcile(ctx, r.spans(now), reconcileMax)
		switch {
		case err == nil:
			s.coord.Reconciled()
		case ctx.Err() == nil:
			s.log.Warn("failed to reconcile recent changes", zap.Error(err))
		}
		if err == nil || errors.Is(err, errManyChanges) {
			r.done(now)
		}
	}
}

// reconcile publishes the changes of some times, up to limit of each, except those that
// were published. A change that cannot be published now is published later by the
// coordinator.
func (s *Service) reconcile(ctx context.Context, spans []span, limit int) error {
	var many error
	for _, t := range spans {
		err := s.reconcileSpan(ctx, t, limit)
		if err == nil || errors.Is(err, errManyChanges) {
			err = cmp.Or(s.reconcileSites(ctx, t, limit), err)
		}
		if errors.Is(err, errManyChanges) {
			many = err
		} else if err != nil {
			return err
		}
	}
	return cmp.Or(ctx.Err(), many)
}

// reconcileSpan reads the changes of a time by pages, the earliest first: a round that
// reaches its limit leaves the latest, which the next rounds find for as long as they look
// back.
func (s *Service) reconcileSpan(ctx context.Context, t span, limit int) error {
	most := cmp.Or(s.changesAtOnce, reconcilePage)
	for after := ""; ; {
		page, err := s.store.Changes(ctx, t.from, t.to, after, most)
		if err != nil {
			return err
		}
		unpublished := s.unpublished(page)
		for ids := range slices.Chunk(unpublished[:min(limit, len(unpublished))], statesAtOnce) {
			if err := s.publishAgain(ctx, ids); err != nil {
				return err
			}
		}
		if limit -= len(unpublished); limit < 0 {
			return errManyChanges
		}
		if len(page) < most || ctx.Err() != nil {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// unpublished returns the sessions that have changes which were not published, each once.
func (s *Service) unpublished(changes []store.Change) []string {
	newest := make(map[string]int64, len(changes))
	for _, c := range changes {
		newest[c.SessionID] = max(newest[c.SessionID], c.Version)
	}
	versions := make([]coord.Version, 0, len(newest))
	for _, c := range changes { // in their order
		if v, ok := newest[c.SessionID]; ok {
			versions = append(versions, coord.Version{ID: c.SessionID, Version: v})
			delete(newest, c.SessionID)
		}
	}
	var ids []string
	for i, published := range s.coord.Published(versions) {
		if !published {
			ids = append(ids, versions[i].ID)
		}
	}
	return ids
}

// publishAgain reads sessions and publishes their states.
func (s *Service) publishAgain(ctx context.Context, ids []string) error {
	sessions, err := s.store.SessionsOf(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		c, ok := sessions[id]
		if !ok {
			continue
		}
		state, err := s.state(c)
		if err != nil {
			return err
		}
		_ = s.coord.Publish(ctx, state) // the coordinator logs once that it is down
	}
	return nil
}

// recent decides the times of which a round of [Service.reconcileLoop] reads the
// changes. Its zero value is ready to use.
type recent struct {
	rounds int       // that are done
	at     time.Time // of the last round that was done; where the next one begins
	began  time.Time // when the last round began
	past   []past
}

// span is a range of time.
type span struct{ from, to time.Time }

// past is the time that the clock showed when it was set back. Changes were made under
// it that are not published yet, and other services may not have noticed.
type past struct {
	span
	until int // rounds are done
}

// spans returns the times of the round that begins now. Changes of a later time are
// left out: a clock that was ahead made them, and each round would read all of them
// until the clock is there again.
func (r *recent) spans(now time.Time) []span {
	if r.at.IsZero() {
		r.at = now
	}
	if r.began.Sub(now) > clockStep {
		r.past = append(r.past, past{span{r.at.Add(-reconcileFar), r.began.Add(reconcileFar)}, r.rounds + int(reconcileFar/reconcileEvery)})
	}
	if r.at.After(now) {
		r.at = now
	}
	r.began = now
	back := reconcileBack
	if r.rounds%reconcileFarEach == 0 {
		back = reconcileFar
	}
	list := []span{{r.at.Add(-back), now.Add(reconcileFar)}}
	for _, p := range r.past {
		list = append(list, p.span)
	}
	return list
}

// done records that the changes of the round that began at now were published.
func (r *recent) done(now time.Time) {
	r.rounds++
	r.at = now
	r.past = slices.DeleteFunc(r.past, func(p past) bool { return p.until <= r.rounds })
}
