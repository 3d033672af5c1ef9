// Package seal encrypts secrets that must be readable again, such as webhook
// secrets, signing keys and certificates' keys, so that a copy of the database
// alone does not show them: AES-256-GCM with a key that is kept elsewhere.
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

const textPrefix = "sealed:v1:"

// Errors that callers tell apart.
var (
	// ErrKey: the key is not base64 of [KeyBytes].
	ErrKey = errors.New("must be 32 bytes in base64: head -c 32 /dev/urandom | base64")
	// ErrSealed: the value was sealed with another key or for another purpose, no
	// key is set, or the value is damaged.
	ErrSealed = errors.New("sealed with another key than the one configured")
)

// Cipher seals and opens values. The zero Cipher has no key. Safe for concurrent
// use.
type Cipher struct{ aead cipher.AEAD }

// New returns a cipher with a key in base64; without one, the zero Cipher. The
// error never quotes the key.
func New(key string) (Cipher, error) {
	if key == "" {
		return Cipher{}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
	if err != nil || len(raw) != KeyBytes {
		return Cipher{}, ErrKey
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return Cipher{}, ErrKey
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Cipher{}, ErrKey
	}
	return Cipher{aead: aead}, nil
}

// Keyed reports whether the cipher has a key.
func (c Cipher) Keyed() bool { return c.aead != nil }

// Seal returns value sealed for a purpose, such as the id of its row: it opens
// for that purpose only, so that rows cannot be swapped. The result is the nonce,
// the ciphertext and the tag. Only a keyed cipher seals.
func (c Cipher) Seal(value []byte, purpose string) []byte {
	return c.aead.Seal(nil, nil, value, []byte(purpose))
}

// Open returns what [Cipher.Seal] sealed for a purpose, or [ErrSealed].
func (c Cipher) Open(sealed []byte, purpose string) ([]byte, error) {
	if c.aead == nil {
		return nil, ErrSealed
	}
	value, err := c.aead.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return value, nil
}

// SealText is [Cipher.Seal] for a column of text. Without a key it returns text
// as it is.
func (c Cipher) SealText(text, purpose string) string {
	if !c.Keyed() {
		return text
	}
	return textPrefix + base64.StdEncoding.EncodeToString(c.Seal([]byte(text), purpose))
}

// OpenText returns what [Cipher.SealText] sealed for a purpose. Text that was
// never sealed is returned as it is: a key may be introduced at any time.
func (c Cipher) OpenText(sealed, purpose string) (string, error) {
	encoded, ok := strings.CutPrefix(sealed, textPrefix)
	if !ok {
		return sealed, nil
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", ErrSealed
	}
	text, err := c.Open(raw, purpose)
	return string(text), err
}

// NewKey makes a random key.
func NewKey() string {
	key := make([]byte, KeyBytes)
	rand.Read(key) // never fails, by its contract
	return base64.StdEncoding.EncodeToString(key)
}
