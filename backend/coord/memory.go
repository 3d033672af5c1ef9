package coord

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// DefaultLog is how many changes [Memory] keeps for subscribers to resume.
	DefaultLog = 16384

	maxBatch   = 1024
	sweepEvery = time.Minute
)

// Memory coordinates one process. Safe for concurrent use. Publishing never
// waits for a subscriber: each reads the log at its own pace, and one that
// falls behind its end is told to reset.
type Memory struct {
	now   func() time.Time
	epoch string // tells this process's event ids from another's

	mu      sync.Mutex // guards all below
	states  map[string]State
	log     []Event       // ring: event n is at n % len(log)
	head    int64         // number of the next event; the first is 1
	more    chan struct{} // closed when an event is added
	sweepAt time.Time

	limits       sync.Mutex // guards dues, limitSweepAt
	dues         map[string]time.Time
	limitSweepAt time.Time
}

// NewMemory returns an empty coordinator that keeps logSize changes.
func NewMemory(logSize int, now func() time.Time) *Memory {
	return &Memory{
		now: now, epoch: rand.Text()[:8], states: map[string]State{}, log: make([]Event, max(1, logSize)),
		head: 1, more: make(chan struct{}), dues: map[string]time.Time{},
	}
}

// Publish keeps s and tells all subscribers, unless s is old news.
func (m *Memory) Publish(_ context.Context, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.states[s.ID]; ok && old.Version >= s.Version {
		return nil
	}
	m.states[s.ID] = s
	m.log[m.head%int64(len(m.log))] = Event{ID: m.eventID(m.head), Data: s.Data}
	m.head++
	close(m.more)
	m.more = make(chan struct{})
	m.sweepLocked()
	return nil
}

// Remember keeps s, read from the record, and tells nobody.
func (m *Memory) Remember(_ context.Context, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.states[s.ID]; !ok || old.Version < s.Version {
		m.states[s.ID] = s
	}
	m.sweepLocked()
	return nil
}

// States returns the states of ids, in their order; the zero State where none
// is known.
func (m *Memory) States(_ context.Context, ids []string) ([]State, error) {
	list := make([]State, len(ids))
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, id := range ids {
		list[i] = m.states[id]
	}
	return list, nil
}

// Subscribe returns a subscription to all changes after the event lastID; from
// now on, after a reset, when lastID is empty or no longer known.
func (m *Memory) Subscribe(lastID string) *Subscription {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.number(lastID); ok && n < m.head && n+1 >= m.firstLocked() {
		return &Subscription{m: m, next: n + 1}
	}
	return &Subscription{m: m, next: m.head, reset: true}
}

// Allow takes one use of the limit named key. It returns how long to wait, 0
// when allowed.
func (m *Memory) Allow(_ context.Context, key string, l Limit) (time.Duration, error) {
	now := m.now()
	m.limits.Lock()
	defer m.limits.Unlock()
	if now.After(m.limitSweepAt) {
		m.limitSweepAt = now.Add(sweepEvery)
		for k, due := range m.dues {
			if due.Before(now) {
				delete(m.dues, k)
			}
		}
	}
	next, wait := take(m.dues[key], now, l)
	m.dues[key] = next
	return wait, nil
}

func (m *Memory) firstLocked() int64 { return max(1, m.head-int64(len(m.log))) }

func (m *Memory) sweepLocked() {
	now := m.now()
	if now.Before(m.sweepAt) {
		return
	}
	m.sweepAt = now.Add(sweepEvery)
	for id, s := range m.states {
		if s.Forget.Before(now) {
			delete(m.states, id)
		}
	}
}

func (m *Memory) eventID(n int64) string { return m.epoch + "-" + strconv.FormatInt(n, 10) }

func (m *Memory) number(id string) (int64, bool) {
	epoch, digits, ok := strings.Cut(id, "-")
	if !ok || epoch != m.epoch {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}

// Subscription is one reader of the changes. It has one user at a time.
type Subscription struct {
	m     *Memory
	next  int64
	reset bool
}

// Next waits for changes and returns them. A context that ends first is no
// error of the subscription: Next may be called again.
func (s *Subscription) Next(ctx context.Context) (Batch, error) {
	for {
		batch, more := s.read()
		if batch.Reset || len(batch.Events) > 0 {
			return batch, nil
		}
		select {
		case <-ctx.Done():
			return batch, ctx.Err()
		case <-more:
		}
	}
}

func (s *Subscription) read() (Batch, <-chan struct{}) {
	m := s.m
	m.mu.Lock()
	defer m.mu.Unlock()
	b := Batch{Reset: s.reset}
	s.reset = false
	if s.next < m.firstLocked() {
		b.Reset, s.next = true, m.head
	}
	for ; s.next < m.head && len(b.Events) < maxBatch; s.next++ {
		b.Events = append(b.Events, m.log[s.next%int64(len(m.log))])
	}
	b.ID = m.eventID(s.next - 1)
	return b, m.more
}
