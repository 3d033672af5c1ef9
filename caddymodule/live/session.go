package live

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// afterlife is how long an ended session is kept, so that its browser is told what
// happened without a call to the backend.
const afterlife = 15 * time.Minute

// Session is one session as this edge holds it: its newest state, and the open
// requests that end when it does. A process may hold a million, so that fields
// which few of them need are in extras.
type Session struct {
	store *Store
	state atomic.Pointer[Record]
	// Monotonic ms of this machine at which the backend last confirmed state.
	confirmed atomic.Int64
	extra     atomic.Pointer[extras]

	token tokenKey // the first that was verified for it; guarded by its id's shard

	earlier, later *Session // guarded by the deadlines' mu
	due            int64    // guarded by the deadlines' mu

	mu          sync.Mutex    // guards the rest
	open        *Registration // the open requests
	endNotified bool          // OnEnd was called
	forgotten   bool          // no longer in the store
	claimed     bool          // a request came with its cookie
}

// Cutter is an open request, which ends when its session does. Cut may be called
// at any time, from any goroutine, and more than once.
type Cutter interface {
	Cut(code protocol.Code)
}

// Registration is the place of one request in its session's list of open requests.
type Registration struct {
	Cutter Cutter
	// The number of the link whose token admitted the request; see [Session.RefusalOf].
	Link       uint16
	prev, next *Registration // guarded by the session's mu
	listed     bool          // guarded by the session's mu
}

// Assertion is a signed assertion of a session for one site.
type Assertion struct {
	Host    string // of the site
	Value   string
	UntilMS int64 // when it is signed anew, by the backend's clock
}

// extras are the fields that few sessions need.
type extras struct {
	// When a session that was admitted offline is not served any more until the backend
	// redeems the launch, in Unix ms; 0 for a session that it knows.
	servedUntil atomic.Int64
	assertion   atomic.Pointer[Assertion] // the last one signed
	upgrade     atomic.Pointer[string]    // the session token, once redeemed

	tokens []tokenKey // verified after the first; guarded by the id's shard
}

// extras returns the extras of s, allocated at the first call.
func (s *Session) extras() *extras {
	if x := s.extra.Load(); x != nil {
		return x
	}
	s.extra.CompareAndSwap(nil, new(extras))
	return s.extra.Load()
}

// Upgrade returns the session token that replaces the provisional cookie, or nil.
func (s *Session) Upgrade() *string {
	if x := s.extra.Load(); x != nil {
		return x.upgrade.Load()
	}
	return nil
}

// Provisional reports whether the session was admitted offline and is not redeemed
// yet.
func (s *Session) Provisional() bool {
	x := s.extra.Load()
	return x != nil && x.servedUntil.Load() != 0
}

// heldBack reports whether the session was admitted offline and has been served for as
// long as it may be without the backend.
func (s *Session) heldBack(nowMS int64) bool {
	x := s.extra.Load()
	if x == nil {
		return false
	}
	until := x.servedUntil.Load()
	return until != 0 && nowMS >= until
}

func newSession(st *protocol.LiveState, confirmedAt int64, store *Store) *Session {
	s := &Session{store: store}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(st, confirmedAt)
	s.endNotified = IsEnd(s.Refusal()) // before this edge ever saw it
	return s
}

// Record returns the session's newest state. It is immutable: a newer state is
// another record.
func (s *Session) Record() *Record { return s.state.Load() }

// ConfirmedAt returns the monotonic ms of this machine at which the backend last
// confirmed the session's state.
func (s *Session) ConfirmedAt() int64 { return s.confirmed.Load() }

// ExpiresAt returns when the session ends, in Unix seconds of the backend's clock.
func (s *Session) ExpiresAt() int64 { return s.state.Load().expiresAt }

// ReturnURL returns the marketplace's URL for the user after the session.
func (s *Session) ReturnURL() string { return s.state.Load().terms.returnURL }

