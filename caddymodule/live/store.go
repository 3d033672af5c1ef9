// Package live holds the sessions that an edge knows, in memory: their states,
// the tokens that open them, and the requests that end with them. A session
// ends at its deadline, by the backend's clock, or when the backend says so.
//
//	Store ──► Session ──► Record        the newest state, immutable
//	              │
//	              └─────► Registration  a request under way; Cut when it ends
//
// It does no I/O. Looking up the session of a token allocates nothing.
package live

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const shardCount = 64 // a power of two

// tokenKey stands for a session token. Two hashes under two secret seeds: no
// client can find a token that collides with another's.
type tokenKey [2]uint64

// Store holds the sessions that this edge knows, by id and by the tokens that were
// verified for them. A token needs no expiry here: it identifies its session, and
// the session's state decides.
type Store struct {
	seeds [2]maphash.Seed
	now   func() int64 // the backend's time in Unix ms
	// Called once at each end of a session, with its lock held. May be nil.
	OnEnd func(*Session, protocol.Code)
	// Called for each session that was added. May be nil.
	OnAdd     func(*Session)
	records   interner
	deadlines *deadlines
	tokens    [shardCount]tokenShard
	ids       [shardCount]idShard
}

type tokenShard struct {
	mu sync.RWMutex // guards m
	m  map[tokenKey]bound
}

// bound is what a token was verified for: a session, and which of its links the token
// comes from.
type bound struct {
	session *Session
	link    uint16
}

type idShard struct {
	mu sync.RWMutex // guards the rest, and which tokens its sessions have
	m  map[uint64]*Session
	// Sessions whose place in m another has: their ids have one hash.
	others map[string]*Session
}

// findLocked is the session with the given id and hash, or nil.
func (sh *idShard) findLocked(hash uint64, id string) *Session {
	if s := sh.m[hash]; s != nil && s.ID() == id {
		return s
	}
	return sh.others[id]
}

func (sh *idShard) addLocked(hash uint64, s *Session) {
	switch {
	case sh.m[hash] == nil:
		sh.m[hash] = s
	case sh.others == nil:
		sh.others = map[string]*Session{s.ID(): s}
	default:
		sh.others[s.ID()] = s
	}
}

// removeLocked removes s and reports whether it was there.
func (sh *idShard) removeLocked(hash uint64, s *Session) bool {
	switch {
	case sh.m[hash] == s:
		delete(sh.m, hash)
	case sh.others[s.ID()] == s:
		delete(sh.others, s.ID())
	default:
		return false
	}
	return true
}

// eachLocked calls f for every session.
func (sh *idShard) eachLocked(f func(*Session)) {
	for _, s := range sh.m {
		f(s)
	}
	for _, s := range sh.others {
		f(s)
	}
}

func NewStore(now func() int64) *Store {
	l := &Store{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, now: now, deadlines: newDeadlines(now)}
	for i := range shardCount {
		l.tokens[i].m = make(map[tokenKey]bound)
		l.ids[i].m = make(map[uint64]*Session)
	}
	return l
}

// ByToken returns the session of a token that was verified before, or nil.
func (l *Store) ByToken(raw string) *Session {
	s, _ := l.Find(raw)
	return s
}

// Find returns the session of a token that was verified before, or nil, and the number of
// the link that the token comes from.
func (l *Store) Find(raw string) (s *Session, link uint16) {
	k := l.key(raw)
	sh := &l.tokens[k[0]%shardCount]
	sh.mu.RLock()
	b := sh.m[k]
	sh.mu.RUnlock()
	return b.session, b.link
}

// ByID returns the session with the given id, or nil.
func (l *Store) ByID(id string) *Session {
	sh, hash := l.idShard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.findLocked(hash, id)
}

