package service

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	OIDCCallback  = AuthPath + "callback"
	OIDCPatience  = 10 * time.Minute // how long a sign-in attempt may take
	oidcTimeout   = 10 * time.Second // of each request to the identity provider
	maxOIDCAnswer = 4096             // bytes of an authorization code

	// How long a discovery document is used, and how soon it is read again after it
	// could not be read or turned out to be wrong.
	discoveryFresh = 10 * time.Minute
	discoveryAgain = time.Minute
	// How far the provider's clock may be behind ours: ID tokens may live for seconds.
	oidcLeeway = time.Minute
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
// to [Service.FinishSignIn]. name tells it from the attempts of the browser's other
// tabs; see [AttemptName]. to is the path to open after the sign-in.
func (s *Service) BeginSignIn(ctx context.Context, to string) (name, encoded, redirect string, err error) {
	if s.people == nil {
		return "", "", "", errNoIdentityProvider
	}
	at := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to}
	if redirect, err = s.people.begin(ctx, at); err != nil {
		return "", "", "", err
	}
	encoded, err = at.encode()
	return AttemptName(at.State), encoded, redirect, err
}

// AttemptName returns the name of the attempt that a state belongs to, or "" if the
// service did not create the state. The name reveals nothing that the callback URL does
// not contain.
func AttemptName(state string) string {
	const length = 8
	if len(state) < length || strings.Trim(state[:length], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	return state[:length]
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
