package inject

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// Header flags of RFC 1952, section 2.3.1.
const (
	flagHCRC     = 1 << 1
	flagExtra    = 1 << 2
	flagName     = 1 << 3
	flagComment  = 1 << 4
	flagReserved = 0xe0
)

const (
	gzipFixedHeader = 10 // bytes before the optional fields
	gzipTrailer     = 8  // CRC-32 and ISIZE
)

type headerState uint8

const (
	headerMore headerState = iota // b ends inside the header
	headerDone
	headerBad // no gzip member starts here
)

// gzipHeader measures the header of the gzip member that b starts with.
func gzipHeader(b []byte) (n int, state headerState) {
	magic := []byte{0x1f, 0x8b, 8}
	if k := min(len(b), len(magic)); !bytes.Equal(b[:k], magic[:k]) {
		return 0, headerBad
	}
	if len(b) > 3 && b[3]&flagReserved != 0 {
		return 0, headerBad
	}
	if len(b) < gzipFixedHeader {
		return 0, headerMore
	}
	flags := b[3]
	n = gzipFixedHeader
	if flags&flagExtra != 0 {
		if len(b) < n+2 {
			return 0, headerMore
		}
		n += 2 + int(binary.LittleEndian.Uint16(b[n:]))
		if len(b) < n {
			return 0, headerMore
		}
	}
	for _, f := range []byte{flagName, flagComment} {
		if flags&f == 0 {
			continue
		}
		end := bytes.IndexByte(b[n:], 0)
		if end < 0 {
			return 0, headerMore
		}
		n += end + 1
	}
	if flags&flagHCRC != 0 {
		if len(b) < n+2 {
			return 0, headerMore
		}
		if binary.LittleEndian.Uint16(b[n:]) != uint16(crc32.ChecksumIEEE(b[:n])) {
			return 0, headerBad
		}
		n += 2
	}
	return n, headerDone
}
