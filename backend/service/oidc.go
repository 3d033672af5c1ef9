package service

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	OIDCCallback  = AuthPath + "callback"
	OIDCPatience  = 10 * time.Minute // how long a sign-in attempt may take
	oidcTimeout   = 10 * time.Second // of each request to the identity provider
	maxOIDCAnswer = 4096             // bytes of an authorization code
)

// OIDC configures the OpenID Connect identity provider with which people sign in. It
// must support the authorization code flow with PKCE. Register ISSUER/auth/callback
// as the redirect URI there.
type OIDC struct {
	// The issuer URL of the identity provider, without /.well-known/.
	Issuer string
	// The client id and secret of this service. A public client has no secret.
	ClientID, ClientSecret string
	// The name on the button "Sign in with NAME". Default: the host of the issuer.
	Name string
	// Accept e-mail addresses that the identity provider has not verified. Set it
	// only if users cannot choose their address there.
	TrustEmail bool
}

func (o OIDC) configured() bool { return o.Issuer != "" || o.ClientID != "" || o.ClientSecret != "" }

// WithDefaults returns o with its defaults, or an error if o is not valid.
func (o OIDC) WithDefaults() (OIDC, error) {
	if !o.configured() {
		return o, nil
	}
	if !isProviderIssuer(o.Issuer) {
		return o, errors.New("the identity provider's issuer must be an https URL")
	}
	if o.ClientID == "" {
		return o, errors.New("the identity provider needs a client id")
	}
	if o.Name == "" {
		u, _ := url.Parse(o.Issuer) // checked above
		o.Name = u.Host
	}
	return o, nil
}

// identityProvider is the configured identity provider. Its discovery document is
// read at the first use, since it may be unavailable when the service starts.
type identityProvider struct {
	config   OIDC
	callback string
	client   *http.Client
	now      func() time.Time

	asking singleflight.Group
	found  atomic.Pointer[oidc.Provider]
}

// newIdentityProvider returns nil if no identity provider is configured.
func newIdentityProvider(config OIDC, issuer string, now func() time.Time) *identityProvider {
	if !config.configured() {
		return nil
	}
	return &identityProvider{config: config, callback: issuer + OIDCCallback, client: &http.Client{Timeout: oidcTimeout}, now: now}
}

// discover returns the provider's endpoints and keys. It reads the discovery
// document until that succeeds once.
func (p *identityProvider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	found := p.found.Load()
	if found == nil {
		_, err, _ := p.asking.Do("", func() (any, error) {
			// The provider keeps this context to fetch keys after this request.
			found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.config.Issuer)
			if err == nil {
				p.found.Store(found)
			}
			return nil, err
		})
		if found = p.found.Load(); found == nil {
			return nil, nil, &Refusal{Code: protocol.Unavailable, Detail: "The identity provider is unavailable. Try again, or sign in with a key.", Cause: err}
		}
	}
	return found, &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.callback,
		Scopes: []string{oidc.ScopeOpenID, "email"},
	}, nil
}

// attempt is a sign-in in progress. Its browser holds it in a cookie, so that only
// the same browser can finish the sign-in.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	To       string `json:"t"`
}

func (at attempt) encode() (string, error) {
	text, err := json.Marshal(at)
	return base64.RawURLEncoding.EncodeToString(text), err
}

func decodeAttempt(encoded string) (at attempt, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	return at, err == nil && json.Unmarshal(text, &at) == nil && at.State != "" && at.Nonce != "" && at.Verifier != ""
}

// begin returns the URL of the identity provider that starts the attempt at.
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
// as OpenID Connect requires: signature, issuer, audience, expiry and nonce.
func (p *identityProvider) exchange(ctx context.Context, at attempt, code string) (account, error) {
	found, config, err := p.discover(ctx)
	if err != nil {
		return account{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(at.Verifier))
	if err != nil {
		return account{}, notSignedIn("The identity provider rejected the authorization code. Sign in again.", hideOAuth(err))
	}
	raw, _ := tokens.Extra("id_token").(string)
	idToken, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.config.ClientID, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return account{}, notSignedIn("The identity provider's ID token is not valid. Contact the operator.", err)
	}
	if idToken.Nonce != at.Nonce {
		return account{}, notSignedIn("The response belongs to another sign-in attempt. Sign in again.", nil)
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := idToken.Claims(&claims); err != nil {
		return account{}, notSignedIn("The identity provider's response is not valid. Contact the operator.", err)
	}
	if claims.Email == "" { // many providers return it only from the UserInfo endpoint
		info, err := found.UserInfo(ctx, config.TokenSource(ctx, tokens))
		if err != nil {
			return account{}, notSignedIn("The identity provider did not send your e-mail address. Contact the operator.", hideOAuth(err))
		}
		if info.Subject != idToken.Subject {
			return account{}, notSignedIn("The identity provider's responses name different accounts. Contact the operator.", nil)
		}
		claims.Email, claims.Verified = info.Email, info.EmailVerified
	}
	email, err := normalEmail(claims.Email)
	if err != nil {
		return account{}, notSignedIn("The identity provider did not send your e-mail address. Contact the operator.", nil)
	}
	if !claims.Verified && !p.config.TrustEmail {
		return account{}, notSignedIn("The identity provider has not verified your e-mail address. Verify it there, then sign in again.", nil)
	}
	return account{Subject: idToken.Issuer + "|" + idToken.Subject, Email: email}, nil
}

func notSignedIn(detail string, cause error) error {
	return &Refusal{Code: protocol.Forbidden, Detail: detail, Cause: cause}
}

// hideOAuth removes the body of the identity provider's response from an error. The
// body may hold tokens, which must not reach the log.
func hideOAuth(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return fmt.Errorf("the token endpoint answered %s %q", e.Response.Status, e.ErrorCode)
	}
	return err
}

