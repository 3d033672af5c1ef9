package live

import (
	"context"
	"sync"
	"time"
)

// deadlines wakes sessions at times of the backend's clock, to the second. A timer
// for each session would take more memory than the rest of the session. Sessions
// that are due in the same second form one intrusive linked list.
type deadlines struct {
	now func() int64 // the backend's time in Unix ms

	mu      sync.Mutex // guards the rest, and the sessions' links
	seconds map[int64]*Session
	passed  int64         // the last second whose sessions were woken
	wakeNow chan struct{} // tells run that a session is due already
}

// overdue stands for every second that had passed when it was set.
const overdue = -1

func newDeadlines(now func() int64) *deadlines {
	return &deadlines{now: now, seconds: make(map[int64]*Session), wakeNow: make(chan struct{}, 1)}
}

// set makes s wake at a time in ms, rounded up to the second, instead of the one
// set before. A time that has passed means now.
func (d *deadlines) set(s *Session, ms int64) {
	at := (ms + 999) / 1000
	d.mu.Lock()
	defer d.mu.Unlock()
	late := at <= d.passed
	if late {
		at = overdue
	}
	if s.due == at {
		return
	}
	d.removeLocked(s)
	s.due = at
	if head := d.seconds[at]; head != nil {
		head.earlier, s.later = s, head
	}
	d.seconds[at] = s
	if late {
		select {
		case d.wakeNow <- struct{}{}:
		default: // told already
		}
	}
}

// remove clears the time of s.
func (d *deadlines) remove(s *Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removeLocked(s)
}

func (d *deadlines) removeLocked(s *Session) {
	if s.due == 0 {
		return
	}
	switch {
	case s.earlier != nil:
		s.earlier.later = s.later
	case s.later != nil:
		d.seconds[s.due] = s.later
	default:
		delete(d.seconds, s.due)
	}
	if s.later != nil {
		s.later.earlier = s.earlier
	}
	s.earlier, s.later, s.due = nil, nil, 0
}

// due removes and returns the sessions that are due at the moment now, in ms.
func (d *deadlines) due(now int64) (due []*Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	second := now / 1000
	gather := func(at int64) {
		for s := d.seconds[at]; s != nil; {
			next := s.later
			s.earlier, s.later, s.due = nil, nil, 0
			due = append(due, s)
			s = next
		}
		delete(d.seconds, at)
	}
	gather(overdue)
	if second-d.passed > int64(len(d.seconds)) { // a leap of the clock, or the beginning
		for at := range d.seconds {
			if at <= second {
				gather(at)
			}
		}
	} else {
		for at := d.passed + 1; at <= second; at++ {
			gather(at)
		}
	}
	d.passed = second // before the last one, if the clock was set back
	return due
}

// run wakes sessions until ctx ends.
func (d *deadlines) run(ctx context.Context) {
	for {
		// Until the second is over, by the backend's clock; it may be set
		// meanwhile, so that no wait is longer.
		timer := time.NewTimer(time.Duration(1000-d.now()%1000) * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-d.wakeNow:
			timer.Stop()
		case <-timer.C:
		}
		for _, s := range d.due(d.now()) {
			if s.idle() {
				s.wake()
				continue
			}
			// Cutting waits for connections, and others' deadlines do not wait
			// for that.
			go s.wake()
		}
	}
}
