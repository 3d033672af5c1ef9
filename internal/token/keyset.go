package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// KeySet is a set of public keys by kid. It is never changed once made.
type KeySet map[string]*ecdsa.PublicKey

// NewKeySet returns the set of the given keys, each under its [Thumbprint].
func NewKeySet(keys ...*ecdsa.PublicKey) (KeySet, error) {
	set := make(KeySet, len(keys))
	for _, k := range keys {
		kid, err := Thumbprint(k)
		if err != nil {
			return nil, err
		}
		set[kid] = k
	}
	return set, nil
}

// Key implements [Keys].
func (s KeySet) Key(_ context.Context, kid string) (*ecdsa.PublicKey, error) {
	if k, ok := s[kid]; ok {
		return k, nil
	}
	return nil, ErrUnknownKey
}

// JWK is one public key as JWKS writes it (RFC 7517, RFC 7518 §6.2).
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	KeyID     string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

// JWKS is a key set on the wire.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// NewJWK is k as JWKS writes it.
func NewJWK(k *ecdsa.PublicKey) (JWK, error) {
	x, y, err := coordinates(k)
	if err != nil {
		return JWK{}, err
	}
	kid, err := Thumbprint(k)
	if err != nil {
		return JWK{}, err
	}
	return JWK{KeyType: "EC", Curve: "P-256", X: x, Y: y, KeyID: kid, Use: "sig", Algorithm: "ES256"}, nil
}

// ParseJWKS reads a key set. Keys that are not ES256 signature keys are left
// out, as RFC 7517 §5 asks; a damaged one is an error.
func ParseJWKS(body []byte) (KeySet, error) {
	var doc JWKS
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("reading JWKS: %w", err)
	}
	set := make(KeySet, len(doc.Keys))
	for _, j := range doc.Keys {
		if j.KeyType != "EC" || j.Curve != "P-256" || (j.Use != "" && j.Use != "sig") || j.KeyID == "" {
			continue
		}
		key, err := j.public()
		if err != nil {
			return nil, fmt.Errorf("reading JWKS key %q: %w", j.KeyID, err)
		}
		set[j.KeyID] = key
	}
	return set, nil
}

func (j JWK) public() (*ecdsa.PublicKey, error) {
	x, err := base64.RawURLEncoding.DecodeString(j.X)
	if err != nil {
		return nil, err
	}
	y, err := base64.RawURLEncoding.DecodeString(j.Y)
	if err != nil {
		return nil, err
	}
	if len(x) != 32 || len(y) != 32 {
		return nil, fmt.Errorf("coordinates are %d and %d bytes; expected 32", len(x), len(y))
	}
	point := append(append([]byte{4}, x...), y...) // SEC 1, uncompressed
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// Thumbprint is the kid of k: its JWK thumbprint (RFC 7638).
func Thumbprint(k *ecdsa.PublicKey) (string, error) {
	x, y, err := coordinates(k)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, x, y))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// PEM is k as a PKIX "PUBLIC KEY" block, the form of GET /api/v1/keys/public.
func PEM(k *ecdsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return "", fmt.Errorf("encoding public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

func coordinates(k *ecdsa.PublicKey) (x, y string, err error) {
	if k == nil || k.Curve != elliptic.P256() {
		return "", "", fmt.Errorf("key is not on P-256, the curve of ES256")
	}
	point, err := k.Bytes()
	if err != nil {
		return "", "", fmt.Errorf("encoding public key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]), nil
}