// IdentityProviderName returns the display name of the identity provider, or "" if
// none is configured.
func (s *Service) IdentityProviderName() string {
	if s.people == nil {
		return ""
	}
	return s.people.config.Name
}

var errNoIdentityProvider = Refuse(protocol.NotFound, "No identity provider is configured. Sign in with a key.")

// BeginSignIn starts a sign-in with the identity provider. It returns the URL to
// redirect the browser to, and the encoded attempt, which the browser must present
// to [Service.FinishSignIn]. to is the path to open after the sign-in.
func (s *Service) BeginSignIn(ctx context.Context, to string) (encoded, redirect string, err error) {
	if s.people == nil {
		return "", "", errNoIdentityProvider
	}
	at := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to}
	if redirect, err = s.people.begin(ctx, at); err != nil {
		return "", "", err
	}
	encoded, err = at.encode()
	return encoded, redirect, err
}

// FinishSignIn finishes the sign-in of a browser that the identity provider sent back
// with the query answer. encoded is the attempt from [Service.BeginSignIn].
func (s *Service) FinishSignIn(ctx context.Context, encoded string, answer url.Values) (in OpenSignIn, to string, err error) {
	if s.people == nil {
		return in, "", errNoIdentityProvider
	}
	at, ok := decodeAttempt(encoded)
	if !ok {
		return in, "", notSignedIn("This sign-in attempt has expired or was started in another browser. Sign in again.", nil)
	}
	code, err := answerOfProvider(answer, at, s.people.config.Issuer)
	if err != nil {
		return in, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*oidcTimeout)
	defer cancel()
	who, err := s.people.exchange(ctx, at, code)
	if err != nil {
		return in, "", err
	}
	in, err = s.signInAs(ctx, who)
	return in, at.To, err
}

// signInAs signs in an account with the oldest of its roles. It refuses an account
// without a role, and one whose address another account has already used.
func (s *Service) signInAs(ctx context.Context, who account) (OpenSignIn, error) {
	roles, err := s.store.PeopleByEmail(ctx, who.Email)
	if err != nil {
		return OpenSignIn{}, err
	}
	if len(roles) == 0 {
		return OpenSignIn{}, notSignedIn(who.Email+" does not have access. Ask the operator to add this address.", nil)
	}
	for _, p := range roles {
		if p.Subject != "" && p.Subject != who.Subject {
			return OpenSignIn{}, notSignedIn("Another account has signed in as "+who.Email+". If the address is now yours, ask the operator to remove it and add it again.", nil)
		}
	}
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.BindPeople(ctx, who.Email, who.Subject, s.now()) }); err != nil {
		return OpenSignIn{}, err
	}
	return s.signIn(ctx, store.SignIn{PersonID: roles[0].ID})
}

// answerOfProvider returns the authorization code of the query q with which the
// identity provider redirected the browser. It refuses other attempts and issuers.
func answerOfProvider(q url.Values, at attempt, issuer string) (code string, err error) {
	switch state, iss := q.Get("state"), q.Get("iss"); {
	case state != at.State:
		return "", notSignedIn("The response belongs to another sign-in attempt. Sign in again.", nil)
	case iss != "" && iss != issuer: // RFC 9207
		return "", notSignedIn("The response is from a different identity provider. Sign in again.", nil)
	case q.Get("error") == "access_denied":
		return "", notSignedIn("Sign-in was canceled.", nil)
	case q.Get("error") != "":
		return "", notSignedIn("The identity provider refused the sign-in. Try again, or contact the operator.", fmt.Errorf("the identity provider answered with error %.80q", q.Get("error")))
	}
	code = q.Get("code")
	if code == "" || len(code) > maxOIDCAnswer {
		return "", notSignedIn("The identity provider's response is incomplete. Sign in again.", nil)
	}
	return code, nil
}

// normalEmail returns email in the form in which addresses are stored: trimmed and in
// lower case. It returns [ErrEmail] if it is not an address.
func normalEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	name, host, ok := strings.Cut(email, "@")
	if !ok || name == "" || host == "" || len(email) > 254 || strings.ContainsAny(email, " \t\r\n<>\"\\,;:") || strings.Contains(host, "@") {
		return "", ErrEmail
	}
	return email, nil
}
