package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Two marketplaces may both have user_1: two balances, two ledgers, two sets of sessions.
// What happens to one of them happens to no other.
func marketplacesApart(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	if m, err := s.Marketplace(ctx, "mkt_default"); err != nil || m.Name != "Default" {
		t.Errorf("the default marketplace is %+v, %v", m, err)
	}
	write(t, s, func(tx *store.Tx) error {
		return tx.InsertMarketplace(ctx, store.Marketplace{ID: "mkt_x", Name: "X", CreatedAt: 7})
	})
	err := s.Write(ctx, func(tx *store.Tx) error { return tx.InsertMarketplace(ctx, store.Marketplace{ID: "mkt_x", Name: "Y"}) })
	if !errors.Is(err, store.ErrTaken) {
		t.Errorf("the same id again: %v", err)
	}
	list, err := s.Marketplaces(ctx, "mkt_default", 9)
	if err != nil || !slices.Equal(list, []store.Marketplace{{ID: "mkt_x", Name: "X", CreatedAt: 7}}) {
		t.Errorf("%v, %v", list, err)
	}

	mine, theirs := "user_1", protocol.Subject("mkt_x", "user_1")
	credit(t, s, "c1", mine, 100)
	credit(t, s, "c2", theirs, 30)
	sell(t, s, "s1", mine, 60)
	sell(t, s, "s2", theirs, 30)
	if err := settle(s, "s2", session.Complete{}, Now.Add(1)); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]ledger.Balance{mine: {Posted: 100, Held: 60}, theirs: {Posted: 0}} {
		if b, err := s.Balance(ctx, subject); err != nil || b.Held != want.Held || subject == mine && b != want {
			t.Errorf("%s has %+v, %v", subject, b, err)
		}
	}
	entries, err := s.Entries(ctx, store.EntryFilter{UserID: theirs, Limit: 9})
	if err != nil || len(entries) < 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if e.Debit.Marketplace() != "mkt_x" || e.Credit.Marketplace() != "mkt_x" {
			t.Errorf("tokens pass from %s to %s", e.Debit, e.Credit)
		}
	}
	if issued := entries[len(entries)-1].Debit; issued != "issue:mkt_x" {
		t.Errorf("tokens come from %s", issued)
	}

	// Erasing one erases no other.
	pseudonym := protocol.Subject("mkt_x", "erased_1")
	write(t, s, func(tx *store.Tx) error {
		return tx.EraseUser(ctx, theirs, pseudonym, func(payload string) string { return payload })
	})
	if b, err := s.Balance(ctx, mine); err != nil || b != (ledger.Balance{Posted: 100, Held: 60}) {
		t.Errorf("the other user_1 has %+v, %v", b, err)
	}
	for id, want := range map[string]string{"s1": mine, "s2": pseudonym} {
		if c, err := s.Session(ctx, id); err != nil || c.UserID != want {
			t.Errorf("%s is of %s, want %s (%v)", id, c.UserID, want, err)
		}
	}
	if own, err := s.Sessions(ctx, store.SessionFilter{MarketplaceID: "mkt_x", Limit: 9}); err != nil || len(own) != 1 || own[0].ID != "s2" {
		t.Errorf("mkt_x has %v, %v", own, err)
	}
}

// What guests changed is listed until it is confirmed, whatever is confirmed beside it.
func guestChanges(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	addProvider(t, s, "q")
	put := func(item, link string, at int64) {
		write(t, s, func(tx *store.Tx) error {
			return tx.PutGuestChange(ctx, store.GuestChange{ProviderID: "p", Item: item, LinkID: link, At: at})
		})
	}
	put("app_url", "l1", 1)
	put("domains", "l1", 2)
	put("app_url", "l2", 3)
	list, err := s.GuestChanges(ctx, "p")
	if want := []store.GuestChange{{ProviderID: "p", Item: "domains", LinkID: "l1", At: 2}, {ProviderID: "p", Item: "app_url", LinkID: "l2", At: 3}}; err != nil || !slices.Equal(list, want) {
		t.Errorf("%v, %v", list, err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.ConfirmGuestChange(ctx, "q", "app_url") })
	write(t, s, func(tx *store.Tx) error { return tx.ConfirmGuestChange(ctx, "p", "domains") })
	if list, err := s.GuestChanges(ctx, "p"); err != nil || len(list) != 1 || list[0].Item != "app_url" {
		t.Errorf("%v, %v", list, err)
	}

	owned := func() bool {
		t.Helper()
		yes, err := s.Owned(ctx, "p", Now)
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	key := store.APIKey{ID: "k", Hash: "h", Role: "provider", ProviderID: "p", Kind: store.KindLink, CreatedAt: Now.Unix()}
	write(t, s, func(tx *store.Tx) error { return tx.InsertAPIKey(ctx, key) })
	if owned() {
		t.Error("a link is access of its own")
	}
	key.ID, key.Hash, key.Kind = "k2", "h2", store.KindKey
	write(t, s, func(tx *store.Tx) error { return tx.InsertAPIKey(ctx, key) })
	if !owned() {
		t.Error("a key is not access of its own")
	}
	write(t, s, func(tx *store.Tx) error { return tx.RevokeAPIKey(ctx, "k2", Now) })
	if owned() {
		t.Error("a revoked key is access")
	}
	write(t, s, func(tx *store.Tx) error {
		return tx.InsertPerson(ctx, store.Person{ID: "x", Email: "a@b.example", Role: "provider", ProviderID: "p", CreatedAt: 1})
	})
	if !owned() {
		t.Error("a person is not access of its own")
	}
}
