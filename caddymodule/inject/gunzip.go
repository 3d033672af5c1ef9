package inject

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
)

// ErrTruncated means that an origin's gzip body ended too early.
var ErrTruncated = errors.New("origin's gzip body is cut short")

// ErrCorrupt means that an origin's gzip body cannot be decoded.
var ErrCorrupt = errors.New("origin's gzip body is corrupt")

// gunzipBuffer holds the history that matches refer to, and extra space so that
// the history is rarely moved.
const gunzipBuffer = windowSize + 8<<10

// gunzip decodes all members of a gzip stream that is pushed into it in pieces of
// any size. Like the gzip program, it ignores bytes that follow the members.
type gunzip struct {
	inf    inflater
	window [gunzipBuffer]byte
	given  int // bytes of window that were passed to the sink

	phase   gunzipPhase
	pending []byte // an incomplete header or trailer
	members int
	crc     uint32 // of the current member's content so far
	size    uint32

	// odd is set if decoders may disagree about the stream: its checksum or size is
	// wrong, it has a second member, or bytes follow the members.
	odd bool
}

type gunzipPhase uint8

const (
	gunzipHeader gunzipPhase = iota
	gunzipBody
	gunzipTail
	gunzipIgnore
)

// maxGzipHeader is the most that is buffered of a header, in bytes. The format does
// not limit the length of its fields.
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

// push decodes b and passes the content to sink. sink must not keep its argument.
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

// end returns [ErrTruncated] unless the stream is complete.
func (g *gunzip) end() error {
	if g.phase == gunzipIgnore || g.phase == gunzipHeader && g.members > 0 {
		// Bytes that look like an incomplete header are ignored too.
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
