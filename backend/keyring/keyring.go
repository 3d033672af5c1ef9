// Package keyring manages the ES256 keys that sign tokens: the current key, the
// next key, which is published before it is used, and retired keys, which stay
// published until every token that they signed has expired. Keys are stored in a
// [KeyStore]: a folder on one machine, or a database that several backends share.
package keyring

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/internal/token"
)

// Overlap is how long a retired key stays published. It is longer than the longest
// session, with all extensions and pauses.
const Overlap = 64 * 24 * time.Hour

// State is the stage of a key's life.
type State string

// The states, in the order of a key's life.
const (
	Next    State = "next"
	Current State = "current"
	Retired State = "retired"
)

// Info is the public metadata of a key.
type Info struct {
	KeyID     string `json:"kid"`
	State     State  `json:"state"`
	CreatedAt int64  `json:"created_at"`
	RetiredAt int64  `json:"retired_at,omitempty"`
}

// Key is a key with its private part, as PKCS #8 in PEM.
type Key struct {
	Info
	PEM []byte
}

// Errors of a [KeyStore].
var (
	// ErrNone is returned if the store has no keys yet.
	ErrNone = errors.New("no signing keys")
	// ErrChanged is returned if the keys changed since they were read.
	ErrChanged = errors.New("the signing keys changed during the operation")
)

// KeyStore stores keys.
type KeyStore interface {
	// Load returns all keys, and a stamp that changes with every change of the keys.
	// It returns [ErrNone] if there are no keys.
	Load(ctx context.Context) (keys []Key, stamp string, err error)
	// Stamp returns the stamp without the keys.
	Stamp(ctx context.Context) (string, error)
	// Replace replaces all keys if the store still has this stamp; the stamp of an
	// empty store is "". Otherwise it returns [ErrChanged].
	Replace(ctx context.Context, keys []Key, stamp string) error
}

// Ring holds the keys of a key store in memory. It implements [token.Keys] and is
// safe for concurrent use.
type Ring struct {
	keyStore KeyStore
	now      func() time.Time

	mu     sync.RWMutex // guards all below
	infos  []Info
	signer *token.Signer
	set    token.KeySet
	jwks   token.JWKS
	stamp  string
}

// Open loads the keys of a key store. If there are none, it creates the first ones.
// Several processes that open an empty store at once end up with the same keys.
func Open(ctx context.Context, keyStore KeyStore, now func() time.Time) (*Ring, error) {
	r := &Ring{keyStore: keyStore, now: now}
	err := r.load(ctx)
	if errors.Is(err, ErrNone) {
		if err := r.initialize(ctx); err != nil && !errors.Is(err, ErrChanged) {
			return nil, fmt.Errorf("making the first keys: %w", err)
		}
		err = r.load(ctx)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Existing loads the keys of a key store. Unlike [Open], it returns an error if there
// are none.
func Existing(ctx context.Context, keyStore KeyStore, now func() time.Time) (*Ring, error) {
	r := &Ring{keyStore: keyStore, now: now}
	err := r.load(ctx)
	if errors.Is(err, ErrNone) {
		return nil, fmt.Errorf("%w: the session service creates them when it first starts", err)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Signer returns a signer with the current key.
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

// JWKS returns the public part of all keys, the current key first.
func (r *Ring) JWKS() token.JWKS {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.jwks
}

// List returns the metadata of all keys.
func (r *Ring) List() []Info {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return append([]Info(nil), r.infos...)
}

func (r *Ring) initialize(ctx context.Context) error {
	current, err := generate(Current, r.now())
	if err != nil {
		return err
	}
	next, err := generate(Next, r.now())
	if err != nil {
		return err
	}
	return r.keyStore.Replace(ctx, []Key{current, next}, "")
}

// Rotate retires the current key, makes the next key current and creates a new next
// key. It removes keys that were retired longer than [Overlap] ago.
func (r *Ring) Rotate(ctx context.Context) error {
	keys, stamp, err := r.keyStore.Load(ctx)
	if err != nil {
		return fmt.Errorf("rotating keys: %w", err)
	}
	now := r.now()
	var kept []Key
	promoted := false
	for _, k := range keys {
		switch {
		case k.State == Next && !promoted:
			k.State, promoted = Current, true
		case k.State == Current:
			k.State, k.RetiredAt = Retired, now.Unix()
		case k.State == Retired && now.Unix()-k.RetiredAt > int64(Overlap/time.Second):
			continue
		}
		kept = append(kept, k)
	}
	if !promoted {
		return errors.New("rotating keys: no next key")
	}
	next, err := generate(Next, now)
	if err != nil {
		return err
	}
	if err := r.keyStore.Replace(ctx, append(kept, next), stamp); err != nil {
		return fmt.Errorf("rotating keys: %w", err)
	}
	return r.load(ctx)
}

// Refresh loads the keys again if another process changed them.
func (r *Ring) Refresh(ctx context.Context) error {
	stamp, err := r.keyStore.Stamp(ctx)
	if err != nil {
		return fmt.Errorf("reading keys: %w", err)
	}
	r.mu.RLock()
	same := stamp == r.stamp
	r.mu.RUnlock()
	if same {
		return nil
	}
	return r.load(ctx)
}

func (r *Ring) load(ctx context.Context) error {
	keys, stamp, err := r.keyStore.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading keys: %w", err)
	}
	var infos []Info
	var signer *token.Signer
	set := token.KeySet{}
	var jwks token.JWKS
	for _, k := range keys {
		private, err := parse(k)
		if err != nil {
			return err
		}
		s, err := token.NewSigner(private)
		if err != nil {
			return fmt.Errorf("reading keys: %w", err)
		}
		if s.KeyID() != k.KeyID {
			return fmt.Errorf("reading keys: the content stored as key %s is a different key", k.KeyID)
		}
		jwk, err := token.NewJWK(s.Public())
		if err != nil {
			return fmt.Errorf("reading keys: %w", err)
		}
		infos = append(infos, k.Info)
		set[k.KeyID] = s.Public()
		if k.State == Current {
			signer = s
			jwks.Keys = append([]token.JWK{jwk}, jwks.Keys...)
			continue
		}
		jwks.Keys = append(jwks.Keys, jwk)
	}
	if signer == nil {
		return errors.New("reading keys: no current key")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.infos, r.signer, r.set, r.jwks, r.stamp = infos, signer, set, jwks, stamp
	return nil
}

func generate(s State, now time.Time) (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generating key: %w", err)
	}
	kid, err := token.Thumbprint(&private.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("generating key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("generating key: %w", err)
	}
	return Key{
		Info: Info{KeyID: kid, State: s, CreatedAt: now.Unix()},
		PEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}, nil
}

func parse(k Key) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(k.PEM)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("reading key %s: not a PEM private key", k.KeyID)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: it is damaged", k.KeyID) // err might quote the key
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("reading key %s: not an ECDSA key", k.KeyID)
	}
	return private, nil
}
