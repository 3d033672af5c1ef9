package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/sessiongate/sessiongate/backend/domain"
)

// Domains from before they were proven count as vouched for, and loopback names stay
// what they are. The way back keeps the domains that somebody holds.
func TestDomainsFromBefore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "test.db")
	for name, at := range map[string]struct {
		driver, name, address string
		dialect               goose.Dialect
	}{
		"sqlite":   {"sqlite", file, "sqlite:" + file, goose.DialectSQLite3},
		"postgres": {driver: "pgx", address: postgres.Database(t), dialect: goose.DialectPostgres},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			if at.name == "" {
				at.name = at.address
			}
			conn, err := sql.Open(at.driver, at.name)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			migrations, err := goose.NewProvider(at.dialect, conn, os.DirFS("migrations"))
			if err != nil {
				t.Fatal(err)
			}
			exec := func(statement string) {
				t.Helper()
				if _, err := conn.Exec(statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			if _, err := migrations.UpTo(ctx, 12); err != nil {
				t.Fatal(err)
			}
			exec("INSERT INTO providers (id, name, created_at, updated_at) VALUES ('p', 'P', 7, 7)")
			exec(`INSERT INTO provider_domains (domain, provider_id, position) VALUES
				('app.acme.com', 'p', 0), ('shop.localhost', 'p', 1), ('127.0.0.1', 'p', 2), ('127.0.0.1.nip.io', 'p', 3), ('localhost.acme.com', 'p', 4)`)
			if _, err := migrations.UpTo(ctx, 13); err != nil {
				t.Fatal(err)
			}
			s := open(t, at.address)
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

			exec("INSERT INTO providers (id, name, created_at, updated_at) VALUES ('q', 'Q', 8, 8)")
			exec("INSERT INTO domain_claims (domain, provider_id, position, state, claimed_at) VALUES ('app.acme.com', 'q', 0, 'pending', 8), ('q.acme.com', 'q', 1, 'suspended', 8)")
			if _, err := migrations.DownTo(ctx, 12); err != nil {
				t.Fatal(err)
			}
			var domains, others int
			if err := conn.QueryRow("SELECT COUNT(*), COALESCE(SUM(CASE WHEN provider_id <> 'p' THEN 1 ELSE 0 END), 0) FROM provider_domains").Scan(&domains, &others); err != nil {
				t.Fatal(err)
			}
			if domains != len(want) || others != 0 {
				t.Errorf("back: %d domains, %d of them not held", domains, others)
			}
		})
	}
}
