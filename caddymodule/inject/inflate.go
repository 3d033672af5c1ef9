package inject

import "encoding/binary"

// Limits (RFC 1951 §3.2).
const (
	maxLitCodes  = 286
	maxDistCodes = 30
	maxLenCodes  = 19
	windowSize   = 32 << 10 // the greatest distance of a match
)

// inflateStatus is the reason why run returned.
type inflateStatus uint8

const (
	inflateInput   inflateStatus = iota // all input was used, and more is needed
	inflateFull                         // out is full
	inflateDone                         // the final block has ended
	inflateCorrupt                      // not a deflate stream
)

// inflater decodes a deflate stream that arrives in pieces of any size into a buffer
// of any size, and continues with the next piece. The standard library's decoder
// reads its input itself and needs a 32 KB window. With this one, decoding the first
// 256 bytes of a page takes a buffer of 256 bytes.
type inflater struct {
	out []byte // decoded bytes, which are also the history that matches refer to
	n   int    // bytes of out in use

	bits  uint64 // input that was read but not used, low bits first
	have  uint   // number of valid bits in bits
	phase inflatePhase
	final bool // the current block is the last one

	stored         int // remaining bytes of a stored block
	copyLen, reach int // the rest of a match that did not fit into out: its length and distance

	lit, dist      *huffman // codes of the current block
	ownLit         huffman  // for dynamic blocks
	ownDist        huffman
	nLit, nDist    int
	nLen, nLengths int // code lengths announced, and read so far
	lengths        [maxLitCodes + maxDistCodes]uint8
}

type inflatePhase uint8

const (
	phaseBlock      inflatePhase = iota // at a block's three header bits
	phaseStoredLen                      // at LEN and NLEN
	phaseStored                         // inside a stored block
	phaseCounts                         // at HLIT, HDIST, HCLEN
	phaseLenLengths                     // at the code lengths of the code length code
	phaseLengths                        // at the code lengths of the two codes
	phaseSymbols                        // inside a compressed block
	phaseDone
	phaseCorrupt
)

// reset starts a new stream that decodes into out.
func (f *inflater) reset(out []byte) {
	f.out, f.n = out, 0
	f.bits, f.have = 0, 0
	f.phase, f.final = phaseBlock, false
	f.copyLen = 0
}

// slide makes room in a full buffer. It keeps the last windowSize bytes as history.
func (f *inflater) slide() {
	if f.n > windowSize {
		copy(f.out, f.out[f.n-windowSize:f.n])
		f.n = windowSize
	}
}

// run decodes until one of the reasons in inflateStatus applies, and returns how many
// bytes of in it used. The caller passes the others again.
func (f *inflater) run(in []byte) (used int, status inflateStatus) {
	for {
		var ok bool
		switch f.phase {
		case phaseBlock:
			if used, ok = f.fill(in, used, 3); !ok {
				return used, inflateInput
			}
			f.final = f.take(1) == 1
			switch f.take(2) {
			case 0:
				f.take(f.have & 7)
				f.phase = phaseStoredLen
			case 1:
				f.lit, f.dist = &fixedLit, &fixedDist
				f.phase = phaseSymbols
			case 2:
				f.phase = phaseCounts
			default:
				f.phase = phaseCorrupt
			}
		case phaseStoredLen:
			if used, ok = f.fill(in, used, 32); !ok {
				return used, inflateInput
			}
			n, inverse := f.take(16), f.take(16)
			if n^inverse != 0xffff {
				f.phase = phaseCorrupt
				continue
			}
			used = f.giveBack(used)
			f.stored, f.phase = int(n), phaseStored
		case phaseStored:
			if used, status = f.copyStored(in, used); status != inflateDone {
				return used, status
			}
		case phaseCounts:
			if used, ok = f.fill(in, used, 14); !ok {
				return used, inflateInput
			}
			f.nLit, f.nDist = int(f.take(5))+257, int(f.take(5))+1
			f.nLen, f.nLengths = int(f.take(4))+4, 0
			f.phase = phaseLenLengths
			if f.nLit > maxLitCodes || f.nDist > maxDistCodes {
				f.phase = phaseCorrupt
			}
		case phaseLenLengths:
			if used, ok = f.readLenLengths(in, used); !ok {
				return used, inflateInput
			}
		case phaseLengths:
			if used, ok = f.readLengths(in, used); !ok {
				return used, inflateInput
			}
		case phaseSymbols:
			if used, status = f.symbols(in, used); status != inflateDone {
				return used, status
			}
		case phaseDone:
			return f.giveBack(used), inflateDone
		default:
			return used, inflateCorrupt
		}
	}
}

