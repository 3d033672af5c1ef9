package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// soldAt is half past a full second, so that rounding shows.
var soldAt = time.Unix(1_800_000_000, 500_000_000)

// sellExtended writes a session of 60 s for 100 tokens that was entered and extended
// twice: by 30 s for 5 tokens, and by 10 s for nothing.
func sellExtended(t *testing.T, s *store.Store, id string) session.Session {
	t.Helper()
	tr, err := session.New(session.Order{
		ID: id, UserID: "u", ProviderID: "p", Tokens: 100, Duration: 60,
		Terms: session.Terms{Settlement: session.Prorated, Pause: &session.Pauses{MaxCount: 9, MaxSeconds: 90}},
	}, soldAt)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Write(context.Background(), func(tx *store.Tx) error {
		hold, err := ledger.Open(id, "u", "p", 100, soldAt)
		if err != nil {
			return err
		}
		if err := tx.Insert(context.Background(), tr, soldAt); err != nil {
			return err
		}
		return tx.Post(context.Background(), hold)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []session.Event{
		session.Launch{RedemptionID: "r"}, session.Extend{By: session.Marketplace, Seconds: 30, Tokens: 5},
		session.Extend{By: session.Marketplace, Seconds: 10}, session.Pause{}, session.Resume{},
	} {
		apply(t, s, id, e, soldAt.Add(time.Duration(i)*1300*time.Millisecond))
	}
	return read(t, s, id)
}

func apply(t *testing.T, s *store.Store, id string, e session.Event, now time.Time) {
	t.Helper()
	tr, err := session.Apply(read(t, s, id), e, now)
	if err == nil {
		err = s.Write(context.Background(), func(tx *store.Tx) error { return tx.Update(context.Background(), tr, now) })
	}
	if err != nil {
		t.Fatalf("%T: %v", e, err)
	}
}

func read(t *testing.T, s *store.Store, id string) session.Session {
	t.Helper()
	c, err := s.Session(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Sessions that earlier versions wrote, or changed during a rolling upgrade, have their
// purchases and times again: the sale is what the extensions leave.
func TestSessionsOfEarlierVersionsHaveTheirPurchases(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, db database) {
		s := open(t, db.address)
		err := s.Write(context.Background(), func(tx *store.Tx) error {
			if err := tx.InsertProvider(context.Background(), store.Provider{ID: "p", Name: "p"}, soldAt); err != nil {
				return err
			}
			credit, err := ledger.Credit("c", "u", 1000, soldAt)
			if err != nil {
				return err
			}
			return tx.Post(context.Background(), credit)
		})
		if err != nil {
			t.Fatal(err)
		}

		fresh := sellExtended(t, s, "s1")
		want := fmt.Sprintf("%+v", fresh.Purchases)
		if len(fresh.Purchases) != 3 || fresh.Meter.PausedUS != 1_300_000 {
			t.Fatalf("read as %+v", fresh)
		}
		// As an earlier version would have written it.
		db.exec(t, "UPDATE sessions SET purchases = '', started_us = 0, paused_at_us = 0, paused_us = 0, entered_at = 0 WHERE id = 's1'")
		old := read(t, s, "s1")
		if got := fmt.Sprintf("%+v", old.Purchases); got != want {
			t.Errorf("the purchases are %s, want %s", got, want)
		}
		if old.Meter.StartedUS != 1_800_000_001_000_000 || old.Meter.PausedUS != 1_000_000 || old.EnteredAt != fresh.RedeemedAt {
			t.Errorf("the times are %+v, entered at %d", old.Meter, old.EnteredAt)
		}
		list, err := s.Sessions(context.Background(), store.SessionFilter{ProviderID: "p", Limit: 10})
		if err != nil || len(list) != 1 || fmt.Sprintf("%+v", list[0].Purchases) != want {
			t.Errorf("listed as %+v, %v", list, err)
		}
		// An earlier version extends a session of this one.
		sellExtended(t, s, "s2")
		db.exec(t, "UPDATE sessions SET tokens = tokens + 7, duration_seconds = duration_seconds + 20, expires_at = expires_at + 20, version = version + 1 WHERE id = 's2'")
		db.exec(t, "INSERT INTO session_extensions (session_id, version, actor, seconds, tokens, created_at) SELECT id, version, 'user', 20, 7, 1800000009 FROM sessions WHERE id = 's2'")
		mixed := read(t, s, "s2")
		if n := len(mixed.Purchases); n != 4 || mixed.Purchases[3].Tokens != 7 || mixed.Purchases[0].Tokens != 100 || !mixed.Bought(mixed.Purchases) {
			t.Errorf("the purchases are %+v", mixed.Purchases)
		}
		// It is settled purchase by purchase: 59 s of the sale's 60.
		end := time.Unix(mixed.StartedAt+mixed.PausedSeconds, 0).Add(58500 * time.Millisecond)
		tr, err := session.Apply(old, session.Complete{By: session.User}, end)
		if err != nil || tr.Settlement.Captured != 99 || tr.Settlement.Released != 6 {
			t.Errorf("settled as %+v, %v", tr.Settlement, err)
		}
		// One that ended before keeps its settlement.
		db.exec(t, "UPDATE sessions SET status = 'completed', due_at = 0, ended_at = 1800000050, captured = 64, released = 41, used_seconds = 60, end_reason = 'completed' WHERE id = 's1'")
		var captured, released int64
		for _, p := range read(t, s, "s1").Purchases {
			captured, released = captured+p.Captured, released+p.Released
		}
		if captured != 64 || released != 41 {
			t.Errorf("its purchases are settled to %d and %d", captured, released)
		}
	})
}
