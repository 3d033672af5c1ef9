package edge

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	streamRetryMin = 100 * time.Millisecond
	streamRetryMax = 2 * time.Second
	// How long providers are gathered before a stream with more of them is opened. The
	// wait doubles while they keep coming.
	widenMin = 100 * time.Millisecond
	widenMax = 4 * time.Second
)

// follower follows the backend's live-state changes over server-sent events, for
// as long as its edge lives, resuming where it left off. When the edge has to hear of
// further providers, the follower opens a second stream before it closes the first.
type follower struct {
	backend  *BackendClient
	logger   *zap.Logger
	interest *interest
	// onState takes a changed state, in JSON that is overwritten afterwards; onReset says
	// that changes may have been missed and every state must be confirmed anew.
	onState func([]byte) error
	onReset func()
	// onSite takes changed site settings, in JSON that is overwritten afterwards.
	onSite func([]byte) error
	// onCover says that the stream may cover further providers from now on, or that a stream
	// of further ones could not be opened.
	onCover func()
	// held returns the providers of the sessions that the edge holds.
	held func() map[string]bool
	// How long a backend without streams for some providers is not asked for one.
	legacyFor time.Duration

	heardAt   atomic.Int64 // monotonic ms of the last line; 0 before the first
	connected atomic.Bool
	narrow    atomic.Bool              // a stream of further providers could not be opened
	coverage  atomic.Pointer[coverage] // of the present stream, or of the last one; nil before the first

	// Used by run alone.
	current     *stream // whose coverage is in force
	next        *stream // to take the place of current, once it has opened
	adopted     time.Time
	lastID      string // of the stream before, if there is no current one
	legacyUntil time.Time
	retry       time.Duration
	widen       pace
	widening    bool        // a stream is opened soon, for more providers
	timer       *time.Timer // opens a stream
	timerAt     time.Time   // zero if it is not set
}

// run follows the stream until ctx ends.
func (f *follower) run(ctx context.Context) {
	f.retry = streamRetryMin
	f.timer = time.NewTimer(time.Hour)
	defer f.timer.Stop()
	f.arm(0)
	for ctx.Err() == nil {
		f.step(ctx)
	}
	f.connected.Store(false)
	for _, s := range []*stream{f.current, f.next} {
		if s != nil {
			<-s.ended
		}
	}
}

// step waits for one thing to happen, and acts on it.
func (f *follower) step(ctx context.Context) {
	var opened, nextEnded, ended <-chan struct{}
	if f.next != nil {
		opened, nextEnded = f.next.opened, f.next.ended
	}
	if f.current != nil {
		ended = f.current.ended
	}
	select {
	case <-ctx.Done():
	case <-f.timer.C:
		f.timerAt, f.widening = time.Time{}, false
		f.openNext(ctx)
	case <-f.interest.grown:
		if f.current != nil && f.next == nil {
			f.widenSoon()
		}
	case <-opened:
		f.adopt()
	case <-nextEnded:
		if f.next.isOpen() {
			f.adopt() // its end is noticed next
			return
		}
		err := f.next.err
		f.next = nil
		f.failed(ctx, err)
	case <-ended:
		err := f.current.err
		f.connected.Store(false)
		f.lastID, f.current = f.current.position(), nil
		if time.Since(f.adopted) > streamSilence {
			f.retry = streamRetryMin
		}
		if f.next == nil {
			f.failed(ctx, err)
		}
	}
}

// arm has a stream opened after d, unless one will be before.
func (f *follower) arm(d time.Duration) {
	at := time.Now().Add(d)
	if !f.timerAt.IsZero() && f.timerAt.Before(at) {
		return
	}
	f.timerAt = at
	f.timer.Reset(d)
}

// widenSoon has a stream opened that covers all providers of interest.
func (f *follower) widenSoon() {
	if !f.widening && f.interest.exceeds(f.coverage.Load()) {
		f.widening = true
		f.arm(f.widen.next(time.Now()))
	}
}

// openNext opens a stream if the present one does not do.
func (f *follower) openNext(ctx context.Context) {
	legacy := time.Now().Before(f.legacyUntil)
	lastID := f.lastID
	if f.current != nil {
		retryFilter := f.current.legacy && !legacy
		if f.next != nil || !retryFilter && !f.interest.exceeds(f.coverage.Load()) {
			return
		}
		lastID = f.current.position()
	}
	if f.next == nil {
		f.next = f.open(ctx, f.interest.wanted(MonotonicMS(), f.held), legacy, lastID)
	}
}

// adopt puts the next stream in the place of the current one. It began where the current
// one was, or with a reset: no change is missed.
func (f *follower) adopt() {
	now := MonotonicMS()
	f.coverage.Store(f.coverage.Load().followedBy(f.next.want, now))
	f.heardAt.Store(now)
	f.connected.Store(true)
	f.narrow.Store(false)
	f.onCover()
	providers := zap.Int("providers", len(f.next.want.providers))
	if f.next.want.all {
		providers = zap.String("providers", "all")
	}
	f.logger.Info("event stream connected", providers)
	if f.current != nil {
		f.current.cancel()
	}
	f.current, f.next = f.next, nil
	f.adopted = time.Now()
	if f.current.legacy {
		f.arm(time.Until(f.legacyUntil))
	}
	f.widenSoon()
}

// failed has a stream opened again after one has failed or ended.
func (f *follower) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, errNoFilter) {
		f.legacyUntil = time.Now().Add(f.legacyFor)
		f.logger.Info("event stream", zap.Error(err))
		if f.current != nil && f.current.legacy {
			f.arm(f.legacyFor)
		} else {
			f.arm(0)
		}
		return
	}
	wait := f.retry + rand.N(f.retry)
	f.retry = min(f.retry*2, streamRetryMax)
	if f.current == nil {
		f.logger.Warn("event stream ended; reconnecting", zap.Error(err), zap.Duration("in", wait))
	} else {
		f.logger.Warn("opening an event stream for more providers failed; trying again", zap.Error(err), zap.Duration("in", wait))
		f.narrow.Store(true)
		f.onCover()
	}
	f.arm(wait)
}

// pace spaces out what is done again and again.
type pace struct {
	wait time.Duration
	last time.Time
}

// next returns how long to wait before the next time.
func (p *pace) next(now time.Time) time.Duration {
	if p.wait == 0 || now.Sub(p.last) > 2*widenMax {
		p.wait = widenMin
	} else {
		p.wait = min(2*p.wait, widenMax)
	}
	p.last = now
	return p.wait
}
