// Package keyring keeps the issuer's ES256 keys in a folder: one to sign with,
// the next one, published ahead of its use, and retired ones, published until
// the last token they signed is over.
//
//	keys/ring.json   which key is what
//	keys/<kid>.pem   PKCS #8, mode 0600
package keyring

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/internal/token"
)

// Overlap is how long a retired key stays published: longer than any session
// may last with its extensions and pauses.
const Overlap = 64 * 24 * time.Hour

// State is what a key is for.
type State string

// The states, in the order of a key's life.
const (
	Next    State = "next"
	Current State = "current"
	Retired State = "retired"
)

// Info is what may be said of a key.
type Info struct {
	KeyID     string `json:"kid"`
	State     State  `json:"state"`
	CreatedAt int64  `json:"created_at"`
	RetiredAt int64  `json:"retired_at,omitempty"`
}

const ringFile = "ring.json"

// Ring is an open key folder. It implements [token.Keys]. Safe for concurrent
// use.
type Ring struct {
	dir string
	now func() time.Time

	mu      sync.RWMutex // guards all below
	infos   []Info
	signer  *token.Signer
	set     token.KeySet
	jwks    token.JWKS
	modTime time.Time
}

// Open opens the folder dir, and makes its first keys when there are none.
func Open(dir string, now func() time.Time) (*Ring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening keys: %w", err)
	}
	r := &Ring{dir: dir, now: now}
	if _, err := os.Stat(r.path(ringFile)); errors.Is(err, os.ErrNotExist) {
		if err := r.initialize(); err != nil {
			return nil, fmt.Errorf("making the first keys: %w", err)
		}
	}
	if err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// Existing opens a folder that has keys, and makes none.
func Existing(dir string, now func() time.Time) (*Ring, error) {
	r := &Ring{dir: dir, now: now}
	err := r.load()
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there are no keys in %s: the session service makes them on its first start", dir)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Signer is the signer with the current key.
func (r *Ring) Signer() *token.Signer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.signer
}

// Key implements [token.Keys].
func (r *Ring) Key(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	r.mu.RLock()
	set := r.set
	r.mu.RUnlock()
	return set.Key(ctx, kid)
}

// JWKS is the public half of all keys in use, the current one first.
func (r *Ring) JWKS() token.JWKS {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.jwks
}

// List says which keys there are.
func (r *Ring) List() []Info {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return append([]Info(nil), r.infos...)
}

// Rotate makes the next key current, retires the current one, makes a new next
// one, and forgets keys retired longer than [Overlap] ago.
func (r *Ring) Rotate() error {
	if err := r.load(); err != nil {
		return err
	}
	now := r.now()
	var kept []Info
	var gone []string
	promoted := false
	for _, k := range r.List() {
		switch {
		case k.State == Next && !promoted:
			k.State, promoted = Current, true
		case k.State == Current:
			k.State, k.RetiredAt = Retired, now.Unix()
		case k.State == Retired && now.Unix()-k.RetiredAt > int64(Overlap/time.Second):
			gone = append(gone, k.KeyID)
			continue
		}
		kept = append(kept, k)
	}
	if !promoted {
		return errors.New("rotating keys: there is no next key")
	}
	next, err := r.generate(Next)
	if err != nil {
		return err
	}
	if err := r.write(append(kept, next), os.Rename); err != nil {
		return fmt.Errorf("rotating keys: %w", err)
	}
	for _, kid := range gone {
		if err := os.Remove(r.path(kid + ".pem")); err != nil {
			return fmt.Errorf("removing an old key: %w", err)
		}
	}
	return r.load()
}

// Refresh reads the folder again if another process changed it.
func (r *Ring) Refresh() error {
	stat, err := os.Stat(r.path(ringFile))
	if err != nil {
		return fmt.Errorf("reading keys: %w", err)
	}
	r.mu.RLock()
	same := stat.ModTime().Equal(r.modTime)
	r.mu.RUnlock()
	if same {
		return nil
	}
	return r.load()
}

func (r *Ring) load() error {
	stat, err := os.Stat(r.path(ringFile))
	if err != nil {
		return fmt.Errorf("reading keys: %w", err)
	}
	body, err := os.ReadFile(r.path(ringFile))
	if err != nil {
		return fmt.Errorf("reading keys: %w", err)
	}
	var infos []Info
	if err := json.Unmarshal(body, &infos); err != nil {
		return fmt.Errorf("reading %s: %w", ringFile, err)
	}
	var signer *token.Signer
	set := token.KeySet{}
	var jwks token.JWKS
	for _, k := range infos {
		key, err := readKey(r.path(k.KeyID + ".pem"))
		if err != nil {
			return err
		}
		s, err := token.NewSigner(key)
		if err != nil {
			return fmt.Errorf("reading keys: %w", err)
		}
		if s.KeyID() != k.KeyID {
			return fmt.Errorf("reading keys: the file of key %s holds another key", k.KeyID)
		}
		jwk, err := token.NewJWK(s.Public())
		if err != nil {
			return fmt.Errorf("reading keys: %w", err)
		}
		set[k.KeyID] = s.Public()
		if k.State == Current {
			signer = s
			jwks.Keys = append([]token.JWK{jwk}, jwks.Keys...)
			continue
		}
		jwks.Keys = append(jwks.Keys, jwk)
	}
	if signer == nil {
		return errors.New("reading keys: none is current")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.infos, r.signer, r.set, r.jwks, r.modTime = infos, signer, set, jwks, stat.ModTime()
	return nil
}

func (r *Ring) path(name string) string { return filepath.Join(r.dir, name) }
