package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/internal/token"
)

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
