package caddymodule

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"go.uber.org/zap"
)

const (
	pageHead = "<!doctype html><html><head><title>t</title></head><body>"
	clockTag = `<script src="/.session-gate/boot.js"></script>`
	// What a response may take beyond what it takes without the gate.
	memoryLimit = 64 << 10
)

// deliver serves next behind a gate, over a real connection, to the bearer of
// the cookie that the returned request holds. Without a gate, it is next alone.
func deliver(t *testing.T, next caddyhttp.HandlerFunc, gated, exact bool) (*http.Client, *http.Request) {
	t.Helper()
	handler := next
	if gated {
		g := &Gate{Provider: "p", ForwardIdentity: identityHeaders, edge: testEdge(t), maxStaleness: time.Minute, logger: zap.NewNop(),
			injector: inject.New(inject.Config{Src: "/.session-gate/boot.js", Exact: exact})}
		g.edge.stream.connected.Store(true)
		s := g.edge.live.put(state("a", 1, protocol.Active, time.Hour), 1)
		g.edge.live.vouch("token", s)
		handler = func(w http.ResponseWriter, r *http.Request) error { return g.ServeHTTP(w, r, next) }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
		ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, make(map[string]any))
		if err := handler(w, r.WithContext(ctx)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	r, err := http.NewRequest("GET", server.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Cookie": "session_gate=token", "Sec-Fetch-Dest": "document", "Accept-Encoding": "gzip"} {
		r.Header.Set(k, v)
	}
	client := server.Client()
	client.Timeout = 2 * time.Minute
	return client, r
}

// gzipBlocks is a gzip page made of a head and of a block that may be repeated.
func gzipBlocks(t *testing.T, chunk []byte) (head, block []byte) {
	t.Helper()
	head = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0, byte(len(pageHead)), 0, ^byte(len(pageHead)), 255}
	head = append(head, pageHead...)
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, 6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = z.Write(chunk); err == nil {
		err = z.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return head, b.Bytes()
}

// TestGigabytePage streams a page of 1 GB to a client, with the gate and
// without, and compares all that was ever allocated for it.
func TestGigabytePage(t *testing.T) {
	const size = 1 << 30
	chunk := bytes.Repeat([]byte("<p>0123456789abcdef</p>\n"), 1<<10)
	head, block := gzipBlocks(t, chunk)
	crc, length := crc32.ChecksumIEEE([]byte(pageHead)), uint32(len(pageHead))
	for sent := 0; sent < size; sent += len(chunk) {
		crc = crc32.Update(crc, crc32.IEEETable, chunk)
		length += uint32(len(chunk))
	}
	tail := binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 255, 255}, crc)
	tail = binary.LittleEndian.AppendUint32(tail, length)
	for _, packed := range []bool{false, true} {
		page := func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/html")
			first, rest := []byte(pageHead), chunk
			if packed {
				w.Header().Set("Content-Encoding", "gzip")
				first, rest = head, block
			}
			if _, err := w.Write(first); err != nil {
				return err
			}
			for sent := 0; sent < size; sent += len(chunk) {
				if _, err := w.Write(rest); err != nil {
					return err
				}
			}
			if packed {
				_, err := w.Write(tail)
				return err
			}
			return nil
		}
		allocated := func(gated bool) (total uint64, begins []byte) {
			client, r := deliver(t, page, gated, false)
			buf := make([]byte, 256<<10)
			for range 2 { // the first also pays for the connection, and for the verdict on the origin's gzip
				runtime.GC()
				runtime.GC() // empties the pools
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				resp, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.ReadFull(resp.Body, buf[:512])
				if err != nil {
					t.Fatal(err)
				}
				begins = bytes.Clone(buf[:n])
				for err == nil {
					_, err = resp.Body.Read(buf)
				}
				resp.Body.Close()
				runtime.ReadMemStats(&after)
				if err != io.EOF {
					t.Errorf("the page ended with %v", err)
				}
				total = after.TotalAlloc - before.TotalAlloc
			}
			return total, begins
		}
		plain, _ := allocated(false)
		gated, begins := allocated(true)
		t.Logf("gzip %v: %d bytes with the gate, %d without", packed, gated, plain)
		if !bytes.Contains(begins, []byte(clockTag)) {
			t.Errorf("gzip %v: the page has no clock: %q", packed, begins)
		}
		if gated > plain+memoryLimit {
			t.Errorf("gzip %v: the gate allocated %d bytes for a page, %d beyond plain delivery; limit %d", packed, gated, gated-plain, memoryLimit)
		}
	}
}

// TestFirstByteWaitsForNothing lets an origin send the beginning of a page and
// nothing more until the client has seen the clock in it.
func TestFirstByteWaitsForNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ packed, exact bool }{
		"identity": {}, "gzip": {packed: true}, "gzip, exact": {packed: true, exact: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan struct{})
			client, r := deliver(t, func(w http.ResponseWriter, r *http.Request) error {
				w.Header().Set("Content-Type", "text/html")
				var out io.Writer = w
				flush := func() error { return http.NewResponseController(w).Flush() }
				if tt.packed {
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(w)
					defer z.Close()
					out, flush = z, func() error {
						if err := z.Flush(); err != nil {
							return err
						}
						return http.NewResponseController(w).Flush()
					}
				}
				if _, err := io.WriteString(out, pageHead); err != nil {
					return err
				}
				if err := flush(); err != nil {
					return err
				}
				select {
				case <-seen:
				case <-r.Context().Done():
					return r.Context().Err()
				}
				_, err := io.WriteString(out, "the rest</body></html>")
				return err
			}, true, tt.exact)
			client.Timeout = 20 * time.Second
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var page io.Reader = resp.Body
			if tt.packed {
				if page, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			var got []byte
			buf := make([]byte, 4096)
			for !bytes.Contains(got, []byte(clockTag)) {
				n, err := page.Read(buf)
				if got = append(got, buf[:n]...); err != nil {
					t.Fatalf("after %q: %v", got, err)
				}
			}
			close(seen)
			rest, err := io.ReadAll(page)
			if got = append(got, rest...); err != nil || !bytes.HasSuffix(got, []byte("the rest</body></html>")) {
				t.Errorf("%q: %v", got, err)
			}
		})
	}
}
