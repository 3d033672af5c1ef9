package inject

import "math/bits"

const (
	maxCodeLen = 15 // RFC 1951 §3.2.7
	fastBits   = 9  // codes up to this length are decoded by one table lookup
)

// huffman decodes one canonical prefix code. Short codes take one table lookup.
// Longer codes are rare and are decoded bit by bit, which keeps the table small and
// cheap to build.
type huffman struct {
	fast   [1 << fastBits]uint16   // symbol<<4 | length; 0 if longer or unused
	count  [maxCodeLen + 1]uint16  // codes of each length
	symbol [maxLitCodes + 2]uint16 // symbols in code order
}

// build sets up the code with the given length for each symbol. It reports whether
// the lengths form a usable code: complete, empty, or the single one-bit code that
// encoders emit if there is only one distance.
func (h *huffman) build(lengths []uint8) bool {
	h.fast = [1 << fastBits]uint16{}
	h.count = [maxCodeLen + 1]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	if used == 0 {
		return true
	}
	var code, offset [maxCodeLen + 2]uint16
	left := 1
	for n := 1; n <= maxCodeLen; n++ {
		left = left<<1 - int(h.count[n])
		if left < 0 {
			return false
		}
		code[n+1] = (code[n] + h.count[n]) << 1
		offset[n+1] = offset[n] + h.count[n]
	}
	if left > 0 && (used != 1 || h.count[1] != 1) {
		return false
	}
	for sym, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbol[offset[n]] = uint16(sym)
		offset[n]++
		if n <= fastBits {
			entry := uint16(sym)<<4 | uint16(n)
			for i := int(bits.Reverse16(code[n]) >> (16 - n)); i < len(h.fast); i += 1 << n {
				h.fast[i] = entry
			}
		}
		code[n]++
	}
	return true
}

// slow decodes a symbol bit by bit. Its arguments and results are those of decode.
func (h *huffman) slow(b uint64, have uint) (sym, n uint) {
	var code, first, index int
	for n := uint(1); n <= maxCodeLen; n++ {
		if n > have {
			return 0, needBits
		}
		code |= int(b & 1)
		b >>= 1
		c := int(h.count[n])
		if code-c < first {
			return uint(h.symbol[index+code-first]), n
		}
		index += c
		first = (first + c) << 1
		code <<= 1
	}
	return 0, badCode
}

const (
	needBits = 1 << 6 // above every code length
	badCode  = 1 << 7
)

// decode returns the symbol in the low bits of b and the length of its code. Only
// the low have bits of b are valid. If they contain no complete code, n is needBits
// or badCode.
func (h *huffman) decode(b uint64, have uint) (sym, n uint) {
	e := h.fast[b&(1<<fastBits-1)]
	if n = uint(e & 15); n != 0 {
		if n > have {
			return 0, needBits
		}
		return uint(e >> 4), n
	}
	return h.slow(b, have)
}
