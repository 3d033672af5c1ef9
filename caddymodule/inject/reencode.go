package inject

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// dictSize is how many bytes of content before a block its encoder may refer to.
const dictSize = 8 << 10

// plainHeader is a gzip header (RFC 1952) without optional fields.
var plainHeader = [...]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// reencoder handles gzip pages that cannot be prefixed: it decodes them, inserts the
// tag at the exact place, and encodes them again. It corrects a wrong checksum of
// the origin, but a truncated body stays truncated.
//
// Usual encoders keep about 800 KB of state for each response. This one keeps none
// between blocks and takes its history from the decoder's window. Pages become a
// few percent larger. Each block is flushed when it is written.
type reencoder struct {
	gunzip  *gunzip
	dst     io.Writer
	left    int // bytes of content before the insertion point
	tag     []byte
	started bool   // the header was written
	history int    // bytes of content written since the tag
	crc     uint32 // of the content written
	size    uint32
}

func newReencoder(dst io.Writer, place int, tag []byte) *reencoder {
	return &reencoder{gunzip: newGunzip(), dst: dst, left: place, tag: tag}
}

func (e *reencoder) write(b []byte) error {
	return e.gunzip.push(b, e.content)
}

func (e *reencoder) content(b []byte) error {
	if e.tag == nil {
		// The decoder's window holds b and the content before it.
		end := e.gunzip.given
		start := end - len(b)
		err := e.block(b, e.gunzip.window[max(0, start-min(dictSize, e.history)):start])
		e.history += len(b)
		return err
	}
	if len(b) < e.left {
		e.left -= len(b)
		return e.block(b, nil)
	}
	before, after, tag := b[:e.left], b[e.left:], e.tag
	e.tag = nil
	if err := e.block(before, nil); err != nil {
		return err
	}
	if err := e.block(tag, nil); err != nil {
		return err
	}
	e.history = len(after)
	return e.block(after, nil)
}

// block encodes b. dict is the content directly before b.
func (e *reencoder) block(b, dict []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := e.start(); err != nil {
		return err
	}
	e.crc = crc32.Update(e.crc, crc32.IEEETable, b)
	e.size += uint32(len(b))
	return flate.StatelessDeflate(e.dst, b, false, dict)
}

func (e *reencoder) start() error {
	if e.started {
		return nil
	}
	e.started = true
	_, err := e.dst.Write(plainHeader[:])
	return err
}

// close writes the final block and the trailer. If the origin's body is truncated,
// it writes nothing and returns an error.
func (e *reencoder) close() error {
	if err := e.gunzip.end(); err != nil {
		return err
	}
	if err := e.start(); err != nil {
		return err
	}
	if err := flate.StatelessDeflate(e.dst, nil, true, nil); err != nil {
		return err
	}
	trailer := binary.LittleEndian.AppendUint32(nil, e.crc)
	_, err := e.dst.Write(binary.LittleEndian.AppendUint32(trailer, e.size))
	return err
}

func (e *reencoder) free() { e.gunzip.free() }
