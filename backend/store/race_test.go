package store_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
)

// between runs first, and second while first is written and not yet committed:
// on PostgreSQL, until second waits for it. SQLite has one writer, so that
// nothing comes between.
func between(t *testing.T, address string, s *store.Store, first, second func(*store.Tx) error) (firstErr, secondErr error) {
	t.Helper()
	ctx := context.Background()
	written, commit := make(chan struct{}), make(chan struct{})
	one, two := make(chan error, 1), make(chan error, 1)
	go func() {
		one <- s.Write(ctx, func(tx *store.Tx) error {
			err := first(tx)
			close(written)
			<-commit
			return err
		})
	}()
	<-written
	go func() { two <- s.Write(ctx, second) }()
	awaitLock(t, address)
	close(commit)
	return <-one, <-two
}

// awaitLock waits until a transaction waits for another.
func awaitLock(t *testing.T, address string) {
	t.Helper()
	conn, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var n int
		err := conn.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		if err != nil {
			t.Error(err)
			return
		}
		if n > 0 {
			return
		}
	}
	t.Error("no transaction waits for the other")
}

func credit(id, user string, amount int64) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		p, err := ledger.Credit(id, user, amount, storetest.Now)
		if err != nil {
			return err
		}
		return tx.Post(context.Background(), p)
	}
}

// What a user is given while it is erased is not lost.
func TestErasingWaitsForACredit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address := postgres.Database(t)
	s := open(t, address)
	if err := s.Write(ctx, credit("c1", "u", 100)); err != nil {
		t.Fatal(err)
	}
	credited, erased := between(t, address, s, credit("c2", "u", 50), func(tx *store.Tx) error {
		return tx.EraseUser(ctx, "u", "erased_1", func(payload string) string { return payload })
	})
	if credited != nil || erased != nil {
		t.Fatalf("credited: %v, erased: %v", credited, erased)
	}
	if b, err := s.Balance(ctx, "erased_1"); err != nil || b.Posted != 150 {
		t.Errorf("of 100 + 50, %d are left (%v)", b.Posted, err)
	}
	if b, err := s.Balance(ctx, "u"); err != nil || b.Posted != 0 {
		t.Errorf("the erased user has %d (%v)", b.Posted, err)
	}
	if err := s.Audit(ctx); err != nil {
		t.Error(err)
	}
}

// A credit that comes while its user is erased is the first of a new account.
func TestACreditWaitsForErasing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address := postgres.Database(t)
	s := open(t, address)
	if err := s.Write(ctx, credit("c1", "u", 100)); err != nil {
		t.Fatal(err)
	}
	erased, credited := between(t, address, s, func(tx *store.Tx) error {
		return tx.EraseUser(ctx, "u", "erased_1", func(payload string) string { return payload })
	}, credit("c2", "u", 50))
	if credited != nil || erased != nil {
		t.Fatalf("credited: %v, erased: %v", credited, erased)
	}
	if b, err := s.Balance(ctx, "u"); err != nil || b.Posted != 50 {
		t.Errorf("credited 50, has %d (%v)", b.Posted, err)
	}
	if err := s.Audit(ctx); err != nil {
		t.Error(err)
	}
}

// A webhook that is removed just now takes no session's change down with it, nor
// does a person who is given a role twice at once break anything.
func TestWhatAnotherTransactionDecided(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address := postgres.Database(t)
	s := open(t, address)
	err := s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.InsertProvider(ctx, store.Provider{ID: "p", Name: "p"}, storetest.Now); err != nil {
			return err
		}
		return tx.InsertWebhook(ctx, store.Webhook{ID: "w", ProviderID: "p", URL: "https://x.example/"}, storetest.Now)
	})
	if err != nil {
		t.Fatal(err)
	}
	removed, announced := between(t, address, s,
		func(tx *store.Tx) error { return tx.DeleteWebhook(ctx, "w") },
		func(tx *store.Tx) error {
			_, err := tx.Announce(ctx, store.Announcement{MessageID: "m", ProviderID: "p", Type: "session.ended", SessionID: "s", Payload: "{}"}, storetest.Now)
			return err
		})
	if removed != nil || announced != nil {
		t.Errorf("removed: %v, announced: %v", removed, announced)
	}
	add := func(id string) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			return tx.InsertPerson(ctx, store.Person{ID: id, Email: "a@x.example", Role: "admin"})
		}
	}
	first, second := between(t, address, s, add("a"), add("b"))
	if first != nil || !errors.Is(second, store.ErrTaken) {
		t.Errorf("first: %v, second: %v", first, second)
	}
}
