package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
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

// Codes of PostgreSQL.
const (
	pgReadOnly      = "25006"
	pgDiskFull      = "53100"
	pgInvalidText   = "22021"
	pgCachedPlan    = "0A000" // with a prepared statement: the schema changed
	pgNoStatement   = "26000"
	pgIdleInTx      = "25P03"
	pgForeignKey    = "23503"
	pgUnique        = "23505"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgLockTimeout   = "55P03"
)

// liteDown are the result codes of SQLite that mean that its file cannot be used now:
// the disk is full, a device fails, the file is read-only, missing or damaged, or
// another process keeps it locked.
var liteDown = []int{
	sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
	sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_INTERRUPT,
}

// liteNoWrites are those of them that mean that writing will not succeed until
// somebody acts.
var liteNoWrites = []int{
	sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
}

// pgCode is the code of an error of PostgreSQL; "" for other errors.
func pgCode(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && len(pg.Code) == 5 {
		return pg.Code
	}
	return ""
}

// liteCode is the primary result code of an error of SQLite; 0 for other errors.
func liteCode(err error) int {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code() & 0xff
	}
	return 0
}

// retryable reports whether a transaction that failed with err may succeed if it
// runs again at once.
func retryable(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, ErrConflict) {
		return true
	}
	switch pgCode(err) {
	case pgSerialization, pgDeadlock, pgCachedPlan, pgNoStatement:
		return true
	case pgForeignKey, pgUnique:
		// Another transaction inserted or deleted the row first. The next try
		// reads the new data.
		return true
	}
	return liteCode(err) == sqlite3.SQLITE_BUSY
}

// Unavailable reports whether err means that the database cannot be reached or cannot
// serve requests now, as opposed to an error in the request.
func Unavailable(err error) bool {
	if code := pgCode(err); code != "" {
		switch code[:2] { // connection, resources, operator, conflicts that never ended, the system, its own faults
		case "08", "53", "57", "40", "58", "XX":
			return true
		}
		return slices.Contains([]string{pgReadOnly, pgIdleInTx, pgLockTimeout, pgCachedPlan, pgNoStatement}, code)
	}
	if code := liteCode(err); code != 0 {
		return slices.Contains(liteDown, code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrConflict)
}

// refusesWrites reports whether err means that the database accepts no writes until
// somebody acts: it is read-only, its disk is full, or a device fails.
func refusesWrites(err error) bool {
	switch code := pgCode(err); {
	case code == pgReadOnly, code == pgDiskFull:
		return true
	case code != "":
		return code[:2] == "58" || code[:2] == "XX"
	}
	return slices.Contains(liteNoWrites, liteCode(err))
}

// Unkeepable reports whether err means that the database does not accept a text.
// PostgreSQL refuses zero bytes and invalid UTF-8, in queries too.
func Unkeepable(err error) bool { return pgCode(err) == pgInvalidText }

// found maps "no rows" to [ErrNotFound].
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
