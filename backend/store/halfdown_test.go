package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A SQLite file that cannot be written is unavailable, not a fault of the request, and
// the service is not ready.
func TestSQLiteThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, how := range map[string]struct{ refuse, mend string }{
		"full disk":     {"PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"}, // SQLITE_FULL, as ENOSPC
		"read-only":     {"PRAGMA query_only = 1", "PRAGMA query_only = 0"},               // SQLITE_READONLY
		"missing table": {"DROP TABLE rollups", ""},                                       // a fault of ours: no retry helps
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			write := func() error { // more than free pages hold
				return s.Write(ctx, func(tx *Tx) error {
					for i := range 200 {
						if err := tx.q.PutRollup(ctx, fmt.Sprint(i, string(make([]byte, 4000))), 1); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := s.Ready(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := s.write.Exec(how.refuse); err != nil {
				t.Fatal(err)
			}
			err = write()
			if err == nil || Unavailable(err) == (how.mend == "") {
				t.Errorf("writing: unavailable %v: %v", Unavailable(err), err)
			}
			if how.mend == "" {
				return
			}
			if err := s.Ready(ctx); err == nil || s.Refused() == nil {
				t.Error("it is ready")
			}
			if _, err := s.write.Exec(how.mend); err != nil {
				t.Fatal(err)
			}
			if err := write(); err != nil {
				t.Errorf("with room again: %v", err)
			}
			s.health.failedAt = time.Now().Add(-failureLasts)
			if err := s.Ready(ctx); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	}
}

// A file that is damaged under a running service is unavailable, too.
func TestSQLiteFileDamaged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(ctx, "sqlite:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, info.Size()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.write.SetMaxIdleConns(0) // what the connection holds in memory is gone, as with any new one
	err = s.Write(ctx, func(tx *Tx) error { return tx.q.PutRollup(ctx, "x", 1) })
	if err == nil || !Unavailable(err) {
		t.Errorf("writing: %v", err)
	}
	if err := s.Ready(ctx); err == nil {
		t.Error("it is ready")
	}
}

// What PostgreSQL says about itself is told apart from what it says about a request.
func TestUnavailableCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"25006": true,  // read_only_sql_transaction: a standby, or a failover under open connections
		"53100": true,  // disk_full
		"53300": true,  // too_many_connections
		"57P03": true,  // cannot_connect_now
		"58030": true,  // io_error
		"XX001": true,  // data_corrupted
		"55P03": true,  // lock_not_available
		"22P02": false, // invalid_text_representation
		"23514": false, // check_violation
		"42P01": false, // undefined_table
	} {
		err := fmt.Errorf("writing: %w", &pgconn.PgError{Code: code})
		if Unavailable(err) != want {
			t.Errorf("%s: unavailable %v", code, !want)
		}
	}
	if Unavailable(errors.New("something else")) {
		t.Error("any error is unavailable")
	}
}

// A read-only server is left at most once per second: it may be the only one.
func TestConnectionsAreRenewedOncePerSecond(t *testing.T) {
	t.Parallel()
	g := &generation{}
	now := time.Unix(1_800_000_000, 0)
	for i, want := range []bool{true, false, false, true} {
		if got := g.renew(now.Add(time.Duration(i) * renewEvery * 2 / 5)); got != want {
			t.Errorf("try %d: %v, want %v", i, got, want)
		}
	}
	if g.number.Load() != 2 {
		t.Errorf("generation %d", g.number.Load())
	}
}
