package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Kind tells the tokens apart; it is the JWT's typ header. A token of one kind
// is never accepted where the other is asked for.
type Kind string

const (
	Launch    Kind = "launch+jwt"
	Session   Kind = "session+jwt"
	Assertion Kind = "assertion+jwt" // the gate's statement to an origin
)

// MaxSize is the longest token that is looked at, in bytes. Ours are near 700.
const MaxSize = 4096

// Leeway is how far iat and nbf may lie in the future. Deadlines get none.
const Leeway = 30 * time.Second

// Claims is what a token says. Times are Unix seconds in the JWT.
type Claims struct {
	jwt.RegisteredClaims
	ProviderID      string `json:"provider_id"`
	TokensAllocated int64  `json:"tokens_allocated"`
	ReturnURL       string `json:"return_url"`
}

// SessionID is the session that the token is about (its jti).
func (c *Claims) SessionID() string { return c.ID }

// UserID is who may use it (its sub).
func (c *Claims) UserID() string { return c.Subject }

// Deadline is when the token ends, as far as its signer knew.
func (c *Claims) Deadline() time.Time {
	if c.ExpiresAt == nil {
		return time.Time{}
	}
	return c.ExpiresAt.Time
}

// frame is what a token has beside its claims, and a cookie beside its token:
// header, signature and name, with room for numbers that grow.
const frame = 300

// Fits reports whether a token that says this is short enough to be verified,
// and for browsers to keep as a cookie.
func (c *Claims) Fits() bool {
	body, err := json.Marshal(c)
	return err == nil && base64.RawURLEncoding.EncodedLen(len(body))+frame <= MaxSize
}

// Errors that callers tell apart. Their texts name no part of any token.
var (
	ErrMalformed  = errors.New("token is malformed")
	ErrTooLarge   = errors.New("token is too large")
	ErrKind       = errors.New("token is of another kind")
	ErrSignature  = errors.New("token's signature does not verify")
	ErrUnknownKey = errors.New("token is signed with an unknown key")
	ErrExpired    = errors.New("token has expired")
	ErrNotYet     = errors.New("token is not valid yet")
	ErrIssuer     = errors.New("token is from another issuer")
	ErrAudience   = errors.New("token is for another provider")
	ErrIncomplete = errors.New("token lacks a required claim")
)
