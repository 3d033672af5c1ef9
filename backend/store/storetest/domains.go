package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/store"
)

func claims(t *testing.T, s *store.Store) {
	add := func(id string, state domain.State, domains ...string) {
		t.Helper()
		write(t, s, func(tx *store.Tx) error {
			as := func(string) domain.State { return state }
			return tx.InsertProvider(ctx, store.Provider{ID: id, Name: id, Domains: domains, NewClaim: as}, Now)
		})
	}
	states := func(id string) (list []string) {
		t.Helper()
		p, err := s.Provider(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Claims {
			list = append(list, c.Domain+" "+string(c.State))
		}
		return list
	}
	add("p", domain.Pending, "a.example", "b.example")
	if _, err := s.ProviderByDomain(ctx, "a.example"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a pending claim holds its domain: %v", err)
	}
	add("q", domain.Vouched, "b.example")
	add("r", domain.Vouched, "c.example", "b.example") // q holds it: pending, and no error
	if got := slices.Concat(states("p"), states("q"), states("r")); !slices.Equal(got, []string{
		"a.example pending", "b.example pending", "b.example vouched", "c.example vouched", "b.example pending",
	}) {
		t.Errorf("claims are %q", got)
	}
	if p, err := s.ProviderByDomain(ctx, "b.example"); err != nil || p.ID != "q" {
		t.Errorf("b.example is %s's, %v", p.ID, err)
	}

	// A claim that is kept keeps what is known of it; one provider at most holds a domain.
	list, err := s.ClaimsOf(ctx, "b.example")
	if err != nil || len(list) != 3 {
		t.Fatalf("claims are %+v, %v", list, err)
	}
	first := list[slices.IndexFunc(list, func(c domain.Claim) bool { return c.ProviderID == "p" })]
	proven := first
	proven.State, proven.ProvenAt, proven.CheckedAt, proven.Found, proven.DueAt = domain.Proven, 7, 8, "seen", 9
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.UpdateClaim(ctx, first, proven) }); err == nil {
		t.Error("two providers hold a domain")
	}
	held := list[slices.IndexFunc(list, func(c domain.Claim) bool { return c.ProviderID == "q" })]
	lost := held
	lost.State = domain.Pending
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.UpdateClaim(ctx, held, lost), tx.UpdateClaim(ctx, first, proven))
	})
	p, err := s.ProviderByDomain(ctx, "b.example")
	if err != nil || p.ID != "p" {
		t.Fatalf("b.example is %s's, %v", p.ID, err)
	}
	p.Domains = []string{"b.example", "d.example"}
	write(t, s, func(tx *store.Tx) error { return tx.UpdateProvider(ctx, p, Now) })
	proven.Position = 0
	if got, err := s.Claims(ctx, "p"); err != nil || len(got) != 2 || got[0] != proven || got[1].State != domain.Pending {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.UpdateClaim(ctx, first, proven) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an old claim was written: %v", err)
	}

	due, err := s.DueDomains(ctx, Now.Add(time.Hour), 9)
	if err != nil || !slices.Contains(due, "b.example") || !slices.Contains(due, "d.example") || slices.Contains(due, "c.example") {
		t.Errorf("due are %q, %v", due, err)
	}
	if due, err := s.DueDomains(ctx, time.Unix(8, 0), 9); err != nil || len(due) != 0 {
		t.Errorf("due before are %q, %v", due, err)
	}

	if _, err := s.DomainSecret(ctx); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("there is a secret: %v", err)
	}
	for _, secret := range []string{"one", "two"} {
		write(t, s, func(tx *store.Tx) error { return tx.InsertDomainSecret(ctx, []byte(secret)) })
		if got, err := s.DomainSecret(ctx); err != nil || string(got) != "one" {
			t.Errorf("the secret is %q, %v", got, err)
		}
	}
}
