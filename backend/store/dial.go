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
	// connectTimeout bounds how long a connection to PostgreSQL may take to make;
	// connect_timeout in the address wins.
	connectTimeout = 5 * time.Second
	// silence is how long a network that swallows packets can keep a question
	// waiting: both what is sent and not acknowledged, and an answer that does
	// not come. Statements themselves may take as long as they need.
	silence = 20 * time.Second
)

// postgresAddress is address as the driver "pgx" takes it, with what notices a
// dead network: by themselves, connections do after a quarter of an hour.
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

// openSQL opens a database whose statements are traced, if there is somebody to
// tell. Otherwise nothing stands between us and the driver.
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
			// Loops of ours ask the database all day: only what somebody asked
			// for is traced.
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanFromContext(ctx).IsRecording()
			},
		}),
	)
}

// spanName is the name that a query has among ours, as its first line says:
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
