package caddymodule

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// afterlife is how long an ended session is remembered, so that its browser is
// told what happened without a question to the backend.
const afterlife = 15 * time.Minute

// liveSession is one session as this edge holds it: its newest state, and the
// requests that are open in its name and end when it does.
type liveSession struct {
	id    string
	clock *clock

	state    atomic.Pointer[protocol.LiveState]
	identity atomic.Pointer[identity] // of state
	// The backend's clock, in ms, up to which requests are admitted; 0 when the
	// state admits none. Read on every request.
	admitUntil atomic.Int64
	// This machine's monotonic ms at which the backend last vouched for state.
	confirmed atomic.Int64

	// Set from entry without the backend until it redeems the launch.
	provisional atomic.Bool
	assertion   atomic.Pointer[assertion] // the last one signed
	upgrade     atomic.Pointer[string]    // the session token that came of it

	owner *liveSet

	mu    sync.Mutex // guards open, timer, told and gone
	open  *openRequest
	timer *time.Timer
	told  bool // the owner was told of its end
	gone  bool
}

func newLiveSession(st *protocol.LiveState, confirmedAt int64, owner *liveSet) *liveSession {
	s := &liveSession{id: st.ID, clock: owner.clock, owner: owner}
	s.timer = time.AfterFunc(time.Hour, s.wake)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(st, confirmedAt)
	s.told = hasEnded(s.code()) // before this edge ever saw it
	return s
}

// hasEnded reports whether a session that is refused for code is over for good.
func hasEnded(code protocol.Code) bool {
	return code != "" && code != protocol.SessionPaused && code != protocol.SessionPending
}

// tellLocked tells the owner of the session's end, once; more time after that
// is another life.
func (s *liveSession) tellLocked(code protocol.Code) {
	over := hasEnded(code)
	if over && !s.told && s.owner.ended != nil {
		s.owner.ended(s, code)
	}
	s.told = over
}

// apply takes a state from the backend. Older news than what is held only
// confirms it. It reports whether anything changed.
func (s *liveSession) apply(st *protocol.LiveState, confirmedAt int64) bool {
	s.mu.Lock()
	old := s.state.Load()
	if old != nil && st.Version <= old.Version {
		if st.Version == old.Version {
			s.confirmed.Store(max(s.confirmed.Load(), confirmedAt))
		}
		s.mu.Unlock()
		return false
	}
	s.setLocked(st, confirmedAt)
	var cut *openRequest
	code := s.code()
	if code != "" {
		cut = s.takeOpenLocked()
	}
	s.tellLocked(code)
	s.mu.Unlock()
	cutAll(cut, code)
	return true
}

func (s *liveSession) setLocked(st *protocol.LiveState, confirmedAt int64) {
	var until int64
	if st.Status == protocol.Active {
		until = st.ExpiresAt * 1000
	}
	s.state.Store(st)
	s.identity.Store(newIdentity(st))
	s.admitUntil.Store(until)
	s.confirmed.Store(confirmedAt)
	s.armLocked()
}

// confirm records that the backend vouched for the given version.
func (s *liveSession) confirm(version, confirmedAt int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load().Version == version {
		s.confirmed.Store(max(s.confirmed.Load(), confirmedAt))
	}
}

// admitted reports whether a request may pass at the backend's time nowMS.
func (s *liveSession) admitted(nowMS int64) bool { return nowMS < s.admitUntil.Load() }

// code is why the session is refused, or "" if it is live.
func (s *liveSession) code() protocol.Code {
	st := s.state.Load()
	if st.Status == protocol.Active && !s.admitted(s.clock.nowMS()) {
		return protocol.SessionExpired
	}
	return protocol.CodeOf(st.Status)
}

// register lists o as open until [liveSession.release]; it returns why not when
// the session ended since the decision.
func (s *liveSession) register(o *openRequest) protocol.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code := s.code(); code != "" {
		return code
	}
	o.next = s.open
	if s.open != nil {
		s.open.prev = o
	}
	s.open = o
	o.listed = true
	return ""
}

// release takes o off the list, if it is still there.
func (s *liveSession) release(o *openRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !o.listed {
		return
	}
	if o.prev != nil {
		o.prev.next = o.next
	} else {
		s.open = o.next
	}
	if o.next != nil {
		o.next.prev = o.prev
	}
	o.prev, o.next, o.listed = nil, nil, false
}

// wake runs when the deadline may have come, or the afterlife is over.
func (s *liveSession) wake() {
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return
	}
	code := s.code()
	if !hasEnded(code) {
		s.armLocked() // woken early: the deadline moved, or the clock was corrected
		s.mu.Unlock()
		return
	}
	if s.clock.nowMS() >= s.endMS()+afterlife.Milliseconds() && s.open == nil {
		s.gone = true
		s.mu.Unlock()
		s.owner.drop(s)
		return
	}
	cut := s.takeOpenLocked()
	s.timer.Reset(afterlife)
	s.tellLocked(code)
	s.mu.Unlock()
	cutAll(cut, code)
}

// endMS is when the session ended or will end, by the backend's clock.
func (s *liveSession) endMS() int64 { return s.state.Load().ExpiresAt * 1000 }

func (s *liveSession) armLocked() {
	st := s.state.Load()
	switch {
	case st.Status == protocol.Active:
		s.timer.Reset(max(s.clock.until(st.ExpiresAt*1000), time.Millisecond))
	default: // paused or pending: looked at again; ended: forgotten
		s.timer.Reset(afterlife)
	}
}

// stop ends the session's timer; its open requests run on.
func (s *liveSession) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.timer.Stop()
}

// abandon ends the session's timer and its open requests: this edge knows
// nothing of it any more.
func (s *liveSession) abandon() {
	s.mu.Lock()
	s.gone = true
	s.timer.Stop()
	cut := s.takeOpenLocked()
	s.mu.Unlock()
	cutAll(cut, protocol.SessionMissing)
}

// openCount is how many requests are under way.
func (s *liveSession) openCount() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := s.open; o != nil; o = o.next {
		n++
	}
	return n
}

func (s *liveSession) takeOpenLocked() *openRequest {
	list := s.open
	for o := list; o != nil; o = o.next {
		o.listed = false
	}
	s.open = nil
	return list
}

// cutAll ends every request of a list taken off its session.
func cutAll(list *openRequest, code protocol.Code) {
	for o := list; o != nil; {
		next := o.next
		o.prev, o.next = nil, nil
		o.cut(code)
		o = next
	}
}
