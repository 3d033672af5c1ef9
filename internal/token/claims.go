package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
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
