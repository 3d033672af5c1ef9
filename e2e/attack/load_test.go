package attack

import (
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// residentMiB is the memory of the edge, which no test has to be paid for twice: it is
// compared with what it was before.
func residentMiB(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", kit.edge.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("the edge has no memory")
	return 0
}

// openFiles is how many files and connections the edge has open.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", kit.edge.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// served expects the edge to serve a user meanwhile.
func served(t *testing.T, during string) {
	t.Helper()
	answer := send(t, "GET /paid/"+mark(true, "meanwhile")+" HTTP/1.1\r\nHost: "+kit.origin("node").Whole()+"\r\nConnection: close\r\n"+cookie(true)+"\r\n")
	if status(answer) != "200" {
		t.Errorf("during %s, a user gets %.300q", during, answer)
	}
}

// connections is how many connections a test opens: 100,000, or what the limit on open
// files allows.
func connections(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(limit.Max-min(limit.Max, 1_000), 100_000))
}

// dialFrom connects from one of many addresses of this machine, since each has a limited
// number of ports.
func dialFrom(n int, to string) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n/20_000))}
	return (&net.Dialer{LocalAddr: from, Timeout: harness.Patience}).Dial("tcp", to)
}

// TestSilentConnections opens connections that say nothing, half of them for TLS. Each
// takes little memory, users are served meanwhile, and the edge closes them.
func TestSilentConnections(t *testing.T) {
	const most = 32 // KiB for a connection
	n := connections(t)
	before, files := residentMiB(t), openFiles(t)
	var all []net.Conn
	defer func() {
		for _, c := range all {
			_ = c.Close()
		}
	}()
	peak, open := 0, 0
	for i := range n {
		c, err := dialFrom(i, []string{kit.HTTP, kit.HTTPS}[i%2])
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		all = append(all, c)
		if i%5_000 == 4_999 {
			peak, open = max(peak, residentMiB(t)), max(open, openFiles(t)-files)
		}
	}
	served(t, "silent connections")
	peak, open = max(peak, residentMiB(t)), max(open, openFiles(t)-files)
	if limit := before + 64 + n*most>>10; peak > limit {
		t.Errorf("%d connections took the edge from %d to %d MiB, limit %d", n, before, peak, limit)
	}
	t.Logf("%d connections, of which up to %d were open at once: from %d to %d MiB", n, open, before, peak)
	if err := harness.Await("the edge keeps silent connections", func() error {
		if now := openFiles(t) - files; now > 50 {
			return fmt.Errorf("%d are open", now)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestSlowHeads sends heads that never end, one byte after another. The edge ends each
// after read_header.
func TestSlowHeads(t *testing.T) {
	host := kit.origin("node").Whole()
	before := residentMiB(t)
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			c, err := net.Dial("tcp", kit.HTTP)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if i%2 == 0 {
				_, _ = io.WriteString(c, "GET /paid/nosession-slow HTTP/1.1\r\nHost: "+host+"\r\nX: ")
			}
			gone := make(chan struct{})
			go func() { _, _ = io.Copy(io.Discard, c); close(gone) }()
			drip := time.NewTicker(300 * time.Millisecond)
			defer drip.Stop()
			for end := time.After(harness.Patience); ; {
				select {
				case <-gone:
					return
				case <-end:
					t.Error("the edge keeps a head that does not end")
					return
				case <-drip.C:
					_, _ = io.WriteString(c, "G")
				}
			}
		})
	}
	served(t, "slow heads")
	all.Wait()
	if now := residentMiB(t); now > before+64 {
		t.Errorf("slow heads took the edge from %d to %d MiB", before, now)
	}
}

// TestHeaderFloods sends heads without end, as fast as they go, by each protocol.
func TestHeaderFloods(t *testing.T) {
	host := kit.origin("node").Whole()
	before := residentMiB(t)
	peak := before
	one := "GET /paid/nosession-flood HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, head := range []string{
		one + strings.Repeat("x: y\r\n", 200_000), one + "x: " + strings.Repeat("y", 4<<20), one + strings.Repeat("y", 4<<20) + ": x",
		"GET /" + strings.Repeat("y", 4<<20), strings.Repeat("G", 4<<20), one + "Cookie: " + strings.Repeat("session_gate=eyJhbGciOiJFUzI1NiJ9.e30.x; ", 50_000),
		one + "Referer: " + strings.Repeat("%25", 1<<20), strings.Repeat("\r\n", 1<<20),
	} {
		atOnce(make([]struct{}, 16), func(struct{}) { _, _ = harness.Blind(kit.HTTP, head) })
		peak = max(peak, residentMiB(t))
	}
	// What fits into the limit is refused or answered, and takes no time to speak of: the
	// test ends.
	for _, value := range []string{strings.Repeat("%25", 5_000), strings.Repeat("%", 15_000), strings.Repeat("eyJ.", 3_700), strings.Repeat("eyJhbGciOiJFUzI1NiJ9.", 700), "https://a/?" + strings.Repeat("session=eyJ&", 1_200)} {
		for _, name := range []string{"Referer", "X-Anything", "Cookie", "Connection", "Upgrade", "Trailer"} {
			answer := send(t, one+"Connection: close\r\n"+name+": "+value+"\r\n\r\n")
			if got := status(answer); got != "401" && got != "431" && got != "400" {
				t.Errorf("%s of %.20s…: %.200q", name, value, answer)
			}
		}
	}
	many := get(host, "/paid/nosession-flood", false)
	for i := range 20_000 {
		many = append(many, Field{fmt.Sprint("x-", i), "y"})
	}
	bomb := get(host, "/paid/nosession-flood", false) // refers to one long entry again and again
	for range 30_000 {
		bomb = append(bomb, Field{"x", strings.Repeat("y", 1_000)})
	}
	for _, fields := range [][]Field{many, bomb} {
		for _, to := range []func(string, *Stream) error{kit.HTTP2, kit.HTTP3} {
			atOnce(make([]struct{}, 4), func(struct{}) {
				s := &Stream{Fields: fields}
				if err := to(host, s); err != nil || s.Status == "200" {
					t.Errorf("a flood of fields: %q, %v", s.Status, err)
				}
			})
			peak = max(peak, residentMiB(t))
		}
	}
	served(t, "floods of headers")
	t.Logf("from %d to %d MiB", before, peak)
	if limit := before + 128; peak > limit {
		t.Errorf("floods of headers took the edge from %d to %d MiB, limit %d", before, peak, limit)
	}
	wrong, _, err := kit.Check()
	if err != nil || len(wrong) > 0 {
		t.Error(wrong, err)
	}
}

