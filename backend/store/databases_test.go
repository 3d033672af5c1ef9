package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
)

// database is an empty database that a test also reaches without a store: to write what
// an earlier version would have written, and to move between versions of the schema.
type database struct {
	address string // for [open]
	conn    *sql.DB
	dialect goose.Dialect
}

// onEachDatabase runs a test on SQLite and on PostgreSQL.
func onEachDatabase(t *testing.T, test func(t *testing.T, db database)) {
	t.Helper()
	file, server := filepath.Join(t.TempDir(), "test.db"), postgres.Database(t)
	for _, at := range []struct {
		name, driver, source, address string
		dialect                       goose.Dialect
	}{
		{"sqlite", "sqlite", file, "sqlite:" + file, goose.DialectSQLite3},
		{"postgres", "pgx", server, server, goose.DialectPostgres},
	} {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			conn, err := sql.Open(at.driver, at.source)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			test(t, database{at.address, conn, at.dialect})
		})
	}
}

func (db database) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := db.conn.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// up applies the migrations up to this version of the schema.
func (db database) up(t *testing.T, version int64) {
	t.Helper()
	if _, err := db.migrations(t).UpTo(context.Background(), version); err != nil {
		t.Fatal(err)
	}
}

// down takes back the migrations after this version of the schema.
func (db database) down(t *testing.T, version int64) {
	t.Helper()
	if _, err := db.migrations(t).DownTo(context.Background(), version); err != nil {
		t.Fatal(err)
	}
}

func (db database) migrations(t *testing.T) *goose.Provider {
	t.Helper()
	p, err := goose.NewProvider(db.dialect, db.conn, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
