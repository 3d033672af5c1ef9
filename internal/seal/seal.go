// Package seal encrypts stored secrets that must be decrypted later, such as
// webhook secrets, signing keys and certificates' keys. It uses AES-256-GCM with a
// key that is kept outside the database, so a copy of the database alone does not
// reveal them.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
)

// KeyBytes is the length of a key in bytes.
const KeyBytes = 32

const textPrefix = "sealed:v1:"

// Errors that callers tell apart.
var (
	// ErrKey means that the key is not [KeyBytes] bytes in base64.
	ErrKey = errors.New("must be 32 bytes in base64: head -c 32 /dev/urandom | base64")
	// ErrSealed means that the value was sealed with another key or for another
	// purpose, that no key is set, or that the value is damaged.
	ErrSealed = errors.New("sealed with another key than the one configured")
)

// Cipher encrypts ("seals") and decrypts ("opens") values. The zero Cipher has no
// key. A Cipher is safe for concurrent use.
type Cipher struct{ aead cipher.AEAD }

// New returns a cipher that uses a key in base64. If key is empty, it returns the
// zero Cipher. The error never contains the key.
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

// Seal encrypts value for a purpose, such as the id of its row. The result can be
// opened for that purpose only, so rows cannot be swapped. It consists of the
// nonce, the ciphertext and the tag. The cipher must have a key.
func (c Cipher) Seal(value []byte, purpose string) []byte {
	return c.aead.Seal(nil, nil, value, []byte(purpose))
}

// Open decrypts a value that [Cipher.Seal] sealed for the same purpose. Its only
// error is [ErrSealed].
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

// SealText is [Cipher.Seal] for text columns. Without a key it returns text
// unchanged.
func (c Cipher) SealText(text, purpose string) string {
	if !c.Keyed() {
		return text
	}
	return textPrefix + base64.StdEncoding.EncodeToString(c.Seal([]byte(text), purpose))
}

// OpenText decrypts text that [Cipher.SealText] sealed for the same purpose. Text
// that was never sealed is returned unchanged, so a key can be introduced at any
// time.
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

// NewKey returns a random key in base64.
func NewKey() string {
	key := make([]byte, KeyBytes)
	rand.Read(key) // documented never to fail
	return base64.StdEncoding.EncodeToString(key)
}
