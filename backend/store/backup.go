package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
)

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
