package service

import (
	"cmp"
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

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// Role determines which endpoints a caller may use.
type Role string

// The roles of API keys.
const (
	RoleMarketplace Role = "marketplace" // sells sessions and moves tokens
	RoleProvider    Role = "provider"    // sees its own rows
	RoleEdge        Role = "edge"        // redeems launches, reports heartbeats
	RoleAdmin       Role = "admin"       // registers providers, revokes sessions
)

// RoleSession is the role of a user's own session, authenticated by its JWT. API keys
// cannot have it.
const RoleSession Role = "session"

// RoleLaunch is the role of the bearer of a launch token, which opens its session once.
const RoleLaunch Role = "launch"

// prefixes identify the role of a key in its text, also for secret scanners.
var prefixes = map[Role]string{
	RoleMarketplace: "sg_mkt_", RoleProvider: "sg_prv_", RoleEdge: "sg_edge_", RoleAdmin: "sg_adm_",
}

// Roles lists the roles of keys that [CreateAPIKey] creates.
func Roles() []Role { return []Role{RoleMarketplace, RoleProvider, RoleEdge, RoleAdmin} }

// ErrRole is returned for an unknown role, a provider role without a provider id, or an
// owner that the role does not have.
var ErrRole = errors.New("role must be marketplace, provider (with a provider id), edge or admin")

// ErrTestRole is returned for a test key with a role that has none.
var ErrTestRole = errors.New("only keys with the role marketplace or provider can be test keys")

// CreateAPIKey creates a key in st and returns it. owner is the provider of a provider's
// key, and the marketplace of a marketplace's, or empty for
// [protocol.DefaultMarketplace]. The key cannot be read again later, because the store
// holds only its SHA-256.
func CreateAPIKey(ctx context.Context, st *store.Store, role Role, owner, name string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	return createKey(ctx, st, KeyOrder{Role: role, Owner: owner, Name: name}, now)
}

// CreateTestKey is [CreateAPIKey] for a test key, which marketplaces and providers may
// have.
func CreateTestKey(ctx context.Context, st *store.Store, role Role, owner, name string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	return createKey(ctx, st, KeyOrder{Role: role, Owner: owner, Name: name, Test: true}, now)
}

func createKey(ctx context.Context, st *store.Store, o KeyOrder, now time.Time) (plaintext string, kept store.APIKey, err error) {
	plaintext, kept, err = newAPIKey(o, now)
	if err != nil {
		return "", store.APIKey{}, err
	}
	err = st.Write(ctx, func(tx *store.Tx) error {
		if err := ownerExists(ctx, tx.Reader, kept); err != nil {
			return err
		}
		return tx.InsertAPIKey(ctx, kept)
	})
	if err != nil {
		return "", store.APIKey{}, fmt.Errorf("creating API key: %w", err)
	}
	return plaintext, kept, nil
}

// RotateAPIKey creates a key with the same permissions as the key with this id. The old
// key stays valid for the time of grace.
func RotateAPIKey(ctx context.Context, st *store.Store, id string, grace time.Duration, now time.Time) (plaintext string, kept store.APIKey, err error) {
	err = st.Write(ctx, func(tx *store.Tx) error {
		old, err := tx.APIKey(ctx, id)
		if err != nil {
			return err
		}
		if !old.Live(now) || old.Kind != store.KindKey {
			return store.ErrNotFound
		}
		marketplace, _ := protocol.SplitTenant(old.MarketplaceID)
		o := KeyOrder{Role: Role(old.Role), Owner: cmp.Or(old.ProviderID, marketplace), Name: old.Name, Test: old.Test != 0}
		if plaintext, kept, err = newAPIKey(o, now); err != nil {
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

// KeyOrder describes a new API key.
type KeyOrder struct {
	Role  Role
	Owner string // as in [CreateAPIKey]
	Name  string
	Test  bool // the key sells and reads test sessions alone
}

// testKeyMark follows the prefix of a test key's role, so that its text and its hint show
// what it is.
const testKeyMark = "test_"

func newAPIKey(o KeyOrder, now time.Time) (plaintext string, kept store.APIKey, err error) {
	prefix, known := prefixes[o.Role]
	owned := o.Role == RoleProvider || o.Role == RoleMarketplace
	if !known || o.Role == RoleProvider && o.Owner == "" || !owned && o.Owner != "" {
		return "", store.APIKey{}, ErrRole
	}
	if o.Test && !owned {
		return "", store.APIKey{}, ErrTestRole
	}
	if o.Test {
		prefix += testKeyMark
	}
	plaintext, kept = newSecret(prefix, now)
	kept.Role, kept.Name = string(o.Role), o.Name
	switch o.Role {
	case RoleProvider:
		kept.ProviderID = o.Owner
	case RoleMarketplace:
		kept.MarketplaceID = cmp.Or(o.Owner, protocol.DefaultMarketplace)
	}
	if o.Test {
		kept.Test = 1
		if kept.MarketplaceID != "" {
			// The tenant, so that a service which does not know test keys keeps them apart, too.
			kept.MarketplaceID = protocol.TestTenant(kept.MarketplaceID)
		}
	}
	return plaintext, kept, nil
}

// ownerExists returns [store.ErrNotFound] if the provider or marketplace of a key does
// not exist.
func ownerExists(ctx context.Context, r store.Reader, k store.APIKey) error {
	if k.ProviderID != "" {
		if _, err := r.Provider(ctx, k.ProviderID); err != nil {
			return err
		}
	}
	if k.MarketplaceID != "" {
		marketplace, _ := protocol.SplitTenant(k.MarketplaceID)
		if _, err := r.Marketplace(ctx, marketplace); err != nil {
			return err
		}
	}
	return nil
}

// newSecret generates a random key or link secret, and the record to store for it.
func newSecret(prefix string, now time.Time) (plaintext string, kept store.APIKey) {
	random := make([]byte, 32)
	rand.Read(random) // never fails
	plaintext = prefix + base64.RawURLEncoding.EncodeToString(random)
	return plaintext, store.APIKey{
		ID: store.NewID(now), Kind: store.KindKey, Hash: hashKey(plaintext), Hint: plaintext[:len(prefix)+4], CreatedAt: now.Unix(),
	}
}

func hashKey(plaintext string) string {
	sum := sha256.Sum256([]byte(plaintext))
	return hex.EncodeToString(sum[:])
}

// WithCaller makes work within the context take turns with requests of other callers.
func WithCaller(ctx context.Context, c Caller) context.Context { return store.WithCaller(ctx, c.Scope) }

// Caller is the authenticated sender of a request.
type Caller struct {
	Role       Role
	Scope      string // namespace of its idempotency keys
	ProviderID string // with RoleProvider
	// With RoleMarketplace: the tenant whose rows alone the caller sees. With a test key it
	// is the marketplace's test tenant.
	MarketplaceID string
	Test          bool   // the key sells and reads test sessions alone
	SessionID     string // with RoleSession and RoleLaunch
	KeyID         string // with an API key; for a person, personPrefix and the person's id
	Name          string // display name: an e-mail address, or the key's name
	Person        store.Person
	ExpiresAt     int64 // when its key or link expires; 0: never
	Guest         bool  // signed in with a portal link
	ByCookie      bool  // authenticated by a sign-in cookie, which browsers also send with other sites' requests
	Spent         bool  // with RoleLaunch: the token was redeemed before, or replaced

	launch *token.Claims // with RoleLaunch
	mode   Mode          // of the sessions that it reads; see [Caller.Reading]
}

// Identify authenticates a bearer token. It looks API keys up by their hash, and
// verifies any other token as a session's JWT.
func (s *Service) Identify(ctx context.Context, bearer string) (Caller, error) {
	if !strings.HasPrefix(bearer, "sg_") {
		return s.identifySession(ctx, bearer)
	}
	// The lookup reveals at most whether a hash exists. It need not take constant time,
	// because a key has 256 random bits.
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

// callerOfKey returns the caller that holds a key or signed in with it.
func callerOfKey(k store.APIKey) Caller {
	c := Caller{
		Role: Role(k.Role), Scope: "key:" + k.Line(), ProviderID: k.ProviderID, MarketplaceID: k.MarketplaceID, KeyID: k.ID, Name: k.Name,
		ExpiresAt: k.ExpiresAt, Guest: k.Kind == store.KindLink, Test: k.Test != 0,
	}
	if c.Role == RoleMarketplace { // an earlier program, still running, writes keys without one
		c.MarketplaceID = cmp.Or(c.MarketplaceID, protocol.DefaultMarketplace)
	}
	return c
}

// MaxProviderKeys is the largest number of live keys that a provider may create.
const MaxProviderKeys = 50

// mayMakeKeys refuses callers whose access ends by itself, because a new key would
// outlive it.
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

// MakeAPIKey creates a key for c. It refuses if the provider already has most live
// keys. A most of 0 means no limit.
func (s *Service) MakeAPIKey(ctx context.Context, req Request, c Caller, o KeyOrder, most int) (plaintext string, kept store.APIKey, err error) {
	if err := mayMakeKeys(c); err != nil {
		return "", kept, err
	}
	if plaintext, kept, err = newAPIKey(o, s.now()); err != nil {
		return "", kept, err
	}
	// Store the key's id in the audit log, so that its creation and revocation can be
	// matched.
	req.target = kept.ID
	_, err = write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		if err := ownerExists(ctx, w.Reader, kept); err != nil {
			return struct{}{}, err
		}
		if most > 0 {
			live, err := w.LiveKeys(ctx, kept.ProviderID, w.now)
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

// RevokeAPIKey revokes a key or a portal link immediately.
func (s *Service) RevokeAPIKey(ctx context.Context, req Request, id string) error {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) { return struct{}{}, w.RevokeAPIKey(ctx, id, w.now) })
	return err
}

// RevokeProviderKey is [Service.RevokeAPIKey] for a key of one provider. It returns
// [ErrNotFound] for keys of other providers.
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