// fill reads input until at least want bits are in the bit buffer.
func (f *inflater) fill(in []byte, used int, want uint) (int, bool) {
	for f.have < want {
		if used == len(in) {
			return used, false
		}
		f.bits |= uint64(in[used]) << f.have
		used++
		f.have += 8
	}
	return used, true
}

// take removes and returns n bits, at most 32, from the bit buffer.
func (f *inflater) take(n uint) uint32 {
	v := uint32(f.bits & (1<<n - 1))
	f.bits >>= n
	f.have -= n
	return v
}

// giveBack returns whole bytes in the bit buffer to the input. They always belong to
// the input of this call, because earlier calls left less than a symbol.
func (f *inflater) giveBack(used int) int {
	n := min(uint(used), f.have/8)
	f.have -= 8 * n
	f.bits &= 1<<f.have - 1
	return used - int(n)
}

func (f *inflater) endBlock() {
	f.phase = phaseBlock
	if f.final {
		f.phase = phaseDone
	}
}

func (f *inflater) copyStored(in []byte, used int) (int, inflateStatus) {
	for f.stored > 0 {
		switch {
		case f.n == len(f.out):
			return used, inflateFull
		case f.have >= 8: // bytes that were read ahead
			f.out[f.n] = byte(f.take(8))
			f.n++
			f.stored--
			continue
		case used == len(in):
			return used, inflateInput
		}
		n := copy(f.out[f.n:], in[used:min(len(in), used+f.stored)])
		f.n += n
		used += n
		f.stored -= n
	}
	f.endBlock()
	return used, inflateDone
}

// lenOrder is the order of the lengths of the code length code (RFC 1951 §3.2.7).
var lenOrder = [maxLenCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (f *inflater) readLenLengths(in []byte, used int) (int, bool) {
	if f.nLengths == 0 {
		clear(f.lengths[:maxLenCodes])
	}
	var ok bool
	for ; f.nLengths < f.nLen; f.nLengths++ {
		if used, ok = f.fill(in, used, 3); !ok {
			return used, false
		}
		f.lengths[lenOrder[f.nLengths]] = uint8(f.take(3))
	}
	f.nLengths = 0
	f.phase = phaseLengths
	if !f.ownLit.build(f.lengths[:maxLenCodes]) {
		f.phase = phaseCorrupt
	}
	return used, true
}

// readLengths reads the code lengths of both codes, which are one run-length encoded
// list.
func (f *inflater) readLengths(in []byte, used int) (int, bool) {
	total := f.nLit + f.nDist
	for f.nLengths < total {
		sym, n := f.ownLit.decode(f.bits, f.have)
		extra := uint(0)
		if n <= maxCodeLen && sym >= 16 {
			extra = [3]uint{2, 3, 7}[sym-16]
		}
		if n == needBits || n <= maxCodeLen && f.have < n+extra {
			var ok bool
			if used, ok = f.fill(in, used, f.have+1); !ok {
				return used, false
			}
			continue
		}
		if n == badCode {
			f.phase = phaseCorrupt
			return used, true
		}
		f.take(n)
		if sym < 16 {
			f.lengths[f.nLengths] = uint8(sym)
			f.nLengths++
			continue
		}
		repeat := int(f.take(extra)) + [3]int{3, 3, 11}[sym-16]
		if f.nLengths+repeat > total || sym == 16 && f.nLengths == 0 {
			f.phase = phaseCorrupt
			return used, true
		}
		var value uint8
		if sym == 16 {
			value = f.lengths[f.nLengths-1]
		}
		for range repeat {
			f.lengths[f.nLengths] = value
			f.nLengths++
		}
	}
	f.lit, f.dist = &f.ownLit, &f.ownDist
	f.phase = phaseSymbols
	if !f.ownLit.build(f.lengths[:f.nLit]) || !f.ownDist.build(f.lengths[f.nLit:total]) {
		f.phase = phaseCorrupt
	}
	return used, true
}

// Base values and extra bits of lengths (from symbol 257) and of distances.
var (
	lenBase   = [...]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lenExtra  = [...]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase  = [...]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra = [...]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}

	fixedLit, fixedDist = fixedCodes()
)

