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
// requests that are open in its name and end when it does. There may be a
// million, so that what few of them need stands in extras.
type liveSession struct {
	set   *liveSet
	state atomic.Pointer[record]
	// This machine's monotonic ms at which the backend last vouched for state.
	confirmed atomic.Int64
	extra     atomic.Pointer[extras]

	token tokenKey // the first that was verified for it; guarded by its id's shard

	earlier, later *liveSession // guarded by the deadlines' mu
	due            int64        // guarded by the deadlines' mu

	mu   sync.Mutex    // guards the rest
	open *registration // the requests that are under way
	told bool          // the set was told of its end
	gone bool
	used bool // a browser came with its cookie
}

// cutter is what a session ends when it ends: a request under way. cut may be
// called at any time, from any goroutine, and again.
type cutter interface {
	cut(code protocol.Code)
}

// registration is the place of one request in its session's list of those that
// are under way.
type registration struct {
	request    cutter
	prev, next *registration // guarded by the session's mu
	listed     bool          // guarded by the session's mu
}

// signedAssertion is a signed statement about a session for the site at host,
// which is sent again until the given time of the backend's clock, in ms.
type signedAssertion struct {
	host  string
	value string
	until int64
}

// extras is what only some sessions have.
type extras struct {
	// Set from entry without the backend until it redeems the launch.
	provisional atomic.Bool
	assertion   atomic.Pointer[signedAssertion] // the last one signed
	upgrade     atomic.Pointer[string]          // the session token that came of it

	tokens []tokenKey // verified after the first; guarded by the id's shard
}

// extras are s's own, made at the first need.
func (s *liveSession) extras() *extras {
	if x := s.extra.Load(); x != nil {
		return x
	}
	s.extra.CompareAndSwap(nil, new(extras))
	return s.extra.Load()
}

// upgraded is the session token that a provisional cookie has become, or nil.
func (s *liveSession) upgraded() *string {
	if x := s.extra.Load(); x != nil {
		return x.upgrade.Load()
	}
	return nil
}

func (s *liveSession) provisional() bool {
	x := s.extra.Load()
	return x != nil && x.provisional.Load()
}

func newLiveSession(st *protocol.LiveState, confirmedAt int64, set *liveSet) *liveSession {
	s := &liveSession{set: set}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(st, confirmedAt)
	s.told = hasEnded(s.code()) // before this edge ever saw it
	return s
}

// record is the session's newest state. It does not change: a newer state is
// another record.
func (s *liveSession) record() *record { return s.state.Load() }

// confirmedAt is this machine's monotonic ms at which the backend last vouched
// for the session's state.
func (s *liveSession) confirmedAt() int64 { return s.confirmed.Load() }

// expiresAt is when the session ends, in Unix seconds of the backend's clock.
func (s *liveSession) expiresAt() int64 { return s.state.Load().expiresAt }

// returnURL is where the session's marketplace wants its user back.
func (s *liveSession) returnURL() string { return s.state.Load().terms.returnURL }

// now is the backend's time in Unix milliseconds.
func (s *liveSession) now() int64 { return s.set.now() }

// setProvisional says whether the session was admitted without the backend and
// still waits for it.
func (s *liveSession) setProvisional(is bool) { s.extras().provisional.Store(is) }

// upgrade keeps the session token that the provisional cookie has become.
func (s *liveSession) upgrade(sessionToken string) { s.extras().upgrade.Store(&sessionToken) }

// assertion is the last signed statement about the session, or nil.
func (s *liveSession) assertion() *signedAssertion {
	if x := s.extra.Load(); x != nil {
		return x.assertion.Load()
	}
	return nil
}

// setAssertion keeps a signed statement to be sent again.
func (s *liveSession) setAssertion(a *signedAssertion) { s.extras().assertion.Store(a) }

// id is the session's id.
func (s *liveSession) id() string { return s.state.Load().headers[recordID] }

// provider is whose session it is.
func (s *liveSession) provider() string { return s.state.Load().headers[recordProvider] }

