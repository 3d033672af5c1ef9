package service

import (
	"context"
	"sync"
	"time"
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
