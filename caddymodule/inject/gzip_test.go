package inject

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
)

var errTrailing = errors.New("bytes after the member")

const testHead = "<!DOCTYPE html>\n<html lang=\"en\"><head data-x='>'>"

func testPage(size int) []byte {
	rng := rand.New(rand.NewPCG(7, uint64(size)))
	return append([]byte(testHead+"<title>t</title>"), compressible(rng, size)...)
}

// prefixed is what a page reads like behind a prefix.
func prefixed(page []byte) string {
	return "<!DOCTYPE html><html lang=\"en\"><head data-x='>'>" + testTag + string(page)
}

// member assembles a gzip member from header fields and a deflate stream.
func member(flags byte, extra []byte, name, comment string, deflated, content []byte) []byte {
	b := []byte{0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 2, 3}
	if flags&flagExtra != 0 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(extra)))
		b = append(b, extra...)
	}
	if flags&flagName != 0 {
		b = append(append(b, name...), 0)
	}
	if flags&flagComment != 0 {
		b = append(append(b, comment...), 0)
	}
	if flags&flagHCRC != 0 {
		b = binary.LittleEndian.AppendUint16(b, uint16(crc32.ChecksumIEEE(b)))
	}
	b = append(b, deflated...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(content))
	return binary.LittleEndian.AppendUint32(b, uint32(len(content)))
}

func deflated(t testing.TB, level int, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(content)
	z.Close()
	return b.Bytes()
}

// fixedBlock writes literals with the fixed code, which no encoder at hand can
// be made to choose.
func fixedBlock(content []byte) []byte {
	var out []byte
	var bits uint64
	var have uint
	put := func(code uint64, n uint, reverse bool) {
		for i := range n {
			shift := i
			if reverse {
				shift = n - 1 - i
			}
			bits |= (code >> shift & 1) << have
			if have++; have == 8 {
				out, bits, have = append(out, byte(bits)), 0, 0
			}
		}
	}
	put(0b011, 3, false) // BFINAL, BTYPE 01
	for _, c := range content {
		if c < 144 {
			put(0x30+uint64(c), 8, true)
		} else {
			put(0x190+uint64(c)-144, 9, true)
		}
	}
	put(0, 7, true)
	if have > 0 {
		out = append(out, byte(bits))
	}
	return out
}

func TestPrefixEncoders(t *testing.T) {
	t.Parallel()
	type encoder interface {
		io.WriteCloser
		Flush() error
	}
	for _, own := range []bool{true, false} {
		for level := gzip.HuffmanOnly; level <= gzip.BestCompression; level++ {
			for _, flushes := range []int{0, 1, 20} {
				t.Run(fmt.Sprintf("own=%v/level=%d/flushes=%d", own, level, flushes), func(t *testing.T) {
					t.Parallel()
					page := testPage(60_000)
					var packed bytes.Buffer
					var z encoder
					var err error
					if own {
						z, err = gzip.NewWriterLevel(&packed, level)
					} else {
						z, err = kgzip.NewWriterLevel(&packed, level)
					}
					if err != nil {
						t.Fatal(err)
					}
					for i := range flushes + 1 {
						z.Write(page[len(page)*i/(flushes+1) : len(page)*(i+1)/(flushes+1)])
						if i < flushes {
							z.Flush()
						}
					}
					z.Close()
					rng := rand.New(rand.NewPCG(8, uint64(level)))
					for _, piece := range []func() int{nil, func() int { return 1 }, func() int { return 1 + rng.IntN(300) }, func() int { return 1 + rng.IntN(9000) }} {
						for _, flush := range []bool{false, true} {
							checkPrefixed(t, packed.Bytes(), page, piece, flush)
						}
					}
				})
			}
		}
	}
}

