package store

import (
	"context"
	"fmt"
	"time"

	"github.com/sessiongate/sessiongate/backend/store/query"
)

// Marketplace is a tenant: its keys, users, balances and sessions are its own.
type Marketplace struct {
	ID        string
	Name      string
	CreatedAt int64
}

// Marketplace returns the marketplace with this id, or [ErrNotFound].
func (r Reader) Marketplace(ctx context.Context, id string) (Marketplace, error) {
	row, err := r.q.GetMarketplace(ctx, id)
	if err != nil {
		return Marketplace{}, fmt.Errorf("reading marketplace: %w", found(err))
	}
	return Marketplace(row), nil
}

// Marketplaces lists marketplaces by id, starting after the id after.
func (r Reader) Marketplaces(ctx context.Context, after string, limit int) ([]Marketplace, error) {
	rows, err := r.q.ListMarketplaces(ctx, after, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("listing marketplaces: %w", err)
	}
	list := make([]Marketplace, 0, len(rows))
	for _, row := range rows {
		list = append(list, Marketplace(row))
	}
	return list, nil
}

// InsertMarketplace writes a new marketplace. It returns [ErrTaken] if its id exists.
func (t *Tx) InsertMarketplace(ctx context.Context, m Marketplace) error {
	n, err := t.q.InsertMarketplace(ctx, m.ID, m.Name, m.CreatedAt)
	if err != nil {
		return fmt.Errorf("writing marketplace: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("writing marketplace %s: %w", m.ID, ErrTaken)
	}
	return nil
}

// maxGuestChanges is more than a provider can have: its settings and its webhooks.
const maxGuestChanges = 100

// GuestChange is a setting or webhook that a portal guest changed, and that nobody has
// confirmed since.
type GuestChange struct {
	ProviderID string
	// domains, origin_url, app_url, policies, or [WebhookItem].
	Item string
	// The portal link that the guest signed in with.
	LinkID string
	At     int64
}

// WebhookItem is the item of a [GuestChange] that is a webhook.
func WebhookItem(id string) string { return "webhook:" + id }

// GuestChanges lists what guests of a provider changed, oldest first.
func (r Reader) GuestChanges(ctx context.Context, providerID string) ([]GuestChange, error) {
	rows, err := r.q.ListGuestChanges(ctx, providerID, maxGuestChanges)
	if err != nil {
		return nil, fmt.Errorf("listing guests' changes: %w", err)
	}
	list := make([]GuestChange, 0, len(rows))
	for _, row := range rows {
		list = append(list, GuestChange(row))
	}
	return list, nil
}

// PutGuestChange records that a guest changed an item.
func (t *Tx) PutGuestChange(ctx context.Context, c GuestChange) error {
	if err := t.q.PutGuestChange(ctx, query.PutGuestChangeParams(c)); err != nil {
		return fmt.Errorf("recording guest's change: %w", err)
	}
	return nil
}

// ConfirmGuestChange removes the record of a guest's change, if there is one.
func (t *Tx) ConfirmGuestChange(ctx context.Context, providerID, item string) error {
	if _, err := t.q.DeleteGuestChange(ctx, providerID, item); err != nil {
		return fmt.Errorf("confirming guest's change: %w", err)
	}
	return nil
}

// Owned reports whether a provider has access of its own at the time now: an API key
// that is valid, or a person. Portal links are not access of its own.
func (r Reader) Owned(ctx context.Context, providerID string, now time.Time) (bool, error) {
	keys, err := r.LiveKeys(ctx, providerID, now)
	if err != nil || keys > 0 {
		return keys > 0, err
	}
	people, err := r.q.CountPeopleOfProvider(ctx, providerID)
	if err != nil {
		return false, fmt.Errorf("counting people: %w", err)
	}
	return people > 0, nil
}
