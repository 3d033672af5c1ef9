package service

import (
	"context"
	"sync"
	"time"
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

// wakeUp ends the sleep of the loop that waits for wake, or its next one.
func wakeUp(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // the loop has been woken already
	}
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
