package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Role is what an API key may do.
type Role string

// The roles of API keys.
const (
	RoleMarketplace Role = "marketplace" // sells sessions and moves tokens
	RoleProvider    Role = "provider"    // sees its own rows
	RoleEdge        Role = "edge"        // redeems launches, reports heartbeats
	RoleAdmin       Role = "admin"       // registers providers, revokes sessions
)

// RoleSession is a user's own session, by its JWT. It is no API key's role.
const RoleSession Role = "session"

// prefixes tell what a key is for at a glance, also to secret scanners.
var prefixes = map[Role]string{
	RoleMarketplace: "sg_mkt_", RoleProvider: "sg_prv_", RoleEdge: "sg_edge_", RoleAdmin: "sg_adm_",
}

// Roles lists what [CreateAPIKey] makes.
func Roles() []Role { return []Role{RoleMarketplace, RoleProvider, RoleEdge, RoleAdmin} }

// ErrRole is returned for a role that does not exist, or lacks its provider.
var ErrRole = errors.New("role must be marketplace, provider (with a provider id), edge or admin")

// CreateAPIKey makes a key in st and returns it. This is the only time that it
// can be seen: the store keeps its SHA-256.
func CreateAPIKey(ctx context.Context, st *store.Store, role Role, providerID, name string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	plaintext, kept, err = newAPIKey(role, providerID, name, now)
	if err != nil {
		return "", store.APIKey{}, err
	}
	err = st.Write(ctx, func(tx *store.Tx) error {
		if providerID != "" {
			if _, err := tx.Provider(ctx, providerID); err != nil {
				return err
			}
		}
		return tx.InsertAPIKey(ctx, kept)
	})
	if err != nil {
		return "", store.APIKey{}, fmt.Errorf("creating API key: %w", err)
	}
	return plaintext, kept, nil
}

// RotateAPIKey makes a key that may do the same as the key with this id, which
// works on for the time of grace.
func RotateAPIKey(ctx context.Context, st *store.Store, id string, grace time.Duration, now time.Time) (plaintext string, kept store.APIKey, err error) {
	err = st.Write(ctx, func(tx *store.Tx) error {
		old, err := tx.APIKey(ctx, id)
		if err != nil {
			return err
		}
		if !old.Live(now) || old.Kind != store.KindKey {
			return store.ErrNotFound
		}
		if plaintext, kept, err = newAPIKey(Role(old.Role), old.ProviderID, old.Name, now); err != nil {
			return err
		}
		kept.LineID = old.Line()
		if err := tx.InsertAPIKey(ctx, kept); err != nil {
			return err
		}
		return tx.ExpireAPIKey(ctx, id, now.Add(grace))
	})
	if err != nil {
		return "", store.APIKey{}, fmt.Errorf("rotating API key: %w", err)
	}
	return plaintext, kept, nil
}

func newAPIKey(role Role, providerID, name string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	prefix, known := prefixes[role]
	if !known || (role == RoleProvider) != (providerID != "") {
		return "", store.APIKey{}, ErrRole
	}
	if plaintext, kept, err = newSecret(prefix, now); err != nil {
		return "", store.APIKey{}, err
	}
	kept.Role, kept.ProviderID, kept.Name = string(role), providerID, name
	return plaintext, kept, nil
}

// newSecret makes what a key or a link is by itself, and what is kept of it.
func newSecret(prefix string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	random := make([]byte, 32)
	rand.Read(random) // never fails, by its contract
	plaintext = prefix + base64.RawURLEncoding.EncodeToString(random)
	id, err := uuid.NewV7()
	if err != nil {
		return "", store.APIKey{}, fmt.Errorf("creating API key: %w", err)
	}
	return plaintext, store.APIKey{
		ID: id.String(), Kind: store.KindKey, Hash: hashKey(plaintext), Hint: plaintext[:len(prefix)+4], CreatedAt: now.Unix(),
	}, nil
}

func hashKey(plaintext string) string {
	sum := sha256.Sum256([]byte(plaintext))
	return hex.EncodeToString(sum[:])
}

// WithCaller has what runs within the context take turns with other callers' requests.
func WithCaller(ctx context.Context, c Caller) context.Context { return store.WithCaller(ctx, c.Scope) }

