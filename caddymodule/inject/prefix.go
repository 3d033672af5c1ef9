package inject

import (
	"encoding/binary"
	"hash/crc32"
)

// storedHeader is the block type byte, LEN and NLEN. The three type bits sit at
// a byte's start, so the origin's first block follows on a byte boundary.
const storedHeader = 5

// appendPrefix appends what goes before the origin's deflate bits: our own
// gzip header and a stored, non-final block with the content. Matches of the
// origin never reach back beyond its own first byte, so its blocks stay valid.
func appendPrefix(b, content []byte) []byte {
	b = append(b, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255) // no time, unknown system
	n := uint16(len(content))
	b = append(b, 0) // BFINAL 0, BTYPE 00, padding
	b = binary.LittleEndian.AppendUint16(b, n)
	b = binary.LittleEndian.AppendUint16(b, ^n)
	return append(b, content...)
}

// trailer keeps the last 8 bytes of a gzip body back and patches them.
type trailer struct {
	crc  uint32 // of the prefix
	size uint32

	kept [gzipTrailer]byte
	n    int

	// How much of the body is to come, or -1 where nobody said. Where it is
	// known, only what may be the trailer is kept.
	left int64
	// Whether small pieces are joined with large ones, in a buffer of their own.
	join bool
}

// newTrailer starts a body of which left bytes are to come (-1: unknown).
func newTrailer(prefix []byte, left int64, join bool) trailer {
	return trailer{crc: crc32.ChecksumIEEE(prefix), size: uint32(len(prefix)), left: left, join: join}
}

// forward passes b on, with what was kept before it, except for the last 8
// bytes of both; at the end of a body of known length it patches those and
// passes on everything. It calls emit at most twice, and once where it can: a
// small write beside a large one costs a system call of its own.
func (t *trailer) forward(b []byte, emit func([]byte) error) error {
	if t.left >= int64(len(b)) {
		t.left -= int64(len(b))
		switch {
		case t.left >= gzipTrailer && t.n == 0:
			return emit(b)
		case t.left == 0 && t.join && t.n+len(b) >= gzipTrailer && t.n+len(b) <= copyBuffer:
			return t.finish(b, emit)
		}
	} else {
		t.left = -1 // the length was a lie
	}
	if over := t.n + len(b) - gzipTrailer; over > 0 {
		old := min(over, t.n)
		fresh := over - old
		if err := t.pass(old, b[:fresh], emit); err != nil {
			return err
		}
		b = b[fresh:]
	}
	t.n += copy(t.kept[t.n:], b)
	return nil
}

// pass gives up the first n kept bytes, and then b.
func (t *trailer) pass(n int, b []byte, emit func([]byte) error) error {
	if n == 0 {
		return emit(b)
	}
	if !t.join || n+len(b) > copyBuffer {
		err := emit(t.kept[:n])
		t.n = copy(t.kept[:], t.kept[n:t.n])
		if err != nil || len(b) == 0 {
			return err
		}
		return emit(b)
	}
	scratch := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(scratch)
	first := append((*scratch)[:0], t.kept[:n]...)
	t.n = copy(t.kept[:], t.kept[n:t.n])
	return emit(append(first, b...))
}

// finish passes on the end of a body, patched, in one piece.
func (t *trailer) finish(b []byte, emit func([]byte) error) error {
	scratch := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(scratch)
	whole := append(append((*scratch)[:0], t.kept[:t.n]...), b...)
	end := len(whole) - gzipTrailer
	t.n = copy(t.kept[:], whole[end:])
	copy(whole[end:], t.patched())
	t.n = 0
	return emit(whole)
}

// release gives the kept bytes up where they cannot be a trailer: encoders end
// a flush with an empty stored block, and as a trailer those four bytes would
// mean a page of 4 GiB. So a page that streams is not shown 8 bytes late.
func (t *trailer) release() []byte {
	if t.n < 4 || string(t.kept[t.n-4:t.n]) != "\x00\x00\xff\xff" {
		return nil
	}
	b := t.kept[:t.n]
	t.n = 0
	return b
}

// patched is the trailer of prefix and origin together. A body too short to
// have a trailer is left as it is.
func (t *trailer) patched() []byte {
	if t.n == gzipTrailer {
		crc := binary.LittleEndian.Uint32(t.kept[:])
		size := binary.LittleEndian.Uint32(t.kept[4:])
		binary.LittleEndian.PutUint32(t.kept[:], crcCombine(t.crc, crc, size))
		binary.LittleEndian.PutUint32(t.kept[4:], t.size+size)
	}
	return t.kept[:t.n]
}
