package backend

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/dashboard"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// People sign in to our pages with an identity provider, or with an API key of
// role provider or admin. Their browser gets a cookie with 256 random bits that
// says nothing; the database knows its hash, and what it stands for is looked up
// at each request, so that taking a role or a key away ends it at once.

const (
	// How long a sign-in lasts.
	signInFor = 12 * time.Hour

	signInCookie = "sg_sign_in"
	// A browser sets a cookie of this prefix only over TLS, for this host alone.
	hostPrefix = "__Host-"

	authPath      = "/auth/"
	afterSignIn   = dashboard.Path
	personPrefix  = "person:" // of actors in the audit log
	maxReturnPath = 512
)

// secure reports whether browsers reach us by TLS.
func (s *service) secure() bool { return strings.HasPrefix(s.issuer, "https://") }

// cookieName is a cookie's name, as safe as the address allows.
func (s *service) cookieName(name string) string {
	if s.secure() {
		return hostPrefix + name
	}
	return name
}

// cookie is one that no script reads and no other site sends; without a value it
// removes itself.
func (s *service) cookie(name, value string, keep time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.secure(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(keep / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// signIn opens a sign-in and returns its cookie. It lasts [signInFor], unless in
// says when it ends.
func (s *service) signIn(ctx context.Context, in store.SignIn) (*http.Cookie, error) {
	random := make([]byte, 32)
	rand.Read(random) // never fails, by its contract
	value := base64.RawURLEncoding.EncodeToString(random)
	now := s.now()
	in.Hash, in.CreatedAt = hashKey(value), now.Unix()
	if in.ExpiresAt == 0 {
		in.ExpiresAt = now.Add(signInFor).Unix()
	}
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertSignIn(ctx, in) }); err != nil {
		return nil, err
	}
	return s.cookie(signInCookie, value, time.Unix(in.ExpiresAt, 0).Sub(now)), nil
}

// signInWithKey opens a sign-in for whoever holds a provider's or an admin's key.
func (s *service) signInWithKey(ctx context.Context, key string) (*http.Cookie, error) {
	if key = strings.TrimSpace(key); !strings.HasPrefix(key, "sg_") {
		return nil, refuse(protocol.Unauthorized, "That is no API key: they begin with sg_.")
	}
	c, err := s.identify(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case c.role != RoleProvider && c.role != RoleAdmin:
		return nil, refuse(protocol.Forbidden, "This key is for programs. Sign in with a provider's or an admin's key.")
	}
	return s.signIn(ctx, store.SignIn{KeyID: c.keyID})
}

// signedIn is who the request's cookie stands for; ErrNotFound: nobody.
func (s *service) signedIn(r *http.Request) (caller, error) {
	cookie, err := r.Cookie(s.cookieName(signInCookie))
	if err != nil || cookie.Value == "" {
		return caller{}, store.ErrNotFound
	}
	ctx, now := r.Context(), s.now()
	in, err := s.store.SignIn(ctx, hashKey(cookie.Value))
	if err != nil {
		return caller{}, err
	}
	if now.Unix() >= in.ExpiresAt {
		return caller{}, store.ErrNotFound
	}
	if in.KeyID != "" {
		k, err := s.store.APIKey(ctx, in.KeyID)
		if err != nil {
			return caller{}, err
		}
		if !k.Live(now) {
			return caller{}, store.ErrNotFound
		}
		s.used.note(k, now)
		c := callerOfKey(k)
		c.byCookie = true
		return c, nil
	}
	p, err := s.store.Person(ctx, in.PersonID)
	if err != nil {
		return caller{}, err
	}
	return caller{
		role: Role(p.Role), scope: personPrefix + p.ID, providerID: p.ProviderID, keyID: personPrefix + p.ID, name: p.Email, person: p, byCookie: true,
	}, nil
}

// signOut ends the request's sign-in, if it has one.
func (s *service) signOut(r *http.Request) error {
	cookie, err := r.Cookie(s.cookieName(signInCookie))
	if err != nil {
		return nil
	}
	return s.store.Write(r.Context(), func(tx *store.Tx) error { return tx.DeleteSignIn(r.Context(), hashKey(cookie.Value)) })
}

// switchRole opens a sign-in for another role of the same person.
func (s *service) switchRole(ctx context.Context, c caller, personID string) (*http.Cookie, error) {
	to, err := s.store.Person(ctx, personID)
	if err == nil && (c.person.ID == "" || to.Email != c.person.Email) {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return s.signIn(ctx, store.SignIn{PersonID: to.ID})
}

// otherSites holds what a page of another site may have a browser send.
var otherSites = http.NewCrossOriginProtection()

// callerByCookie is the person behind a request without Authorization. What
// changes something must come from a page of ours: a browser sends its cookies
// whoever wrote the page.
func (a *api) callerByCookie(r *http.Request) (caller, error) {
	c, err := a.s.signedIn(r)
	if errors.Is(err, store.ErrNotFound) {
		return c, refuse(protocol.Unauthorized, "Send an API key or a session token: Authorization: Bearer …; or sign in at "+authPath)
	}
	if err != nil {
		return c, err
	}
	if err := otherSites.Check(r); err != nil {
		return c, &refusal{code: protocol.Forbidden, detail: "A page of another site sent this.", cause: err}
	}
	return c, nil
}

// localPath is where a browser may go after signing in: a path of ours, or the
// default. What a browser could take for another host is none.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || len(to) > maxReturnPath || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
		return afterSignIn
	}
	return to
}
