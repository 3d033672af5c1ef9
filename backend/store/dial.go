package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/XSAM/otelsql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

const (
	// connectTimeout bounds how long connecting to PostgreSQL may take. It is
	// overridden by connect_timeout in the address.
	connectTimeout = 5 * time.Second
	// silence bounds how long a query waits on a network that drops packets, both for
	// acknowledgments and for the response. It does not limit how long the database
	// may take to run a statement.
	silence = 20 * time.Second
)

// postgresAddress returns address for the pgx driver, with a dialer that detects a
// dead network. By default, that takes connections about 15 minutes.
func postgresAddress(address string) (string, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return "", err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.DialFunc = dialer().DialContext
	return stdlib.RegisterConnConfig(config), nil
}

func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: silence / 4, Count: 2},
		Control: func(network, _ string, c syscall.RawConn) error {
			if network == "unix" {
				return nil
			}
			var err error
			if e := c.Control(func(fd uintptr) { err = limitSilence(fd) }); e != nil {
				return fmt.Errorf("preparing a connection: %w", e)
			}
			return err
		},
	}
}

// openSQL opens a database. Its statements are traced if traces is not nil; otherwise
// the driver is used directly.
func openSQL(driverName, address string, traces trace.TracerProvider) (*sql.DB, error) {
	if traces == nil {
		return sql.Open(driverName, address)
	}
	system := map[string]string{"sqlite": "sqlite", "pgx": "postgresql"}[driverName]
	return otelsql.Open(driverName, address,
		otelsql.WithTracerProvider(traces),
		otelsql.WithAttributes(attribute.String("db.system.name", system)),
		otelsql.WithSpanNameFormatter(func(_ context.Context, method otelsql.Method, text string) string { return spanName(method, text) }),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			DisableErrSkip: true, OmitConnResetSession: true, OmitConnPrepare: true, OmitRows: true, OmitConnectorConnect: true,
			// Trace only statements within a request's trace. Background loops
			// run statements all the time.
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanFromContext(ctx).IsRecording()
			},
		}),
	)
}

// spanName returns the name of a query, which its first line contains:
// "-- name: GetSession :one".
func spanName(method otelsql.Method, text string) string {
	if rest, ok := strings.CutPrefix(text, "-- name: "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return "sql " + name
	}
	return string(method)
}

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
func migrate(ctx context.Context, conn *sql.DB, e engine) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if e == postgresEngine {
		dialect = goose.DialectPostgres
		// Try once per second for a minute. The default is once per 5 seconds.
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
