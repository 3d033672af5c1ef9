package edgestorage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bsm/redislock"
	"github.com/caddyserver/certmagic"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/seal"
)

// files is a [certmagic.Storage] in Redis. It is safe for concurrent use, also by
// several processes.
type files struct {
	client redis.UniversalClient
	prefix string
	cipher seal.Cipher
	log    *zap.Logger
	now    func() time.Time

	mu   sync.Mutex // guards held
	held map[string]*lease
}

func newFiles(client redis.UniversalClient, prefix string, cipher seal.Cipher, log *zap.Logger, now func() time.Time) *files {
	return &files{client: client, prefix: "{" + prefix + "}", cipher: cipher, log: log, now: now, held: make(map[string]*lease)}
}

func (f *files) at(key string) string { return f.prefix + ":f:" + key }
func (f *files) names() string        { return f.prefix + ":names" }

// clean returns key in the form in which it is stored: a clean path without a slash
// at either end.
func clean(key string) string { return strings.Trim(path.Clean("/"+key), "/") }

// Store implements [certmagic.Storage].
func (f *files) Store(ctx context.Context, key string, value []byte) error {
	key = clean(key)
	framed := frame(f.cipher, key, value)
	_, err := f.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, f.at(key), "v", framed, "m", f.now().UnixMilli(), "n", len(value))
		p.ZAdd(ctx, f.names(), redis.Z{Member: key})
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}

// Load implements [certmagic.Storage].
func (f *files) Load(ctx context.Context, key string) ([]byte, error) {
	key = clean(key)
	framed, err := f.client.HGet(ctx, f.at(key), "v").Bytes()
	if err == redis.Nil { //nolint:errorlint // go-redis documents the comparison
		return nil, fmt.Errorf("loading %s: %w", key, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", key, err)
	}
	value, err := unframe(f.cipher, key, framed)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", key, err)
	}
	return value, nil
}

// Delete implements [certmagic.Storage]. It deletes a file, or all files in a
// folder.
func (f *files) Delete(ctx context.Context, key string) error {
	key = clean(key)
	below, err := f.below(ctx, key)
	if err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	_, err = f.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, name := range append(below, key) {
			p.Del(ctx, f.at(name))
			p.ZRem(ctx, f.names(), name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	return nil
}

// Exists implements [certmagic.Storage].
func (f *files) Exists(ctx context.Context, key string) bool {
	_, err := f.Stat(ctx, key)
	return err == nil
}

// List implements [certmagic.Storage].
func (f *files) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	folder = clean(folder)
	below, err := f.below(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", folder, err)
	}
	if len(below) == 0 {
		return nil, fmt.Errorf("listing %s: %w", folder, fs.ErrNotExist)
	}
	if recursive {
		return below, nil
	}
	var list []string
	for _, name := range below {
		rest := strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
		first, _, _ := strings.Cut(rest, "/")
		list = append(list, path.Join(folder, first))
	}
	return slices.Compact(list), nil // sorted, so equal entries are adjacent
}

// Stat implements [certmagic.Storage].
func (f *files) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	key = clean(key)
	var kept struct {
		Modified int64 `redis:"m"`
		Size     int64 `redis:"n"`
	}
	cmd := f.client.HMGet(ctx, f.at(key), "m", "n")
	if err := cmd.Scan(&kept); err != nil {
		return certmagic.KeyInfo{}, fmt.Errorf("looking at %s: %w", key, err)
	}
	if kept.Modified != 0 {
		return certmagic.KeyInfo{Key: key, Modified: time.UnixMilli(kept.Modified), Size: kept.Size, IsTerminal: true}, nil
	}
	below, err := f.below(ctx, key)
	if err == nil && len(below) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return certmagic.KeyInfo{}, fmt.Errorf("looking at %s: %w", key, err)
	}
	return certmagic.KeyInfo{Key: key}, nil
}

