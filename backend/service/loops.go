package service

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/store"
)

// Loops is a group of background loops. Start it with [StartLoops]. End it with Stop,
// or end its context and call Wait.
type Loops struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// StartLoops runs each loop in its own goroutine. A loop must return soon after its
// context ends, and write its buffered data before it returns.
func StartLoops(ctx context.Context, loops ...func(context.Context)) *Loops {
	ctx, cancel := context.WithCancel(ctx)
	l := &Loops{cancel: cancel}
	for _, loop := range loops {
		l.running.Go(func() { loop(ctx) })
	}
	return l
}

// Wait waits until every loop has returned.
func (l *Loops) Wait() {
	l.running.Wait()
	l.cancel()
}

// Stop ends the loops and waits for them. It may be called more than once.
func (l *Loops) Stop() {
	l.cancel()
	l.running.Wait()
}

// sleep waits for d or until it receives from wake, which may be nil. It returns
// false if ctx has ended.
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
	// How far back each round looks. Since clocks differ between machines and
	// transactions take time, every reconcileFarEach-th round looks further back.
	reconcileBack    = 8 * time.Second
	reconcileFar     = 15 * time.Second
	reconcileFarEach = 5
	reconcileMax     = 20_000
)

// reconcileLoop publishes recent changes again until ctx ends. A change is normally
// published by the process that commits it. If that process crashes first, cannot
// reach Redis, or loses the database's response to the commit, any other process
// publishes the change here. A change that was already published costs one lookup in
// memory.
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
		switch err := s.reconcile(ctx, back); {
		case err == nil:
			s.coord.Reconciled()
		case ctx.Err() == nil:
			s.log.Warn("failed to reconcile recent changes", zap.Error(err))
		}
	}
}

// reconcile publishes the changes of the last back again. A change that cannot be
// published now is published later by the coordinator.
func (s *Service) reconcile(ctx context.Context, back time.Duration) error {
	list, err := s.store.ChangedSince(ctx, store.FirstID(s.now().Add(-back)), reconcileMax)
	if err != nil {
		return err
	}
	for _, c := range list {
		state, err := s.state(c)
		if err != nil {
			return err
		}
		_ = s.coord.Publish(ctx, state) // the coordinator logs once that it is down
	}
	return ctx.Err()
}
