package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrBusy is returned to a caller that has too many requests waiting already.
var ErrBusy = errors.New("too many requests of one caller wait for the database")

const (
	// Requests of one caller that may wait to write, and to read lists.
	maxWriteQueue = 1024
	maxListQueue  = 64
	// listTimeout bounds a list, from its request to its last row.
	listTimeout = 10 * time.Second
	pgWriters   = 24
	pgLists     = 8
)

type callerKey struct{}

// WithCaller returns a context whose statements wait in the queue of a caller: of two
// callers, each gets every second turn, however many requests one of them makes.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey{}, name)
}

// turns lets a number of holders work at once, and lets callers take turns. It is safe
// for concurrent use.
type turns struct {
	maxQueue int

	mu      sync.Mutex // guards the rest
	free    int
	waiting map[string][]*turn
	ring    []string // callers that wait, the next one first
}

// turn is one request that waits.
type turn struct {
	granted chan struct{}
}

func newTurns(n, maxQueue int) *turns {
	return &turns{free: n, maxQueue: maxQueue, waiting: map[string][]*turn{}}
}

// take waits for a turn. Whoever gets one gives it back with [turns.give].
func (t *turns) take(ctx context.Context) error {
	caller, _ := ctx.Value(callerKey{}).(string)
	t.mu.Lock()
	if t.free > 0 && len(t.ring) == 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	if len(t.waiting[caller]) >= t.maxQueue {
		t.mu.Unlock()
		return ErrBusy
	}
	mine := &turn{granted: make(chan struct{})}
	if len(t.waiting[caller]) == 0 {
		t.ring = append(t.ring, caller)
	}
	t.waiting[caller] = append(t.waiting[caller], mine)
	t.mu.Unlock()
	select {
	case <-mine.granted:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	left := t.leaveLocked(caller, mine)
	t.mu.Unlock()
	if !left { // granted meanwhile
		t.give()
	}
	return fmt.Errorf("waiting for the database: %w", ctx.Err())
}

// give ends a turn, and lets the caller that has waited for one longest have it.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) == 0 {
		t.free++
		return
	}
	caller := t.ring[0]
	t.ring = t.ring[1:]
	queue := t.waiting[caller]
	next := queue[0]
	if len(queue) == 1 {
		delete(t.waiting, caller)
	} else {
		t.waiting[caller] = queue[1:]
		t.ring = append(t.ring, caller)
	}
	close(next.granted)
}

// leaveLocked removes a request that waits no longer. It returns false if the request
// does not wait any more.
func (t *turns) leaveLocked(caller string, mine *turn) bool {
	queue := t.waiting[caller]
	for i, other := range queue {
		if other != mine {
			continue
		}
		queue = append(queue[:i:i], queue[i+1:]...)
		t.waiting[caller] = queue
		if len(queue) == 0 {
			delete(t.waiting, caller)
			for i, name := range t.ring {
				if name == caller {
					t.ring = append(t.ring[:i:i], t.ring[i+1:]...)
					break
				}
			}
		}
		return true
	}
	return false
}