// Caller is who a request comes from, once that is proven.
type Caller struct {
	Role       Role
	Scope      string // namespace of its idempotency keys
	ProviderID string // with RoleProvider
	SessionID  string // with roleSession
	KeyID      string // with an API key; of a person, personPrefix and its id
	Name       string // what a person calls it: an address, or the key's name
	Person     store.Person
	ExpiresAt  int64 // when its key or link stops working; 0: never by itself
	Guest      bool  // by a portal link
	ByCookie   bool  // proven by a sign-in, which a browser sends whatever page asks
}

// Identify proves who the bearer is: an API key by its hash, anything else as a
// session's JWT.
func (s *Service) Identify(ctx context.Context, bearer string) (Caller, error) {
	if !strings.HasPrefix(bearer, "sg_") {
		claims, err := s.Bearer(ctx, bearer)
		if err != nil {
			return Caller{}, err
		}
		return Caller{Role: RoleSession, Scope: "session:" + claims.ID, ProviderID: claims.ProviderID, SessionID: claims.ID}, nil
	}
	// Looking a hash up leaks no more than whether it exists: guessing 256
	// bits needs no constant time.
	k, err := s.store.APIKeyByHash(ctx, hashKey(bearer))
	if errors.Is(err, store.ErrNotFound) || (err == nil && (!k.Live(s.now()) || k.Kind != store.KindKey)) {
		return Caller{}, Refuse(protocol.Unauthorized, "The API key is unknown or revoked.")
	}
	if err != nil {
		return Caller{}, err
	}
	s.used.note(k, s.now())
	return callerOfKey(k), nil
}

// callerOfKey is whoever holds a key, or was signed in by it.
func callerOfKey(k store.APIKey) Caller {
	return Caller{
		Role: Role(k.Role), Scope: "key:" + k.Line(), ProviderID: k.ProviderID, KeyID: k.ID, Name: k.Name,
		ExpiresAt: k.ExpiresAt, Guest: k.Kind == store.KindLink,
	}
}

// MaxProviderKeys is how many live keys a provider makes for itself.
const MaxProviderKeys = 50

// mayMakeKeys refuses who is there for a while: a key would stay.
func mayMakeKeys(c Caller) error {
	switch {
	case c.Guest:
		return Refuse(protocol.Forbidden, "Portal links cannot create API keys. Ask the operator for a key.")
	case c.ExpiresAt != 0:
		return Refuse(protocol.Forbidden, "This key was rotated and cannot create keys. Use the new key.")
	}
	return nil
}

// APIKeys lists API keys and portal links, newest first.
func (s *Service) APIKeys(ctx context.Context, f store.KeyFilter) ([]store.APIKey, error) {
	return s.store.APIKeys(ctx, f)
}

// MakeAPIKey makes a key for c, unless its provider has as many live ones as it
// may; most 0 is any number.
func (s *Service) MakeAPIKey(ctx context.Context, req Request, c Caller, role Role, providerID, name string, most int) (plaintext string, kept store.APIKey, err error) {
	if err := mayMakeKeys(c); err != nil {
		return "", kept, err
	}
	if plaintext, kept, err = newAPIKey(role, providerID, name, s.now()); err != nil {
		return "", kept, err
	}
	// The audit log names the key, so that its end is found with its beginning.
	req.target = kept.ID
	_, err = write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		if providerID != "" {
			if _, err := w.Provider(ctx, providerID); err != nil {
				return struct{}{}, err
			}
		}
		if most > 0 {
			live, err := w.LiveKeys(ctx, providerID, w.now)
			if err != nil {
				return struct{}{}, err
			}
			if live >= int64(most) {
				return struct{}{}, Refuse(protocol.InvalidRequest, "You have "+strconv.FormatInt(live, 10)+" keys, which is the maximum. Revoke one that is not in use.")
			}
		}
		return struct{}{}, w.InsertAPIKey(ctx, kept)
	})
	return plaintext, kept, err
}

// RevokeAPIKey ends a key or a portal link at once.
func (s *Service) RevokeAPIKey(ctx context.Context, req Request, id string) error {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) { return struct{}{}, w.RevokeAPIKey(ctx, id, w.now) })
	return err
}

// RevokeProviderKey is revokeAPIKey for one of a provider's own. Another's is
// not found.
func (s *Service) RevokeProviderKey(ctx context.Context, req Request, providerID, id string) error {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		k, err := w.APIKey(ctx, id)
		if err != nil {
			return struct{}{}, err
		}
		if k.ProviderID != providerID {
			return struct{}{}, store.ErrNotFound
		}
		return struct{}{}, w.RevokeAPIKey(ctx, id, w.now)
	})
	return err
}