// checkPrefixed delivers a packed page, and checks all that a client can see.
func checkPrefixed(t *testing.T, packed, page []byte, piece func() int, flush bool) {
	t.Helper()
	rec, outcome, err := pass(t, New(testConfig()), navigate(), answer{
		header: htmlHeader("Content-Encoding", "gzip", "Content-Length", strconv.Itoa(len(packed))),
		body:   packed, piece: piece, flush: flush,
	})
	if err != nil || outcome.Mode != ModePrefix {
		t.Fatalf("outcome %v, error %v", outcome, err)
	}
	got, err := gunzipped(rec.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != prefixed(page) {
		t.Errorf("got %.200q", got)
	}
	if cl := rec.Header().Get("Content-Length"); cl != strconv.Itoa(rec.Body.Len()) {
		t.Errorf("Content-Length %s, body %d", cl, rec.Body.Len())
	}
}

func TestPrefixHeaderFlags(t *testing.T) {
	t.Parallel()
	page := testPage(3000)
	for flags := range byte(flagComment << 1) {
		for _, blocks := range [][]byte{deflated(t, 6, page), deflated(t, 0, page), fixedBlock(page)} {
			packed := member(flags, make([]byte, 300), "page.html", "a comment", blocks, page)
			for _, n := range []int{1, 7, len(packed)} {
				checkPrefixed(t, packed, page, func() int { return n }, false)
			}
		}
	}
	small := testPage(0)
	checkPrefixed(t, member(0, nil, "", "", fixedBlock(small), small), small, nil, true)
}

func TestGzipHeaderRefused(t *testing.T) {
	t.Parallel()
	good := member(flagHCRC|flagName, nil, "x", "", []byte{3, 0}, nil)
	for name, b := range map[string][]byte{
		"magic":          append([]byte{0x1f, 0x8c}, good[2:]...),
		"method":         append([]byte{0x1f, 0x8b, 7}, good[3:]...),
		"reserved flags": append([]byte{0x1f, 0x8b, 8, 0x20}, good[4:]...),
		"header CRC":     append([]byte{0x1f, 0x8b, 8, flagHCRC | flagName, 9}, good[5:]...),
	} {
		if _, state := gzipHeader(b); state != headerBad {
			t.Errorf("%s: state %d", name, state)
		}
	}
	for n := range len(good) - 10 {
		if _, state := gzipHeader(good[:n]); state != headerMore {
			t.Errorf("%d bytes: state %d", n, state)
		}
	}
	if n, state := gzipHeader(good); state != headerDone || n != len(good)-10 {
		t.Errorf("whole: %d, state %d", n, state)
	}
}

// A page that is cut short must never decode as valid, whatever way it took
// and however it ended.
func TestTruncationIsNeverValid(t *testing.T) {
	t.Parallel()
	page := testPage(6000)
	for _, level := range []int{gzip.NoCompression, gzip.BestSpeed, gzip.BestCompression} {
		packed := gzipped(t, level, page)
		for n := range packed {
			for _, exact := range []bool{false, true} {
				for _, abort := range []bool{false, true} {
					cfg := testConfig()
					cfg.Exact = exact
					rec, _, _ := pass(t, New(cfg), navigate(), answer{
						header: htmlHeader("Content-Encoding", "gzip"), body: packed[:n], abort: abort,
						piece: func() int { return 1000 },
					})
					if _, err := gunzipped(rec.Body.Bytes()); err == nil {
						t.Fatalf("level %d, %d of %d bytes, exact %v, abort %v: decodes", level, n, len(packed), exact, abort)
					}
				}
			}
		}
	}
}

// Aborting after the last byte leaves the origin's trailer, which is wrong for
// what was sent: the client must not take the page for whole either.
func TestAbortAtTheEnd(t *testing.T) {
	t.Parallel()
	packed := gzipped(t, 6, testPage(6000))
	rec, _, _ := pass(t, New(testConfig()), navigate(), answer{
		header: htmlHeader("Content-Encoding", "gzip"), body: packed, abort: true,
	})
	if !bytes.HasSuffix(rec.Body.Bytes(), packed[len(packed)-8:]) {
		t.Error("the kept bytes did not go out as they came")
	}
	if _, err := gunzipped(rec.Body.Bytes()); err == nil {
		t.Error("decodes")
	}
}

func FuzzGzip(f *testing.F) {
	rng := rand.New(rand.NewPCG(10, 10))
	for _, doc := range trickyDocuments {
		f.Add([]byte(doc), int8(6), uint64(1), false)
		f.Add([]byte(doc), int8(0), uint64(rng.Uint32()), true)
		f.Add(gzipped(f, 9, []byte(doc)), int8(-9), uint64(rng.Uint32()), false)
	}
	page := testPage(2000)
	f.Add(member(flagExtra|flagHCRC|flagName|flagComment, make([]byte, 9), "n", "c", fixedBlock(page), page), int8(-9), uint64(3), false)
	f.Add(append(gzipped(f, 1, page[:1000]), gzipped(f, 1, page[1000:])...), int8(-9), uint64(4), false)
	f.Fuzz(func(t *testing.T, body []byte, level int8, seed uint64, exact bool) {
		if gzip.HuffmanOnly <= level && level <= gzip.BestCompression {
			body = gzipped(t, int(level), body) // the fuzzer's bytes are a page, not a stream
		}
		if expands(body) {
			return
		}
		content, inputErr := gunzipped(body)
		rng := rand.New(rand.NewPCG(seed, 1))
		pieces := []int{1, 50, 1000, 100_000}[seed%4]
		cfg := testConfig()
		cfg.Exact = exact
		i := New(cfg)
		for range 2 { // the second may meet a pinned origin
			rec, outcome, err := pass(t, i, navigate(), answer{
				header: htmlHeader("Content-Encoding", "gzip", "Content-Length", strconv.Itoa(len(body))), body: body,
				piece: func() int { return 1 + rng.IntN(pieces) }, flush: seed%5 == 0,
			})
			out := rec.Body.Bytes()
			if !outcome.Injected() {
				if !bytes.Equal(out, body) || err != nil {
					t.Fatalf("%v: body was changed, error %v", outcome, err)
				}
				continue
			}
			got, outputErr := gunzipped(out)
			if cl := rec.Header().Get("Content-Length"); cl != "" && cl != strconv.Itoa(len(out)) {
				t.Fatalf("Content-Length %s, body %d", cl, len(out))
			}
			if inputErr != nil {
				// Only encoding again may heal what decoders disagree on.
				if outputErr == nil && (outcome.Mode != ModeReencode || err != nil) {
					t.Fatalf("%v: %v became valid", outcome, inputErr)
				}
				continue
			}
			if outputErr != nil || err != nil {
				t.Fatalf("%v: output %v, error %v", outcome, outputErr, err)
			}
			s, _ := scanAll(content, false)
			want := string(content[:s.pos]) + testTag + string(content[s.pos:])
			if outcome.Mode == ModePrefix {
				want = string(s.doctype.in(content)) + string(s.html.in(content)) + string(s.head.in(content)) + testTag + string(content)
			}
			if string(got) != want {
				t.Fatalf("%v:\n got %.300q\nwant %.300q", outcome, got, want)
			}
		}
	})
}

// expands reports a stream that would keep a fuzzer busy for long.
func expands(b []byte) bool {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return false
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(z, 1<<20))
	return n == 1<<20
}

func TestPrefixIsExactlyAsLongAsPromised(t *testing.T) {
	t.Parallel()
	content := []byte(strings.Repeat("x", 1000))
	if got := len(appendPrefix(nil, content)); got != gzipFixedHeader+storedHeader+len(content) {
		t.Errorf("%d bytes", got)
	}
}
