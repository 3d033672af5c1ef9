package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

const (
	headerAssertion = "Session-Gate-Assertion"

	// assertionJWKS is where an origin finds the key to verify with.
	assertionJWKS = protocol.GatePrefix + "jwks.json"

	assertionLife  = time.Minute
	assertionReuse = 30 * time.Second // how long one is sent again before a new one is signed
)

// assertionClaims is what the gate states to an origin.
type assertionClaims struct {
	jwt.RegisteredClaims
	ProviderID string `json:"provider_id"`
}

// asserter signs short-lived assertions of a request's user and session, so that an
// origin need not trust the network between it and the edge.
type asserter struct {
	signer *token.Signer
	jwks   []byte
}

// defaultAssertionKey is where the key is kept unless the configuration says.
func defaultAssertionKey() string {
	return filepath.Join(caddy.AppDataDir(), "session_gate", "assertion.pem")
}

// loadAsserter reads the ES256 key at path, or makes one there. Edges that serve
// one site share the file.
func loadAsserter(path string) (*asserter, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("assertion_key: %w", err)
	}
	signer, err := token.NewSigner(key)
	if err != nil {
		return nil, fmt.Errorf("assertion_key %s: %w", path, err)
	}
	jwk, err := token.NewJWK(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("assertion_key %s: %w", path, err)
	}
	jwks, err := json.Marshal(token.JWKS{Keys: []token.JWK{jwk}})
	if err != nil {
		return nil, fmt.Errorf("assertion_key %s: %w", path, err)
	}
	return &asserter{signer: signer, jwks: jwks}, nil
}

// lazyAsserter is the asserter for providers that ask for assertions by their site
// settings. It is loaded when the configuration starts, or by whoever needs it first.
type lazyAsserter struct {
	path   string
	logger *zap.Logger

	once   sync.Once
	loaded *asserter
}

// asserter returns the asserter, or nil if there is no key and none can be made.
func (l *lazyAsserter) asserter() *asserter {
	if l == nil {
		return nil
	}
	l.once.Do(func() {
		var err error
		if l.loaded, err = loadAsserter(l.path); err != nil {
			l.logger.Warn("no assertion key: origins of providers that ask for assertions receive headers alone; set assertion_key", zap.Error(err))
		}
	})
	return l.loaded
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no EC key; ES256 needs one on P-256", path)
	}
	return key, nil
}

func makeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // another process was first
		return readKey(path)
	}
	if err != nil {
		return nil, err
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return key, errors.Join(err, f.Close())
}

// header is the statement about s for the site at host, as a header's value.
func (a *asserter) header(s *live.Session, host string) (string, error) {
	now := s.NowMS()
	if known := s.Assertion(); known != nil && now < known.UntilMS && known.Host == host {
		return known.Value, nil
	}
	st := s.Record().State()
	at := time.UnixMilli(now)
	ends := at.Add(assertionLife)
	if deadline := time.Unix(st.ExpiresAt, 0); deadline.Before(ends) {
		ends = deadline
	}
	signed, err := a.signer.Sign(token.Assertion, &assertionClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: host, Subject: st.UserID, Audience: jwt.ClaimStrings{st.ProviderID}, ID: st.ID,
			IssuedAt: jwt.NewNumericDate(at), ExpiresAt: jwt.NewNumericDate(ends),
		},
		ProviderID: st.ProviderID,
	})
	if err != nil {
		return "", err
	}
	fresh := &live.Assertion{Host: host, Value: signed, UntilMS: min(now+assertionReuse.Milliseconds(), ends.UnixMilli())}
	s.SetAssertion(fresh)
	return fresh.Value, nil
}
