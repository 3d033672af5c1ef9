package coord

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// maxBatch is the most events in one [Batch].
	maxBatch = 1024
	// maxScan is how many events one read looks at: publishers wait meanwhile.
	maxScan = 8192
	// maxLogBytes bounds the memory of a log, beside the number of its events.
	maxLogBytes = 64 << 20
	// gatherFor is how long events are gathered for subscribers after others. The first
	// event after a quiet time is told at once; those of a burst come in one batch, so
	// that each subscriber is woken and writes once for all of them.
	gatherFor = 5 * time.Millisecond
)

// newEvent returns an event with the JSON of a state, and the state's head. It reads the
// head and formats the frame once, for all subscribers. The state may be that of a
// provider's site settings, which have an id of their own.
func newEvent(id string, data []byte) (Event, protocol.StateHead) {
	head, _ := protocol.HeadOf(data) // without a provider, all subscribers are told
	name := protocol.StreamState
	if strings.HasPrefix(head.ID, protocol.SiteIDPrefix) {
		name = protocol.StreamSite
	}
	frame := make([]byte, 0, len("id: \nevent: \ndata: \n\n")+len(id)+len(name)+len(data))
	frame = append(append(frame, "id: "...), id...)
	frame = append(frame, "\nevent: "+name+"\ndata: "...)
	begin := len(frame)
	frame = append(append(frame, data...), "\n\n"...)
	return Event{ID: id, Provider: head.ProviderID, Data: frame[begin : begin+len(data) : begin+len(data)], Frame: frame}, head
}

// eventLog is a ring buffer of the newest events. Each subscriber reads it at its
// own pace. It is safe for concurrent use.
type eventLog struct {
	mu       sync.RWMutex     // guards all below
	ring     []Event          // event n is at n % len(ring)
	numbers  map[string]int64 // event numbers by id, for the events in the ring and floor
	floor    string           // id of the position before the oldest event
	first    int64            // number of the oldest event in the ring; head if it is empty
	head     int64            // number of the next event; the first is 1
	told     int64            // subscribers may read the events before this one
	bytes    int              // of the frames in the ring
	maxBytes int
	life     int64 // incremented by restart; subscriptions of an earlier life are reset
	down     bool
	toldAt   time.Time
	timer    bool // tells what was gathered when it fires
	// Subscriptions with nothing to read. They are woken by what they want alone.
	waiting map[*Subscription]struct{}
}

// newEventLog returns an empty log of the given size. floor is the id of the
// position before its first event.
func newEventLog(size int, floor string) *eventLog {
	return &eventLog{
		ring: make([]Event, max(1, size)), numbers: map[string]int64{floor: 0}, floor: floor,
		first: 1, head: 1, told: 1, maxBytes: maxLogBytes, waiting: make(map[*Subscription]struct{}),
	}
}

// add appends events. It drops the oldest events if there are too many or their frames
// are too large.
func (l *eventLog) add(events ...Event) {
	if len(events) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	size := int64(len(l.ring))
	for _, e := range events {
		for l.first < l.head && (l.head-l.first == size || l.bytes+len(e.Frame) > l.maxBytes) {
			l.dropLocked()
		}
		l.ring[l.head%size] = e
		l.numbers[e.ID] = l.head
		l.bytes += len(e.Frame)
		l.head++
	}
	if l.timer {
		return
	}
	wait := gatherFor - time.Since(l.toldAt)
	if wait <= 0 {
		l.tellLocked()
		return
	}
	l.timer = true
	time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.timer = false
		l.tellLocked()
	})
}

// dropLocked drops the oldest event. Its id becomes the floor.
func (l *eventLog) dropLocked() {
	oldest := &l.ring[l.first%int64(len(l.ring))]
	delete(l.numbers, l.floor)
	l.floor = oldest.ID
	l.bytes -= len(oldest.Frame)
	*oldest = Event{}
	l.first++
}

// restart drops all events and resets every subscriber. floor is the id of the
// position before the next event.
func (l *eventLog) restart(floor string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.numbers)
	clear(l.ring)
	l.numbers[floor] = l.head - 1
	l.floor, l.first, l.bytes, l.down = floor, l.head, 0, false
	l.life++
	l.tellLocked()
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
	l.tellLocked()
	return true
}

