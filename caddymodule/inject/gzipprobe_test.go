package inject

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
)

func TestReencode(t *testing.T) {
	t.Parallel()
	page := testPage(200_000)
	mark := append([]byte("\xef\xbb\xbf"), page...)
	cfg := testConfig()
	cfg.Exact = true
	whole := gzipped(t, 6, page)
	fast := gzipped(t, 1, page)
	cut := len(testHead)
	want := testHead + testTag + string(page[cut:])
	for _, row := range []struct {
		name   string
		cfg    Config
		packed []byte
		want   string
	}{
		{"exact", cfg, whole, want},
		{"mark", testConfig(), gzipped(t, 6, mark), "\xef\xbb\xbf" + want},
		{"members", cfg, append(gzipped(t, 6, page[:5000]), gzipped(t, 0, page[5000:])...), want},
		{"garbage after it", cfg, append(bytes.Clone(whole), "\x00\x00garbage"...), want},
		{"wrong trailer", cfg, append(bytes.Clone(whole[:len(whole)-8]), "whatever"...), want},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []func() int{nil, func() int { return 1 }, func() int { return 777 }} {
				for _, flush := range []bool{false, true} {
					rec, outcome, err := pass(t, New(row.cfg), navigate(), answer{
						header: htmlHeader("Content-Encoding", "gzip", "Content-Length", strconv.Itoa(len(row.packed))),
						body:   row.packed, piece: piece, flush: flush && piece == nil,
					})
					if err != nil || outcome.Mode != ModeReencode {
						t.Fatalf("outcome %v, error %v", outcome, err)
					}
					if rec.Header().Get("Content-Length") != "" {
						t.Error("Content-Length stayed")
					}
					if n, most := rec.Body.Len(), len(fast)*115/100; piece == nil && n > most {
						t.Errorf("encoded again it takes %d bytes, more than %d", n, most)
					}
					if got, err := gunzipped(rec.Body.Bytes()); err != nil || string(got) != row.want {
						t.Errorf("error %v, got %.150q", err, got)
					}
				}
			}
		})
	}
	corrupt := bytes.Clone(whole)
	for i := 3000; i < 3400; i++ {
		corrupt[i] = 0xff
	}
	if _, _, err := pass(t, New(cfg), navigate(), answer{header: htmlHeader("Content-Encoding", "gzip"), body: corrupt}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("corrupt: %v", err)
	}
	if _, _, err := pass(t, New(cfg), navigate(), answer{header: htmlHeader("Content-Encoding", "gzip"), body: whole[:9000]}); !errors.Is(err, ErrTruncated) {
		t.Errorf("truncated: %v", err)
	}
}

func TestGzipProbe(t *testing.T) {
	t.Parallel()
	page := testPage(100_000)
	whole := gzipped(t, 6, page)
	half := len(page) / 2
	wrong := bytes.Clone(whole)
	wrong[len(wrong)-1] ^= 1
	for _, row := range []struct {
		name   string
		first  []byte
		abort  bool
		second Mode
	}{
		{"sound", whole, false, ModePrefix},
		{"wrong size", wrong, false, ModeReencode},
		{"two members", append(gzipped(t, 6, page[:half]), gzipped(t, 6, page[half:])...), false, ModeReencode},
		{"bytes after it", append(bytes.Clone(whole), 0), false, ModeReencode},
		{"cut short", whole[:len(whole)/2], false, ModeReencode},
		{"aborted", whole[:len(whole)/2], true, ModePrefix},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			i := New(testConfig())
			header := htmlHeader("Content-Encoding", "gzip")
			_, outcome, err := pass(t, i, navigate(), answer{header: header, body: row.first, abort: row.abort, piece: func() int { return 4000 }})
			if outcome.Mode != ModePrefix || err != nil {
				t.Fatalf("first: %v, %v", outcome, err)
			}
			rec, outcome, err := pass(t, i, navigate(), answer{header: header, body: whole})
			if outcome.Mode != row.second || err != nil {
				t.Fatalf("second: %v, %v", outcome, err)
			}
			if got, err := gunzipped(rec.Body.Bytes()); err != nil || !bytes.HasSuffix(got, page[len(testHead):]) {
				t.Errorf("second: %v", err)
			}
		})
	}
}

func TestGzipProbeIsBounded(t *testing.T) {
	t.Parallel()
	var c gzipVerdicts
	for n := range 3 * maxOrigins {
		origin := strconv.Itoa(n)
		if v := c.claim(origin); v != unknown {
			t.Fatalf("origin %d is known: %d", n, v)
		}
		c.settle(origin, sound)
	}
	if len(c.verdicts) > maxOrigins {
		t.Errorf("%d verdicts", len(c.verdicts))
	}
}
