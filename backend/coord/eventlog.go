package coord

import (
	"context"
	"sync"
)

// maxBatch is the most events in one [Batch].
const maxBatch = 1024

// eventLog is a ring buffer of the newest events. Each subscriber reads it at its
// own pace. It is safe for concurrent use.
type eventLog struct {
	mu      sync.Mutex       // guards all below
	ring    []Event          // event n is at n % len(ring)
	numbers map[string]int64 // event numbers by id, for the events in the ring and floor
	floor   string           // id of the position before the oldest event
	first   int64            // number of the oldest event in the ring; head if it is empty
	head    int64            // number of the next event; the first is 1
	life    int64            // incremented by restart; subscriptions of an earlier life are reset
	down    bool
	more    chan struct{} // closed when there is something to read
}

// newEventLog returns an empty log of the given size. floor is the id of the
// position before its first event.
func newEventLog(size int, floor string) *eventLog {
	return &eventLog{
		ring: make([]Event, max(1, size)), numbers: map[string]int64{floor: 0}, floor: floor,
		first: 1, head: 1, more: make(chan struct{}),
	}
}

// add appends an event. If the log is full, add drops the oldest event.
func (l *eventLog) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := int64(len(l.ring))
	if l.head-l.first == size {
		// Drop the oldest event. Its id becomes the floor.
		delete(l.numbers, l.floor)
		l.floor = l.ring[l.first%size].ID
		l.first++
	}
	l.ring[l.head%size] = e
	l.numbers[e.ID] = l.head
	l.head++
	l.wakeLocked()
}

// restart drops all events and resets every subscriber. floor is the id of the
// position before the next event.
func (l *eventLog) restart(floor string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.numbers)
	l.numbers[floor] = l.head - 1
	l.floor, l.first, l.down = floor, l.head, false
	l.life++
	l.wakeLocked()
}

// setDown marks the log as down or up. While it is down, all subscriptions return
// [ErrDown] and new ones are refused. setDown reports whether the mark changed.
func (l *eventLog) setDown(down bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down == down {
		return false
	}
	l.down = down
	l.wakeLocked()
	return true
}

func (l *eventLog) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

func (l *eventLog) wakeLocked() {
	close(l.more)
	l.more = make(chan struct{})
}

func (l *eventLog) subscribe(lastID string) (*Subscription, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, ErrDown
	}
	if n, ok := l.numbers[lastID]; ok {
		return &Subscription{log: l, next: n + 1, life: l.life}, nil
	}
	return &Subscription{log: l, next: l.head, life: l.life, reset: true}, nil
}

// Subscription reads the change stream. It is not safe for concurrent use.
type Subscription struct {
	log   *eventLog
	next  int64
	life  int64
	reset bool
}

// Next waits for changes and returns them. It returns [ErrDown] while the stream is
// down, and the context's error if ctx ends first. Next may be called again after
// the context's error.
func (s *Subscription) Next(ctx context.Context) (Batch, error) {
	for {
		batch, more, err := s.read()
		if err != nil || batch.Reset || len(batch.Events) > 0 {
			return batch, err
		}
		select {
		case <-ctx.Done():
			return batch, ctx.Err()
		case <-more:
		}
	}
}

func (s *Subscription) read() (Batch, <-chan struct{}, error) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return Batch{}, nil, ErrDown
	}
	b := Batch{Reset: s.reset}
	s.reset = false
	if s.life != l.life || s.next < l.first {
		b.Reset, s.next, s.life = true, l.head, l.life
	}
	for ; s.next < l.head && len(b.Events) < maxBatch; s.next++ {
		b.Events = append(b.Events, l.ring[s.next%int64(len(l.ring))])
	}
	if n := s.next - 1; n >= l.first {
		b.ID = l.ring[n%int64(len(l.ring))].ID
	} else {
		b.ID = l.floor
	}
	return b, l.more, nil
}
