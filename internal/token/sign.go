package token

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Signer signs tokens with one ES256 key.
type Signer struct {
	kid string
	key *ecdsa.PrivateKey
}

// NewSigner returns a signer for an ECDSA P-256 key; kid is its [Thumbprint].
func NewSigner(key *ecdsa.PrivateKey) (*Signer, error) {
	kid, err := Thumbprint(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Signer{kid: kid, key: key}, nil
}

// KeyID is the kid that the signer's tokens carry.
func (s *Signer) KeyID() string { return s.kid }

// Public is the key that verifies the signer's tokens.
func (s *Signer) Public() *ecdsa.PublicKey { return &s.key.PublicKey }

// Sign returns the compact JWT of c. The caller has set every claim.
func (s *Signer) Sign(kind Kind, c jwt.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	t.Header["typ"] = string(kind)
	t.Header["kid"] = s.kid
	signed, err := t.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("signing %s: %w", kind, err)
	}
	return signed, nil
}
