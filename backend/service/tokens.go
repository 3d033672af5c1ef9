package service

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/backend/keyring"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/internal/token"
)

// launchClaims returns the claims of a new session's launch token. iat is the start of
// the paid clock, the next full second, so that exp = iat + duration is the deadline
// and no paid time is lost. nbf is the second before, so that the token is valid
// immediately. The token of a pending session expires after its launch window, or after
// its duration if that is longer. The database decides about the session, not the
// token.
func (s *Service) launchClaims(c session.Session, now time.Time) *token.Claims {
	iat := c.StartedAt
	exp := c.ExpiresAt
	if c.Status == session.Pending {
		iat = now.Unix()
		exp = max(c.LaunchBy, iat+c.Duration)
	}
	claims := s.claims(c, iat, now.Unix(), exp)
	claims.DurationLimitSeconds = c.Duration
	return claims
}

// sessionClaims returns the claims of the session token. exp is the current deadline.
// An extension moves the deadline but does not change the token.
func (s *Service) sessionClaims(c session.Session, now time.Time) *token.Claims {
	return s.claims(c, now.Unix(), now.Unix(), c.ExpiresAt)
}

func (s *Service) claims(c session.Session, iat, nbf, exp int64) *token.Claims {
	return &token.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: s.issuer, Subject: c.UserID, Audience: jwt.ClaimStrings{c.ProviderID}, ID: c.ID,
			IssuedAt: date(iat), NotBefore: date(nbf), ExpiresAt: date(exp),
		},
		ProviderID: c.ProviderID, TokensAllocated: c.Tokens, ReturnURL: c.ReturnURL, Relaunches: c.Relaunches,
	}
}

func date(unix int64) *jwt.NumericDate { return jwt.NewNumericDate(time.Unix(unix, 0)) }

// tokenDetail returns the reason why a token is refused. It contains no part of the
// token.
func tokenDetail(err error) string {
	for _, known := range []error{
		token.ErrMalformed, token.ErrTooLarge, token.ErrKind, token.ErrSignature, token.ErrUnknownKey,
		token.ErrNotYet, token.ErrIssuer, token.ErrAudience, token.ErrIncomplete,
	} {
		if errors.Is(err, known) {
			return "The " + known.Error() + "."
		}
	}
	return "The token is not valid."
}

// Signer returns the current signing key.
func (s *Service) Signer() *token.Signer { return s.keys.Signer() }

// JWKS returns all keys that verify this service's tokens.
func (s *Service) JWKS() token.JWKS { return s.keys.JWKS() }

// SigningKeys lists the signing keys without their key material.
func (s *Service) SigningKeys() []keyring.Info { return s.keys.List() }
