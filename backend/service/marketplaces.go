package service

import (
	"context"
	"crypto/rand"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// MarketplaceIDPattern is what the id of a marketplace looks like. It is the beginning of
// its users' subjects, so it has lower-case letters only: apps that ignore case must not
// take two marketplaces for one.
const MarketplaceIDPattern = "^mkt_[a-z0-9][a-z0-9_]{0,31}$"

var marketplaceID = regexp.MustCompile(MarketplaceIDPattern)

// ErrMarketplace is returned for the id of a marketplace that cannot be one.
var ErrMarketplace = errors.New("a marketplace's id must be mkt_ and at most 32 lower-case letters, digits and _")

// Subject returns the name of one of the caller's users outside its marketplace. It
// returns [ErrNotFound] to a marketplace that names the user of another. Callers without
// a marketplace name users by their subjects.
func (c Caller) Subject(userID string) (string, error) {
	if c.Role != RoleMarketplace {
		return userID, nil
	}
	if !protocol.IsUserID(userID) {
		return "", store.ErrNotFound
	}
	return protocol.Subject(c.MarketplaceID, userID), nil
}

// UserID returns a user as the caller names it: its marketplace by the user's id,
// everybody else by the subject.
func (c Caller) UserID(subject string) string {
	if c.Role != RoleMarketplace {
		return subject
	}
	_, user := protocol.SplitSubject(subject)
	return user
}

// ofMarketplace reports whether a session was sold by a marketplace. Empty is every
// marketplace.
func ofMarketplace(c session.Session, marketplace string) bool {
	return marketplace == "" || protocol.MarketplaceOf(c.UserID) == marketplace
}

// CreateMarketplace registers a marketplace. If m has no id, it generates one.
func (s *Service) CreateMarketplace(ctx context.Context, req Request, m store.Marketplace) (store.Marketplace, error) {
	return write(ctx, s, req, func(w *writeTx) (store.Marketplace, error) { return AddMarketplace(ctx, w.Tx, m, w.now) })
}

// AddMarketplace is [Service.CreateMarketplace] within tx.
func AddMarketplace(ctx context.Context, tx *store.Tx, m store.Marketplace, now time.Time) (store.Marketplace, error) {
	if m.ID == "" {
		m.ID = "mkt_" + strings.ToLower(rand.Text()[:16])
	}
	if !marketplaceID.MatchString(m.ID) {
		return m, ErrMarketplace
	}
	if m.Name = strings.TrimSpace(m.Name); m.Name == "" {
		return m, Refuse(protocol.InvalidRequest, "name is required.")
	}
	m.CreatedAt = now.Unix()
	return m, tx.InsertMarketplace(ctx, m)
}

// Marketplaces lists marketplaces, starting after the one with the id after.
func (s *Service) Marketplaces(ctx context.Context, after string, limit int) ([]store.Marketplace, error) {
	return s.store.Marketplaces(ctx, after, limit)
}
