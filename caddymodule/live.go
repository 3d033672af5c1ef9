package caddymodule

import (
	"hash/maphash"
	"sync"

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
	clock *clock
	// Called once at each session's end, with its lock held; nil for nobody.
	ended  func(*liveSession, protocol.Code)
	tokens [shardCount]tokenShard
	ids    [shardCount]idShard
}

type tokenShard struct {
	mu sync.RWMutex // guards m
	m  map[tokenKey]*liveSession
}

type idShard struct {
	mu sync.RWMutex // guards m
	m  map[string]*knownSession
}

// knownSession is a session with the tokens that were verified for it, so that
// both are forgotten together.
type knownSession struct {
	*liveSession
	tokens []tokenKey
}

func newLiveSet(c *clock) *liveSet {
	l := &liveSet{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, clock: c}
	for i := range shardCount {
		l.tokens[i].m = make(map[tokenKey]*liveSession)
		l.ids[i].m = make(map[string]*knownSession)
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
	sh := l.idShard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if k := sh.m[id]; k != nil {
		return k.liveSession
	}
	return nil
}

// put takes a state from the backend, making the session known if it was not.
func (l *liveSet) put(st *protocol.LiveState, confirmedAt int64) *liveSession {
	sh := l.idShard(st.ID)
	sh.mu.Lock()
	k := sh.m[st.ID]
	if k == nil {
		k = &knownSession{liveSession: newLiveSession(st, confirmedAt, l)}
		sh.m[st.ID] = k
	}
	sh.mu.Unlock()
	k.apply(st, confirmedAt)
	return k.liveSession
}

// vouch records that raw was verified as a token of s.
func (l *liveSet) vouch(raw string, s *liveSession) {
	k := l.key(raw)
	ids := l.idShard(s.id)
	ids.mu.Lock()
	defer ids.mu.Unlock()
	known := ids.m[s.id]
	if known == nil || known.liveSession != s {
		return // forgotten meanwhile; the next request verifies again
	}
	known.tokens = append(known.tokens, k)
	sh := &l.tokens[k[0]%shardCount]
	sh.mu.Lock()
	sh.m[k] = s
	sh.mu.Unlock()
}

// drop forgets a session and the verdicts on its tokens.
func (l *liveSet) drop(s *liveSession) {
	ids := l.idShard(s.id)
	ids.mu.Lock()
	defer ids.mu.Unlock()
	known := ids.m[s.id]
	if known == nil || known.liveSession != s {
		return
	}
	delete(ids.m, s.id)
	for _, k := range known.tokens {
		sh := &l.tokens[k[0]%shardCount]
		sh.mu.Lock()
		delete(sh.m, k)
		sh.mu.Unlock()
	}
}

// each calls f for every known session. f may be called for a session that is
// dropped meanwhile.
func (l *liveSet) each(f func(*liveSession)) {
	for i := range l.ids {
		sh := &l.ids[i]
		sh.mu.RLock()
		list := make([]*liveSession, 0, len(sh.m))
		for _, k := range sh.m {
			list = append(list, k.liveSession)
		}
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
		n += len(sh.m)
		sh.mu.RUnlock()
	}
	return n
}

func (l *liveSet) key(raw string) tokenKey {
	return tokenKey{maphash.String(l.seeds[0], raw), maphash.String(l.seeds[1], raw)}
}

func (l *liveSet) idShard(id string) *idShard {
	return &l.ids[maphash.String(l.seeds[0], id)%shardCount]
}
