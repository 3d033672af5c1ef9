// Package credential makes what an edge shows to origins: for each provider an
// authority with client certificates, and a secret. All are derived from one key, so
// that edges with the same key show the same, and nothing is stored.
//
// A provider's credentials say nothing about another's: an origin that accepts one
// provider refuses the others, although the same edge comes for all of them.
package credential

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"sync"
	"time"
)

const (
	// KeySize is the number of bytes of a key.
	KeySize = 32

	leafLife      = 24 * time.Hour
	leafRenew     = 12 * time.Hour // before the end
	clockSkew     = time.Hour      // how far an origin's clock may be behind
	maxProviders  = 10_000         // whose credentials are remembered
	maxCommonName = 64             // by RFC 5280
)

// An authority is good for as long as the key is, so that origins trust it once.
var (
	authorityFrom  = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	authorityUntil = time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Authority makes the credentials of providers. It is safe for concurrent use.
type Authority struct {
	key  [KeySize]byte
	rand io.Reader
	now  func() time.Time

	mu    sync.Mutex // guards known
	known map[string]*provider
}

// provider is what one provider's origin is shown.
type provider struct {
	secret string

	mu   sync.Mutex // guards all below
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	leaf *tls.Certificate
}

// New returns the authority of a key. Random bytes and the time are arguments.
func New(key [KeySize]byte, rand io.Reader, now func() time.Time) *Authority {
	return &Authority{key: key, rand: rand, now: now, known: make(map[string]*provider)}
}

// Secret returns a provider's secret: 64 hexadecimal digits.
func (a *Authority) Secret(id string) (string, error) {
	p, err := a.of(id)
	if err != nil {
		return "", err
	}
	return p.secret, nil
}

// CA returns the certificate, in PEM, of the authority that signs a provider's client
// certificates and no others.
func (a *Authority) CA(id string) ([]byte, error) {
	p, err := a.of(id)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := a.setUp(p, id); err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}), nil
}

// Certificate returns a provider's client certificate, which is valid for at least
// [leafRenew]. It names the provider in its subject (CN) and in a URI.
func (a *Authority) Certificate(id string) (*tls.Certificate, error) {
	p, err := a.of(id)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := a.now()
	if p.leaf != nil && now.Before(p.leaf.Leaf.NotAfter.Add(-leafRenew)) && now.After(p.leaf.Leaf.NotBefore) {
		return p.leaf, nil
	}
	if err := a.setUp(p, id); err != nil {
		return nil, err
	}
	fresh, err := a.sign(p, id, now)
	if err != nil {
		return nil, fmt.Errorf("signing a client certificate for %s: %w", id, err)
	}
	p.leaf = fresh
	return fresh, nil
}

// of returns what is remembered of a provider.
func (a *Authority) of(id string) (*provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.known[id]; ok {
		return p, nil
	}
	secret, err := a.derive("secret", id, sha256.Size)
	if err != nil {
		return nil, err
	}
	if len(a.known) >= maxProviders {
		clear(a.known)
	}
	p := &provider{secret: hex.EncodeToString(secret)}
	a.known[id] = p
	return p, nil
}

// derive returns bytes for one purpose and one provider.
func (a *Authority) derive(purpose, id string, size int) ([]byte, error) {
	b, err := hkdf.Expand(sha256.New, a.key[:], "sessiongate origin "+purpose+"\x00"+id, size)
	if err != nil {
		return nil, fmt.Errorf("deriving credentials of %s: %w", id, err)
	}
	return b, nil
}

// setUp makes a provider's authority, if it is not made yet. The same key makes the same
// certificate.
func (a *Authority) setUp(p *provider, id string) error {
	if p.cert != nil {
		return nil
	}
	key, err := a.authorityKey(id)
	if err != nil {
		return err
	}
	serial, err := a.derive("serial", id, 16)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: positive(serial), Subject: subject(id), NotBefore: authorityFrom, NotAfter: authorityUntil,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, URIs: []*url.URL{uri(id)},
	}
	// Without random bytes, the signature is made by RFC 6979: always the same.
	der, err := x509.CreateCertificate(nil, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("making the authority of %s: %w", id, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("making the authority of %s: %w", id, err)
	}
	p.key, p.cert = key, cert
	return nil
}

// authorityKey derives a provider's key by FIPS 186-5, A.2.1: with 128 bits more
// than the order has, so that each key is as likely as any other.
func (a *Authority) authorityKey(id string) (*ecdsa.PrivateKey, error) {
	b, err := a.derive("authority", id, 48)
	if err != nil {
		return nil, err
	}
	curve := elliptic.P256()
	one := big.NewInt(1)
	d := new(big.Int).SetBytes(b)
	d.Mod(d, new(big.Int).Sub(curve.Params().N, one)).Add(d, one)
	key, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, 32)))
	if err != nil {
		return nil, fmt.Errorf("deriving the authority of %s: %w", id, err)
	}
	return key, nil
}

// sign makes a client certificate with a key of its own.
func (a *Authority) sign(p *provider, id string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.rand)
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	if _, err := io.ReadFull(a.rand, serial); err != nil {
		return nil, err
	}
	s := subject(id)
	s.OrganizationalUnit = nil
	template := &x509.Certificate{
		SerialNumber: positive(serial), Subject: s, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(leafLife),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, URIs: []*url.URL{uri(id)},
	}
	der, err := x509.CreateCertificate(a.rand, template, p.cert, &key.PublicKey, p.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// subject is the name of an authority. Its certificates lack the unit.
func subject(id string) pkix.Name {
	name := id
	if len(name) > maxCommonName { // the URI has it whole
		name = name[:maxCommonName]
	}
	return pkix.Name{CommonName: name, Organization: []string{"Sessiongate"}, OrganizationalUnit: []string{"Origin authority"}}
}

func uri(id string) *url.URL {
	return &url.URL{Scheme: "urn", Opaque: "sessiongate:provider:" + url.PathEscape(id)}
}

// positive makes a serial number of 16 bytes: not zero, and not negative in DER.
func positive(b []byte) *big.Int {
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}
