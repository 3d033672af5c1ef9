package inject

import (
	"encoding/binary"
	"hash/crc32"
)

// storedHeader is the length of a stored block's header: a byte with the block type,
// LEN and NLEN. The prefix starts and ends on a byte boundary, so the origin's first
// block also starts on one.
const storedHeader = 5

// appendPrefix appends the prefix of the origin's deflate blocks: a gzip header and
// a stored, non-final block with the content. The origin's matches never refer to
// bytes before its own first byte, so its blocks remain valid.
func appendPrefix(b, content []byte) []byte {
	b = append(b, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255) // no modification time, unknown operating system
	n := uint16(len(content))
	b = append(b, 0) // BFINAL 0, BTYPE 00, padding
	b = binary.LittleEndian.AppendUint16(b, n)
	b = binary.LittleEndian.AppendUint16(b, ^n)
	return append(b, content...)
}

// trailer forwards a gzip body but holds back the last 8 bytes, in which it corrects
// the checksum and size.
type trailer struct {
	crc  uint32 // of the prefix
	size uint32

	kept [gzipTrailer]byte
	n    int

	// How many bytes of the body remain, or -1 if that is not known. If it is known,
	// only bytes of the trailer are held back.
	left int64
	// Whether small pieces are copied into one buffer with large ones.
	join bool
}

// newTrailer starts a body of which left bytes remain (-1: unknown).
func newTrailer(prefix []byte, left int64, join bool) trailer {
	return trailer{crc: crc32.ChecksumIEEE(prefix), size: uint32(len(prefix)), left: left, join: join}
}

// forward emits the bytes held back so far and then b, except for the last 8 bytes
// of both. At the end of a body of known length it may also patch and emit those. It
// calls emit at most twice, and only once if possible, because each call costs a
// system call.
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
		t.left = -1 // the body is longer than announced
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

// pass emits the first n bytes held back, and then b.
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

// finish emits the rest of a body in one piece, with the trailer patched.
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

// release returns the bytes held back if they cannot be a trailer, so that a
// streamed page is not delivered 8 bytes late. Encoders end a flush with the bytes
// 00 00 ff ff of an empty stored block. As the size in a trailer they would mean a
// page of almost 4 GiB.
func (t *trailer) release() []byte {
	if t.n < 4 || string(t.kept[t.n-4:t.n]) != "\x00\x00\xff\xff" {
		return nil
	}
	b := t.kept[:t.n]
	t.n = 0
	return b
}

// patched returns the trailer of the prefix and the origin's content together. If
// the body is too short to have a trailer, it returns the bytes unchanged.
func (t *trailer) patched() []byte {
	if t.n == gzipTrailer {
		crc := binary.LittleEndian.Uint32(t.kept[:])
		size := binary.LittleEndian.Uint32(t.kept[4:])
		binary.LittleEndian.PutUint32(t.kept[:], crcCombine(t.crc, crc, size))
		binary.LittleEndian.PutUint32(t.kept[4:], t.size+size)
	}
	return t.kept[:t.n]
}
