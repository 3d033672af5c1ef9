package service

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// What a portal guest changes outlives its link, and some of it decides where users,
// launch tokens and messages go, what sessions cost, and what is open without one: domains,
// origin_url, app_url, policies, site and webhooks.
//
//   - While a provider has no key and no person of its own, its guest sets it up: it sets
//     what nobody has set, and changes what guests set. All of it is listed until the
//     provider confirms it.
//   - Once the provider has a key or a person, guests change none of it.

// guestItem is something that guests may not always change.
type guestItem struct {
	name string // as in [GuestChange]
	// Whether it is set now for the first time.
	fresh bool
}

func webhookItem(id string, fresh bool) guestItem { return guestItem{store.WebhookItem(id), fresh} }

// changedItems lists the items that differ between two versions of a provider.
func changedItems(before, after store.Provider) []guestItem {
	var list []guestItem
	if !slices.Equal(before.Domains, after.Domains) {
		list = append(list, guestItem{"domains", len(before.Domains) == 0})
	}
	if before.OriginURL != after.OriginURL {
		list = append(list, guestItem{"origin_url", before.OriginURL == ""})
	}
	if before.AppURL != after.AppURL {
		list = append(list, guestItem{"app_url", before.AppURL == ""})
	}
	if was := priced(before.Policies); !reflect.DeepEqual(was, priced(after.Policies)) {
		list = append(list, guestItem{"policies", reflect.DeepEqual(was, priced(store.Policies{}))})
	}
	if !reflect.DeepEqual(before.Site, after.Site) {
		list = append(list, guestItem{"site", reflect.DeepEqual(before.Site, protocol.Site{})})
	}
	return list
}

// priced returns policies with their defaults, without what only administrators change.
func priced(p store.Policies) store.Policies {
	p.ReturnHosts, p.WarningSeconds = nil, slices.Clone(p.WarningSeconds)
	_ = normalizePolicies(&p) // what is refused is refused before it is compared
	return p
}

// guestMay refuses a request of a guest that may not change these items.
func (s *Service) guestMay(ctx context.Context, r store.Reader, req Request, providerID string, items ...guestItem) error {
	if req.guest == "" || len(items) == 0 {
		return nil
	}
	owned, err := r.Owned(ctx, providerID, s.now())
	if err != nil {
		return err
	}
	if owned {
		return Refuse(protocol.Forbidden, "Portal links cannot change domains, origin_url, app_url, policies, site or webhooks of a provider that has an API key or a person of its own. Sign in with the key or as the person.")
	}
	byGuests, err := r.GuestChanges(ctx, providerID)
	if err != nil {
		return err
	}
	for _, item := range items {
		if !item.fresh && !slices.ContainsFunc(byGuests, func(c store.GuestChange) bool { return c.Item == item.name }) {
			return Refuse(protocol.Forbidden, "A portal link cannot change this: it was set by the provider or by an administrator, or was confirmed. Ask the operator to change it, or for an API key of your own.")
		}
	}
	return nil
}

// changing checks that the request may change items, and records the changes of a guest.
// A change by anybody else confirms the items.
func (w *writeTx) changing(ctx context.Context, providerID string, items ...guestItem) error {
	if err := w.s.guestMay(ctx, w.Reader, w.req, providerID, items...); err != nil {
		return err
	}
	for _, item := range items {
		var err error
		if w.req.guest == "" {
			err = w.ConfirmGuestChange(ctx, providerID, item.name)
		} else {
			err = w.PutGuestChange(ctx, store.GuestChange{ProviderID: providerID, Item: item.name, LinkID: w.req.guest, At: w.now.Unix()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// GuestChanges lists what guests of a provider changed and nobody has confirmed.
func (s *Service) GuestChanges(ctx context.Context, providerID string) ([]store.GuestChange, error) {
	return s.store.GuestChanges(ctx, providerID)
}

// ConfirmGuestChanges confirms what guests of a provider changed. A guest cannot.
func (s *Service) ConfirmGuestChanges(ctx context.Context, req Request, providerID string, items []string) error {
	if req.guest != "" {
		return Refuse(protocol.Forbidden, "Portal links cannot confirm changes. Sign in with a key or as a person of the provider.")
	}
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		for _, item := range items {
			if err := w.ConfirmGuestChange(ctx, providerID, item); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// WebhookOfItem returns the webhook of a [GuestChange], or "" if it is a setting.
func WebhookOfItem(item string) string {
	id, ok := strings.CutPrefix(item, store.WebhookItem(""))
	if !ok {
		return ""
	}
	return id
}
