package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// NewID returns a UUIDv7 of a moment (RFC 9562, section 5.7). Ids that this process
// makes within one moment have the order in which it made them. Services that share a
// database make ids with the database's clock, so that "since then" finds the changes
// of all of them, whatever their machines' clocks say.
func NewID(now time.Time) string { return ids.next(now) }

// FirstID is the least id of a moment, to the millisecond.
func FirstID(t time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(max(0, t.UnixMilli()))<<16)
	return spellID(b)
}

// orderFor is how far the ids of a process may run ahead of its clock to stay in
// order. If the clock is set back further, ids follow it.
const orderFor = uint64(time.Second/time.Millisecond) << 12

var ids idSource

// idSource makes ids in order. It is safe for concurrent use.
type idSource struct {
	mu   sync.Mutex // guards last
	last uint64     // milliseconds, and 1/4096 of them
}

func (s *idSource) next(now time.Time) string {
	at := uint64(max(0, now.UnixMilli()))<<12 | uint64(now.Nanosecond()%int(time.Millisecond))<<12/uint64(time.Millisecond)
	s.mu.Lock()
	if at <= s.last && s.last-at < orderFor {
		at = s.last + 1
	}
	s.last = at
	s.mu.Unlock()
	var b [16]byte
	_, _ = rand.Read(b[8:]) // it never fails
	binary.BigEndian.PutUint64(b[:8], at>>12<<16|7<<12|at&0xfff)
	b[8] = b[8]&0x3f | 0x80
	return spellID(b)
}

func spellID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
