package edgestorage

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
	"github.com/sessiongate/sessiongate/internal/redisurl"
	"github.com/sessiongate/sessiongate/internal/seal"
)

const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func open(t *testing.T, address, encryptionKey string) *files {
	t.Helper()
	client, err := redisurl.Connect(address, redisurl.Patience{Timeout: 3 * time.Second, Retries: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	b, err := seal.New(encryptionKey)
	if err != nil {
		t.Fatal(err)
	}
	return newFiles(client, "test", b, zap.NewNop(), time.Now)
}

// eachRedis runs a test over one server, a cluster and what sentinels name.
func eachRedis(t *testing.T, f func(t *testing.T, address string)) {
	for name, start := range map[string]func(testing.TB) string{
		"one":     func(t testing.TB) string { return coordtest.Start(t).URL() },
		"cluster": coordtest.Cluster, "sentinel": coordtest.Sentinel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, start(t))
		})
	}
}

// Random work answers as certmagic's own storage of files does.
func TestFilesAreAsOnDisk(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, address string) {
		ctx, r := context.Background(), rand.New(rand.NewPCG(7, 8))
		disk, a, b := &certmagic.FileStorage{Path: t.TempDir()}, open(t, address, key), open(t, address, key)
		names := []string{"certificates/acme/a.example/a.example.crt", "certificates/acme/a.example/a.example.key", "certificates/acme/b.example/b.example.crt",
			"certificates/local/a.example/a.example.crt", "ocsp/a", "ocsp0/b", "acme/users/x y/z.json"}
		folders := []string{"certificates", "certificates/acme", "certificates/acme/a.example", "ocsp", "ocsp0", "acme", "nothing", "cert"}
		for step := range 600 {
			s := []*files{a, b}[r.IntN(2)] // what one edge does, the other sees
			name := names[r.IntN(len(names))]
			switch r.IntN(6) {
			case 0, 1:
				value := []byte(fmt.Sprint("value ", step, strings.Repeat("x", r.IntN(9000))))
				if err := errors.Join(disk.Store(ctx, name, value), s.Store(ctx, name, value)); err != nil {
					t.Fatal(err)
				}
			case 2:
				if r.IntN(4) == 0 {
					name = folders[r.IntN(len(folders))]
				}
				if err := errors.Join(disk.Delete(ctx, name), s.Delete(ctx, name)); err != nil {
					t.Fatal(err)
				}
				prune(t, disk)
			case 3:
				want, wantErr := disk.Load(ctx, name)
				got, err := s.Load(ctx, name)
				if !bytes.Equal(got, want) || errors.Is(err, fs.ErrNotExist) != errors.Is(wantErr, fs.ErrNotExist) || (err == nil) != (wantErr == nil) {
					t.Fatalf("step %d: loading %s: %d bytes, %v, want %d, %v", step, name, len(got), err, len(want), wantErr)
				}
			case 4:
				at := append(slices.Clone(names), folders...)[r.IntN(len(names)+len(folders))]
				want, wantErr := disk.Stat(ctx, at)
				got, err := s.Stat(ctx, at)
				if (err == nil) != (wantErr == nil) || got.IsTerminal != want.IsTerminal || got.IsTerminal && got.Size != want.Size || s.Exists(ctx, at) != disk.Exists(ctx, at) {
					t.Fatalf("step %d: %s is %+v, %v, want %+v, %v", step, at, got, err, want, wantErr)
				}
			default:
				folder := folders[r.IntN(len(folders))]
				for _, deep := range []bool{false, true} {
					want, wantErr := disk.List(ctx, folder, deep)
					if deep { // disks list folders too
						want = slices.DeleteFunc(want, func(n string) bool { i, err := disk.Stat(ctx, n); return err == nil && !i.IsTerminal })
					}
					got, err := s.List(ctx, folder, deep)
					slices.Sort(want)
					if !slices.Equal(got, want) && len(got)+len(want) > 0 || wantErr != nil && err == nil {
						t.Fatalf("step %d: %s holds %q, %v, want %q, %v", step, folder, got, err, want, wantErr)
					}
				}
			}
		}
	})
}

// prune removes the folders that a disk keeps when they are empty.
func prune(t *testing.T, disk *certmagic.FileStorage) {
	t.Helper()
	ctx := context.Background()
	for again := true; again; {
		again = false
		list, err := disk.List(ctx, "", true)
		if err != nil {
			return // nothing at all
		}
		for _, name := range list {
			info, err := disk.Stat(ctx, name)
			if err != nil || info.IsTerminal {
				continue
			}
			if below, err := disk.List(ctx, name, false); err == nil && len(below) == 0 {
				if err := disk.Delete(ctx, name); err != nil {
					t.Fatal(err)
				}
				again = true
			}
		}
	}
}

