package service

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord"
)

// Loops are background loops with one owner, who starts them with [StartLoops]
// and ends them with Stop, or by ending their context and calling Wait.
type Loops struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// StartLoops runs each loop in a goroutine. A loop returns soon after its
// context ends, and writes what it still holds before it returns.
func StartLoops(ctx context.Context, loops ...func(context.Context)) *Loops {
	ctx, cancel := context.WithCancel(ctx)
	l := &Loops{cancel: cancel}
	for _, loop := range loops {
		l.running.Go(func() { loop(ctx) })
	}
	return l
}

// Wait returns when every loop has returned.
func (l *Loops) Wait() {
	l.running.Wait()
	l.cancel()
}

// Stop ends the loops and waits for them. It may be called more than once.
func (l *Loops) Stop() {
	l.cancel()
	l.running.Wait()
}

// sleep waits for d, or until wake receives; wake may be nil. It returns false
// once ctx has ended.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

const (
	reconcileEvery = time.Second
	// How far back each look goes. Machines' clocks differ and transactions take
	// a while, so that one of some looks goes further.
	reconcileBack    = 3 * time.Second
	reconcileFar     = 15 * time.Second
	reconcileFarEach = 5
	reconcileMax     = 20_000
)

// reconcileLoop publishes recent changes again, until ctx ends. Whoever makes a
// change publishes it once it is committed; a process that dies in between,
// cannot reach the others just then, or loses the database's answer to its
// commit, is made up for by any that lives. What was told already costs a look
// into this process's memory.
func (s *Service) reconcileLoop(ctx context.Context) {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		back := reconcileBack
		if n%reconcileFarEach == 0 {
			back = reconcileFar
		}
		if err := s.reconcile(ctx, back); err != nil && ctx.Err() == nil {
			s.log.Warn("failed to reconcile recent changes", zap.Error(err))
		}
	}
}

func (s *Service) reconcile(ctx context.Context, back time.Duration) error {
	// Ids are made with the machine's clock, whatever the service's says.
	list, err := s.store.ChangedSince(ctx, idAt(time.Now().Add(-back)), reconcileMax)
	if err != nil {
		return err
	}
	for _, c := range list {
		var state coord.State
		if state, err = s.state(c); err == nil {
			err = s.coord.Publish(ctx, state)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// idAt is the least UUIDv7 of a moment.
func idAt(t time.Time) string {
	ms := t.UnixMilli()
	h := hex.EncodeToString([]byte{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms)})
	return h[:8] + "-" + h[8:] + "-7000-8000-000000000000"
}
