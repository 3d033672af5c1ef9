// Package seal keeps secrets that the service must be able to read again, such
// as webhook secrets and signing keys, unreadable in the database alone:
// AES-256-GCM with a key that is kept elsewhere.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
)

// KeyBytes is the length of a key.
const KeyBytes = 32

const prefix = "sealed:v1:"

// Errors that callers tell apart.
var (
	// ErrKey: the key is not base64 of [KeyBytes].
	ErrKey = errors.New("SESSIONGATE_SEAL_KEY must be 32 bytes in base64: head -c 32 /dev/urandom | base64")
	// ErrSealed: the text was sealed with another key, or none is set.
	ErrSealed = errors.New("sealed with another key than the one configured")
)

// Box seals and opens. The zero Box has no key: it leaves text as it is, and
// opens only what was never sealed. Safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// NewBox returns a box with a key in base64; without one, the zero Box.
func NewBox(key string) (Box, error) {
	if key == "" {
		return Box{}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	if err != nil || len(raw) != KeyBytes {
		return Box{}, ErrKey // err might quote the key
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return Box{}, ErrKey
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Box{}, ErrKey
	}
	return Box{aead: aead}, nil
}

// Keyed reports whether the box has a key.
func (b Box) Keyed() bool { return b.aead != nil }

// Seal returns text sealed for a purpose, such as the id of its row: it opens
// for that purpose only, so that rows cannot be swapped.
func (b Box) Seal(text, purpose string) string {
	if b.aead == nil {
		return text
	}
	return prefix + base64.StdEncoding.EncodeToString(b.aead.Seal(nil, nil, []byte(text), []byte(purpose)))
}

// Open returns what was sealed for a purpose. Text that was never sealed is
// returned as it is: a key may be introduced at any time.
func (b Box) Open(sealed, purpose string) (string, error) {
	encoded, ok := strings.CutPrefix(sealed, prefix)
	if !ok {
		return sealed, nil
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || b.aead == nil {
		return "", ErrSealed
	}
	text, err := b.aead.Open(nil, nil, raw, []byte(purpose))
	if err != nil {
		return "", ErrSealed
	}
	return string(text), nil
}

// NewKey makes a random key.
func NewKey() string {
	key := make([]byte, KeyBytes)
	rand.Read(key) // never fails, by its contract
	return base64.StdEncoding.EncodeToString(key)
}
