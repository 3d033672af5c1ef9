package store_test

import (
	"context"
	"testing"

	"github.com/sessiongate/sessiongate/backend/domain"
)

// Domains from before they were proven count as vouched for, and loopback names stay
// what they are. The way back keeps the domains that somebody holds.
func TestDomainsFromBefore(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, db database) {
		ctx := context.Background()
		db.up(t, 12)
		db.exec(t, "INSERT INTO providers (id, name, created_at, updated_at) VALUES ('p', 'P', 7, 7)")
		db.exec(t, `INSERT INTO provider_domains (domain, provider_id, position) VALUES
			('app.acme.com', 'p', 0), ('shop.localhost', 'p', 1), ('127.0.0.1', 'p', 2), ('127.0.0.1.nip.io', 'p', 3), ('localhost.acme.com', 'p', 4)`)
		db.up(t, 13)
		s := open(t, db.address)
		p, err := s.Provider(ctx, "p")
		if err != nil {
			t.Fatal(err)
		}
		want := []domain.State{domain.Vouched, domain.Local, domain.Local, domain.Vouched, domain.Vouched}
		for i, c := range p.Claims {
			if i >= len(want) || c.State != want[i] || c.ClaimedAt != 7 {
				t.Errorf("%s is %+v", c.Domain, c)
			}
		}
		if len(p.Claims) != len(want) {
			t.Errorf("there are %d claims", len(p.Claims))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		db.exec(t, "INSERT INTO providers (id, name, created_at, updated_at) VALUES ('q', 'Q', 8, 8)")
		db.exec(t, "INSERT INTO domain_claims (domain, provider_id, position, state, claimed_at) VALUES ('app.acme.com', 'q', 0, 'pending', 8), ('q.acme.com', 'q', 1, 'suspended', 8)")
		db.down(t, 12)
		var domains, others int
		if err := db.conn.QueryRow("SELECT COUNT(*), COALESCE(SUM(CASE WHEN provider_id <> 'p' THEN 1 ELSE 0 END), 0) FROM provider_domains").Scan(&domains, &others); err != nil {
			t.Fatal(err)
		}
		if domains != len(want) || others != 0 {
			t.Errorf("back: %d domains, %d of them not held", domains, others)
		}
	})
}
