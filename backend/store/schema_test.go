package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend/store"
)

// A program that is older than the schema must not start: what a later version wrote
// may mean something else.
func TestLaterSchemaIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	for name, at := range map[string]struct{ driver, name, address string }{
		"sqlite":   {"sqlite", file, "sqlite:" + file},
		"postgres": {driver: "pgx", address: postgres.Database(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if at.name == "" {
				at.name = at.address
			}
			if err := open(t, at.address).Close(); err != nil {
				t.Fatal(err)
			}
			conn, err := sql.Open(at.driver, at.name)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var ours int64
			if err := conn.QueryRow("SELECT MAX(version_id) FROM goose_db_version").Scan(&ours); err != nil {
				t.Fatal(err)
			}
			for what, version := range map[string]int64{"the next": ours + 1, "a date": 20300101120000, "one that this line left out": 10} {
				if _, err := conn.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)", version, true); err != nil {
					t.Fatal(err)
				}
				s, err := store.Open(context.Background(), at.address, nil)
				if err == nil {
					s.Close()
					t.Errorf("%s: it was opened", what)
				} else {
					for _, want := range []string{fmt.Sprint("version ", version), fmt.Sprint("version ", ours), "restore the backup"} {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("%s: the error does not say %q: %v", what, want, err)
						}
					}
				}
				if _, err := conn.Exec("DELETE FROM goose_db_version WHERE version_id = $1", version); err != nil {
					t.Fatal(err)
				}
			}
			if err := open(t, at.address).Ping(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}
