package inject

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	kflate "github.com/klauspost/compress/flate"
)

// inflateAll decodes in pieces of random size through a window of the given
// size and returns the content, the bytes used, and how it ended.
func inflateAll(src []byte, window, piece int, rng *rand.Rand) (content []byte, used int, status inflateStatus) {
	var f inflater
	f.reset(make([]byte, window))
	given, end := 0, 0
	for {
		if used == end {
			end = min(len(src), end+1+rng.IntN(piece))
		}
		n, s := f.run(src[used:end])
		used += n
		content = append(content, f.out[given:f.n]...)
		given = f.n
		switch s {
		case inflateFull:
			f.slide()
			given = f.n
		case inflateInput:
			if end == len(src) {
				return content, used, s
			}
		default:
			return content, used, s
		}
	}
}

func compressible(rng *rand.Rand, n int) []byte {
	words := []string{"<div>", "</div>\n", "class=", "the ", "session ", "gate ", "\x00", "ü"}
	var b []byte
	for len(b) < n {
		if rng.IntN(8) == 0 {
			b = append(b, byte(rng.Uint32()))
			continue
		}
		b = append(b, words[rng.IntN(len(words))]...)
	}
	return b[:n]
}

func TestInflateEncoders(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	type encoder interface {
		io.WriteCloser
		Flush() error
	}
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		for _, size := range []int{0, 1, 100, 5000, 200_000} {
			for _, own := range []bool{true, false} {
				var packed bytes.Buffer
				var z encoder
				var err error
				if own {
					z, err = flate.NewWriter(&packed, level)
				} else {
					z, err = kflate.NewWriter(&packed, level)
				}
				if err != nil {
					t.Fatal(err)
				}
				want := compressible(rng, size)
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+rng.IntN(60_000))
					z.Write(rest[:n])
					if rest = rest[n:]; rng.IntN(3) == 0 {
						z.Flush()
					}
				}
				z.Close()
				for _, piece := range []int{1, 10, 1000, 1 << 20} {
					stream := append(bytes.Clone(packed.Bytes()), "trailer!"...)
					got, used, status := inflateAll(stream, gunzipBuffer, piece, rng)
					if status != inflateDone || used != packed.Len() || !bytes.Equal(got, want) {
						t.Fatalf("level %d size %d piece %d: status %d, used %d of %d, %d bytes",
							level, size, piece, status, used, packed.Len(), len(got))
					}
				}
			}
		}
	}
}

func FuzzInflate(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		var b bytes.Buffer
		z, _ := flate.NewWriter(&b, level)
		z.Write(compressible(rng, 3000))
		z.Flush()
		z.Write(compressible(rng, 30))
		z.Close()
		f.Add(b.Bytes(), uint64(level+3))
	}
	f.Add([]byte{}, uint64(0))
	f.Add([]byte{0x03, 0x00}, uint64(1))
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		in := bytes.NewReader(src)
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(in), 1<<20))
		if len(want) == 1<<20 {
			return
		}
		for _, piece := range []int{1, 1 + int(seed%100), len(src) + 1} {
			got, used, status := inflateAll(src, windowSize+1000+int(seed%40_000), piece, rng)
			if (status == inflateDone) != (err == nil) {
				t.Fatalf("piece %d: status %d, flate says %v", piece, status, err)
			}
			if err == nil && (!bytes.Equal(got, want) || used != len(src)-in.Len()) {
				t.Fatalf("piece %d: %d bytes of %d, used %d of %d", piece, len(got), len(want), used, len(src)-in.Len())
			}
			if err != nil && !bytes.HasPrefix(got, want) && !bytes.HasPrefix(want, got) {
				t.Fatalf("piece %d: content differs before the error", piece)
			}
		}
	})
}

func TestCRCCombine(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		a, b := compressible(rng, rng.IntN(500)), compressible(rng, rng.IntN(70_000))
		want := crc32.ChecksumIEEE(append(bytes.Clone(a), b...))
		if got := crcCombine(crc32.ChecksumIEEE(a), crc32.ChecksumIEEE(b), uint32(len(b))); got != want {
			t.Fatalf("%d + %d bytes: got %08x, want %08x", len(a), len(b), got, want)
		}
	}
	// A length that uses all four tables: combining in two steps is the same.
	n := uint32(3<<30 + 5<<20 + 77<<10 + 9)
	one := crcCombine(crcCombine(0x12345678, 0, n), 0, 1<<20)
	if two := crcCombine(0x12345678, 0, n+1<<20); one != two {
		t.Errorf("two steps %08x, one step %08x", one, two)
	}
}
