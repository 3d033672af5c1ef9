package inject

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// Header flags (RFC 1952 §2.3.1).
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

// gzipHeader returns the length of the header of the gzip member at the start of b.
// The length is valid only with headerDone.
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

// crcShift[k][b] is x^(8·b·2^(8k)) modulo the CRC-32 polynomial. Appending n zero
// bytes to a message multiplies its CRC by one entry for each byte of n. These at
// most four multiplications replace the 32 matrix squarings of the usual algorithm.
var crcShift = func() (t [4][256]uint32) {
	step := uint32(1) << (31 - 8) // x^8, bits reflected
	for k := range t {
		t[k][0] = 1 << 31 // x^0
		for b := 1; b < 256; b++ {
			t[k][b] = crcMul(t[k][b-1], step)
		}
		step = crcMul(t[k][255], step)
	}
	return t
}()

// crcMul multiplies two polynomials over GF(2) modulo the CRC-32 polynomial. The
// coefficients are in reflected order, as in hash/crc32.
func crcMul(a, b uint32) uint32 {
	const poly = 0xedb88320
	var p uint32
	for ; a != 0; a <<= 1 {
		p ^= b & -(a >> 31)
		b = b>>1 ^ poly&-(b&1)
	}
	return p
}

// crcCombine returns the CRC-32 of two messages in sequence, given their checksums
// a and b and the length n of the second in bytes.
func crcCombine(a, b, n uint32) uint32 {
	for k := 0; n != 0; k, n = k+1, n>>8 {
		if n&0xff != 0 {
			a = crcMul(crcShift[k][n&0xff], a)
		}
	}
	return a ^ b
}
