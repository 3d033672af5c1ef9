package inject

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"math"
	"net/http"
	"runtime"
	"testing"
)

// What one response may take, whatever its page's size.
const memoryLimit = 64 << 10

// counter is a client that keeps a checksum instead of the page.
type counter struct {
	header http.Header
	size   int64
	crc    uint32
}

func (c *counter) Header() http.Header { return c.header }
func (c *counter) WriteHeader(int)     {}
func (c *counter) Write(b []byte) (int, error) {
	c.size += int64(len(b))
	c.crc = crc32.Update(c.crc, crc32.IEEETable, b)
	return len(b), nil
}

// longGzip is a gzip page of n bytes made of flushed blocks that repeat.
func longGzip(t testing.TB, n int64) (head, block, tail []byte, blocks int) {
	t.Helper()
	chunk := compressible(newRand(11), 32<<10)
	var b bytes.Buffer
	z, err := flate.NewWriterDict(&b, 6, nil)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(chunk)
	z.Flush()
	block = bytes.Clone(b.Bytes())
	blocks = int(n) / len(chunk)
	open := []byte(testHead)
	head = append(head, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)
	head = append(head, 0, byte(len(open)), 0, ^byte(len(open)), 255)
	head = append(head, open...)
	crc, size := crc32.ChecksumIEEE(open), uint32(len(open))
	for range blocks {
		crc = crc32.Update(crc, crc32.IEEETable, chunk)
		size += uint32(len(chunk))
	}
	tail = []byte{1, 0, 0, 255, 255}
	tail = append(tail, byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24))
	tail = append(tail, byte(size), byte(size>>8), byte(size>>16), byte(size>>24))
	return head, block, tail, blocks
}

// All that a response ever allocates stays below the limit, on a page of 64 MB,
// with empty pools, and while an origin's first page is judged. The runtime may
// allocate for itself meanwhile, a thread for instance: the least of three counts.
func TestMemoryIsBounded(t *testing.T) {
	const size = 64 << 20
	head, block, tail, blocks := longGzip(t, size)
	plain := make([]byte, 32<<10)
	for _, row := range []struct {
		name   string
		gzip   bool
		judged bool
		mode   Mode
	}{
		{"identity", false, false, ModeIdentity},
		{"gzip, judged", true, true, ModePrefix},
		{"gzip", true, false, ModePrefix},
	} {
		least := uint64(math.MaxUint64)
		for range 3 {
			i := New(testConfig())
			if !row.judged {
				i.verdicts.settle("origin", sound)
			}
			c := &counter{header: http.Header{"Content-Type": {"text/html"}}}
			if row.gzip {
				c.header.Set("Content-Encoding", "gzip")
			}
			r := navigate()
			runtime.GC()
			runtime.GC() // empties the pools
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := i.Wrap(c, r, "origin")
			if row.gzip {
				w.Write(head)
				if (w.probe != nil) != row.judged {
					t.Errorf("%s: judged %v", row.name, w.probe != nil)
				}
				for range blocks {
					w.Write(block)
				}
				w.Write(tail)
			} else {
				io.WriteString(w, testHead)
				for range size / len(plain) {
					w.Write(plain)
				}
			}
			err := w.Close()
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
			if err != nil || w.Outcome().Mode != row.mode {
				t.Errorf("%s: %v, %v", row.name, err, w.Outcome())
			}
			if row.judged && i.verdicts.claim("origin") != sound {
				t.Errorf("%s: the generated page is not sound", row.name)
			}
		}
		if least > memoryLimit {
			t.Errorf("%s: %d bytes allocated, limit %d", row.name, least, memoryLimit)
		}
		t.Logf("%s: %d bytes allocated for %d of content", row.name, least, size)
	}
}

// Pages that are encoded again hold no more than others while they wait for
// their origins or their clients, however many there are. What encodes a block
// is shared, and garbage is the collector's.
func TestFallbackMemoryIsBounded(t *testing.T) {
	head, block, tail, _ := longGzip(t, 1<<20)
	config := testConfig()
	config.Exact = true
	i := New(config)
	const responses = 100
	writers, counters := make([]*Writer, responses), make([]*counter, responses)
	held := func() uint64 {
		runtime.GC()
		runtime.GC() // empties the pools
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	for n := range responses {
		counters[n] = &counter{header: http.Header{"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}}}
		writers[n] = i.Wrap(counters[n], navigate(), "origin")
		writers[n].Write(head)
		for range 20 {
			writers[n].Write(block)
		}
	}
	each := (held() - before) / responses
	if each > memoryLimit {
		t.Errorf("each of %d responses holds %d bytes, limit %d", responses, each, memoryLimit)
	}
	t.Logf("each of %d responses holds %d bytes", responses, each)
	for n, w := range writers {
		if w.Outcome().Mode != ModeReencode || counters[n].size == 0 {
			t.Fatalf("%v, %d bytes", w.Outcome(), counters[n].size)
		}
		w.Write(tail)
		w.Abort()
	}
}
