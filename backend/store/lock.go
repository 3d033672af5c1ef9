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
	f, err := s.lockAs(h)
	if err != nil {
		return err
	}
	s.locking.Lock()
	defer s.locking.Unlock()
	s.lock, s.holder = f, h
	return nil
}

// KeepLock takes the lock anew if its file was removed or replaced, for instance by
// somebody who took it for a stale one: the lock of a removed file keeps no other
// service away. It returns a [LockedError] if another service was faster, and does
// nothing without [Store.Lock].
func (s *Store) KeepLock() error {
	s.locking.Lock()
	defer s.locking.Unlock()
	if s.lock == nil {
		return nil
	}
	ours, err := s.lock.Stat()
	if err != nil {
		return fmt.Errorf("locking database: %w", err)
	}
	if there, err := os.Stat(s.lock.Name()); err == nil && os.SameFile(there, ours) {
		return nil
	}
	f, err := s.lockAs(s.holder)
	if err != nil {
		return err
	}
	err = s.lock.Close()
	s.lock = f
	return err
}

// unlock gives the lock up, if this store has it.
func (s *Store) unlock() error {
	s.locking.Lock()
	defer s.locking.Unlock()
	if s.lock == nil {
		return nil
	}
	err := s.lock.Close()
	s.lock = nil
	return err
}

// lockAs returns the lock file, locked.
func (s *Store) lockAs(h Holder) (*os.File, error) {
	// Two names of one file must lead to one lock.
	path, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return nil, fmt.Errorf("locking database: %w", err)
	}
	f, err := os.OpenFile(path+"-lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking database: %w", err)
	}
	switch err := lockFile(f); {
	case errors.Is(err, errHeld):
		held := &LockedError{Path: path, Holder: holderIn(f)}
		f.Close()
		return nil, held
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("locking database: %w; put the database on a local disk: its file system must support locks", err)
	}
	// The lock holds without its holder's name. On a full disk it cannot be written,
	// and that must not keep a service from starting.
	_ = writeHolder(f, h)
	return f, nil
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
