// Package token signs and verifies the two JWTs of a session: the launch
// token, which a marketplace puts in a link and an edge redeems once, and the
// session token, which lives in the gate's cookie. Both are ES256, always; a
// token's own header never chooses the algorithm, only the key by its kid.
//
//	token.go   what a token says, and Signer: the issuer's side
//	verify.go  Verifier: everybody's side
//	keyset.go  KeySet: public keys by kid, as JWKS and back
//	remote.go  RemoteKeys: a key set kept fresh from an issuer, through outages
package token

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Kind is the type of a token, its JWT's typ header. A token of one kind is never
// accepted in the place of another.
type Kind string

const (
	Launch    Kind = "launch+jwt"
	Session   Kind = "session+jwt"
	Assertion Kind = "assertion+jwt" // the gate's assertion to an origin
)

// KindOf returns the kind that a token's header claims, without verifying anything. ok
// is false for a value that is no JWT, or whose header is damaged.
func KindOf(raw string) (kind Kind, ok bool) {
	head, _, _ := strings.Cut(raw, ".")
	var header struct {
		Typ Kind `json:"typ"`
	}
	body, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(body, &header) != nil {
		return "", false
	}
	return header.Typ, true
}

// MaxSize is the size of the longest token that is verified, in bytes. Typical
// tokens have 700.
const MaxSize = 4096

// Leeway is how far iat and nbf may lie in the future. Deadlines get none.
const Leeway = 30 * time.Second

// Claims are the claims of a token. Times are Unix seconds in the JWT.
type Claims struct {
	jwt.RegisteredClaims
	ProviderID      string `json:"provider_id"`
	TokensAllocated int64  `json:"tokens_allocated"`
	ReturnURL       string `json:"return_url"`
	// How many relaunches the session had had when the token was made. The token is void
	// once there was a further one.
	Relaunches int64 `json:"relaunches,omitempty"`
	// The paid seconds that were sold, in launch tokens: how long an edge may serve the
	// session before it can ask the backend. 0 in tokens of earlier versions.
	DurationLimitSeconds int64 `json:"duration_limit_seconds,omitempty"`
}

// SessionID returns the id of the token's session, its jti.
func (c *Claims) SessionID() string { return c.ID }

// UserID returns the id of the session's user, the token's sub.
func (c *Claims) UserID() string { return c.Subject }

// Deadline returns when the token expires. An extension of its session does not
// change it.
func (c *Claims) Deadline() time.Time {
	if c.ExpiresAt == nil {
		return time.Time{}
	}
	return c.ExpiresAt.Time
}

// frame is the size of all that a cookie holds beside the claims: the token's
// header and signature and the cookie's name, with a reserve for growing numbers.
const frame = 300

// Fits reports whether a token with these claims is short enough to be verified,
// and to be kept by browsers as a cookie.
func (c *Claims) Fits() bool {
	body, err := json.Marshal(c)
	return err == nil && base64.RawURLEncoding.EncodedLen(len(body))+frame <= MaxSize
}

// Errors that callers tell apart. Their texts name no part of any token.
var (
	ErrMalformed  = errors.New("token is malformed")
	ErrTooLarge   = errors.New("token is too large")
	ErrKind       = errors.New("token has the wrong type")
	ErrSignature  = errors.New("token signature is not valid")
	ErrUnknownKey = errors.New("token is signed with an unknown key")
	ErrExpired    = errors.New("token has expired")
	ErrNotYet     = errors.New("token is not valid yet")
	ErrIssuer     = errors.New("token is from another issuer")
	ErrAudience   = errors.New("token is for another provider")
	ErrIncomplete = errors.New("token lacks a required claim")
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