// TestGzipBomb has an app answer with a page of 128 MB in an eighth of a MB. The site
// decodes and encodes pages (inject exact), and keeps none of it.
func TestGzipBomb(t *testing.T) {
	file, err := os.Create(filepath.Join(kit.Dir, "bomb.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(file)
	if _, err := io.WriteString(z, "<!doctype html><html><head><title>t</title></head><body>"); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 128 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	before := residentMiB(t)
	peak, done := before, make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-done:
				return
			case <-tick.C:
				peak = max(peak, residentMiB(t))
			}
		}
	})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			c, err := net.Dial("tcp", kit.HTTP)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "GET /paid/bomb HTTP/1.1\r\nHost: "+kit.origin("node").Whole()+"\r\nAccept: text/html\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nAccept-Encoding: gzip\r\nConnection: close\r\n"+cookie(true)+"\r\n")
			n, err := io.Copy(io.Discard, c)
			if err != nil || n < 100<<10 {
				t.Errorf("the page has %d bytes: %v", n, err)
			}
		})
	}
	all.Wait()
	close(done)
	watch.Wait()
	t.Logf("from %d to %d MiB", before, peak)
	if limit := before + 96; peak > limit {
		t.Errorf("four pages took the edge from %d to %d MiB, limit %d", before, peak, limit)
	}
}

// TestBrokenHandshakes begins TLS in ways that do not end well.
func TestBrokenHandshakes(t *testing.T) {
	files := openFiles(t)
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	atOnce([]string{hello, hello + strings.Repeat("\x00", 600), "\x16\x03\x01\xff\xff" + strings.Repeat("\x01", 1<<16), "\x15\x03\x01\x00\x02\x02\x28", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x80\x2e\x01\x00\x02"}, func(sent string) {
		if _, err := harness.Blind(kit.HTTPS, sent); err != nil {
			t.Error(err)
		}
	})
	for _, config := range []*tls.Config{
		{ServerName: "unknown.example"}, {ServerName: kit.Origins[0].Whole(), MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, {ServerName: kit.Origins[0].Whole(), NextProtos: []string{"forged"}},
	} {
		config.InsecureSkipVerify = true
		if c, err := tls.Dial("tcp", kit.HTTPS, config); err == nil {
			_ = c.Close()
			t.Errorf("the edge accepts %q of version %#x with %q", config.ServerName, config.MaxVersion, config.NextProtos)
		}
	}
	served(t, "broken handshakes")
	if err := harness.Await("the edge keeps connections", func() error {
		if now := openFiles(t) - files; now > 50 {
			return fmt.Errorf("%d are open", now)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
