package coord

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"time"
)

// DefaultLog is the default number of events that a coordinator keeps so that
// subscribers can resume: those of 13 s at 5,000 changes a second. With states of 500
// bytes, they take about 45 MB; their frames never take more than 64 MB.
const DefaultLog = 65536

const sweepEvery = time.Minute

// Memory is a coordinator for one process. It is safe for concurrent use.
// Publishing never waits for a subscriber: each subscriber reads the log at its own
// pace, and one that falls too far behind is reset.
type Memory struct {
	now   func() time.Time
	epoch string // random prefix of event ids, different in each process
	log   *eventLog

	mu        sync.Mutex // guards states, published, number, sweepAt
	states    map[string]State
	published map[string]int64 // newest version published, by session id; [Memory.Remember] does not count
	number    int64            // number of the last event
	sweepAt   time.Time

	limits       sync.Mutex // guards dues, limitSweepAt
	dues         map[string]time.Time
	limitSweepAt time.Time
	maxDues      int
}

// NewMemory returns an empty coordinator that keeps logSize changes.
func NewMemory(logSize int, now func() time.Time) *Memory {
	epoch := rand.Text()[:8]
	return &Memory{
		now: now, epoch: epoch, log: newEventLog(logSize, epoch+"-0"),
		states: map[string]State{}, published: map[string]int64{}, dues: map[string]time.Time{}, maxDues: maxDues,
	}
}

// Publish stores s and sends it to all subscribers. It does nothing if this
// version or a newer one was already published.
func (m *Memory) Publish(_ context.Context, s State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	// Compare with the published version, not the stored one: Remember may have
	// stored this version without publishing it.
	if m.published[s.ID] >= s.Version {
		return nil
	}
	m.published[s.ID] = s.Version
	m.storeLocked(s)
	m.number++
	event, _ := newEvent(m.epoch+"-"+strconv.FormatInt(m.number, 10), s.Data)
	m.log.add(event)
	return nil
}

// Remember stores states, as read from the database, without publishing them.
func (m *Memory) Remember(_ context.Context, list ...State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range list {
		m.storeLocked(s)
	}
	return nil
}

// Published reports, of each version of a session, whether it or a newer one was
// published.
func (m *Memory) Published(versions []Version) []bool {
	list := make([]bool, len(versions))
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, v := range versions {
		list[i] = v.Version > 0 && m.published[v.ID] >= v.Version
	}
	return list
}

func (m *Memory) storeLocked(s State) {
	if old, ok := m.states[s.ID]; !ok || old.Version < s.Version {
		m.states[s.ID] = s
	}
	m.sweepLocked()
}

// States returns the states of ids, in the same order. An unknown id yields the
// zero State.
func (m *Memory) States(_ context.Context, ids []string) ([]State, error) {
	list := make([]State, len(ids))
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, id := range ids {
		list[i] = m.states[id]
	}
	return list, nil
}

// Subscribe returns a subscription to the changes of these providers, or of all if none
// is given, after the event lastID. If lastID is empty or no longer in the log, the
// subscription starts with a reset and continues with new changes.
func (m *Memory) Subscribe(lastID string, providers ...string) (*Subscription, error) {
	return m.log.subscribe(lastID, providers)
}

// Run waits until ctx ends. Memory needs no background work.
func (m *Memory) Run(ctx context.Context) { <-ctx.Done() }

// Reconciled does nothing. What one process knows, it published itself, or the
// reconciliation publishes it.
func (m *Memory) Reconciled() {}

// Trouble returns "": memory is always there.
func (m *Memory) Trouble() string { return "" }

// Close does nothing. Memory holds no connections.
func (m *Memory) Close() error { return nil }

// Allow counts one use against the limit named key. It returns 0 if the use is
// allowed, or how long to wait otherwise.
func (m *Memory) Allow(_ context.Context, key string, l Limit) (time.Duration, error) {
	now := m.now()
	m.limits.Lock()
	defer m.limits.Unlock()
	if now.After(m.limitSweepAt) || m.limitSweepAt.Sub(now) > sweepEvery {
		m.sweepLimitsLocked(now)
	}
	due, known := m.dues[key]
	next, wait := limitUse(due, now, l)
	if known || len(m.dues) < m.maxDues {
		m.dues[key] = next
	}
	return wait, nil
}

// maxDues is how many keys of limits are counted at a time. Strangers choose some of
// them, such as their addresses. Uses of further keys are not counted.
const maxDues = 500_000

// sweepLimitsLocked removes the keys without a use to pay for.
func (m *Memory) sweepLimitsLocked(now time.Time) {
	m.limitSweepAt = now.Add(sweepEvery)
	for k, due := range m.dues {
		if due.Before(now) {
			delete(m.dues, k)
		}
	}
}

func (m *Memory) sweepLocked() {
	now := m.now()
	if now.Before(m.sweepAt) && m.sweepAt.Sub(now) <= sweepEvery {
		return
	}
	m.sweepAt = now.Add(sweepEvery)
	for id, s := range m.states {
		if s.Forget.Before(now) {
			delete(m.states, id)
			delete(m.published, id)
		}
	}
}
