package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A portal link lets somebody without account and key look after one provider
// for a while: whoever holds it signs in as that provider's guest. What it
// carries stands in its fragment, which browsers send to nobody; it is kept as
// a hash, beside API keys, but is none: no program can use it.

const (
	linkPrefix = "sg_link_"
	// What a guest is called.
	guestName  = "Portal guest"
	PortalPath = AuthPath + "portal"

	// DefaultPortalTime is how long a portal link is good for.
	DefaultPortalTime = 24 * time.Hour
	// MaxPortalTime is the longest that one can be good for.
	MaxPortalTime = 7 * 24 * time.Hour
)

// CreatePortalLink makes a link to the service at issuer, good for one provider
// until its time is over or it is revoked like an API key. It is shown this
// once.
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
	plaintext, kept, err := newSecret(linkPrefix, now)
	if err != nil {
		return "", kept, err
	}
	kept.Kind, kept.Role, kept.ProviderID, kept.Name, kept.ExpiresAt = store.KindLink, string(RoleProvider), providerID, guestName, now.Add(good).Unix()
	return strings.TrimSuffix(issuer, "/") + PortalPath + "#" + plaintext, kept, tx.InsertAPIKey(ctx, kept)
}

// SignInByLink opens a sign-in for whoever holds a portal link, until that ends.
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

// CreatePortalLink makes a link to this service.
func (s *Service) CreatePortalLink(ctx context.Context, req Request, providerID string, good time.Duration) (link string, kept store.APIKey, err error) {
	_, err = write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		link, kept, err = addPortalLink(ctx, w.Tx, s.issuer, providerID, good, w.now)
		return struct{}{}, err
	})
	return link, kept, err
}
