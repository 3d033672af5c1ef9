package service

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"

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

	AuthPath     = "/auth/"
	personPrefix = "person:" // of actors in the audit log
)

// OpenSignIn is a sign-in as a browser keeps it.
type OpenSignIn struct {
	Value string // of its cookie
	Lasts time.Duration
}

// signIn opens a sign-in. It lasts [signInFor], unless in says when it ends.
func (s *Service) signIn(ctx context.Context, in store.SignIn) (OpenSignIn, error) {
	random := make([]byte, 32)
	rand.Read(random) // never fails, by its contract
	value := base64.RawURLEncoding.EncodeToString(random)
	now := s.now()
	in.Hash, in.CreatedAt = hashKey(value), now.Unix()
	if in.ExpiresAt == 0 {
		in.ExpiresAt = now.Add(signInFor).Unix()
	}
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertSignIn(ctx, in) }); err != nil {
		return OpenSignIn{}, err
	}
	return OpenSignIn{Value: value, Lasts: time.Unix(in.ExpiresAt, 0).Sub(now)}, nil
}

// SignInWithKey opens a sign-in for whoever holds a provider's or an admin's key.
func (s *Service) SignInWithKey(ctx context.Context, key string) (OpenSignIn, error) {
	if key = strings.TrimSpace(key); !strings.HasPrefix(key, "sg_") {
		return OpenSignIn{}, Refuse(protocol.Unauthorized, "The API key is not valid: API keys begin with sg_.")
	}
	c, err := s.Identify(ctx, key)
	switch {
	case err != nil:
		return OpenSignIn{}, err
	case c.Role != RoleProvider && c.Role != RoleAdmin:
		return OpenSignIn{}, Refuse(protocol.Forbidden, "Keys with this role cannot sign in. Sign in with a provider or admin key.")
	}
	return s.signIn(ctx, store.SignIn{KeyID: c.KeyID})
}

// SignedIn is who the value of a sign-in's cookie stands for; ErrNotFound: nobody.
func (s *Service) SignedIn(ctx context.Context, value string) (Caller, error) {
	if value == "" {
		return Caller{}, store.ErrNotFound
	}
	now := s.now()
	in, err := s.store.SignIn(ctx, hashKey(value))
	if err != nil {
		return Caller{}, err
	}
	if now.Unix() >= in.ExpiresAt {
		return Caller{}, store.ErrNotFound
	}
	if in.KeyID != "" {
		k, err := s.store.APIKey(ctx, in.KeyID)
		if err != nil {
			return Caller{}, err
		}
		if !k.Live(now) {
			return Caller{}, store.ErrNotFound
		}
		s.used.note(k, now)
		c := callerOfKey(k)
		c.ByCookie = true
		return c, nil
	}
	p, err := s.store.Person(ctx, in.PersonID)
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		Role: Role(p.Role), Scope: personPrefix + p.ID, ProviderID: p.ProviderID, KeyID: personPrefix + p.ID, Name: p.Email, Person: p, ByCookie: true,
	}, nil
}

// SignOut ends the sign-in with this value.
func (s *Service) SignOut(ctx context.Context, value string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteSignIn(ctx, hashKey(value)) })
}

// OtherRoles is what else the signed-in person may be.
func (s *Service) OtherRoles(ctx context.Context, c Caller) ([]store.Person, error) {
	if c.Person.ID == "" {
		return nil, nil
	}
	roles, err := s.store.PeopleByEmail(ctx, c.Person.Email)
	return slices.DeleteFunc(roles, func(p store.Person) bool { return p.ID == c.Person.ID }), err
}

// SwitchRole opens a sign-in for another role of the same person.
func (s *Service) SwitchRole(ctx context.Context, c Caller, personID string) (OpenSignIn, error) {
	to, err := s.store.Person(ctx, personID)
	if err == nil && (c.Person.ID == "" || to.Email != c.Person.Email) {
		err = store.ErrNotFound
	}
	if err != nil {
		return OpenSignIn{}, err
	}
	return s.signIn(ctx, store.SignIn{PersonID: to.ID})
}
