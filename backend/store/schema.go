package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// How often, and after what wait, a process that lost a race to migrate SQLite
	// tries again.
	migrateTries = 20
	migrateAgain = 50 * time.Millisecond
)

// migrate brings the schema up to date. On PostgreSQL, an advisory lock serializes
// processes that start together. On SQLite, two processes may both try the same
// migration; the second one fails, tries again, and finds the migration applied.
//
// It returns an error if a later version of the program migrated the database.
func migrate(ctx context.Context, conn *sql.DB, e engine) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if e == postgresEngine {
		dialect = goose.DialectPostgres
		options = append(options, goose.WithSessionLocker(&schemaLock{db: conn}))
	}
	p, err := goose.NewProvider(dialect, conn, dir, options...)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	if err := refuseLater(ctx, conn, e, p.ListSources()); err != nil {
		return fmt.Errorf("opening database: %w", err)
	}
	for try := 1; ; try++ {
		_, err := p.Up(ctx)
		if err == nil {
			return nil
		}
		if e != sqliteEngine || try == migrateTries {
			return fmt.Errorf("migrating: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("migrating: %w", err)
		case <-time.After(migrateAgain):
		}
	}
}

// refuseLater returns an error if a migration was applied that this program does not
// have: queries of this program may fail on such a schema, or write rows that the
// later program takes for something else.
func refuseLater(ctx context.Context, conn *sql.DB, e engine, sources []*goose.Source) error {
	exists := "SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'"
	if e == postgresEngine {
		exists = "SELECT CASE WHEN to_regclass('goose_db_version') IS NULL THEN 0 ELSE 1 END"
	}
	var n int64
	if err := conn.QueryRowContext(ctx, exists).Scan(&n); err != nil || n == 0 {
		return err
	}
	known := map[int64]bool{0: true} // the empty schema
	newest := int64(0)
	for _, source := range sources {
		known[source.Version] = true
		newest = max(newest, source.Version)
	}
	rows, err := conn.QueryContext(ctx, "SELECT DISTINCT version_id FROM goose_db_version WHERE is_applied ORDER BY version_id DESC")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return err
		}
		if !known[version] {
			return fmt.Errorf("another version of sessiongate brought its schema to version %d, which this program does not have; its own is version %d: "+
				"run that program or a later one, or restore the backup from before its upgrade", version, newest)
		}
	}
	return rows.Err()
}

const (
	// How often, and for how long, a process tries to be the one that migrates.
	schemaLockTries = 240
	schemaLockAgain = 250 * time.Millisecond
)

// schemaLock serializes processes that migrate a PostgreSQL database. The lock belongs
// to a transaction of its own, not to a session: behind a pooler such as PgBouncer, the
// statements of a session may run on different server connections. A process that
// waits keeps no transaction open, so that a small pool is not exhausted by waiting.
type schemaLock struct {
	db *sql.DB
	tx *sql.Tx
}

var _ lock.SessionLocker = (*schemaLock)(nil)

// SessionLock implements [lock.SessionLocker].
func (l *schemaLock) SessionLock(ctx context.Context, _ *sql.Conn) error {
	for range schemaLockTries {
		tx, err := l.db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("locking the schema: %w", err)
		}
		var locked bool
		// The id that goose's own lock has, which earlier versions used.
		err = tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", lock.DefaultLockID).Scan(&locked)
		if err == nil && locked {
			l.tx = tx
			return nil
		}
		_ = tx.Rollback() // it has only read
		if err != nil {
			return fmt.Errorf("locking the schema: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("locking the schema: %w", ctx.Err())
		case <-time.After(schemaLockAgain):
		}
	}
	return errors.New("locking the schema: another process has been migrating it for a minute; start again when it is done")
}

// SessionUnlock implements [lock.SessionLocker].
func (l *schemaLock) SessionUnlock(context.Context, *sql.Conn) error {
	if err := l.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("unlocking the schema: %w", err)
	}
	return nil
}
