// Package store stores all permanent data in SQL. It supports embedded SQLite and
// PostgreSQL with one schema and one set of queries, which are generated into package
// query.
//
// All changes run in [Store.Write], in one transaction each, so that a session's new
// state, its ledger entries and the answer for its idempotency key are stored
// together or not at all. Concurrency control is optimistic: a session is written
// only if it still has the version that was read, a balance only if it does not
// become negative, and a hold is settled only once. A transaction that lost such a
// race is run again.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Errors that callers tell apart.
var (
	// ErrNotFound is returned if there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrTaken is returned if an id, a domain or a role already exists.
	ErrTaken = errors.New("already taken")
	// ErrConflict is returned if a row changed since it was read. [Store.Write] then
	// runs the transaction again; its callers get the error only if no try succeeds.
	ErrConflict = errors.New("changed concurrently")
)

const (
	maxAttempts = 100
	pgMaxConns  = 32
)

// engine is the kind of database.
type engine string

const (
	sqliteEngine   engine = "sqlite"
	postgresEngine engine = "postgres"
)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	Reader
	engine engine
	path   string // of the SQLite file
	write  *sql.DB
	read   *sql.DB // the same as write on PostgreSQL
	wq     *query.Queries
}

// Open opens the database at address and brings its schema up to date:
//
//	sqlite:PATH              a file, created with its folder if missing
//	postgres://user@host/db  a PostgreSQL database
//
// If traces is not nil, each statement that runs within a trace is a span with the
// name and the text of its query, but without its values.
func Open(ctx context.Context, address string, traces trace.TracerProvider) (*Store, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	var s *Store
	var err error
	switch scheme {
	case "sqlite":
		s, err = openSQLite(ctx, rest, traces)
	case "postgres", "postgresql":
		s, err = openPostgres(ctx, address, traces)
	default:
		return nil, errors.New("opening database: address must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openSQLite(ctx context.Context, path string, traces trace.TracerProvider) (*Store, error) {
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, errors.New("opening database: sqlite: needs the path of a file")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	// The file holds personal data. Other users of the machine must not read it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	f.Close()
	write, err := openSQL("sqlite", sqliteDSN(path)+"&_txlock=immediate", traces)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	write.SetMaxOpenConns(1)
	if err := migrate(ctx, write, sqliteEngine); err != nil {
		write.Close()
		return nil, err
	}
	read, err := openSQL("sqlite", sqliteDSN(path, "query_only(1)"), traces)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("opening database: %w", err)
	}
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	read.SetMaxIdleConns(max(4, runtime.GOMAXPROCS(0)))
	s := &Store{engine: sqliteEngine, path: path, write: write, read: read}
	// Keep statements prepared: parsing one costs as much as running it.
	if s.wq, err = query.Prepare(ctx, write); err == nil {
		s.q, err = query.Prepare(ctx, read)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("opening database: %w", err)
	}
	return s, nil
}

func sqliteDSN(path string, extra ...string) string {
	v := url.Values{"_pragma": append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}, extra...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

func openPostgres(ctx context.Context, address string, traces trace.TracerProvider) (*Store, error) {
	name, err := postgresAddress(address)
	if err != nil {
		return nil, errors.New("opening database: the postgres address is not valid") // err may quote the password
	}
	conn, err := openSQL("pgx", name, traces)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	conn.SetMaxOpenConns(pgMaxConns)
	conn.SetMaxIdleConns(pgMaxConns)
	conn.SetConnMaxIdleTime(5 * time.Minute)
	if err := migrate(ctx, conn, postgresEngine); err != nil {
		conn.Close()
		return nil, err
	}
	// pgx caches prepared statements itself.
	q := query.New(conn)
	return &Store{Reader: Reader{q: q}, engine: postgresEngine, write: conn, read: conn, wq: q}, nil
}

// Shared reports whether other machines can open the same database.
func (s *Store) Shared() bool { return s.engine == postgresEngine }

// Close closes the database.
func (s *Store) Close() error {
	if s.wq != nil && s.engine == sqliteEngine {
		s.wq.Close()
	}
	if s.q != nil && s.engine == sqliteEngine {
		s.q.Close()
	}
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	if _, err := s.q.NextDue(ctx); err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	return nil
}

// Write runs f in one transaction and commits it if f returns nil. If the transaction
// lost a race, Write runs f again, so f must have no side effects besides the database
// and variables that it sets each time.
func (s *Store) Write(ctx context.Context, f func(*Tx) error) error {
	var err error
	for attempt := range maxAttempts {
		if err = s.writeOnce(ctx, f); !retryable(err) {
			return err
		}
		// Full jitter, so that writers that collided do not collide again.
		wait := time.Duration(1+rand.IntN(1+min(attempt, 20))) * time.Millisecond
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return fmt.Errorf("writing, %d times: %w", maxAttempts, err)
}

func (s *Store) writeOnce(ctx context.Context, f func(*Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(&Tx{Reader{q: s.wq.WithTx(tx)}, tx, s.engine}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// Reader reads data. The Reader of a [Store] sees committed data; that of a [Tx] also
// sees what the transaction wrote.
type Reader struct {
	q *query.Queries
}

// Tx is a transaction of [Store.Write].
type Tx struct {
	Reader
	tx     *sql.Tx
	engine engine
}

func retryable(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, ErrConflict) {
		return true
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "40001", "40P01": // serialization failure, deadlock
			return true
		case "23503", "23505":
			// Another transaction inserted or deleted the row first. The next try
			// reads the new data.
			return true
		}
		return false
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code()&0xff == sqlite3.SQLITE_BUSY
	}
	return false
}

// Unavailable reports whether err means that the database cannot be reached or cannot
// serve requests now, as opposed to an error in the request.
func Unavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code[:2] { // connection, resources, operator, conflicts that never ended
		case "08", "53", "57", "40":
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code()&0xff == sqlite3.SQLITE_BUSY || lite.Code()&0xff == sqlite3.SQLITE_FULL
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrConflict)
}

// Unkeepable reports whether err means that the database does not accept a text.
// PostgreSQL refuses zero bytes and invalid UTF-8, in queries too.
func Unkeepable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "22021"
}

// found maps "no rows" to [ErrNotFound].
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// ErrNoBackup is returned by [Store.Backup] for PostgreSQL, which has its own tools.
var ErrNoBackup = errors.New("only SQLite databases can be backed up this way; use pg_dump for PostgreSQL")

// Backup writes a consistent copy of the SQLite database to a new file. It does not
// block writers.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.engine != sqliteEngine {
		return ErrNoBackup
	}
	// Create the file with private permissions first. VACUUM INTO accepts an empty
	// file.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	f.Close()
	// Use a new connection, so that the backup does not block the connection that
	// writes. The connections that read are read-only and cannot write the copy.
	conn, err := sql.Open("sqlite", sqliteDSN(s.path))
	if err != nil {
		return errors.Join(fmt.Errorf("backing up: %w", err), os.Remove(path))
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return errors.Join(fmt.Errorf("backing up: %w", err), os.Remove(path))
	}
	if f, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	return nil
}
