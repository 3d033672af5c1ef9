package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

func peopleAndSignIns(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	ada := store.Person{ID: "1", Email: "ada@example.com", Role: "provider", ProviderID: "p", CreatedAt: 5}
	admin := store.Person{ID: "2", Email: "ada@example.com", Role: "admin", CreatedAt: 6}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.InsertPerson(ctx, ada), tx.InsertPerson(ctx, admin), tx.InsertPerson(ctx, store.Person{ID: "3", Email: "bob@example.com", Role: "admin"}))
	})
	again := ada
	again.ID = "4"
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.InsertPerson(ctx, again) }); !errors.Is(err, store.ErrTaken) {
		t.Errorf("the same role twice: %v", err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.BindPeople(ctx, "ada@example.com", "idp|1", Now) })
	write(t, s, func(tx *store.Tx) error {
		return tx.BindPeople(ctx, "ada@example.com", "idp|2", Now.Add(time.Second))
	})
	ada.Subject, ada.LastSeenAt = "idp|1", Now.Unix()+1
	admin.Subject, admin.LastSeenAt = ada.Subject, ada.LastSeenAt
	if got, err := s.PeopleByEmail(ctx, "ada@example.com"); err != nil || !slices.Equal(got, []store.Person{ada, admin}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := s.People(ctx, "1", 1); err != nil || len(got) != 1 || got[0].ID != "2" {
		t.Errorf("a page of people is %+v, %v", got, err)
	}

	in := store.SignIn{Hash: "h", PersonID: "1", CreatedAt: Now.Unix(), ExpiresAt: Now.Unix() + 10}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.InsertSignIn(ctx, in), tx.InsertSignIn(ctx, store.SignIn{Hash: "k", KeyID: "key", ExpiresAt: Now.Unix() + 20}))
	})
	if got, err := s.SignIn(ctx, "h"); err != nil || got != in {
		t.Errorf("got %+v, %v", got, err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.DeletePerson(ctx, "1") })
	if _, err := s.SignIn(ctx, "h"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("who has no role any more is signed in: %v", err)
	}
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.DeletePerson(ctx, "1") }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removing nobody: %v", err)
	}
	write(t, s, func(tx *store.Tx) error { _, err := tx.ForgetSignIns(ctx, time.Unix(Now.Unix()+19, 0)); return err })
	if _, err := s.SignIn(ctx, "k"); err != nil {
		t.Errorf("an open sign-in is forgotten: %v", err)
	}
	write(t, s, func(tx *store.Tx) error { _, err := tx.ForgetSignIns(ctx, time.Unix(Now.Unix()+20, 0)); return err })
	if _, err := s.SignIn(ctx, "k"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an old sign-in is there: %v", err)
	}
}

func providers(t *testing.T, s *store.Store) {
	addProvider(t, s, "p", "b.example", "a.example")
	p, err := s.ProviderByDomain(ctx, "a.example")
	if err != nil || p.ID != "p" || !slices.Equal(p.Domains, []string{"b.example", "a.example"}) {
		t.Errorf("got %+v, %v", p, err)
	}
	taken := store.Provider{ID: "p", Name: "x"}
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.InsertProvider(ctx, taken, Now) }); !errors.Is(err, store.ErrTaken) {
		t.Errorf("%+v: %v", taken, err)
	}
	p.Name, p.Domains, p.Policies = "new", []string{"c.example"}, store.Policies{Settlement: session.Full, ReturnHosts: []string{"m.example"}}
	write(t, s, func(tx *store.Tx) error { return tx.UpdateProvider(ctx, p, Now) })
	got, err := s.Provider(ctx, "p")
	if err != nil || got.Name != "new" || got.Version != 2 || got.Policies.ReturnHosts[0] != "m.example" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.ProviderByDomain(ctx, "a.example"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a domain given up: %v", err)
	}
	addProvider(t, s, "q", "a.example")
	if list, err := s.Providers(ctx, "p", 9); err != nil || len(list) != 1 || list[0].ID != "q" {
		t.Errorf("after p come %+v, %v", list, err)
	}
}

func apiKeys(t *testing.T, s *store.Store) {
	k := store.APIKey{ID: "k1", Hash: "h1", Hint: "sg_edge_abcd", Role: "edge", Name: "n", CreatedAt: 5, Kind: store.KindKey}
	write(t, s, func(tx *store.Tx) error { return tx.InsertAPIKey(ctx, k) })
	if got, err := s.APIKeyByHash(ctx, "h1"); err != nil || got != k {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.APIKeyByHash(ctx, "h2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.RevokeAPIKey(ctx, "k1", Now) })
	err := s.Write(ctx, func(tx *store.Tx) error { return tx.RevokeAPIKey(ctx, "k1", Now) })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking twice: %v", err)
	}
	if list, err := s.APIKeys(ctx, store.KeyFilter{Limit: 10}); err != nil || len(list) != 1 || list[0].RevokedAt != Now.Unix() {
		t.Errorf("got %+v, %v", list, err)
	}
}
