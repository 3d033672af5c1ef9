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
}

func newTrailer(prefix []byte) trailer {
	return trailer{crc: crc32.ChecksumIEEE(prefix), size: uint32(len(prefix))}
}

// forward passes b on, with what was kept before it, except for the last 8
// bytes of both. It calls emit at most twice.
func (t *trailer) forward(b []byte, emit func([]byte) error) error {
	if over := t.n + len(b) - gzipTrailer; over > 0 {
		old := min(over, t.n)
		if old > 0 {
			if err := emit(t.kept[:old]); err != nil {
				return err
			}
			t.n = copy(t.kept[:], t.kept[old:t.n])
		}
		if fresh := over - old; fresh > 0 {
			if err := emit(b[:fresh]); err != nil {
				return err
			}
			b = b[fresh:]
		}
	}
	t.n += copy(t.kept[t.n:], b)
	return nil
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
