package caddymodule

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

// liveSet holds the sessions that this edge knows, by id, and the verdicts on
// the tokens it has verified. A verdict needs no expiry of its own: it only
// says whose token it is, and the session's state says the rest.
type liveSet struct {
	seeds [2]maphash.Seed
	now   func() int64 // the backend's time in Unix ms
	// Called once at each session's end, with its lock held; nil for nobody.
	ended     func(*liveSession, protocol.Code)
	records   archive
	deadlines *deadlines
	tokens    [shardCount]tokenShard
	ids       [shardCount]idShard
}

type tokenShard struct {
	mu sync.RWMutex // guards m
	m  map[tokenKey]*liveSession
}

type idShard struct {
	mu sync.RWMutex // guards the rest, and which tokens its sessions have
	m  map[uint64]*liveSession
	// Sessions whose place in m another has: their ids have one hash.
	others map[string]*liveSession
}

// findLocked is the session with the given id and hash, or nil.
func (sh *idShard) findLocked(hash uint64, id string) *liveSession {
	if s := sh.m[hash]; s != nil && s.id() == id {
		return s
	}
	return sh.others[id]
}

func (sh *idShard) addLocked(hash uint64, s *liveSession) {
	switch {
	case sh.m[hash] == nil:
		sh.m[hash] = s
	case sh.others == nil:
		sh.others = map[string]*liveSession{s.id(): s}
	default:
		sh.others[s.id()] = s
	}
}

// removeLocked removes s and reports whether it was there.
func (sh *idShard) removeLocked(hash uint64, s *liveSession) bool {
	switch {
	case sh.m[hash] == s:
		delete(sh.m, hash)
	case sh.others[s.id()] == s:
		delete(sh.others, s.id())
	default:
		return false
	}
	return true
}

// eachLocked calls f for every session.
func (sh *idShard) eachLocked(f func(*liveSession)) {
	for _, s := range sh.m {
		f(s)
	}
	for _, s := range sh.others {
		f(s)
	}
}

func newLiveSet(now func() int64) *liveSet {
	l := &liveSet{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, now: now, deadlines: newDeadlines(now)}
	for i := range shardCount {
		l.tokens[i].m = make(map[tokenKey]*liveSession)
		l.ids[i].m = make(map[uint64]*liveSession)
	}
	return l
}

// byToken is the session of a token that was verified before, or nil.
func (l *liveSet) byToken(raw string) *liveSession {
	k := l.key(raw)
	sh := &l.tokens[k[0]%shardCount]
	sh.mu.RLock()
	s := sh.m[k]
	sh.mu.RUnlock()
	return s
}

// byID is the session with the given id, or nil.
func (l *liveSet) byID(id string) *liveSession {
	sh, hash := l.idShard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.findLocked(hash, id)
}

// put takes a state from the backend, making the session known if it was not.
func (l *liveSet) put(st *protocol.LiveState, confirmedAt int64) *liveSession {
	sh, hash := l.idShard(st.ID)
	sh.mu.Lock()
	s := sh.findLocked(hash, st.ID)
	if s == nil {
		s = newLiveSession(st, confirmedAt, l)
		sh.addLocked(hash, s)
	}
	sh.mu.Unlock()
	s.apply(st, confirmedAt)
	return s
}

// vouch records that raw was verified as a token of s.
func (l *liveSet) vouch(raw string, s *liveSession) {
	k := l.key(raw)
	ids, hash := l.idShard(s.id())
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if ids.findLocked(hash, s.id()) != s {
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
	sh.m[k] = s
	sh.mu.Unlock()
}

// drop forgets a session and the verdicts on its tokens.
func (l *liveSet) drop(s *liveSession) {
	l.deadlines.remove(s)
	ids, hash := l.idShard(s.id())
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

// forgetLocked forgets the verdict on a token.
func (l *liveSet) forgetLocked(k tokenKey) {
	sh := &l.tokens[k[0]%shardCount]
	sh.mu.Lock()
	delete(sh.m, k)
	sh.mu.Unlock()
}

// run ends sessions at their deadlines until ctx ends.
func (l *liveSet) run(ctx context.Context) { l.deadlines.run(ctx) }

// outlastLook is how often outlast sees whether it is still needed.
const outlastLook = 10 * time.Second

// outlast ends sessions at their deadlines for as long as any has a request
// under way: a stream or an upload that began before its edge was given up.
func (l *liveSet) outlast() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go l.run(ctx)
	for busy := true; busy; {
		time.Sleep(outlastLook)
		busy = false
		l.each(func(s *liveSession) { busy = busy || !s.idle() })
	}
}

// each calls f for every known session. f may be called for a session that is
// dropped meanwhile.
func (l *liveSet) each(f func(*liveSession)) {
	for i := range l.ids {
		sh := &l.ids[i]
		sh.mu.RLock()
		list := make([]*liveSession, 0, len(sh.m)+len(sh.others))
		sh.eachLocked(func(s *liveSession) { list = append(list, s) })
		sh.mu.RUnlock()
		for _, s := range list {
			f(s)
		}
	}
}

// len counts the known sessions, ended ones that are still remembered included.
func (l *liveSet) len() (n int) {
	for i := range l.ids {
		sh := &l.ids[i]
		sh.mu.RLock()
		n += len(sh.m) + len(sh.others)
		sh.mu.RUnlock()
	}
	return n
}

// running counts the sessions that are admitted now. It looks at every session:
// not for hot paths.
func (l *liveSet) running() (n int64) {
	for i := range l.ids {
		sh := &l.ids[i]
		sh.mu.RLock()
		sh.eachLocked(func(s *liveSession) {
			if s.code() == "" {
				n++
			}
		})
		sh.mu.RUnlock()
	}
	return n
}

func (l *liveSet) key(raw string) tokenKey {
	return tokenKey{maphash.String(l.seeds[0], raw), maphash.String(l.seeds[1], raw)}
}

func (l *liveSet) idShard(id string) (sh *idShard, hash uint64) {
	hash = maphash.String(l.seeds[0], id)
	return &l.ids[hash%shardCount], hash
}
