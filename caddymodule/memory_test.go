//go:build !race

// The race detector drops what is pooled at random, so that nothing about
// memory holds under it.

package caddymodule

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"testing"
)

// memoryLimit is what a response may take beyond what it takes without the gate.
const memoryLimit = 64 << 10

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
			// The first also pays for the connection, and for the verdict on the origin's
			// gzip; of the others the least counts, since others allocate meanwhile.
			for round := range 4 {
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
				if one := after.TotalAlloc - before.TotalAlloc; round == 1 || (round > 1 && one < total) {
					total = one
				}
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