// NowMS returns the backend's time in Unix milliseconds.
func (s *Session) NowMS() int64 { return s.store.now() }

// ServeUntil marks the session as admitted offline and served until a time in Unix ms at
// most, or, with 0, as redeemed since.
func (s *Session) ServeUntil(ms int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extras().servedUntil.Store(ms)
	s.armLocked()
}

// SetUpgrade sets the session token that replaces the provisional cookie.
func (s *Session) SetUpgrade(sessionToken string) { s.extras().upgrade.Store(&sessionToken) }

// Assertion returns the last signed assertion of the session, or nil.
func (s *Session) Assertion() *Assertion {
	if x := s.extra.Load(); x != nil {
		return x.assertion.Load()
	}
	return nil
}

// SetAssertion keeps a signed assertion for further requests.
func (s *Session) SetAssertion(a *Assertion) { s.extras().assertion.Store(a) }

// ID returns the session's id.
func (s *Session) ID() string { return s.state.Load().Headers[HeaderID] }

// ProviderID returns the id of the session's provider.
func (s *Session) ProviderID() string { return s.state.Load().Headers[HeaderProvider] }

// IsEnd reports whether a refusal code means that the session is over.
func IsEnd(code protocol.Code) bool {
	switch code {
	case "", protocol.SessionPaused, protocol.SessionPending, protocol.BackendUnavailable, protocol.InMaintenance:
		return false
	}
	return true
}

// notifyEndLocked calls OnEnd once for each end: a session that is extended after
// its deadline can end again.
func (s *Session) notifyEndLocked(code protocol.Code) {
	over := IsEnd(code)
	if over && !s.endNotified && s.store.OnEnd != nil {
		s.store.OnEnd(s, code)
	}
	s.endNotified = over
}

// Apply takes a state from the backend. Older news than what is held only
// confirms it. It reports whether anything changed.
func (s *Session) Apply(st *protocol.LiveState, confirmedAt int64) bool {
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
	var cut, moved *Registration
	code := s.Refusal()
	if code != "" {
		cut = s.unlistAllLocked()
	}
	if link := s.state.Load().relaunches; link > old.relaunches {
		moved = s.unlistLocked(func(o *Registration) bool { return o.Link < link })
		s.claimed = false
	}
	s.notifyEndLocked(code)
	s.mu.Unlock()
	cutAll(cut, code)
	cutAll(moved, protocol.SessionMoved)
	return true
}

func (s *Session) setLocked(st *protocol.LiveState, confirmedAt int64) {
	s.state.Store(s.store.records.record(st, s.state.Load()))
	s.confirmed.Store(confirmedAt)
	s.armLocked()
}

// Confirm records that the backend vouched for the given version.
func (s *Session) Confirm(version, confirmedAt int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load().version == version {
		s.confirmed.Store(max(s.confirmed.Load(), confirmedAt))
	}
}

// Doubt says that the state which was confirmed at that time may be out of date.
func (s *Session) Doubt(confirmedAt int64) { s.confirmed.CompareAndSwap(confirmedAt, -1) }

// Refusal is why the session is refused, or "" if it is live.
func (s *Session) Refusal() protocol.Code {
	st := s.state.Load()
	if st.status.status() == protocol.Active {
		now := s.store.now()
		if !st.admits(now) {
			return protocol.SessionExpired
		}
		if s.heldBack(now) {
			return protocol.BackendUnavailable
		}
	}
	return protocol.CodeOf(st.status.status())
}

// RefusalOf is why a request with a token of the given link is refused, or "". The token
// is void once the session was given a further link.
func (s *Session) RefusalOf(link uint16) protocol.Code {
	code := s.Refusal()
	if link < s.state.Load().relaunches && !IsEnd(code) {
		return protocol.SessionMoved
	}
	return code
}

