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
	// clockStep is a difference that is acted upon. Smaller ones are the usual
	// drift, which is followed silently.
	clockStep = time.Second
	// How often the machine's clock is compared, and PostgreSQL's is asked.
	machineEvery  = time.Second
	databaseEvery = 5 * time.Second
	// How often it is recorded that the clock was seen.
	markEvery = 10 * time.Second
	// A question that takes longer says too little of the time.
	maxClockTrip = 2 * time.Second
	clockSamples = 3
	// A sample is not believed to be more exact.
	clockGrain = 5 * time.Millisecond
	// What a delivery may have to wait after the clock was set back.
	backGrace = time.Minute
)

// Clock is the time by which a service works: PostgreSQL's, which all services of a
// database share, or, with SQLite, that of the machine. In between it counts by
// monotonic time. A clock that is set moves it only once [Service.Run] has adjusted
// what depends on it. It is safe for concurrent use.
type Clock struct {
	machine func() time.Time
	base    time.Time // what machine showed at started
	started time.Time // carries a monotonic reading
	offset  atomic.Int64
}

// NewClock returns a clock that shows what machine shows now.
func NewClock(machine func() time.Time) *Clock {
	return &Clock{machine: machine, base: machine().Round(0), started: time.Now()}
}

// Now is the time.
func (c *Clock) Now() time.Time { return c.at(time.Since(c.started)) }

func (c *Clock) at(since time.Duration) time.Time {
	return c.base.Add(since + time.Duration(c.offset.Load()))
}

// Skew is how far the machine's clock is ahead of this one.
func (c *Clock) Skew() time.Duration { return c.machine().Sub(c.Now()) }

// Follow sets the clock to the database's, if the database has one.
func (c *Clock) Follow(ctx context.Context, st *store.Store) error {
	off, err := c.off(ctx, st)
	if err == nil {
		c.offset.Add(int64(off))
	}
	return err
}

// off is how much the clock must be changed to show the right time: 0 if the
// difference is too small to be measured.
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

// clockKeeper keeps a [Clock] right. It has one loop.
type clockKeeper struct {
	s     *Service
	clock *Clock

	back     bool      // deliveries are still to be adjusted to a clock that was set back
	markedAt time.Time // by the clock
	loggedAs time.Duration
}

// run keeps the clock right until ctx ends.
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

// begin looks whether the clock was set back while no service ran.
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

// keep compares the clock once and acts on the difference.
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
// time, and deliveries do not wait for one that is far away again.
func (k *clockKeeper) set(ctx context.Context, off time.Duration) error {
	from := k.clock.Now()
	switch {
	case off > clockStep:
		// First, while the keys are still valid. If it fails, the clock stays.
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
	select {
	case k.s.wake <- struct{}{}: // deadlines may have passed
	default: // the loop is awake already
	}
	return nil
}

// logSkew says that this machine's clock is wrong, each time that by how much changes.
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