// Put applies a state from the backend, adding the session if it is not held yet.
func (l *Store) Put(st *protocol.LiveState, confirmedAt int64) *Session {
	sh, hash := l.idShard(st.ID)
	sh.mu.Lock()
	s := sh.findLocked(hash, st.ID)
	added := s == nil
	if added {
		s = newSession(st, confirmedAt, l)
		sh.addLocked(hash, s)
	}
	sh.mu.Unlock()
	s.Apply(st, confirmedAt)
	if added && l.OnAdd != nil {
		l.OnAdd(s)
	}
	return s
}

// BindToken records that raw was verified as a token of the present link of s.
func (l *Store) BindToken(raw string, s *Session) { l.Bind(raw, s, s.Record().relaunches) }

// Bind records that raw was verified as a token of s, from the link with this number.
func (l *Store) Bind(raw string, s *Session, link uint16) {
	k := l.key(raw)
	ids, hash := l.idShard(s.ID())
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if ids.findLocked(hash, s.ID()) != s {
		return // forgotten meanwhile; the next request verifies again
	}
	if s.token == (tokenKey{}) {
		s.token = k
	} else if s.token != k {
		x := s.extras()
		x.tokens = append(x.tokens, k)
	}
	sh := &l.tokens[k[0]%shardCount]
	sh.mu.Lock()
	sh.m[k] = bound{s, link}
	sh.mu.Unlock()
}

// Forget removes a session and its tokens.
func (l *Store) Forget(s *Session) {
	l.deadlines.remove(s)
	ids, hash := l.idShard(s.ID())
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if !ids.removeLocked(hash, s) {
		return
	}
	l.forgetLocked(s.token)
	if x := s.extra.Load(); x != nil {
		for _, k := range x.tokens {
			l.forgetLocked(k)
		}
	}
}

// forgetLocked removes a token.
func (l *Store) forgetLocked(k tokenKey) {
	sh := &l.tokens[k[0]%shardCount]
	sh.mu.Lock()
	delete(sh.m, k)
	sh.mu.Unlock()
}

// Run ends sessions at their deadlines until ctx ends.
func (l *Store) Run(ctx context.Context) { l.deadlines.run(ctx) }

// outlastLook is how often outlast sees whether it is still needed.
const outlastLook = 10 * time.Second

// RunWhileBusy ends sessions at their deadlines for as long as any has a request
// under way: a stream or an upload that began before its edge was given up.
func (l *Store) RunWhileBusy() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go l.Run(ctx)
	for busy := true; busy; {
		time.Sleep(outlastLook)
		busy = false
		l.Each(func(s *Session) { busy = busy || !s.idle() })
	}
}

// Each calls f for every known session. f may be called for a session that is
// dropped meanwhile.
func (l *Store) Each(f func(*Session)) {
	for i := range l.ids {
		sh := &l.ids[i]
		sh.mu.RLock()
		list := make([]*Session, 0, len(sh.m)+len(sh.others))
		sh.eachLocked(func(s *Session) { list = append(list, s) })
		sh.mu.RUnlock()
		for _, s := range list {
			f(s)
		}
	}
}

// Len counts the known sessions, ended ones that are still remembered included.
func (l *Store) Len() (n int) {
	for i := range l.ids {
		sh := &l.ids[i]
		sh.mu.RLock()
		n += len(sh.m) + len(sh.others)
		sh.mu.RUnlock()
	}
	return n
}

// CountLive counts the sessions that are admitted now. It looks at every session:
// not for hot paths.
func (l *Store) CountLive() (n int64) {
	for i := range l.ids {
		sh := &l.ids[i]
		sh.mu.RLock()
		sh.eachLocked(func(s *Session) {
			if s.Refusal() == "" {
				n++
			}
		})
		sh.mu.RUnlock()
	}
	return n
}

func (l *Store) key(raw string) tokenKey {
	return tokenKey{maphash.String(l.seeds[0], raw), maphash.String(l.seeds[1], raw)}
}

func (l *Store) idShard(id string) (sh *idShard, hash uint64) {
	hash = maphash.String(l.seeds[0], id)
	return &l.ids[hash%shardCount], hash
}
