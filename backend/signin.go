package backend

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

	authPath     = "/auth/"
	personPrefix = "person:" // of actors in the audit log
)

// openSignIn is a sign-in as a browser keeps it.
type openSignIn struct {
	value string // of its cookie
	lasts time.Duration
}

// signIn opens a sign-in. It lasts [signInFor], unless in says when it ends.
func (s *service) signIn(ctx context.Context, in store.SignIn) (openSignIn, error) {
	random := make([]byte, 32)
	rand.Read(random) // never fails, by its contract
	value := base64.RawURLEncoding.EncodeToString(random)
	now := s.now()
	in.Hash, in.CreatedAt = hashKey(value), now.Unix()
	if in.ExpiresAt == 0 {
		in.ExpiresAt = now.Add(signInFor).Unix()
	}
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.InsertSignIn(ctx, in) }); err != nil {
		return openSignIn{}, err
	}
	return openSignIn{value: value, lasts: time.Unix(in.ExpiresAt, 0).Sub(now)}, nil
}

// signInWithKey opens a sign-in for whoever holds a provider's or an admin's key.
func (s *service) signInWithKey(ctx context.Context, key string) (openSignIn, error) {
	if key = strings.TrimSpace(key); !strings.HasPrefix(key, "sg_") {
		return openSignIn{}, refuse(protocol.Unauthorized, "That is no API key: they begin with sg_.")
	}
	c, err := s.identify(ctx, key)
	switch {
	case err != nil:
		return openSignIn{}, err
	case c.role != RoleProvider && c.role != RoleAdmin:
		return openSignIn{}, refuse(protocol.Forbidden, "This key is for programs. Sign in with a provider's or an admin's key.")
	}
	return s.signIn(ctx, store.SignIn{KeyID: c.keyID})
}

// signedIn is who the value of a sign-in's cookie stands for; ErrNotFound: nobody.
func (s *service) signedIn(ctx context.Context, value string) (caller, error) {
	if value == "" {
		return caller{}, store.ErrNotFound
	}
	now := s.now()
	in, err := s.store.SignIn(ctx, hashKey(value))
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

// signOut ends the sign-in with this value.
func (s *service) signOut(ctx context.Context, value string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteSignIn(ctx, hashKey(value)) })
}

// otherRoles is what else the signed-in person may be.
func (s *service) otherRoles(ctx context.Context, c caller) ([]store.Person, error) {
	if c.person.ID == "" {
		return nil, nil
	}
	roles, err := s.store.PeopleByEmail(ctx, c.person.Email)
	return slices.DeleteFunc(roles, func(p store.Person) bool { return p.ID == c.person.ID }), err
}

// switchRole opens a sign-in for another role of the same person.
func (s *service) switchRole(ctx context.Context, c caller, personID string) (openSignIn, error) {
	to, err := s.store.Person(ctx, personID)
	if err == nil && (c.person.ID == "" || to.Email != c.person.Email) {
		err = store.ErrNotFound
	}
	if err != nil {
		return openSignIn{}, err
	}
	return s.signIn(ctx, store.SignIn{PersonID: to.ID})
}
