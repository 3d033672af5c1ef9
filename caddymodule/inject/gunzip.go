package inject

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
)

// ErrTruncated reports that an origin's gzip body ended in its middle.
var ErrTruncated = errors.New("origin's gzip body is cut short")

// ErrCorrupt reports that an origin's gzip body cannot be decoded.
var ErrCorrupt = errors.New("origin's gzip body is corrupt")

// gunzipBuffer is the history and some room, so that it slides seldom.
const gunzipBuffer = windowSize + 8<<10

// gunzip decodes a gzip stream that is pushed into it in pieces of any size,
// all of its members, ignoring what follows them as gzip itself does.
type gunzip struct {
	inf    inflater
	window [gunzipBuffer]byte
	given  int // bytes of window that the sink has seen

	phase   gunzipPhase
	pending []byte // a header or trailer that is not complete yet
	members int
	crc     uint32 // of the current member's content
	size    uint32

	// odd is set by what decoders disagree on: a wrong checksum or size, a
	// second member, bytes that belong to none.
	odd bool
}

type gunzipPhase uint8

const (
	gunzipHeader gunzipPhase = iota
	gunzipBody
	gunzipTail
	gunzipIgnore
)

// maxGzipHeader bounds what is kept of a header, whose fields have no limit.
const maxGzipHeader = maxHold

var gunzips = sync.Pool{New: func() any { return new(gunzip) }}

func newGunzip() *gunzip {
	g := gunzips.Get().(*gunzip)
	g.phase, g.pending, g.members, g.odd = gunzipHeader, g.pending[:0], 0, false
	g.startBody()
	return g
}

func (g *gunzip) free() { gunzips.Put(g) }

func (g *gunzip) startBody() {
	g.inf.reset(g.window[:])
	g.given, g.crc, g.size = 0, 0, 0
}

// push decodes b and hands the content to sink.
func (g *gunzip) push(b []byte, sink func([]byte) error) error {
	for len(b) > 0 {
		switch g.phase {
		case gunzipHeader:
			had := len(g.pending)
			g.pending = append(g.pending, b[:min(len(b), maxGzipHeader-had)]...)
			n, state := gzipHeader(g.pending)
			switch {
			case state == headerDone:
				b = b[n-had:]
				g.odd = g.odd || g.members > 0
				g.pending, g.phase = g.pending[:0], gunzipBody
				g.startBody()
			case state == headerBad && g.members > 0:
				g.odd, g.phase = true, gunzipIgnore
			case state == headerBad || len(g.pending) == maxGzipHeader:
				return ErrCorrupt
			default:
				return nil
			}
		case gunzipBody:
			n, status := g.inf.run(b)
			b = b[n:]
			if err := g.give(sink); err != nil {
				return err
			}
			switch status {
			case inflateFull:
				g.inf.slide()
				g.given = g.inf.n
			case inflateDone:
				g.phase = gunzipTail
			case inflateCorrupt:
				return ErrCorrupt
			}
		case gunzipTail:
			n := min(len(b), gzipTrailer-len(g.pending))
			g.pending = append(g.pending, b[:n]...)
			b = b[n:]
			if len(g.pending) == gzipTrailer {
				want := binary.LittleEndian.AppendUint32(nil, g.crc)
				want = binary.LittleEndian.AppendUint32(want, g.size)
				g.odd = g.odd || !bytes.Equal(want, g.pending)
				g.pending, g.phase = g.pending[:0], gunzipHeader
				g.members++
			}
		case gunzipIgnore:
			return nil
		}
	}
	return nil
}

// end reports whether the stream may end here.
func (g *gunzip) end() error {
	if g.phase == gunzipIgnore || g.phase == gunzipHeader && g.members > 0 {
		// A few bytes that look like the start of a member are ignored too.
		g.odd = g.odd || len(g.pending) > 0
		return nil
	}
	return ErrTruncated
}

func (g *gunzip) give(sink func([]byte) error) error {
	b := g.window[g.given:g.inf.n]
	if len(b) == 0 {
		return nil
	}
	g.given = g.inf.n
	g.crc = crc32.Update(g.crc, crc32.IEEETable, b)
	g.size += uint32(len(b))
	return sink(b)
}
