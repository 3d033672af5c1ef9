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
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"modernc.org/sqlite"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

const (
	maxAttempts = 100
	// writeTimeout bounds one [Store.Write] with all its tries: a database that
	// accepts a transaction and never confirms it must not keep callers for good.
	writeTimeout = 30 * time.Second
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
	conns  *generation // of connections to PostgreSQL; nil on SQLite
	health health

	locking sync.Mutex // guards lock and holder
	lock    *os.File   // of SQLite's one session service; nil without [Store.Lock]
	holder  Holder

	lists      Reader // with connections of its own on SQLite
	listConns  *sql.DB
	listTurns  *turns
	writeTurns *turns
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
	write, err := openLite(sqliteDSN(path)+"&_txlock=immediate", traces)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	write.SetMaxOpenConns(1)
	if err := migrate(ctx, write, sqliteEngine); err != nil {
		write.Close()
		return nil, err
	}
	read, err := openLite(sqliteDSN(path, "query_only(1)"), traces)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("opening database: %w", err)
	}
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	read.SetMaxIdleConns(max(4, runtime.GOMAXPROCS(0)))
	lists, err := openLite(sqliteDSN(path, "query_only(1)"), traces)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening database: %w", err), write.Close(), read.Close())
	}
	// Lists keep at most every second processor busy.
	atOnce := max(1, runtime.GOMAXPROCS(0)/2)
	lists.SetMaxOpenConns(atOnce)
	lists.SetMaxIdleConns(atOnce)
	s := &Store{
		Reader: Reader{ordered: true}, engine: sqliteEngine, path: path, write: write, read: read,
		lists: Reader{ordered: true}, listConns: lists, listTurns: newTurns(atOnce, maxListQueue), writeTurns: newTurns(1, maxWriteQueue),
	}
	// Keep statements prepared: parsing one costs as much as running it.
	if s.wq, err = query.Prepare(ctx, write); err == nil {
		s.q, err = query.Prepare(ctx, read)
	}
	if err == nil {
		s.lists.q, err = query.Prepare(ctx, lists)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("opening database: %w", err)
	}
	return s, nil
}

func openLite(name string, traces trace.TracerProvider) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	return openSQL(connector, "sqlite", traces), nil
}

func sqliteDSN(path string, extra ...string) string {
	v := url.Values{"_pragma": append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}, extra...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
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
	if s.lists.q != nil && s.engine == sqliteEngine {
		s.lists.q.Close()
	}
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	if s.listConns != nil {
		err = errors.Join(err, s.listConns.Close())
	}
	err = errors.Join(err, s.unlock())
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
//
// A transaction that the database keeps waiting ends after [writeTimeout].
func (s *Store) Write(ctx context.Context, f func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var err error
	for attempt := range maxAttempts {
		err = s.writeOnce(ctx, f)
		s.health.wrote(err, time.Now())
		if !retryable(err) && !s.movedOn(err) {
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
	if err := s.writeTurns.take(ctx); err != nil {
		return err
	}
	defer s.writeTurns.give()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(&Tx{Reader{q: s.wq.WithTx(tx), ordered: s.ordered}, tx, s.engine}); err != nil {
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
	q       *query.Queries
	ordered bool // texts are ordered by their bytes
}

// Tx is a transaction of [Store.Write].
type Tx struct {
	Reader
	tx     *sql.Tx
	engine engine
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
