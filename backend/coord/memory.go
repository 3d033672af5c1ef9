package coord

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"time"
)

// DefaultLog is how many changes a coordinator keeps for subscribers to resume.
const DefaultLog = 16384

const sweepEvery = time.Minute

// Memory coordinates one process. Safe for concurrent use. Publishing never
// waits for a subscriber: each reads the log at its own pace, and one that
// falls behind its end is told to reset.
type Memory struct {
	now   func() time.Time
	epoch string // tells this process's event ids from another's
	log   *eventLog

	mu      sync.Mutex // guards states, told, sweepAt
	states  map[string]State
	told    map[string]int64 // the version last published, which [Memory.Remember] never is
	number  int64            // of the last event
	sweepAt time.Time

	limits       sync.Mutex // guards dues, limitSweepAt
	dues         map[string]time.Time
	limitSweepAt time.Time
}

// NewMemory returns an empty coordinator that keeps logSize changes.
func NewMemory(logSize int, now func() time.Time) *Memory {
	epoch := rand.Text()[:8]
	return &Memory{
		now: now, epoch: epoch, log: newEventLog(logSize, epoch+"-0"),
		states: map[string]State{}, told: map[string]int64{}, dues: map[string]time.Time{},
	}
}

// Publish keeps s and tells all subscribers, unless s is old news.
func (m *Memory) Publish(_ context.Context, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	// What the record said a moment ago may be this very change: it is known,
	// and not yet told.
	if m.told[s.ID] >= s.Version {
		return nil
	}
	m.told[s.ID] = s.Version
	m.keepLocked(s)
	m.number++
	m.log.add(Event{ID: m.epoch + "-" + strconv.FormatInt(m.number, 10), Data: s.Data})
	return nil
}

// Remember keeps s, read from the record, and tells nobody.
func (m *Memory) Remember(_ context.Context, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keepLocked(s)
	return nil
}

func (m *Memory) keepLocked(s State) {
	if old, ok := m.states[s.ID]; !ok || old.Version < s.Version {
		m.states[s.ID] = s
	}
	m.sweepLocked()
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
func (m *Memory) Subscribe(lastID string) (*Subscription, error) { return m.log.subscribe(lastID) }

// Run implements what coordinators of many processes need; this one needs none.
func (m *Memory) Run(ctx context.Context) { <-ctx.Done() }

// Close implements the same.
func (m *Memory) Close() error { return nil }

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

func (m *Memory) sweepLocked() {
	now := m.now()
	if now.Before(m.sweepAt) {
		return
	}
	m.sweepAt = now.Add(sweepEvery)
	for id, s := range m.states {
		if s.Forget.Before(now) {
			delete(m.states, id)
			delete(m.told, id)
		}
	}
}
