package backend_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sessiongate/sessiongate/backend/store"
)

// A copy made while sessions are sold is whole, and a service started on it goes
// on from that moment.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.credit("user_1", 1_000_000)
	id, launch := w.sell()
	stop := make(chan struct{})
	var sellers sync.WaitGroup
	for range 4 {
		sellers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					w.call("POST", "/api/v1/sessions", w.market, order()).want(201)
				}
			}
		})
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	err := w.b.Store().Backup(ctx, copied)
	close(stop)
	sellers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.b.Store().Backup(ctx, copied); !errors.Is(err, os.ErrExist) {
		t.Errorf("a copy was overwritten: %v", err)
	}
	if stat, err := os.Stat(copied); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v, %v", stat.Mode(), err)
	}
	// Disaster: the database is gone. Its keys were kept beside the copy.
	old := w.b
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(w.database, "sqlite:")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(copied, path); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.audit()
	w.enter(launch)
	w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
	w.audit()
}

func TestBackupOfPostgres(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, postgres.Database(t))
	if err := w.b.Store().Backup(context.Background(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrNoBackup) {
		t.Errorf("got %v", err)
	}
}
