package edgestorage

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

// First bytes of values.
const (
	plainValue  = 0
	sealedValue = 1
)

// box seals values with AES-256-GCM, each to its name. Without a key it leaves
// them as they are.
type box struct{ aead cipher.AEAD }

func newBox(key string) (box, error) {
	if key == "" {
		return box{}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 32 {
		return box{}, errors.New("encryption_key must be 32 bytes in base64: head -c 32 /dev/urandom | base64")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return box{}, fmt.Errorf("preparing encryption_key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return box{}, fmt.Errorf("preparing encryption_key: %w", err)
	}
	return box{aead}, nil
}

func (b box) seal(name string, value []byte) ([]byte, error) {
	if b.aead == nil {
		return append([]byte{plainValue}, value...), nil
	}
	nonce := make([]byte, b.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return b.aead.Seal(append([]byte{sealedValue}, nonce...), nonce, value, []byte(name)), nil
}

func (b box) open(name string, sealed []byte) ([]byte, error) {
	switch {
	case len(sealed) == 0:
		return nil, errors.New("it is damaged")
	case sealed[0] == plainValue: // from before there was a key
		return sealed[1:], nil
	case b.aead == nil:
		return nil, errors.New("it is sealed; set the encryption_key that the other edges have")
	case sealed[0] != sealedValue || len(sealed) < 1+b.aead.NonceSize():
		return nil, errors.New("it is damaged")
	}
	nonce, rest := sealed[1:1+b.aead.NonceSize()], sealed[1+b.aead.NonceSize():]
	value, err := b.aead.Open(nil, nonce, rest, []byte(name))
	if err != nil {
		return nil, errors.New("it was sealed with another encryption_key, or is damaged")
	}
	return value, nil
}
