package credential

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Load returns the authority of the key in a file, and makes the file if it does not
// exist. Edges that serve the same providers share the file.
func Load(path string) (*Authority, error) {
	a, err := Read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) { // another process may be first
		return nil, fmt.Errorf("making the origin key: %w", err)
	}
	return Read(path)
}

// Read returns the authority of the key in a file that exists.
func Read(path string) (*Authority, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the origin key: %w", err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != KeySize {
		return nil, fmt.Errorf("the origin key %s is not %d hexadecimal digits; make one with: openssl rand -hex %d", path, 2*KeySize, KeySize)
	}
	return New([KeySize]byte(raw), rand.Reader, time.Now), nil
}

// create writes a random key. The file appears whole or not at all.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".origin-key-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	var key [KeySize]byte
	_, _ = rand.Read(key[:]) // never fails
	_, err = fmt.Fprintf(f, "%x\n", key)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
