// Package coord is what several requests, and later several backends, must
// agree on beside the record: the live states of sessions, the stream of their
// changes, and rate limits.
//
// Nothing here is a record. Whatever is lost is read again from SQL, and a
// subscriber that cannot be given what it missed is told so by [Batch.Reset].
// States travel as opaque bytes with a version; an older version never
// replaces a newer one.
package coord

import (
	"context"
	"errors"
	"sync"
	"time"
)

// State is the live state of one session.
type State struct {
	ID      string
	Version int64
	Data    []byte // JSON, as edges receive it; never changed once published
	// When nobody will ask for it any more.
	Forget time.Time
}

// Event is one change on the stream.
type Event struct {
	// Opaque; resumes the stream after this event.
	ID   string
	Data []byte
}

// Batch is what a subscriber gets at once: all events since the last batch.
type Batch struct {
	// Events were missed for good: ask for every state again.
	Reset  bool
	Events []Event
	// Resumes the stream after this batch, also when it has no events.
	ID string
}

// Limit is how often something may happen: on average one every Interval, with
// Burst at once.
type Limit struct {
	Interval time.Duration
	Burst    int
}

// take decides one use of a limit by the generic cell rate algorithm (GCRA):
// due is the key's stored theoretical arrival time. It returns the time to
// store, and how long to wait if the use is refused.
func take(due, now time.Time, l Limit) (next time.Time, wait time.Duration) {
	if due.Before(now) {
		due = now
	}
	next = due.Add(l.Interval)
	if wait := next.Sub(now) - l.Interval*time.Duration(max(1, l.Burst)); wait > 0 {
		return due, wait
	}
	return next, 0
}

const maxBatch = 1024

// ErrDown: the stream of changes is not to be had just now. Whoever follows it
// asks for states instead, until it is back.
var ErrDown = errors.New("the change stream is down")

// eventLog is the newest events, which subscribers read each at its own pace.
// Safe for concurrent use.
type eventLog struct {
	mu      sync.Mutex       // guards all below
	ring    []Event          // event n is at n % len(ring)
	numbers map[string]int64 // of the events in the ring, and of floor, by id
	floor   string           // the id of the place before the first event
	first   int64            // number of the oldest event kept, or head
	head    int64            // number of the next event; the first is 1
	life    int64            // grows when what was read so far no longer counts
	down    bool
	more    chan struct{} // closed when there is something to read
}

// newEventLog returns an empty log whose beginning has the id floor.
func newEventLog(size int, floor string) *eventLog {
	return &eventLog{
		ring: make([]Event, max(1, size)), numbers: map[string]int64{floor: 0}, floor: floor,
		first: 1, head: 1, more: make(chan struct{}),
	}
}

// add appends an event.
func (l *eventLog) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := int64(len(l.ring))
	if l.head-l.first == size {
		// The oldest makes room. Its id is now that of the place before the first.
		delete(l.numbers, l.floor)
		l.floor = l.ring[l.first%size].ID
		l.first++
	}
	l.ring[l.head%size] = e
	l.numbers[e.ID] = l.head
	l.head++
	l.wakeLocked()
}

// restart forgets all events: every subscriber is told to reset. Whatever comes
// next begins at the id floor.
func (l *eventLog) restart(floor string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.numbers)
	l.numbers[floor] = l.head - 1
	l.floor, l.first, l.down = floor, l.head, false
	l.life++
	l.wakeLocked()
}

// setDown ends all subscriptions, and refuses new ones until it is set back. It
// reports whether that is news.
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

// Subscription is one reader of the changes. It has one user at a time.
type Subscription struct {
	log   *eventLog
	next  int64
	life  int64
	reset bool
}

// Next waits for changes and returns them, or [ErrDown]. A context that ends
// first is no error of the subscription: Next may be called again.
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
