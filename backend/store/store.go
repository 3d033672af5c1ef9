// Package store keeps the record in SQL: one schema and one set of queries
// (generated into package query) over two engines, embedded SQLite and
// PostgreSQL.
//
// All changes run in [Store.Write], one transaction each, so that a session's
// new state, its ledger entries and the answer remembered for its idempotency
// key are kept together or not at all. Rows are guarded by conditions and row
// counts, not by locks held across round trips: a session is written only at
// the version it was read at, a balance only if it stays at or above zero, a
// hold only once. A write that lost such a race is run again.
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
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("not found")
	// ErrTaken: an id or a domain belongs to somebody already.
	ErrTaken = errors.New("already taken")
	// ErrConflict: the row changed since it was read. [Store.Write] runs the
	// change again; callers see it only when that never ends.
	ErrConflict = errors.New("changed concurrently")
)

const (
	maxAttempts = 100
	pgMaxConns  = 32
)

// engine is what differs between the databases.
type engine string

const (
	sqliteEngine   engine = "sqlite"
	postgresEngine engine = "postgres"
)

// Store is an open database. Safe for concurrent use.
type Store struct {
	Reader
	engine engine
	path   string // of SQLite's file
	write  *sql.DB
	read   *sql.DB // the same as write on PostgreSQL
	wq     *query.Queries
}

// Open opens the database at address and brings its schema up to date:
//
//	sqlite:PATH              a file, made with its folder when missing
//	postgres://user@host/db  a PostgreSQL database
//
// Within a trace, each statement is a span of its own if traces is not nil:
// named for its query, with its text and without its values.
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
	// The file holds who bought what: nobody else on the machine reads it.
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
	// Parsing a statement costs as much as running it: keep them prepared.
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
	// pgx keeps statements prepared by itself.
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

// Write runs f in one transaction and commits it if f returns nil. When the
// transaction lost a race it runs f again, so f changes nothing but the
// database and variables that it sets anew each time.
func (s *Store) Write(ctx context.Context, f func(*Tx) error) error {
	var err error
	for attempt := range maxAttempts {
		if err = s.writeOnce(ctx, f); !retryable(err) {
			return err
		}
		// Full jitter: writers that collided should not collide again.
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

// Reader answers questions. On a [Store] it sees what is committed, within a
// [Tx] also what that transaction wrote.
type Reader struct {
	q *query.Queries
}

// Tx is one running transaction of [Store.Write].
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
			// A row that was there is gone, or one that was not there is: another
			// transaction was faster. The next try reads what it wrote.
			return true
		}
		return false
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code()&0xff == sqlite3.SQLITE_BUSY
	}
	return false
}

// Unavailable reports whether err says that the database cannot be reached or
// cannot serve just now, rather than that something is wrong with the request.
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

// Unkeepable reports whether err says that a text is none for the database:
// PostgreSQL takes neither a zero byte nor what is not UTF-8, in a question
// neither.
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

// ErrNoBackup: PostgreSQL has its own tools for that.
var ErrNoBackup = errors.New("only SQLite databases can be backed up this way; use pg_dump for PostgreSQL")

// Backup writes a copy of the SQLite database, as it is at one moment, to a file
// that is not there yet. Writers go on meanwhile.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.engine != sqliteEngine {
		return ErrNoBackup
	}
	// Made here, so that nobody else may read it; VACUUM INTO takes an empty file.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	f.Close()
	// A connection of its own: the one that writes has other work, and those that
	// read may write nowhere.
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
