package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// How often a process that lost a race for SQLite's schema looks again.
	migrateTries = 20
	migrateAgain = 50 * time.Millisecond
)

// migrate brings the schema up to date. Replicas that start together take
// turns by an advisory lock on PostgreSQL. On SQLite, a service and a command
// that start together may both find the same step missing: the one that comes
// second fails, since no step can be made twice, and finds it made when it looks
// again.
func migrate(ctx context.Context, conn *sql.DB, e engine) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if e == postgresEngine {
		dialect = goose.DialectPostgres
		// One try a second, for a minute: the default waits five between tries.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return fmt.Errorf("migrating: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, conn, dir, options...)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
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
