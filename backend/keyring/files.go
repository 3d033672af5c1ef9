package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const ringFile = "ring.json"

// Folder is a key store on one machine:
//
//	ring.json   the metadata of all keys
//	<kid>.pem   PKCS #8, mode 0600
type Folder string

var _ KeyStore = Folder("")

// Stamp implements [KeyStore].
func (f Folder) Stamp(context.Context) (string, error) {
	_, stamp, err := f.ring()
	return stamp, err
}

// ring reads the ring file. The stamp is a hash of its content, since modification
// times are too coarse on some file systems.
func (f Folder) ring() (body []byte, stamp string, err error) {
	body, err = os.ReadFile(f.path(ringFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", fmt.Errorf("%w in %s", ErrNone, string(f))
	}
	sum := sha256.Sum256(body)
	return body, hex.EncodeToString(sum[:]), err
}

// Load implements [KeyStore].
func (f Folder) Load(context.Context) ([]Key, string, error) {
	body, stamp, err := f.ring()
	if err != nil {
		return nil, "", err
	}
	var infos []Info
	if err := json.Unmarshal(body, &infos); err != nil {
		return nil, "", fmt.Errorf("%s: %w", ringFile, err)
	}
	keys := make([]Key, 0, len(infos))
	for _, info := range infos {
		body, err := os.ReadFile(f.path(info.KeyID + ".pem"))
		if err != nil {
			return nil, "", err
		}
		keys = append(keys, Key{Info: info, PEM: body})
	}
	return keys, stamp, nil
}

// Replace implements [KeyStore]. Creating the first keys is atomic across processes.
// Later changes are not: operators rotate keys one at a time.
func (f Folder) Replace(ctx context.Context, keys []Key, stamp string) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	place := os.Rename
	if stamp == "" {
		place = os.Link // fails if the file exists
	} else if now, err := f.Stamp(ctx); err != nil || now != stamp {
		return errors.Join(ErrChanged, err)
	}
	var made []string
	wanted := map[string]bool{}
	infos := make([]Info, 0, len(keys))
	for _, k := range keys {
		infos = append(infos, k.Info)
		name := k.KeyID + ".pem"
		wanted[name] = true
		err := writeKey(f.path(name), k.PEM)
		if errors.Is(err, os.ErrExist) {
			continue // a key never changes
		}
		if err != nil {
			return fmt.Errorf("writing key: %w", err)
		}
		made = append(made, f.path(name))
	}
	err := f.writeRing(infos, place)
	if errors.Is(err, os.ErrExist) {
		for _, path := range made {
			err = errors.Join(err, os.Remove(path))
		}
		return errors.Join(ErrChanged, err)
	}
	if err != nil {
		return err
	}
	return f.sweep(wanted)
}

// sweep removes the files of keys that are not in wanted.
func (f Folder) sweep(wanted map[string]bool) error {
	list, err := os.ReadDir(string(f))
	if err != nil {
		return err
	}
	for _, file := range list {
		if strings.HasSuffix(file.Name(), ".pem") && !wanted[file.Name()] {
			if err := os.Remove(f.path(file.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("removing an old key: %w", err)
			}
		}
	}
	return nil
}

func writeKey(path string, body []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}

// writeRing writes the ring file to a temporary file and moves it into place.
func (f Folder) writeRing(infos []Info, place func(from, to string) error) error {
	body, err := json.MarshalIndent(infos, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", ringFile, err)
	}
	file, err := os.CreateTemp(string(f), ringFile+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", ringFile, err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(body, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", ringFile, err)
	}
	return place(file.Name(), f.path(ringFile))
}

func (f Folder) path(name string) string { return filepath.Join(string(f), name) }
