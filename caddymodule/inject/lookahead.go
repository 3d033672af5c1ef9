package inject

import (
	"net/http"
	"strconv"
	"sync"
)

const (
	maxHold   = 16 << 10 // most input that is held while the insertion point is searched
	firstPeek = 256      // decoded bytes of a gzip body to search first; doubled until maxPeek
	maxPeek   = 4 << 10  // most decoded bytes of a gzip body to search
)

// lookahead holds the beginning of a page until the insertion point of the tag is
// found. It is pooled, because a page needs it only for its first bytes.
type lookahead struct {
	gzip    bool
	length  int64  // Content-Length, or -1 if it is not known
	held    []byte // input before the piece that is being processed
	first   []byte // output collected for the first write
	prefix  []byte // prefix of a gzip body
	content []byte // content of that prefix

	prelude prelude
	found   bool // prelude.pos is the insertion point
	untyped bool // the response has no type, and browsers may take it for a page

	// For gzip bodies only:
	header int // length of the gzip header; 0 until it is known
	used   int // bytes of input that were decoded or skipped
	last   inflateStatus
	// What was decoded, in out or in the memory of knownStarts. It is not changed.
	decoded []byte
	inf     inflater
	out     [maxPeek]byte
}

var lookaheads = sync.Pool{New: func() any { return new(lookahead) }}

func newLookahead(h http.Header) *lookahead {
	l := lookaheads.Get().(*lookahead)
	l.gzip = coding(h) == codingGzip
	l.length = -1
	if n, err := strconv.ParseInt(first(h, "Content-Length"), 10, 64); err == nil {
		l.length = n
	}
	l.held, l.first = l.held[:0], l.first[:0]
	l.prelude, l.found, l.untyped = prelude{}, false, false
	l.header, l.used, l.last, l.decoded = 0, 0, inflateFull, nil
	l.inf.reset(l.out[:firstPeek])
	return l
}

func (l *lookahead) free() { lookaheads.Put(l) }

// at searches all input so far for the insertion point. eof says that the input is
// complete.
func (l *lookahead) at(data []byte, eof bool) (scanResult, Reason) {
	if l.found {
		return scanInsert, ReasonNone
	}
	var r scanResult
	if l.gzip {
		r = l.inflate(data)
	} else {
		r = l.prelude.scan(data, eof)
	}
	if r == scanMore && (eof || len(data) >= maxHold) {
		switch {
		case !l.gzip && !eof:
			r = l.prelude.settle(data)
		case eof && len(data) == 0:
			r = l.prelude.refuse(ReasonEmpty)
		default:
			r = l.prelude.refuse(ReasonUndecided)
		}
	}
	l.found = r == scanInsert
	return r, l.prelude.reason
}

// inflate decodes only as much as is needed to find the insertion point.
func (l *lookahead) inflate(data []byte) scanResult {
	if l.header == 0 {
		n, state := gzipHeader(data)
		switch state {
		case headerMore:
			return scanMore
		case headerBad:
			return l.prelude.refuse(ReasonBadGzip)
		}
		l.header, l.used = n, n
		if known := knownStarts.find(data[n:]); known != nil {
			l.used, l.last, l.prelude, l.decoded = n+len(known.input), known.last, known.prelude, known.decoded
			return scanInsert
		}
	}
	for {
		n, status := l.inf.run(data[l.used:])
		l.used += n
		l.last = status
		l.decoded = l.out[:l.inf.n]
		if r := l.prelude.scan(l.decoded, status == inflateDone); r != scanMore {
			if r == scanInsert {
				knownStarts.note(start{data[l.header:l.used], l.decoded, status, l.prelude})
			}
			return r
		}
		switch status {
		case inflateCorrupt:
			return l.prelude.refuse(ReasonBadGzip)
		case inflateInput:
			return scanMore
		case inflateFull:
			if l.inf.n == maxPeek {
				return l.prelude.settle(l.out[:maxPeek])
			}
			l.inf.out = l.out[:min(2*l.inf.n, maxPeek)]
		}
	}
}

// ends reports whether a gzip body whose final block has been decoded may be
// prefixed: only a trailer may follow that block. It returns scanMore if more input
// is needed to decide, and scanInsert if the final block has not been reached.
func (l *lookahead) ends(data []byte, eof, hurry bool) (scanResult, Reason) {
	if l.last != inflateDone {
		return scanInsert, ReasonNone
	}
	switch rest := len(data) - l.used; {
	case rest > gzipTrailer:
		return scanRefuse, ReasonMultiMember
	case rest < gzipTrailer && eof:
		return scanRefuse, ReasonUndecided
	case rest == gzipTrailer && (eof || hurry || l.length == int64(len(data))):
		return scanInsert, ReasonNone
	}
	return scanMore, ReasonNone
}