func (l *eventLog) isDown() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.down
}

// tellLocked lets subscribers read all events and wakes those that wait for them.
func (l *eventLog) tellLocked() {
	l.told, l.toldAt = l.head, time.Now()
	for s := range l.waiting {
		if s.hasNewsLocked() {
			delete(l.waiting, s)
			s.wake <- struct{}{} // has room for one: s is woken once for each time it waits
		}
	}
}

func (l *eventLog) subscribe(lastID string, providers []string) (*Subscription, error) {
	s := &Subscription{log: l, wake: make(chan struct{}, 1)}
	if len(providers) > 0 {
		s.providers = make(map[string]struct{}, len(providers))
		for _, p := range providers {
			s.providers[p] = struct{}{}
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.down {
		return nil, ErrDown
	}
	s.life = l.life
	if n, ok := l.numbers[lastID]; ok {
		s.next = n + 1
	} else {
		s.next, s.reset = l.head, true
	}
	return s, nil
}

// Subscription reads the change stream. It is not safe for concurrent use.
type Subscription struct {
	log       *eventLog
	providers map[string]struct{} // whose events it reads; nil for all
	next      int64
	life      int64
	reset     bool
	events    []Event // of the last batch
	wake      chan struct{}
}

// Next waits for changes and returns them. They are valid until the next call. Next
// returns [ErrDown] while the stream is down, and the context's error, with the ID of the
// batch set, if ctx ends first. Next may be called again after the context's error.
func (s *Subscription) Next(ctx context.Context) (Batch, error) {
	for {
		batch, more, err := s.read()
		if err != nil || batch.Reset || len(batch.Events) > 0 {
			return batch, err
		}
		if ctx.Err() != nil {
			return batch, ctx.Err()
		}
		if more || !s.wait() { // there are further events to look at
			continue
		}
		select {
		case <-ctx.Done():
			batch.ID = s.leave(batch.ID)
			return batch, ctx.Err()
		case <-s.wake:
		}
	}
}

// read returns the events that may be read now, and whether there are more to look at.
func (s *Subscription) read() (b Batch, more bool, err error) {
	l := s.log
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.down {
		return b, false, ErrDown
	}
	b.Reset, s.reset = s.reset, false
	if s.life != l.life || s.next < l.first {
		b.Reset, s.next, s.life = true, l.head, l.life
	}
	size := int64(len(l.ring))
	clear(s.events) // holds nothing that the log has dropped
	b.Events = s.events[:0]
	for end := min(l.told, s.next+maxScan); s.next < end && len(b.Events) < maxBatch; s.next++ {
		if e := &l.ring[s.next%size]; s.wants(e.Provider) {
			b.Events = append(b.Events, *e)
		}
	}
	s.events = b.Events
	b.ID = s.positionLocked()
	return b, s.next < l.told, nil
}

// positionLocked returns the id of the last event that s has looked at.
func (s *Subscription) positionLocked() string {
	l := s.log
	if n := s.next - 1; n >= l.first {
		return l.ring[n%int64(len(l.ring))].ID
	}
	return l.floor
}

// wait has s woken when there is something for it to read. It returns false if there
// is already.
func (s *Subscription) wait() bool {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.hasNewsLocked() {
		return false
	}
	l.waiting[s] = struct{}{}
	return true
}

// leave stops waiting, and returns the position of s: the last one if events were lost
// since, so that a subscriber which resumes there is reset.
func (s *Subscription) leave(last string) string {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, s)
	select {
	case <-s.wake: // woken in this moment
	default:
	}
	if s.life != l.life || s.next < l.first {
		return last
	}
	return s.positionLocked()
}

// hasNewsLocked reports whether there is something for s to read. It passes over what s
// does not want.
func (s *Subscription) hasNewsLocked() bool {
	l := s.log
	if l.down || s.life != l.life || s.next < l.first {
		return true
	}
	for size := int64(len(l.ring)); s.next < l.told; s.next++ {
		if s.wants(l.ring[s.next%size].Provider) {
			return true
		}
	}
	return false
}

// wants reports whether the subscription reads a provider's events. It reads those of
// which the provider is not known.
func (s *Subscription) wants(provider string) bool {
	if s.providers == nil || provider == "" {
		return true
	}
	_, ok := s.providers[provider]
	return ok
}