// Register lists o as open until [Session.Release]; it returns why not when
// the session ended, or was given another link, since the decision.
func (s *Session) Register(o *Registration) protocol.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code := s.RefusalOf(o.Link); code != "" {
		return code
	}
	if s.forgotten { // abandoned since: nothing would end o any more
		return protocol.SessionMissing
	}
	s.claimed = true
	o.next = s.open
	if s.open != nil {
		s.open.prev = o
	}
	s.open = o
	o.listed = true
	return ""
}

// Release takes o off the list, if it is still there.
func (s *Session) Release(o *Registration) {
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
func (s *Session) wake() {
	s.mu.Lock()
	if s.forgotten {
		s.mu.Unlock()
		return
	}
	code := s.Refusal()
	if !IsEnd(code) {
		s.armLocked() // woken early: the deadline moved, or the clock was corrected
		var cut *Registration
		if code == protocol.BackendUnavailable {
			cut = s.unlistAllLocked()
		}
		s.mu.Unlock()
		cutAll(cut, code)
		return
	}
	if s.store.now() >= s.endMS()+afterlife.Milliseconds() && s.open == nil {
		s.forgotten = true
		s.mu.Unlock()
		s.store.Forget(s)
		return
	}
	cut := s.unlistAllLocked()
	s.armAfterlifeLocked()
	s.notifyEndLocked(code)
	s.mu.Unlock()
	cutAll(cut, code)
}

// endMS is when the session ended or will end, by the backend's clock.
func (s *Session) endMS() int64 { return s.state.Load().expiresAt * 1000 }

func (s *Session) armLocked() {
	if s.forgotten {
		return
	}
	if st := s.state.Load(); st.status.status() == protocol.Active {
		at := st.expiresAt * 1000
		if x := s.extra.Load(); x != nil {
			if until := x.servedUntil.Load(); until != 0 && !s.heldBack(s.store.now()) {
				at = min(at, until)
			}
		}
		s.store.deadlines.set(s, at)
		return
	}
	s.armAfterlifeLocked() // paused or pending: looked at again; ended: forgotten
}

func (s *Session) armAfterlifeLocked() {
	s.store.deadlines.set(s, s.store.now()+afterlife.Milliseconds())
}

// Claimed reports whether a browser came with the session's cookie.
func (s *Session) Claimed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claimed
}

// Claim notes that one did.
func (s *Session) Claim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claimed = true
}

// idle reports whether no request is under way.
func (s *Session) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open == nil
}

// Abandon ends the session's open requests: this edge knows
// nothing of it any more.
func (s *Session) Abandon() {
	s.mu.Lock()
	s.forgotten = true
	s.store.deadlines.remove(s)
	cut := s.unlistAllLocked()
	s.mu.Unlock()
	cutAll(cut, protocol.SessionMissing)
}

// CutOpen ends the open requests of the session, which goes on.
func (s *Session) CutOpen(code protocol.Code) {
	s.mu.Lock()
	cut := s.unlistAllLocked()
	s.mu.Unlock()
	cutAll(cut, code)
}

// OpenRequests is how many requests are under way.
func (s *Session) OpenRequests() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := s.open; o != nil; o = o.next {
		n++
	}
	return n
}

func (s *Session) unlistAllLocked() *Registration {
	return s.unlistLocked(func(*Registration) bool { return true })
}

// unlistLocked takes the requests that which selects off the list, and returns them as a
// list of their own.
func (s *Session) unlistLocked(which func(*Registration) bool) (list *Registration) {
	all := s.open
	s.open = nil
	for o := all; o != nil; {
		next := o.next
		to := &s.open
		if which(o) {
			o.listed, to = false, &list
		}
		o.prev, o.next = nil, *to
		if *to != nil {
			(*to).prev = o
		}
		*to = o
		o = next
	}
	return list
}

// cutAll ends every request of a list taken off its session.
func cutAll(list *Registration, code protocol.Code) {
	for o := list; o != nil; {
		next := o.next
		o.prev, o.next = nil, nil
		o.Cutter.Cut(code)
		o = next
	}
}
