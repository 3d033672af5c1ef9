package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
)

var postgres *storetest.Postgres

func TestMain(m *testing.M) {
	var err error
	if postgres, err = storetest.StartPostgres(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func open(t *testing.T, address string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store {
		return open(t, "sqlite:"+filepath.Join(t.TempDir(), "a folder", "test.db"))
	})
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store { return open(t, postgres.Database(t)) })
}

// Two stores on one database are two processes, as far as it can tell.
func TestTwoProcessesShareADatabase(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "test.db"), "postgres": postgres.Database(t),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t, address), open(t, address)
			ctx := context.Background()
			err := a.Write(ctx, func(tx *store.Tx) error {
				return tx.InsertProvider(ctx, store.Provider{ID: "p", Name: "n"}, storetest.Now)
			})
			if err != nil {
				t.Fatal(err)
			}
			if p, err := b.Provider(ctx, "p"); err != nil || p.Name != "n" {
				t.Errorf("the other sees %+v, %v", p, err)
			}
			if err := b.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "mysql://x", "sqlite:", "sqlite::memory:", "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1", "postgres://u:hunter2@%zz"} {
		s, err := store.Open(context.Background(), address, nil)
		if err == nil {
			s.Close()
			t.Errorf("%q was opened", address)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error tells the password: %v", address, err)
		}
	}
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	open(t, "sqlite:"+path)
	for _, name := range []string{path, path + "-wal"} {
		stat, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil || stat.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v (%v)", name, stat.Mode(), err)
		}
	}
}

// Processes that start together on a database that is not there yet all find it
// made.
func TestFirstStartsAtOnce(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "test.db"), "postgres": postgres.Database(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					s, err := store.Open(context.Background(), address, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Ping(context.Background()); err != nil {
						t.Error(err)
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
	}
}

// A user is given 500 tokens.
func ExampleStore_Write() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "example.db"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	err = s.Write(ctx, func(tx *store.Tx) error {
		p, err := ledger.Credit("gift-1", "user_7", 500, time.Now())
		if err != nil {
			return err
		}
		return tx.Post(ctx, p)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := s.Balance(ctx, "user_7")
	fmt.Println(b.Available(), b.Held, err)
	// Output: 500 0 <nil>
}
