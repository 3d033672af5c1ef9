package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
)

// Behind a pooler that assigns a server connection to each transaction, everything
// works as without one.
func TestPgBouncerInTransactionMode(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store { return open(t, postgres.PgBouncer(t, postgres.Database(t))) })
}

// Processes that start together behind a pooler migrate one after the other, though
// statements of a session run on different server connections.
func TestFirstStartsBehindPgBouncer(t *testing.T) {
	t.Parallel()
	address := postgres.PgBouncer(t, postgres.Database(t))
	var all sync.WaitGroup
	for range 8 { // more than there are server connections
		all.Go(func() {
			s, err := store.Open(context.Background(), address, nil)
			if err == nil {
				err = errors.Join(s.Ready(context.Background()), s.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// An address may say by itself how statements are sent.
func TestPgBouncerWithAModeOfItsOwn(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.PgBouncer(t, postgres.Database(t))+"?default_query_exec_mode=simple_protocol")
	for i := range 20 {
		put(t, s, fmt.Sprint(i))
	}
	if _, err := s.SessionsOf(context.Background(), []string{"a", "it's"}); err != nil {
		t.Error(err)
	}
}

func put(t *testing.T, s *store.Store, id string) {
	t.Helper()
	ctx := context.Background()
	err := s.Write(ctx, func(tx *store.Tx) error {
		return tx.InsertProvider(ctx, store.Provider{ID: id, Name: "n"}, storetest.Now)
	})
	if err != nil {
		t.Error(err)
	}
}

// Connections to a server that became read-only stay open. After a failover behind one
// address, they must not be used any longer, and no caller notices.
func TestConnectionsToAReadOnlyServerAreReplaced(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address := postgres.Database(t)
	s := open(t, address)
	put(t, s, "a")
	// Connections that were made while the database was read-only stay so, as do
	// those to a former primary.
	postgres.ReadOnlyDatabase(t, address, true)
	postgres.Disconnect(t, address)
	postgres.Reconnect(t, address)
	for range 5 {
		if _, err := s.Provider(ctx, "a"); err != nil && !store.Unavailable(err) {
			t.Fatal(err)
		}
	}
	postgres.ReadOnlyDatabase(t, address, false)
	put(t, s, "b")
	if err := s.Refused(); err == nil {
		t.Error("nothing was refused: the connections were not read-only")
	}
}

// A database that is read-only for good is unavailable and not ready, and reads go on.
func TestReadOnlyPostgres(t *testing.T) {
	t.Parallel()
	own, err := storetest.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctx := context.Background()
	s := open(t, own.Database(t))
	put(t, s, "a")
	own.ReadOnly(t, true)
	await(t, "it is not ready", func() bool { return s.Ready(ctx) != nil })
	err = s.Write(ctx, func(tx *store.Tx) error {
		return tx.InsertProvider(ctx, store.Provider{ID: "b", Name: "n"}, storetest.Now)
	})
	if err == nil || !store.Unavailable(err) {
		t.Errorf("writing: %v", err)
	}
	if _, err := s.Provider(ctx, "a"); err != nil {
		t.Errorf("reading: %v", err)
	}
	own.ReadOnly(t, false)
	await(t, "it is ready", func() bool { return s.Ready(ctx) == nil })
	put(t, s, "b")
}

// Of several servers, the one that accepts writes is used.
func TestAddressOfSeveralServers(t *testing.T) {
	t.Parallel()
	standby, err := storetest.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Stop(); err != nil {
			t.Error(err)
		}
	})
	standby.Named(t, "several")
	address := postgres.Named(t, "several")
	standby.ReadOnly(t, true)
	s := open(t, storetest.Hosts(standby, postgres, "several"))
	put(t, s, "a")
	if _, err := open(t, address).Provider(context.Background(), "a"); err != nil {
		t.Errorf("it was written elsewhere: %v", err)
	}
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 30 s: " + what)
		}
	}
}
