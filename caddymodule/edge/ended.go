package edge

import (
	"hash/maphash"
	"sync"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// endedGeneration is how many ended sessions are remembered at least; at most, it is
// twice as many.
const endedGeneration = 50_000

// endedSessions remembers which sessions ended, also those that this edge never served,
// so that their links open nothing while the backend is down. The zero value is ready.
type endedSessions struct {
	mu    sync.Mutex // guards the rest
	seed  maphash.Seed
	newer map[uint64]protocol.Status
	older map[uint64]protocol.Status
}

// add remembers that a session ended.
func (e *endedSessions) add(id string, status protocol.Status) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.newer == nil {
		e.seed = maphash.MakeSeed()
		e.newer = make(map[uint64]protocol.Status)
	}
	if len(e.newer) >= endedGeneration {
		e.older, e.newer = e.newer, make(map[uint64]protocol.Status)
	}
	e.newer[maphash.String(e.seed, id)] = known(status)
}

// status returns how a session ended, or "" if this edge does not remember that it did.
func (e *endedSessions) status(id string) protocol.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.newer == nil {
		return ""
	}
	key := maphash.String(e.seed, id)
	if status, ok := e.newer[key]; ok {
		return status
	}
	return e.older[key]
}

// known returns status as a constant, which holds no message in memory.
func known(status protocol.Status) protocol.Status {
	for _, s := range []protocol.Status{protocol.Completed, protocol.Expired, protocol.Canceled} {
		if s == status {
			return s
		}
	}
	return protocol.Revoked
}