// below returns the names of all files in a folder and its subfolders, sorted.
func (f *files) below(ctx context.Context, folder string) ([]string, error) {
	if folder == "" {
		return f.client.ZRangeByLex(ctx, f.names(), &redis.ZRangeBy{Min: "-", Max: "+"}).Result()
	}
	// '0' is the byte that follows '/', so the range ends after the last "folder/…".
	return f.client.ZRangeByLex(ctx, f.names(), &redis.ZRangeBy{Min: "[" + folder + "/", Max: "(" + folder + "0"}).Result()
}

const (
	// How long a lock lasts after its edge has stopped, and how often a running
	// edge renews it.
	lockFor   = 20 * time.Second
	lockRenew = 5 * time.Second
	// How long to wait before trying again to obtain a lock that is held.
	lockRetry = 250 * time.Millisecond
)

// lease is a lock that this process holds and renews until it is unlocked.
type lease struct {
	lock *redislock.Lock
	stop context.CancelFunc
	done chan struct{}
}

// Lock implements [certmagic.Locker].
func (f *files) Lock(ctx context.Context, name string) error {
	locks := redislock.New(f.client)
	for {
		lock, err := locks.Obtain(ctx, f.prefix+":lock:"+clean(name), lockFor, nil)
		if err == nil {
			f.hold(name, lock)
			return nil
		}
		if err != redislock.ErrNotObtained { //nolint:errorlint // redislock documents the comparison
			return fmt.Errorf("locking %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("locking %s: %w", name, ctx.Err())
		case <-time.After(lockRetry):
		}
	}
}

func (f *files) hold(name string, lock *redislock.Lock) {
	ctx, stop := context.WithCancel(context.Background())
	l := &lease{lock: lock, stop: stop, done: make(chan struct{})}
	f.mu.Lock()
	f.held[name] = l
	f.mu.Unlock()
	go func() {
		defer close(l.done)
		f.renew(ctx, name, lock)
	}()
}

// renew extends a lock regularly until ctx ends. It logs failures and continues.
func (f *files) renew(ctx context.Context, name string, lock *redislock.Lock) {
	tick := time.NewTicker(lockRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := lock.Refresh(ctx, lockFor, nil); err != nil && ctx.Err() == nil {
			f.log.Warn("a lock in Redis could not be renewed", zap.String("lock", name), zap.Error(err))
		}
	}
}

// Unlock implements [certmagic.Locker].
func (f *files) Unlock(ctx context.Context, name string) error {
	f.mu.Lock()
	l := f.held[name]
	delete(f.held, name)
	f.mu.Unlock()
	if l == nil {
		return fmt.Errorf("unlocking %s: it is not locked here", name)
	}
	l.stop()
	<-l.done
	// The lock is released even if ctx was canceled.
	if err := l.lock.Release(context.WithoutCancel(ctx)); err != nil && err != redislock.ErrLockNotHeld { //nolint:errorlint // as above
		return fmt.Errorf("unlocking %s: %w", name, err)
	}
	return nil
}

// Interface guards
var _ certmagic.Storage = (*files)(nil)

// First byte of a stored value.
const (
	plainValue  = 0
	sealedValue = 1
)

// frame returns a value in the form in which Redis stores it: a byte that says
// whether the value is encrypted, then the value. If there is a key, the value is
// encrypted and bound to its name.
func frame(c seal.Cipher, name string, value []byte) []byte {
	if !c.Keyed() {
		return append([]byte{plainValue}, value...)
	}
	return append([]byte{sealedValue}, c.Seal(value, name)...)
}

// unframe returns the value in a frame.
func unframe(c seal.Cipher, name string, framed []byte) ([]byte, error) {
	switch {
	case len(framed) == 0:
		return nil, errors.New("the value is damaged")
	case framed[0] == plainValue: // stored before a key was set
		return framed[1:], nil
	case framed[0] != sealedValue:
		return nil, errors.New("the value is damaged")
	case !c.Keyed():
		return nil, errors.New("the value is sealed; set the encryption_key that the other edges have")
	}
	value, err := c.Open(framed[1:], name)
	if err != nil {
		return nil, errors.New("the value was sealed with another encryption_key, or is damaged")
	}
	return value, nil
}