// One holds a lock, the others wait; one that died leaves it after a while; one
// that was canceled while it waited has nothing.
func TestLocks(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, address string) {
		ctx := context.Background()
		a, b := open(t, address, ""), open(t, address, "")
		var inside, rounds atomic.Int64 // no lock of this process orders them
		done := make(chan error)
		for _, s := range []*files{a, b, a, b} {
			go func() {
				for range 5 {
					if err := s.Lock(ctx, "issue a.example"); err != nil {
						done <- err
						return
					}
					if inside.Add(1) != 1 {
						done <- errors.New("two are inside")
						return
					}
					rounds.Add(1)
					inside.Add(-1)
					if err := s.Unlock(ctx, "issue a.example"); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if n := rounds.Load(); n != 20 {
			t.Errorf("%d rounds", n)
		}
		if err := a.Lock(ctx, "x"); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		if err := b.Lock(short, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a taken lock: %v", err)
		}
		a.held["x"].stop() // a dies: nobody renews it
		if err := a.client.PExpire(ctx, a.prefix+":lock:x", 50*time.Millisecond).Err(); err != nil {
			t.Fatal(err)
		}
		if err := b.Lock(ctx, "x"); err != nil {
			t.Errorf("after its holder died: %v", err)
		}
		if err := a.Unlock(ctx, "x"); err != nil { // another's now: not ours to take
			t.Error(err)
		}
		if n, err := b.client.Exists(ctx, b.prefix+":lock:x").Result(); err != nil || n != 1 {
			t.Errorf("another's lock was given back: %d, %v", n, err)
		}
		if err := errors.Join(b.Unlock(ctx, "x"), nil); err != nil {
			t.Error(err)
		}
		if err := b.Unlock(ctx, "x"); err == nil {
			t.Error("unlocked twice")
		}
	})
}

// Redis never sees what is sealed; a value opens under its own name only, and
// with the right key only. A key may be introduced later.
func TestSealed(t *testing.T) {
	t.Parallel()
	ctx, server := context.Background(), coordtest.Start(t)
	plain, sealed := open(t, server.URL(), ""), open(t, server.URL(), key)
	other := open(t, server.URL(), strings.Replace(key, "A", "B", 1))
	const secret = "-----BEGIN PRIVATE KEY-----"
	if err := errors.Join(plain.Store(ctx, "old", []byte("from before")), sealed.Store(ctx, "new", []byte(secret))); err != nil {
		t.Fatal(err)
	}
	raw, err := plain.client.HGet(ctx, plain.at("new"), "v").Result()
	if err != nil || strings.Contains(raw, "PRIVATE") {
		t.Errorf("Redis holds %q, %v", raw, err)
	}
	if got, err := sealed.Load(ctx, "old"); err != nil || string(got) != "from before" {
		t.Errorf("from before there was a key: %q, %v", got, err)
	}
	if got, err := sealed.Load(ctx, "new"); err != nil || string(got) != secret {
		t.Errorf("got %q, %v", got, err)
	}
	for name, s := range map[string]*files{"encryption_key that the other edges have": plain, "another encryption_key": other} {
		if _, err := s.Load(ctx, "new"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not say %q", err, name)
		}
	}
	if err := plain.client.HSet(ctx, plain.at("moved"), "v", raw).Err(); err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []string{raw, "", "\x01short", "\x02what"} {
		if err := plain.client.HSet(ctx, plain.at("moved"), "v", damaged).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := sealed.Load(ctx, "moved"); err == nil {
			t.Errorf("%q opens under another name", damaged)
		}
	}
}

func TestMistakesInTheCaddyfile(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		"session_gate x": "", "session_gate {\n rdis x\n}": `no option "rdis"`, "session_gate {\n redis a b\n}": "",
	} {
		err := new(Storage).UnmarshalCaddyfile(caddyfile.NewTestDispenser(config))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", config, err)
		}
	}
	for _, bad := range []string{"hunter2", "AAAA"} {
		if _, err := seal.New(bad); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("encryption_key %q: %v", bad, err)
		}
	}
	if err := (&Storage{Prefix: "a{b}"}).Validate(); err == nil {
		t.Error("a prefix with braces is taken")
	}
}

// TestStoredValueStillOpens opens what an earlier version wrote to Redis.
func TestStoredValueStillOpens(t *testing.T) {
	t.Parallel()
	c, err := seal.New("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	framed, err := hex.DecodeString("01665b92a32fee9061f06481fcad2c0d5baf594f779d88d7282bd364d40364d40834e3")
	if err != nil {
		t.Fatal(err)
	}
	if value, err := unframe(c, "certificates/a.crt", framed); err != nil || string(value) != "vector" {
		t.Errorf("%q, %v", value, err)
	}
	if value, err := unframe(c, "certificates/b.crt", framed); err == nil {
		t.Errorf("under another name it opens as %q", value)
	}
	for _, short := range [][]byte{nil, {1}, framed[:10]} {
		if value, err := unframe(c, "certificates/a.crt", short); err == nil {
			t.Errorf("%x opens as %q", short, value)
		}
	}
	if value, err := unframe(c, "x", []byte("\x00plain")); err != nil || string(value) != "plain" {
		t.Errorf("%q, %v", value, err)
	}
}
