package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend/store"
)

// A program that is older than the schema must not start: what a later version wrote
// may mean something else.
func TestLaterSchemaIsRefused(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, db database) {
		if err := open(t, db.address).Close(); err != nil {
			t.Fatal(err)
		}
		var ours int64
		if err := db.conn.QueryRow("SELECT MAX(version_id) FROM goose_db_version").Scan(&ours); err != nil {
			t.Fatal(err)
		}
		for what, version := range map[string]int64{"the next": ours + 1, "a date": 20300101120000, "one that this line left out": 10} {
			db.exec(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)", version, true)
			s, err := store.Open(context.Background(), db.address, nil)
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
			db.exec(t, "DELETE FROM goose_db_version WHERE version_id = $1", version)
		}
		if err := open(t, db.address).Ping(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
