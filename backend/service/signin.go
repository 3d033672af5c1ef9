package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
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
	if err := s.limited(ctx, "sign_ins_per_key", cmp.Or(in.KeyID, personPrefix+in.PersonID), every(signInFor, s.limits.SignInsPerKey)); err != nil {
		return OpenSignIn{}, err
	}
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

// SignInWithKey opens a sign-in for the holder of a provider or admin key.
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
	if c.Test {
		return OpenSignIn{}, Refuse(protocol.Forbidden, "Test keys cannot sign in. Sign in with a live key: the pages show test sessions, too.")
	}
	return s.signIn(ctx, store.SignIn{KeyID: c.KeyID})
}

// SignedIn returns the caller of a sign-in's cookie value. It returns [ErrNotFound] if
// the value has no valid sign-in.
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

// OtherRoles lists the other roles of the signed-in person.
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

// ErrPersonRole is returned for a role that no person can have, or that lacks
// its provider.
var ErrPersonRole = errors.New("role must be provider (with a provider id) or admin")

// ErrEmail is returned for text that is not an e-mail address.
var ErrEmail = errors.New("not a valid e-mail address")

// AddPerson gives an e-mail address a role within tx: [RoleProvider] with a provider's
// id, or [RoleAdmin]. It returns [ErrPersonRole], [ErrEmail], [ErrNotFound] for a
// provider that does not exist, or [store.ErrTaken].
func AddPerson(ctx context.Context, tx *store.Tx, role Role, providerID, email string, now time.Time) (store.Person, error) {
	email, err := normalEmail(email)
	if err != nil {
		return store.Person{}, err
	}
	if role != RoleProvider && role != RoleAdmin || (role == RoleProvider) != (providerID != "") {
		return store.Person{}, ErrPersonRole
	}
	if role == RoleProvider {
		if _, err := tx.Provider(ctx, providerID); err != nil {
			return store.Person{}, err
		}
	}
	p := store.Person{ID: store.NewID(now), Email: email, Role: string(role), ProviderID: providerID, CreatedAt: now.Unix()}
	return p, tx.InsertPerson(ctx, p)
}

// AddPerson gives an e-mail address a role.
func (s *Service) AddPerson(ctx context.Context, req Request, role Role, providerID, email string) (store.Person, error) {
	return write(ctx, s, req, func(w *writeTx) (store.Person, error) {
		return AddPerson(ctx, w.Tx, role, providerID, email, w.now)
	})
}

// ListPeople lists people and their roles, starting after the id after.
func (s *Service) ListPeople(ctx context.Context, after string, limit int) ([]store.Person, error) {
	return s.store.People(ctx, after, limit)
}

// DeletePerson removes a role and ends its sign-ins.
func (s *Service) DeletePerson(ctx context.Context, req Request, id string) error {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) { return struct{}{}, w.DeletePerson(ctx, id) })
	return err
}

// A portal link lets somebody without account and key look after one provider
// for a while: whoever holds it signs in as that provider's guest. What it
// carries stands in its fragment, which browsers send to nobody; it is kept as
// a hash, beside API keys, but is none: no program can use it.

const (
	linkPrefix = "sg_link_"
	// The display name of a guest.
	guestName  = "Portal guest"
	PortalPath = AuthPath + "portal"

	// DefaultPortalTime is the default lifetime of a portal link.
	DefaultPortalTime = 24 * time.Hour
	// MaxPortalTime is the longest lifetime of a portal link.
	MaxPortalTime = 7 * 24 * time.Hour
	// How long a link that expired or was revoked is listed.
	keepLinks = 30 * 24 * time.Hour
)

// CreatePortalLink creates a link to the service at issuer. It gives access to one
// provider until it expires or is revoked, as an API key is. The link cannot be read
// again later.
func CreatePortalLink(ctx context.Context, st *store.Store, issuer, providerID string, good time.Duration, now time.Time) (link string, kept store.APIKey, err error) {
	err = st.Write(ctx, func(tx *store.Tx) error {
		link, kept, err = addPortalLink(ctx, tx, issuer, providerID, good, now)
		return err
	})
	if err != nil {
		return "", store.APIKey{}, fmt.Errorf("making portal link: %w", err)
	}
	return link, kept, nil
}

func addPortalLink(ctx context.Context, tx *store.Tx, issuer, providerID string, good time.Duration, now time.Time) (link string, kept store.APIKey, err error) {
	if good <= 0 || good > MaxPortalTime {
		return "", kept, Refuse(protocol.InvalidRequest, "A portal link is valid for at most "+MaxPortalTime.String()+".")
	}
	if _, err := tx.Provider(ctx, providerID); err != nil {
		return "", kept, err
	}
	plaintext, kept := newSecret(linkPrefix, now)
	kept.Kind, kept.Role, kept.ProviderID, kept.Name, kept.ExpiresAt = store.KindLink, string(RoleProvider), providerID, guestName, now.Add(good).Unix()
	return strings.TrimSuffix(issuer, "/") + PortalPath + "#" + plaintext, kept, tx.InsertAPIKey(ctx, kept)
}

// SignInByLink opens a sign-in for the holder of a portal link. It ends when the link
// does.
func (s *Service) SignInByLink(ctx context.Context, link string) (OpenSignIn, error) {
	k, err := s.store.APIKeyByHash(ctx, hashKey(strings.TrimSpace(link)))
	if errors.Is(err, store.ErrNotFound) || (err == nil && (k.Kind != store.KindLink || !k.Live(s.now()))) {
		return OpenSignIn{}, Refuse(protocol.Unauthorized, "The link has expired or was revoked. Ask its sender for a new one.")
	}
	if err != nil {
		return OpenSignIn{}, err
	}
	return s.signIn(ctx, store.SignIn{KeyID: k.ID, ExpiresAt: k.ExpiresAt})
}

// CreatePortalLink creates a portal link to this service.
func (s *Service) CreatePortalLink(ctx context.Context, req Request, providerID string, good time.Duration) (link string, kept store.APIKey, err error) {
	_, err = write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		link, kept, err = addPortalLink(ctx, w.Tx, s.issuer, providerID, good, w.now)
		return struct{}{}, err
	})
	return link, kept, err
}
