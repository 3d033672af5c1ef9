package service

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/store"
)

const (
	// The longest sleep of the loop. It limits the delay after another process writes a
	// deadline.
	expirySleep = time.Second
	// Sessions settled in one transaction. They share one disk flush. The limit bounds
	// how long other writers wait.
	expiryBatch = 64
)

// expiryLoop settles every session when it is due, until ctx ends. Deadlines are in the
// database, so a restarted service settles the sessions that became due meanwhile.
func (s *Service) expiryLoop(ctx context.Context) {
	for {
		n, err := s.AdvanceDue(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("failed to advance due sessions", zap.Error(err))
		}
		wait := expirySleep
		if err == nil {
			if n > 0 {
				continue
			}
			wait = s.untilDue(ctx)
		}
		if !sleep(ctx, wait, s.wake) {
			return
		}
	}
}

// untilDue returns the time until the next deadline, at most expirySleep.
func (s *Service) untilDue(ctx context.Context) time.Duration {
	due, err := s.store.NextDue(ctx)
	if err != nil || due == 0 {
		return expirySleep
	}
	return max(0, min(expirySleep, time.Unix(due, 0).Sub(s.now())))
}

// AdvanceDue settles, warns or resumes one batch of due sessions and returns the number
// of changes that it wrote. Each change requires the version that was read, so two
// backends never settle a session twice.
func (s *Service) AdvanceDue(ctx context.Context) (int, error) {
	ids, err := s.store.Due(ctx, s.now(), expiryBatch)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	settled, err := s.advance(ctx, ids)
	if err == nil {
		return settled, nil
	}
	// Retry one by one, so that a session that cannot be settled does not block the
	// others.
	settled = 0
	var errs []error
	for _, id := range ids {
		n, err := s.advance(ctx, []string{id})
		settled += n
		if err != nil {
			errs = append(errs, err)
		}
	}
	return settled, errors.Join(errs...)
}

func (s *Service) advance(ctx context.Context, ids []string) (int, error) {
	var late []float64 // seconds
	n, err := write(ctx, s, Request{}, func(w *writeTx) (int, error) {
		before := len(w.changed)
		late = late[:0]
		for _, id := range ids {
			c, err := w.catchUp(ctx, id)
			if err != nil {
				return 0, err
			}
			if c.Status.Terminal() {
				late = append(late, w.now.Sub(time.Unix(c.EndedAt, 0)).Seconds())
			}
		}
		return len(w.changed) - before, nil
	})
	if err == nil {
		for _, seconds := range late {
			s.metric.late.Observe(seconds)
		}
	}
	return n, err
}

// housekeepingLoop removes old records (idempotency keys, sign-ins, edges, pages,
// webhook deliveries), loads rotated signing keys and keeps the lock of the database,
// until ctx ends.
func (s *Service) housekeepingLoop(ctx context.Context) {
	const keysEvery, forgetEvery, sealEvery = 2 * time.Second, 10 * time.Minute, time.Minute
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	var forgotten, checked time.Time // this machine's monotonic clock
	check := func() {
		if time.Since(checked) <= sealEvery {
			return
		}
		checked = time.Now()
		if err := s.checkSeal(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("failed to read webhooks' secrets", zap.Error(err))
		}
	}
	check()
	var unlocked string // the last logged error of the lock
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.keys.Refresh(ctx); err != nil {
			s.log.Warn("failed to read signing keys; keeping the previous ones", zap.Error(err))
		}
		if err := s.store.KeepLock(); err == nil {
			unlocked = ""
		} else if err.Error() != unlocked {
			unlocked = err.Error()
			s.log.Error("this service has lost the lock of its database", zap.Error(err))
		}
		if err := s.FlushKeyUse(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("failed to record the use of API keys", zap.Error(err))
		}
		check()
		if time.Since(forgotten) > forgetEvery {
			forgotten = time.Now()
			if err := s.Forget(ctx, s.now()); err != nil && ctx.Err() == nil {
				s.log.Warn("failed to remove old records", zap.Error(err))
			}
		}
	}
}

// Forget deletes expired records, in batches.
func (s *Service) Forget(ctx context.Context, now time.Time) error {
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.ForgetSignIns(ctx, now); err != nil {
			return err
		}
		if _, err := tx.ForgetEdges(ctx, now.Add(-keepEdges)); err != nil {
			return err
		}
		_, err := tx.ForgetPageReports(ctx, now.Add(-keepPages))
		return err
	})
	if err != nil {
		return err
	}
	if _, err := s.store.ForgetAnswers(ctx, now); err != nil {
		return err
	}
	if err := s.store.ForgetLinks(ctx, now.Add(-keepLinks)); err != nil {
		return err
	}
	if err := s.store.ForgetDeliveries(ctx, now.Add(-keepDeliveries)); err != nil {
		return err
	}
	if err := s.forgetPageEvents(ctx, now); err != nil {
		return err
	}
	if err := s.store.ForgetPasses(ctx, now.Add(-keepPasses)); err != nil {
		return err
	}
	// Pending deliveries of disabled webhooks, left by a process that died while it
	// failed them.
	waiting, err := s.store.DisabledWaiting(ctx)
	for _, id := range waiting {
		err = errors.Join(err, s.store.FailAllPending(ctx, id, now))
	}
	return err
}
