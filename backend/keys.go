package backend

import (
	"context"
	"time"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/backend/store"
)

// Role is what an API key may do.
type Role = service.Role

// The roles of API keys.
const (
	RoleMarketplace = service.RoleMarketplace
	RoleProvider    = service.RoleProvider
	RoleEdge        = service.RoleEdge
	RoleAdmin       = service.RoleAdmin
)

const (
	// DefaultPortalTime is how long a portal link is good for.
	DefaultPortalTime = service.DefaultPortalTime
	// MaxPortalTime is the longest that one can be good for.
	MaxPortalTime = service.MaxPortalTime
)

// Errors that callers tell apart.
var (
	// ErrRole is returned for a role that does not exist, or lacks its provider.
	ErrRole = service.ErrRole
	// ErrPersonRole is returned for a role that no person can have, or that lacks
	// its provider.
	ErrPersonRole = service.ErrPersonRole
	// ErrEmail is returned for what is no e-mail address.
	ErrEmail = service.ErrEmail
)

// Roles lists what [CreateAPIKey] makes.
func Roles() []Role { return service.Roles() }

// CreateAPIKey makes a key in st and returns it. This is the only time that it
// can be seen: the store keeps its SHA-256.
func CreateAPIKey(ctx context.Context, st *store.Store, role Role, providerID, name string, now time.Time) (plaintext string, kept store.APIKey, err error) {
	return service.CreateAPIKey(ctx, st, role, providerID, name, now)
}

// RotateAPIKey makes a key that may do the same as the key with this id, which
// works on for the time of grace.
func RotateAPIKey(ctx context.Context, st *store.Store, id string, grace time.Duration, now time.Time) (plaintext string, kept store.APIKey, err error) {
	return service.RotateAPIKey(ctx, st, id, grace, now)
}

// CreatePortalLink makes a link to the service at issuer, good for one provider
// until its time is over or it is revoked like an API key. It is shown this
// once.
func CreatePortalLink(ctx context.Context, st *store.Store, issuer, providerID string, good time.Duration, now time.Time) (link string, kept store.APIKey, err error) {
	return service.CreatePortalLink(ctx, st, issuer, providerID, good, now)
}

// AddPerson gives an address a role within tx: [RoleProvider] with a provider's
// id, or [RoleAdmin]. It returns [ErrPersonRole], [ErrEmail],
// [store.ErrNotFound] for a provider that is not there, or [store.ErrTaken].
func AddPerson(ctx context.Context, tx *store.Tx, role Role, providerID, email string, now int64) (store.Person, error) {
	return service.AddPerson(ctx, tx, role, providerID, email, now)
}
