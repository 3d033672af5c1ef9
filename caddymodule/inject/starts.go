package inject

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"
)

const (
	startSlots = 512     // a power of two
	startKey   = 64      // bytes of input by which a slot is found
	startMost  = 2 << 10 // longest input that is remembered
	startSeen  = 1 << 12 // a power of two
)

// starts remembers how compressed pages begin: for the first bytes of a deflate stream, the
// bytes that they decode to, and where the tag belongs. An app that sends one page again
// and again, such as the shell of a single-page app, has it decoded once. The input is
// compared as a whole, so that a result is never taken for that of other bytes.
//
// Its memory is bounded, and its result depends on nothing but the bytes: all origins share
// one. It is safe for concurrent use.
type starts struct {
	seed  maphash.Seed
	slots [startSlots]atomic.Pointer[start]
	seen  [startSeen]atomic.Uint64 // hashes of input that came once; most pages never come again
}

// start is the beginning of one compressed page.
type start struct {
	input   []byte // after the gzip header
	decoded []byte
	last    inflateStatus
	prelude prelude
}

var knownStarts = starts{seed: maphash.MakeSeed()}

// find returns what is known of a stream that begins with data, or nil.
func (s *starts) find(data []byte) *start {
	if len(data) < startKey {
		return nil
	}
	known := s.slots[s.hash(data)%startSlots].Load()
	if known == nil || !bytes.HasPrefix(data, known.input) {
		return nil
	}
	return known
}

// note remembers the result of a stream's first bytes when they come for the second time.
func (s *starts) note(found start) {
	if len(found.input) < startKey || len(found.input) > startMost || found.last == inflateInput {
		return // with more input, the result might be another
	}
	hash := s.hash(found.input) | 1 // never 0
	if s.seen[hash/2%startSeen].Swap(hash) != hash {
		return
	}
	found.input, found.decoded = bytes.Clone(found.input), bytes.Clone(found.decoded)
	s.slots[s.hash(found.input)%startSlots].Store(&found)
}

func (s *starts) hash(data []byte) uint64 { return maphash.Bytes(s.seed, data[:startKey]) }
