package inject

import (
	"fmt"
	"net/http"
	"testing"
)

// BenchmarkInject measures what injection adds to a response whose bytes are
// only counted: it should not grow with the page, save for encoding again.
func BenchmarkInject(b *testing.B) {
	for _, size := range []int{2 << 10, 32 << 10, 512 << 10} {
		page := testPage(size)
		packed := gzipped(b, 6, page)
		for _, row := range []struct {
			name   string
			gzip   bool
			cfg    Config
			header http.Header
		}{
			{"identity", false, testConfig(), nil},
			{"gzip", true, testConfig(), nil},
			{"gzip, policy", true, testConfig(), http.Header{"Content-Security-Policy": {"default-src 'none'; script-src 'nonce-aGk=' 'strict-dynamic'; connect-src https://api.example; style-src 'self'"}}},
			{"reencode", true, Config{Src: testSrc, ETagSuffix: testSuffix, Exact: true}, nil},
		} {
			b.Run(fmt.Sprintf("%s/%dKB", row.name, size>>10), func(b *testing.B) {
				i := New(row.cfg)
				i.verdicts.settle("origin", sound)
				header := http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Etag": {`"abc"`}, "Vary": {"Accept-Encoding"}}
				body := page
				if row.gzip {
					header["Content-Encoding"] = []string{"gzip"}
					body = packed
				}
				for k, v := range row.header {
					header[k] = v
				}
				r := navigate()
				accept := r.Header["Accept-Encoding"]
				length := []string{fmt.Sprint(len(body))}
				c := &discard{header: http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					clear(c.header)
					for k, v := range header {
						c.header[k] = v
					}
					c.header["Content-Length"] = length
					r.Header["Accept-Encoding"] = accept
					w := i.Wrap(c, r, "origin")
					for rest := body; len(rest) > 0; {
						n := min(len(rest), 32<<10)
						w.Write(rest[:n])
						rest = rest[n:]
					}
					if err := w.Close(); err != nil || !w.Outcome().Injected() {
						b.Fatal(w.Outcome(), err)
					}
				}
			})
		}
	}
}

// BenchmarkPassThrough measures what is added to requests that get no tag.
func BenchmarkPassThrough(b *testing.B) {
	i := New(testConfig())
	r := navigate()
	r.Header.Set("Sec-Fetch-Dest", "image")
	r.Header.Set("Sec-Fetch-Mode", "no-cors")
	r.Header.Del("Upgrade-Insecure-Requests")
	c := &discard{header: http.Header{"Content-Type": {"image/png"}}}
	body := make([]byte, 1000)
	b.ReportAllocs()
	for b.Loop() {
		w := i.Wrap(c, r, "origin")
		w.WriteHeader(200)
		w.Write(body)
		w.Close()
	}
}

func BenchmarkCRCCombine(b *testing.B) {
	var x uint32
	for b.Loop() {
		x = crcCombine(x, 0x12345678, 0x9abcdef)
	}
	_ = x
}

func BenchmarkInflate(b *testing.B) {
	packed := gzipped(b, 6, testPage(512<<10))
	b.SetBytes(512 << 10)
	for b.Loop() {
		g := newGunzip()
		if err := g.push(packed, func([]byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
		g.free()
	}
}

// discard is a client that reads and forgets.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
