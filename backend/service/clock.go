package service

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/store"
)

const (
	// clockStep is the smallest difference that counts as a clock step. Smaller
	// differences are normal drift, which is corrected silently.
	clockStep = time.Second
	// How often the clock is compared with the machine's or with PostgreSQL's.
	machineEvery  = time.Second
	databaseEvery = 5 * time.Second
	// How often the current time is recorded.
	markEvery = 10 * time.Second
	// Samples with a longer round trip are too inexact to use.
	maxClockTrip = 2 * time.Second
	clockSamples = 3
	// The best accuracy that a sample is assumed to have.
	clockGrain = 5 * time.Millisecond
	// The longest wait of a delivery after the clock was set back.
	backGrace = time.Minute
)

// Clock is the time that a service uses: PostgreSQL's time, which all services of a
// database share, or the machine's time with SQLite. Between comparisons, it advances
// by monotonic time. If the underlying clock is set, Clock changes only after
// [Service.Run] has adjusted what depends on it. It is safe for concurrent use.
type Clock struct {
	machine func() time.Time
	base    time.Time // what machine showed at started
	started time.Time // carries a monotonic reading
	offset  atomic.Int64
}

// NewClock returns a clock that starts at the machine's current time.
func NewClock(machine func() time.Time) *Clock {
	return &Clock{machine: machine, base: machine().Round(0), started: time.Now()}
}

// Now returns the current time.
func (c *Clock) Now() time.Time { return c.at(time.Since(c.started)) }

func (c *Clock) at(since time.Duration) time.Time {
	return c.base.Add(since + time.Duration(c.offset.Load()))
}

// Skew returns how far the machine's clock is ahead of c.
func (c *Clock) Skew() time.Duration { return c.machine().Sub(c.Now()) }

// Follow sets c to the database's clock, if the database has one.
func (c *Clock) Follow(ctx context.Context, st *store.Store) error {
	off, err := c.off(ctx, st)
	if err == nil {
		c.offset.Add(int64(off))
	}
	return err
}

// off returns the correction that c needs, or 0 if the difference is too small to
// measure.
func (c *Clock) off(ctx context.Context, st *store.Store) (time.Duration, error) {
	var best, off time.Duration
	for i := range clockSamples {
		asked := time.Since(c.started)
		now, err := st.Clock(ctx)
		trip := time.Since(c.started) - asked
		if errors.Is(err, store.ErrNoClock) {
			return c.Skew(), nil
		}
		if err != nil {
			return 0, err
		}
		if i == 0 || trip < best {
			best, off = trip, now.Sub(c.at(asked+trip/2))
		}
	}
	if best > maxClockTrip || off.Abs() <= best/2+clockGrain {
		return 0, nil
	}
	return off, nil
}

// clockKeeper corrects a [Clock]. It has one loop.
type clockKeeper struct {
	s     *Service
	clock *Clock

	back     bool      // the clock was set back, and deliveries are not adjusted yet
	markedAt time.Time // by the clock
	loggedAs time.Duration
}

// run corrects the clock until ctx ends.
func (k *clockKeeper) run(ctx context.Context) {
	every := machineEvery
	if k.s.store.Shared() {
		every = databaseEvery
	}
	k.begin(ctx)
	for {
		if err := k.keep(ctx); err != nil && ctx.Err() == nil {
			k.s.log.Warn("failed to compare clocks", zap.Error(err))
		}
		if !sleep(ctx, every, nil) {
			return
		}
	}
}

// begin detects whether the clock was set back while no service was running.
func (k *clockKeeper) begin(ctx context.Context) {
	mark, err := k.s.store.ClockMark(ctx)
	if err != nil {
		k.s.log.Warn("failed to read when the service ran last", zap.Error(err))
		return
	}
	if ahead := mark.Sub(k.clock.Now()); !mark.IsZero() && ahead > clockStep {
		k.s.log.Warn("the clock was set back since the service ran last; deliveries that waited for a later time are due now", zap.Duration("by", ahead))
		k.s.metric.clockSteps.WithLabelValues("back").Inc()
		k.back = true
	}
}

// keep compares the clocks once and corrects the difference.
func (k *clockKeeper) keep(ctx context.Context) error {
	off, err := k.clock.off(ctx, k.s.store)
	if err != nil {
		return err
	}
	if err := k.set(ctx, off); err != nil {
		return err
	}
	k.logSkew()
	now := k.clock.Now()
	if k.back {
		if err := k.s.store.ClockSetBack(ctx, now, backGrace); err != nil {
			return err
		}
		k.back = false
		k.s.hooks.Wake()
	}
	if now.Sub(k.markedAt).Abs() < markEvery {
		return nil
	}
	if err := k.s.store.MarkClock(ctx, now); err != nil {
		return err
	}
	k.markedAt = now
	return nil
}

// set moves the clock. If it moves by more than drift, idempotency keys keep their
// remaining time, and deliveries do not wait for a time that is now far in the future.
func (k *clockKeeper) set(ctx context.Context, off time.Duration) error {
	from := k.clock.Now()
	switch {
	case off > clockStep:
		// Before the clock moves, while the keys are still valid. If this fails, the
		// clock stays unchanged.
		if err := k.s.store.ClockSetForward(ctx, from, from.Add(off)); err != nil {
			return err
		}
		k.s.log.Warn("the clock was set forward; idempotency keys stay valid", zap.Duration("by", off))
		k.s.metric.clockSteps.WithLabelValues("forward").Inc()
	case off < -clockStep:
		k.back = true
		k.s.log.Warn("the clock was set back; deliveries that waited for a later time are due now", zap.Duration("by", -off))
		k.s.metric.clockSteps.WithLabelValues("back").Inc()
	}
	k.clock.offset.Add(int64(off))
	wakeUp(k.s.wake) // deadlines may have passed
	return nil
}

// logSkew logs that this machine's clock is wrong, whenever the difference has changed.
func (k *clockKeeper) logSkew() {
	skew := k.clock.Skew()
	if skew.Abs() <= clockStep {
		skew = 0
	}
	if (skew - k.loggedAs).Abs() <= clockStep/2 {
		return
	}
	k.loggedAs = skew
	if skew == 0 {
		k.s.log.Info("this machine's clock agrees with the database's again")
		return
	}
	k.s.log.Warn("this machine's clock differs from the database's, which is used instead; synchronize the machines' clocks", zap.Duration("ahead_by", skew))
}
