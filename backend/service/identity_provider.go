package service

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// identityProvider is the configured identity provider. Its discovery document is read
// at the first use, since the provider may be unavailable when the service starts. It
// is read again from time to time, since providers move their endpoints.
type identityProvider struct {
	config   OIDC
	callback string
	client   *http.Client
	now      func() time.Time

	asking singleflight.Group
	found  atomic.Pointer[discovery]
}

// discovery is the content of the discovery document.
type discovery struct {
	provider *oidc.Provider
	// When the document must be read again.
	until time.Time
}

// newIdentityProvider returns nil if no identity provider is configured.
func newIdentityProvider(config OIDC, issuer string, now func() time.Time) *identityProvider {
	if !config.configured() {
		return nil
	}
	return &identityProvider{config: config, callback: issuer + OIDCCallback, client: &http.Client{Timeout: oidcTimeout}, now: now}
}

// discover returns the provider's endpoints and keys. While the document cannot be
// read, it returns the last known ones.
func (p *identityProvider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	known := p.found.Load()
	// Also read it if the clock was set back meanwhile.
	if left := p.left(known); left <= 0 || left > discoveryFresh {
		_, err, _ := p.asking.Do("", func() (any, error) { return nil, p.read(ctx) })
		if known = p.found.Load(); known == nil {
			return nil, nil, &Refusal{Code: protocol.Unavailable, Detail: "The identity provider is unavailable. Try again, or sign in with a key.", Cause: err}
		}
	}
	return known.provider, &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: known.provider.Endpoint(), RedirectURL: p.callback,
		Scopes: []string{oidc.ScopeOpenID, "email"},
	}, nil
}

// left returns how long a discovery document may still be used, or 0 if there is none.
func (p *identityProvider) left(known *discovery) time.Duration {
	if known == nil {
		return 0
	}
	return known.until.Sub(p.now())
}

// read reads the discovery document. If that fails and no document is known, it tries
// again.
func (p *identityProvider) read(ctx context.Context) error {
	// The provider uses this context to fetch keys after this request has ended.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), p.client)
	provider, err := oidc.NewProvider(ctx, p.config.Issuer)
	known := p.found.Load()
	if err != nil && known == nil {
		provider, err = oidc.NewProvider(ctx, p.config.Issuer)
	}
	switch {
	case err == nil:
		p.found.Store(&discovery{provider: provider, until: p.now().Add(discoveryFresh)})
	case known != nil:
		p.found.Store(&discovery{provider: known.provider, until: p.now().Add(discoveryAgain)})
	}
	return err
}

// distrust makes the service read the discovery document again soon. Call it when an
// endpoint or a key of the document did not work.
func (p *identityProvider) distrust() {
	known, now := p.found.Load(), p.now()
	if known != nil && known.until.Sub(now) < discoveryFresh-discoveryAgain { // it was not read recently
		p.found.CompareAndSwap(known, &discovery{provider: known.provider, until: now})
	}
}

// begin returns the identity provider's URL that starts the sign-in attempt.
func (p *identityProvider) begin(ctx context.Context, at attempt) (string, error) {
	_, config, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return config.AuthCodeURL(at.State, oidc.Nonce(at.Nonce), oauth2.S256ChallengeOption(at.Verifier)), nil
}

// account identifies the person who signed in at the identity provider.
type account struct {
	Subject string // issuer|subject; never changes
	Email   string // in lower case
}

// exchange redeems an authorization code for the account. It verifies the ID token
// as OpenID Connect requires: signature, issuer, audience, authorized party, expiry
// and nonce.
func (p *identityProvider) exchange(ctx context.Context, at attempt, code string) (account, error) {
	found, config, err := p.discover(ctx)
	if err != nil {
		return account{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(at.Verifier))
	if err != nil {
		p.distrust()
		return account{}, notSignedIn("The identity provider rejected the authorization code. Sign in again.", hideOAuth(err))
	}
	raw, _ := tokens.Extra("id_token").(string)
	late := func() time.Time { return p.now().Add(-oidcLeeway) }
	idToken, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.config.ClientID, Now: late}).Verify(ctx, raw)
	if err != nil {
		p.distrust()
		return account{}, notSignedIn("The identity provider's ID token is not valid. Contact the operator.", err)
	}
	if idToken.Nonce != at.Nonce {
		return account{}, notSignedIn("The response belongs to another sign-in attempt. Sign in again.", nil)
	}
	var claims idClaims
	if err := idToken.Claims(&claims); err != nil {
		return account{}, notSignedIn("The identity provider's response is not valid. Contact the operator.", err)
	}
	if err := p.checkParty(claims.AuthorizedParty, idToken.Audience); err != nil {
		return account{}, notSignedIn("The identity provider's ID token was issued to another application. Contact the operator.", err)
	}
	if claims.Email == "" || claims.Verified == nil && !p.config.TrustEmail {
		// Many providers return them only from the UserInfo endpoint.
		info, err := found.UserInfo(ctx, config.TokenSource(ctx, tokens))
		switch {
		case err != nil && claims.Email == "":
			return account{}, notSignedIn("The identity provider did not send your e-mail address. Contact the operator.", hideOAuth(err))
		case err != nil: // the ID token has the address
		case info.Subject != idToken.Subject:
			return account{}, notSignedIn("The identity provider's responses name different accounts. Contact the operator.", nil)
		case claims.Email == "" || strings.EqualFold(claims.Email, info.Email):
			verified := lenientBool(info.EmailVerified)
			claims.Email, claims.Verified = info.Email, &verified
		}
	}
	email, err := normalEmail(claims.Email)
	if err != nil {
		return account{}, notSignedIn("The identity provider did not send your e-mail address. Contact the operator.", nil)
	}
	if !p.config.TrustEmail && (claims.Verified == nil || !bool(*claims.Verified)) {
		return account{}, notSignedIn("The identity provider has not verified your e-mail address. Verify it there, then sign in again.", nil)
	}
	return account{Subject: idToken.Issuer + "|" + idToken.Subject, Email: email}, nil
}

// idClaims are the claims of an ID token that its verification does not cover.
type idClaims struct {
	Email           string       `json:"email"`
	Verified        *lenientBool `json:"email_verified"`
	AuthorizedParty string       `json:"azp"`
}

// lenientBool is a JSON boolean that some identity providers send as a string.
type lenientBool bool

// UnmarshalJSON implements [json.Unmarshaler].
func (b *lenientBool) UnmarshalJSON(text []byte) error {
	switch strings.ToLower(strings.Trim(string(text), `"`)) {
	case "true":
		*b = true
	case "false", "null", "":
		*b = false
	default:
		return errors.New("email_verified is neither true nor false")
	}
	return nil
}

// checkParty returns an error unless an ID token was issued to this client (OpenID
// Connect Core 3.1.3.7). A token for several audiences names the client that it was
// issued to. Tokens that were issued to other applications are refused.
func (p *identityProvider) checkParty(party string, audience []string) error {
	switch {
	case party != "" && party != p.config.ClientID:
		return errors.New("azp names another client")
	case party == "" && len(audience) > 1:
		return errors.New("several audiences and no azp")
	}
	return nil
}
