package token

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Keys finds the public key of a kid. It returns [ErrUnknownKey] when there is
// none.
type Keys interface {
	Key(ctx context.Context, kid string) (*ecdsa.PublicKey, error)
}

// Verifier checks tokens of one issuer.
type Verifier struct {
	// Where public keys come from. Required.
	Keys Keys
	// The iss that tokens must carry. Empty: any, for an edge that trusts its
	// backend's keys and no others.
	Issuer string
}

// Expect is what the caller of [Verifier.Verify] asks of a token.
type Expect struct {
	// Kinds that are accepted. Required.
	Kinds []Kind
	// The provider the token must be for. Empty: any.
	ProviderID string
	// Accept a token past its exp. The session's live state decides then: an
	// extension moves the deadline and leaves the token as it was.
	IgnoreExpiry bool
	// The moment to judge by. Required.
	Now time.Time
}

// Verify returns the claims of raw, or why it is refused: one of this package's
// errors, or the key source's own when it could not be reached.
func (v *Verifier) Verify(ctx context.Context, raw string, want Expect) (*Claims, error) {
	if len(raw) > MaxSize {
		return nil, ErrTooLarge
	}
	var claims Claims
	var keyErr error
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithoutClaimsValidation(), // validated below, deadlines without leeway
	)
	parsed, err := parser.ParseWithClaims(raw, &claims, func(t *jwt.Token) (any, error) {
		typ, _ := t.Header["typ"].(string)
		if !accepts(want.Kinds, Kind(typ)) {
			keyErr = ErrKind
			return nil, keyErr
		}
		kid, _ := t.Header["kid"].(string)
		if kid == "" {
			keyErr = ErrUnknownKey
			return nil, keyErr
		}
		key, err := v.Keys.Key(ctx, kid)
		if err != nil {
			keyErr = err
			return nil, err
		}
		return key, nil
	})
	switch {
	case keyErr != nil:
		return nil, keyErr
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return nil, ErrSignature
	case err != nil || !parsed.Valid:
		return nil, ErrMalformed
	}
	if err := v.check(&claims, want); err != nil {
		return nil, err
	}
	return &claims, nil
}

func (v *Verifier) check(c *Claims, want Expect) error {
	if c.ID == "" || c.Subject == "" || c.ProviderID == "" || c.ExpiresAt == nil || c.IssuedAt == nil {
		return ErrIncomplete
	}
	if v.Issuer != "" && c.Issuer != v.Issuer {
		return ErrIssuer
	}
	// aud and provider_id say the same thing; a token on which they differ was
	// not made by us.
	if len(c.Audience) != 1 || c.Audience[0] != c.ProviderID {
		return ErrAudience
	}
	if want.ProviderID != "" && c.ProviderID != want.ProviderID {
		return ErrAudience
	}
	latest := want.Now.Add(Leeway)
	if c.IssuedAt.After(latest) || (c.NotBefore != nil && c.NotBefore.After(latest)) {
		return ErrNotYet
	}
	if !want.IgnoreExpiry && !want.Now.Before(c.ExpiresAt.Time) {
		return ErrExpired
	}
	return nil
}

func accepts(kinds []Kind, k Kind) bool {
	for _, a := range kinds {
		if a == k {
			return true
		}
	}
	return false
}