// hasEnded reports whether a session that is refused for code is over for good.
func hasEnded(code protocol.Code) bool {
	return code != "" && code != protocol.SessionPaused && code != protocol.SessionPending
}

// tellLocked tells the set of the session's end, once; more time after that
// is another life.
func (s *liveSession) tellLocked(code protocol.Code) {
	over := hasEnded(code)
	if over && !s.told && s.set.ended != nil {
		s.set.ended(s, code)
	}
	s.told = over
}

// apply takes a state from the backend. Older news than what is held only
// confirms it. It reports whether anything changed.
func (s *liveSession) apply(st *protocol.LiveState, confirmedAt int64) bool {
	s.mu.Lock()
	old := s.state.Load()
	if st.Version <= old.version {
		if st.Version == old.version {
			s.confirmed.Store(max(s.confirmed.Load(), confirmedAt))
		}
		s.mu.Unlock()
		return false
	}
	s.setLocked(st, confirmedAt)
	var cut *registration
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
	s.state.Store(s.set.records.record(st, s.state.Load()))
	s.confirmed.Store(confirmedAt)
	s.armLocked()
}

// confirm records that the backend vouched for the given version.
func (s *liveSession) confirm(version, confirmedAt int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load().version == version {
		s.confirmed.Store(max(s.confirmed.Load(), confirmedAt))
	}
}

// code is why the session is refused, or "" if it is live.
func (s *liveSession) code() protocol.Code {
	st := s.state.Load()
	if st.status.status() == protocol.Active && !st.admits(s.set.now()) {
		return protocol.SessionExpired
	}
	return protocol.CodeOf(st.status.status())
}

// register lists o as open until [liveSession.release]; it returns why not when
// the session ended since the decision.
func (s *liveSession) register(o *registration) protocol.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code := s.code(); code != "" {
		return code
	}
	if s.gone { // abandoned since: nothing would end o any more
		return protocol.SessionMissing
	}
	s.used = true
	o.next = s.open
	if s.open != nil {
		s.open.prev = o
	}
	s.open = o
	o.listed = true
	return ""
}

// release takes o off the list, if it is still there.
func (s *liveSession) release(o *registration) {
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
	if s.set.now() >= s.endMS()+afterlife.Milliseconds() && s.open == nil {
		s.gone = true
		s.mu.Unlock()
		s.set.drop(s)
		return
	}
	cut := s.takeOpenLocked()
	s.lookAgainLocked()
	s.tellLocked(code)
	s.mu.Unlock()
	cutAll(cut, code)
}

// endMS is when the session ended or will end, by the backend's clock.
func (s *liveSession) endMS() int64 { return s.state.Load().expiresAt * 1000 }

func (s *liveSession) armLocked() {
	if s.gone {
		return
	}
	if st := s.state.Load(); st.status.status() == protocol.Active {
		s.set.deadlines.set(s, st.expiresAt*1000)
		return
	}
	s.lookAgainLocked() // paused or pending: looked at again; ended: forgotten
}

func (s *liveSession) lookAgainLocked() {
	s.set.deadlines.set(s, s.set.now()+afterlife.Milliseconds())
}

// claimed reports whether a browser came with the session's cookie.
func (s *liveSession) claimed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// claim notes that one did.
func (s *liveSession) claim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
}

// idle reports whether no request is under way.
func (s *liveSession) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open == nil
}

// abandon ends the session's open requests: this edge knows
// nothing of it any more.
func (s *liveSession) abandon() {
	s.mu.Lock()
	s.gone = true
	s.set.deadlines.remove(s)
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

func (s *liveSession) takeOpenLocked() *registration {
	list := s.open
	for o := list; o != nil; o = o.next {
		o.listed = false
	}
	s.open = nil
	return list
}

// cutAll ends every request of a list taken off its session.
func cutAll(list *registration, code protocol.Code) {
	for o := list; o != nil; {
		next := o.next
		o.prev, o.next = nil, nil
		o.request.cut(code)
		o = next
	}
}
