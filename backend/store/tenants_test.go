package store_test

import (
	"context"
	"testing"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store"
)

// Keys, users, sessions and the ledger from before there were several marketplaces are
// the default one's, and keys of other roles are no marketplace's.
func TestTenantsFromBefore(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, db database) {
		ctx := context.Background()
		db.up(t, 12)
		db.exec(t, "INSERT INTO providers (id, name, created_at, updated_at) VALUES ('p', 'P', 7, 7)")
		db.exec(t, `INSERT INTO api_keys (id, hash, hint, role, provider_id, created_at) VALUES
			('m', 'hm', 'x', 'marketplace', '', 7), ('k', 'hk', 'x', 'provider', 'p', 7), ('e', 'he', 'x', 'edge', '', 7), ('a', 'ha', 'x', 'admin', '', 7)`)
		db.exec(t, "INSERT INTO accounts (user_id, posted, held) VALUES ('user_1', 100, 60)")
		db.exec(t, `INSERT INTO sessions (id, user_id, provider_id, status, version, clock, tokens, duration_seconds, return_url, consent_url, terms,
			offer_used, created_at, launch_by, started_at, expires_at, paused_at, paused_seconds, pause_count, redemption_id, redeemed_at,
			due_at, ended_at, end_reason, captured, released, used_seconds) VALUES
			('s1', 'user_1', 'p', 'active', 1, 'creation', 60, 60, '', '', '{}', 0, 7, 0, 8, 68, 0, 0, 0, '', 0, 68, 0, '', 0, 0, 0)`)
		db.exec(t, "INSERT INTO holds (session_id, user_id, provider_id, amount) VALUES ('s1', 'user_1', 'p', 60)")
		db.exec(t, `INSERT INTO ledger_entries (id, kind, debit, credit, amount, user_id, provider_id, session_id, at_us) VALUES
			('l1', 'credit', 'issue', 'user:user_1:available', 100, 'user_1', '', '', 7000000),
			('l2', 'hold', 'user:user_1:available', 'user:user_1:held', 60, 'user_1', 'p', 's1', 7000000)`)

		s := open(t, db.address)
		for id, want := range map[string]string{"m": "mkt_default", "k": "", "e": "", "a": ""} {
			if k, err := s.APIKey(ctx, id); err != nil || k.MarketplaceID != want {
				t.Errorf("key %s is of %q, %v; want %q", id, k.MarketplaceID, err, want)
			}
		}
		for marketplace, want := range map[string]int{"mkt_default": 1, "mkt_x": 0, "": 1} {
			if list, err := s.Sessions(ctx, store.SessionFilter{MarketplaceID: marketplace, Limit: 9}); err != nil || len(list) != want {
				t.Errorf("%q has %d sessions, %v; want %d", marketplace, len(list), err, want)
			}
		}
		if b, err := s.Balance(ctx, "user_1"); err != nil || b != (ledger.Balance{Posted: 100, Held: 60}) {
			t.Errorf("user_1 has %+v, %v", b, err)
		}
		if err := s.Audit(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		db.down(t, 12)
		again := open(t, db.address)
		if err := again.Audit(ctx); err != nil {
			t.Error(err)
		}
		if k, err := again.APIKey(ctx, "m"); err != nil || k.MarketplaceID != "mkt_default" {
			t.Errorf("there and back, the key is of %q, %v", k.MarketplaceID, err)
		}
	})
}
