package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
)

var holder = store.Holder{PID: 4711, Host: "db1", Address: "127.0.0.1:8081", Since: storetest.Now}

func TestSecondServiceIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	first, err := store.Open(context.Background(), "sqlite:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, "sqlite:"+path)
	if err := first.Lock(holder); err != nil {
		t.Fatal(err)
	}
	err = second.Lock(store.Holder{PID: 4712})
	held, ok := errors.AsType[*store.LockedError](err)
	if !ok || held.Holder.PID != holder.PID {
		t.Fatalf("the second gets %v", err)
	}
	for _, want := range []string{"4711", "db1", "127.0.0.1:8081", "2027-01-15T08:00:00Z", path, "--database postgres://"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s: %v", want, err)
		}
	}
	// Whoever was refused takes the lock once it is free.
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(holder); err != nil {
		t.Error(err)
	}
}

// Two names of one file lead to one lock.
func TestLockThroughASymlink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, "sqlite:"+filepath.Join(dir, "test.db"))
	if err := first.Lock(holder); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file.db": filepath.Join(dir, "test.db"), "folder": dir} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "file.db"), filepath.Join(dir, "folder", "test.db")} {
		s := open(t, "sqlite:"+path)
		if _, ok := errors.AsType[*store.LockedError](s.Lock(holder)); !ok {
			t.Errorf("%s is not locked", path)
		}
	}
}

// A lock file that its holder did not fill, or that somebody else wrote, is no way in.
func TestLockWithoutAHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	first, second := open(t, "sqlite:"+path), open(t, "sqlite:"+path)
	if err := first.Lock(holder); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(path+"-lock", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := second.Lock(holder)
		if _, ok := errors.AsType[*store.LockedError](err); !ok || !strings.Contains(err.Error(), "another session service;") {
			t.Errorf("%v", err)
		}
	}
}

// Commands open the database of a running service.
func TestCommandsBesideAService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service := open(t, "sqlite:"+filepath.Join(dir, "test.db"))
	if err := service.Lock(holder); err != nil {
		t.Fatal(err)
	}
	command := open(t, "sqlite:"+filepath.Join(dir, "test.db"))
	ctx := context.Background()
	err := command.Write(ctx, func(tx *store.Tx) error {
		return tx.InsertAPIKey(ctx, store.APIKey{ID: "k", Hash: "h", Role: "admin", CreatedAt: time.Now().Unix()})
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := service.APIKey(ctx, "k"); err != nil {
		t.Error(err)
	}
	if err := command.Backup(ctx, filepath.Join(dir, "copy.db")); err != nil {
		t.Error(err)
	}
}

// The lock holds also where its holder cannot be written: on a full disk, or for a
// reader. What an earlier holder left there blocks nobody.
func TestLockOfADeadHolder(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"killed":       `{"pid":1,"host":"db1","address":"127.0.0.1:8081","since":"2027-01-15T08:00:00Z"}`,
		"half written": `{"pid":1,"ho`,
		"empty":        "",
	} {
		path := filepath.Join(t.TempDir(), "test.db")
		s := open(t, "sqlite:"+path)
		if err := os.WriteFile(path+"-lock", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Lock(holder); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		second := open(t, "sqlite:"+path)
		if held, ok := errors.AsType[*store.LockedError](second.Lock(holder)); !ok || held.Holder.PID != holder.PID {
			t.Errorf("%s: the next one is told %v", name, held)
		}
	}
}

// A lock file that is removed or replaced under a service is locked anew: the next
// service is refused as before.
func TestRemovedLockIsTakenAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
		"renamed":  func(path string) error { return os.Rename(path, path+".old") },
		"as it is": func(string) error { return nil },
	} {
		path := filepath.Join(t.TempDir(), "test.db")
		first, second := open(t, "sqlite:"+path), open(t, "sqlite:"+path)
		if err := errors.Join(second.KeepLock(), first.Lock(holder), change(path+"-lock"), first.KeepLock()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if held, ok := errors.AsType[*store.LockedError](second.Lock(holder)); !ok || held.Holder.PID != holder.PID {
			t.Errorf("%s: the second one is not refused: %v", name, held)
		}
	}
	// Whoever is too late is told.
	path := filepath.Join(t.TempDir(), "test.db")
	first, second := open(t, "sqlite:"+path), open(t, "sqlite:"+path)
	if err := errors.Join(first.Lock(holder), os.Remove(path+"-lock"), second.Lock(store.Holder{PID: 4712})); err != nil {
		t.Fatal(err)
	}
	if held, ok := errors.AsType[*store.LockedError](first.KeepLock()); !ok || held.Holder.PID != 4712 {
		t.Errorf("the first one is told %v", held)
	}
	if err := errors.Join(second.Close(), first.KeepLock()); err != nil {
		t.Errorf("and gets it back: %v", err)
	}
}