// fixedCodes builds the fixed codes (RFC 1951 §3.2.6).
func fixedCodes() (lit, dist huffman) {
	var lengths [maxLitCodes + 2]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	lit.build(lengths[:])
	for i := range 32 {
		lengths[i] = 5
	}
	dist.build(lengths[:32])
	return lit, dist
}

// symbols decodes the symbols of a compressed block. It reads a match from the input
// completely or not at all, so only unread bits are kept between calls.
func (f *inflater) symbols(in []byte, used int) (int, inflateStatus) {
	const endOfBlock = 256
	for {
		if f.copyLen > 0 && !f.copyMatch() {
			return f.giveBack(used), inflateFull
		}
		if f.have < 48 {
			used = f.readAhead(in, used)
		}
		sym, n := f.lit.decode(f.bits, f.have)
		switch {
		case n > maxCodeLen:
			if n == needBits {
				return used, inflateInput
			}
			f.phase = phaseCorrupt
			return used, inflateDone
		case sym < endOfBlock:
			if f.n == len(f.out) {
				return f.giveBack(used), inflateFull
			}
			f.out[f.n] = byte(sym)
			f.n++
			f.take(n)
			continue
		case sym == endOfBlock:
			f.take(n)
			f.endBlock()
			return f.giveBack(used), inflateDone
		}
		if sym -= endOfBlock + 1; int(sym) >= len(lenBase) {
			f.phase = phaseCorrupt
			return used, inflateDone
		}
		total, extra := n, uint(lenExtra[sym])
		b := f.bits >> total
		length := int(lenBase[sym]) + int(b&(1<<extra-1))
		if total += extra; total > f.have {
			return used, inflateInput
		}
		sym, n = f.dist.decode(f.bits>>total, f.have-total)
		switch {
		case n == needBits:
			return used, inflateInput
		case n == badCode || int(sym) >= len(distBase):
			f.phase = phaseCorrupt
			return used, inflateDone
		}
		total += n
		b, extra = f.bits>>total, uint(distExtra[sym])
		reach := int(distBase[sym]) + int(b&(1<<extra-1))
		if total += extra; total > f.have {
			return used, inflateInput
		}
		f.take(total)
		if reach > f.n {
			f.phase = phaseCorrupt
			return used, inflateDone
		}
		f.copyLen, f.reach = length, reach
	}
}

// readAhead fills the bit buffer to at least 48 bits if there is enough input. That
// is enough for any match with its extra bits.
func (f *inflater) readAhead(in []byte, used int) int {
	if len(in)-used >= 8 {
		f.bits |= binary.LittleEndian.Uint64(in[used:]) << f.have
		n := (63 - f.have) / 8
		f.have += 8 * n
		f.bits &= 1<<f.have - 1
		return used + int(n)
	}
	used, _ = f.fill(in, used, 48)
	return used
}

// copyMatch copies as much of the pending match as fits, and reports whether all of
// it did.
func (f *inflater) copyMatch() bool {
	n := min(f.copyLen, len(f.out)-f.n)
	f.copyLen -= n
	for n > 0 {
		// A match may overlap its own output, so each round copies the bytes that are
		// already decoded.
		k := copy(f.out[f.n:f.n+n], f.out[f.n-f.reach:f.n])
		f.n += k
		n -= k
	}
	return f.copyLen == 0
}
