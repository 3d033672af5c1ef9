package inject

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"testing"
)

// What one response may take, whatever its page's size. The encoder of the
// fallback has tables and a window of its own; it is pooled.
const (
	memoryLimit   = 64 << 10
	fallbackLimit = 1 << 20
)

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
// with empty pools, and while an origin's first page is judged.
func TestMemoryIsBounded(t *testing.T) {
	const size = 64 << 20
	head, block, tail, blocks := longGzip(t, size)
	plain := make([]byte, 32<<10)
	i := New(testConfig())
	for _, row := range []struct {
		name   string
		gzip   bool
		judged bool
		mode   Mode
		limit  uint64
	}{
		{"identity", false, false, ModeIdentity, memoryLimit},
		{"gzip, judged", true, true, ModePrefix, memoryLimit},
		{"gzip", true, false, ModePrefix, memoryLimit},
		{"fallback", true, false, ModeReencode, fallbackLimit},
	} {
		if row.mode == ModeReencode {
			i.canary.settle("origin", pinned)
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
			if (w.judge != nil) != row.judged {
				t.Errorf("%s: judged %v", row.name, w.judge != nil)
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
		if got := after.TotalAlloc - before.TotalAlloc; got > row.limit {
			t.Errorf("%s: %d bytes allocated, limit %d", row.name, got, row.limit)
		} else {
			t.Logf("%s: %d bytes allocated for %d sent", row.name, got, c.size)
		}
		if err != nil || w.Outcome().Mode != row.mode {
			t.Errorf("%s: %v, %v", row.name, err, w.Outcome())
		}
		if row.judged && i.canary.claim("origin") != sound {
			t.Errorf("%s: the generated page is not sound", row.name)
		}
	}
}
