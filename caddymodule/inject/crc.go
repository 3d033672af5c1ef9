package inject

// crcShift[k][b] is x^(8·b·2^(8k)) modulo the CRC-32 polynomial: appending n
// zero bytes to a message multiplies its CRC by the product of one entry for
// each byte of n. Four multiplications replace the 32 matrix squarings of the
// textbook combination.
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

// crcMul multiplies two polynomials over GF(2) modulo the CRC-32 polynomial,
// coefficients reflected as in hash/crc32.
func crcMul(a, b uint32) uint32 {
	const poly = 0xedb88320
	var p uint32
	for ; a != 0; a <<= 1 {
		p ^= b & -(a >> 31)
		b = b>>1 ^ poly&-(b&1)
	}
	return p
}

// crcCombine returns the CRC-32 of a message whose first part has the checksum
// a and whose second part has the checksum b and n bytes.
func crcCombine(a, b, n uint32) uint32 {
	for k := 0; n != 0; k, n = k+1, n>>8 {
		if n&0xff != 0 {
			a = crcMul(crcShift[k][n&0xff], a)
		}
	}
	return a ^ b
}
