package inject

import (
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

var encoders = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // only for an unknown level
	}
	return z
}}

// reencoder is the fallback for gzip pages that cannot be prefixed: it decodes,
// inserts the tag at the exact place, and encodes again. A wrong checksum of the
// origin is healed on the way, a truncation never is. Its encoder takes far more
// memory than the rest of this package, which is why it is pooled and a last resort.
type reencoder struct {
	gunzip *gunzip
	z      *gzip.Writer
	left   int // bytes of content before the place of the tag
	tag    []byte
}

func newReencoder(dst io.Writer, place int, tag []byte) *reencoder {
	z := encoders.Get().(*gzip.Writer)
	z.Reset(dst)
	return &reencoder{gunzip: newGunzip(), z: z, left: place, tag: tag}
}

func (e *reencoder) write(b []byte) error {
	return e.gunzip.push(b, e.content)
}

func (e *reencoder) content(b []byte) error {
	if e.tag != nil && len(b) >= e.left {
		if _, err := e.z.Write(b[:e.left]); err != nil {
			return err
		}
		if _, err := e.z.Write(e.tag); err != nil {
			return err
		}
		b, e.tag = b[e.left:], nil
	} else if e.tag != nil {
		e.left -= len(b)
	}
	_, err := e.z.Write(b)
	return err
}

func (e *reencoder) flush() error { return e.z.Flush() }

// close writes the trailer, unless the origin's body is cut short.
func (e *reencoder) close() error {
	if err := e.gunzip.end(); err != nil {
		return err
	}
	return e.z.Close()
}

func (e *reencoder) free() {
	e.gunzip.free()
	e.z.Reset(nil)
	encoders.Put(e.z)
}
