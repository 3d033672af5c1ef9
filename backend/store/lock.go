package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// maxHolder bounds what is read of a lock file that somebody else wrote.
const maxHolder = 4 << 10

// Holder is the session service that uses a SQLite database.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Address string    `json:"address"` // where it listens
	Since   time.Time `json:"since"`
}

// LockedError is returned by [Store.Lock] if another session service uses the
// database.
type LockedError struct {
	Path   string
	Holder Holder // zero if the lock file does not say
}

func (e *LockedError) Error() string {
	who := "another session service"
	if h := e.Holder; h.PID != 0 {
		who = fmt.Sprintf("another session service: process %d on %s, listening on %s, since %s", h.PID, h.Host, h.Address, h.Since.UTC().Format(time.RFC3339))
	}
	return "the database " + e.Path + " is in use by " + who +
		"; stop it first, or use another folder. Several services need one PostgreSQL database (--database postgres://…)"
}

// Lock makes this process the one session service of a SQLite database until
// the store is closed or the process ends. It returns a [LockedError] if another
// service has the lock. Commands that only open the database need no lock. On
// PostgreSQL, which services share, Lock does nothing.
func (s *Store) Lock(h Holder) error {
	if s.engine != sqliteEngine {
		return nil
	}
	// Two names of one file must lead to one lock.
	path, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return fmt.Errorf("locking database: %w", err)
	}
	f, err := os.OpenFile(path+"-lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("locking database: %w", err)
	}
	switch err := lockFile(f); {
	case errors.Is(err, errHeld):
		held := &LockedError{Path: path, Holder: holderIn(f)}
		f.Close()
		return held
	case err != nil:
		f.Close()
		return fmt.Errorf("locking database: %w; put the database on a local disk: its file system must support locks", err)
	}
	// The lock holds without its holder's name. On a full disk it cannot be written,
	// and that must not keep a service from starting.
	_ = writeHolder(f, h)
	s.lock = f
	return nil
}

// errHeld says that another open file has the lock.
var errHeld = errors.New("the lock is held")

func writeHolder(f *os.File, h Holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	return err
}

// holderIn reads who wrote a lock file; zero if it does not say.
func holderIn(f *os.File) (h Holder) {
	text, err := io.ReadAll(io.LimitReader(f, maxHolder))
	if err != nil || json.Unmarshal(text, &h) != nil {
		return Holder{}
	}
	return h
}
