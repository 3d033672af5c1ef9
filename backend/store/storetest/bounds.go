package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// backlog gives a webhook n finished deliveries, several in each millisecond, and
// returns their ids.
func backlog(t *testing.T, s *store.Store, n int) (ids []string) {
	t.Helper()
	addProvider(t, s, "p")
	write(t, s, func(tx *store.Tx) error {
		if err := tx.InsertWebhook(ctx, store.Webhook{ID: "w", ProviderID: "p", URL: "https://x.example"}, Now); err != nil {
			return err
		}
		for i := range n {
			id := fmt.Sprintf("msg_%06d.w", i*7919%n) // in no order
			ids = append(ids, id)
			d := store.Delivery{ID: id, WebhookID: "w", MessageID: id, Type: "x", Payload: "{}", NextAtMS: 1, CreatedMS: Now.UnixMilli() + int64(i/7)}
			if err := tx.InsertDelivery(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
	return ids
}

func countDeliveries(t *testing.T, s *store.Store, status string) (n int) {
	t.Helper()
	f := store.DeliveryFilter{WebhookID: "w", Status: status, Limit: 300}
	for {
		page, err := s.Deliveries(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if n += len(page); len(page) < f.Limit {
			return n
		}
		f.BeforeMS, f.BeforeID = page[len(page)-1].CreatedMS, page[len(page)-1].ID
	}
}

// What concerns a whole backlog is done in batches, and none is left out.
func backlogInBatches(t *testing.T, s *store.Store) {
	const n = 1234
	backlog(t, s, n)
	write(t, s, func(tx *store.Tx) error {
		h, err := tx.Webhook(ctx, "w")
		if err != nil {
			return err
		}
		h.DisabledAt = Now.Unix()
		return tx.UpdateWebhook(ctx, h, Now)
	})
	var first int64
	write(t, s, func(tx *store.Tx) (err error) { first, err = tx.FailPending(ctx, "w", Now); return err })
	if first == 0 || first >= n {
		t.Errorf("one transaction gave up %d of %d", first, n)
	}
	if waiting, err := s.DisabledWaiting(ctx); err != nil || !slices.Equal(waiting, []string{"w"}) {
		t.Errorf("%v, %v", waiting, err)
	}
	if err := s.FailAllPending(ctx, "w", Now); err != nil {
		t.Fatal(err)
	}
	if failed, pending := countDeliveries(t, s, "failed"), countDeliveries(t, s, "pending"); failed != n || pending != 0 {
		t.Errorf("%d failed, %d pending", failed, pending)
	}
	// The range leaves out the first and the last millisecond.
	replayed, err := s.ReplayRange(ctx, "w", Now.Add(time.Millisecond), Now.Add(time.Duration((n-1)/7)*time.Millisecond), true, Now)
	if want := int64(n - 7 - (n - (n-1)/7*7)); err != nil || replayed != want || countDeliveries(t, s, "pending") != int(want) {
		t.Errorf("replayed %d, want %d: %v", replayed, want, err)
	}
	if again, err := s.ReplayRange(ctx, "w", Now, Now.Add(time.Hour), false, Now); err != nil || again != n-replayed {
		t.Errorf("the rest: %d, %v", again, err)
	}
	if many, err := s.HasBacklog(ctx, "w"); err != nil || !many {
		t.Errorf("%v, %v", many, err)
	}
	if err := s.DeleteDeliveries(ctx, "w"); err != nil || countDeliveries(t, s, "") != 0 {
		t.Errorf("%d are left: %v", countDeliveries(t, s, ""), err)
	}
}

// A clock that was ahead left deliveries that wait for its time, and a clock that leaps
// ahead must not end idempotency keys.
func clocksThatAreSet(t *testing.T, s *store.Store) {
	ids := backlog(t, s, 700)
	write(t, s, func(tx *store.Tx) error {
		list, err := tx.ClaimDeliveries(ctx, "w", Now.Add(48*time.Hour), Now.Add(50*time.Hour), len(ids))
		if len(list) != len(ids) {
			t.Errorf("claimed %d", len(list))
		}
		return err
	})
	if due, err := s.DueWebhooks(ctx, "", Now, 10); err != nil || len(due) != 0 {
		t.Fatalf("%v, %v", due, err)
	}
	if err := s.ClockSetBack(ctx, Now, time.Minute); err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *store.Tx) error {
		list, err := tx.ClaimDeliveries(ctx, "w", Now, Now.Add(time.Minute), 1000)
		if len(list) != len(ids) {
			t.Errorf("%d of %d are due", len(list), len(ids))
		}
		return err
	})
	if err := s.ClockSetBack(ctx, Now, time.Minute); err != nil { // leases within a minute stay
		t.Fatal(err)
	}
	write(t, s, func(tx *store.Tx) error {
		list, err := tx.ClaimDeliveries(ctx, "w", Now, Now.Add(time.Minute), 1)
		if len(list) != 0 {
			t.Error("a lease was taken from its holder")
		}
		return err
	})

	once := func(key string, at time.Time) (fresh bool) {
		write(t, s, func(tx *store.Tx) (err error) { _, fresh, err = tx.Once(ctx, "s", key, "h", at); return err })
		return fresh
	}
	leap := Now.Add(72 * time.Hour)
	once("old", Now.Add(-25*time.Hour))
	for i := range 600 {
		once(fmt.Sprint(i), Now.Add(-time.Duration(i)*time.Minute))
	}
	if err := s.ClockSetForward(ctx, Now, leap); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ForgetAnswers(ctx, leap); err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		if once(fmt.Sprint(i), leap.Add(time.Hour)) {
			t.Fatalf("key %d ended with the leap", i)
		}
	}
	if !once("old", leap) {
		t.Error("a key that had ended before is valid again")
	}
	if !once("0", leap.Add(25*time.Hour)) {
		t.Error("a key does not end any more")
	}
}

// Figures that were counted by a clock ahead do not stop the counting.
func rollupAfterAClockAhead(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 1000)
	rollup := func(at time.Time) int {
		n, err := s.Rollup(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	sell(t, s, "s1", "u", 10)
	rollup(Now.Add(48 * time.Hour))
	sell(t, s, "s2", "u", 10) // two days before the mark
	if n := rollup(Now.Add(10 * time.Minute)); n == 0 {
		t.Error("nothing was counted")
	}
	if total, err := s.Totals(ctx, "p"); err != nil || total.Sessions != 2 || total.Users != 1 {
		t.Errorf("%+v, %v", total, err)
	}
	if at, err := s.RolledUpTo(ctx); err != nil || !at.Equal(Now.Add(10*time.Minute)) {
		t.Errorf("counted up to %v, %v", at, err)
	}
	if n := rollup(Now.Add(20 * time.Minute)); n != 0 {
		t.Errorf("%d days are counted again and again", n)
	}
}

// Each filter finds the same sessions as reading all of them would.
func listsOfEachFilter(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	addProvider(t, s, "q")
	var all []session.Session
	for i := range 40 {
		user := []string{"ann", "ann_2", "Ann", "bob", "änn", "mkt_x~ann", "mkt_x~bob", "mkt_xx~ann"}[i%8]
		credit(t, s, fmt.Sprint("c", i), user, 10)
		all = append(all, sell(t, s, store.NewID(Now.Add(time.Duration(i)*30*time.Minute)), user, 10))
	}
	for _, c := range all[:10] {
		if err := settle(s, c.ID, session.Complete{}, Now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []store.SessionFilter{
		{}, {MarketplaceID: "mkt_default"}, {MarketplaceID: "mkt_x"}, {MarketplaceID: "mkt_none"},
		{MarketplaceID: "mkt_default", Status: session.Completed}, {MarketplaceID: "mkt_x", Status: session.Completed}, {MarketplaceID: "mkt_x", Status: session.Active},
		{MarketplaceID: "mkt_x", ProviderID: "p"}, {MarketplaceID: "mkt_x", ProviderID: "q"}, {MarketplaceID: "mkt_x", ProviderID: "p", Status: session.Completed},
		{MarketplaceID: "mkt_x", UserID: "mkt_x~ann"}, {MarketplaceID: "mkt_x", UserID: "ann"}, {MarketplaceID: "mkt_default", UserID: "mkt_x~ann"},
		{ProviderID: "p", Search: "mkt_x"}, {ProviderID: "p", Search: "mkt_x~"},
		{UserID: "ann"}, {UserID: "ann", Status: session.Completed},
		{ProviderID: "p"}, {ProviderID: "q"}, {ProviderID: "p", Status: session.Completed}, {ProviderID: "p", UserID: "bob"},
		{ProviderID: "p", Search: "ann"}, {ProviderID: "p", Search: "an"}, {ProviderID: "p", Search: "ä"}, {ProviderID: "p", Search: "x"},
		{ProviderID: "p", Search: "ann", Status: session.Completed}, {ProviderID: "p", Search: all[7].ID}, {ProviderID: "p", Search: all[7].ID, Status: session.Active},
		{ProviderID: "q", Search: "ann"}, {ProviderID: "q", Search: all[7].ID}, {ProviderID: "p", UserID: "ann", Search: "b"},
		{ProviderID: "p", UserID: all[7].UserID, Search: all[7].ID}, {ProviderID: "p", UserID: "nobody", Search: all[7].ID},
		{ProviderID: "p", UserID: "ann", Search: "an"},
		{ProviderID: "p", Until: Now.Unix() + 1}, {ProviderID: "p", Until: Now.Unix()}, {ProviderID: "p", Since: Now.Unix(), Until: Now.Unix() + 1, Search: "ann"},
	} {
		var want []string
		for i, c := range slices.Backward(all) {
			status := c.Status
			if i < 10 {
				status = session.Completed
			}
			prefix := len(c.UserID) >= len(f.Search) && c.UserID[:len(f.Search)] == f.Search
			if (f.MarketplaceID == "" || f.MarketplaceID == protocol.MarketplaceOf(c.UserID)) && (f.ProviderID == "" || f.ProviderID == c.ProviderID) && (f.UserID == "" || f.UserID == c.UserID) && (f.Status == "" || f.Status == status) &&
				(f.Search == "" || f.Search == c.ID || prefix) && c.CreatedAt >= f.Since && (f.Until == 0 || c.CreatedAt < f.Until) {
				want = append(want, c.ID)
			}
		}
		var got []string
		for f.Limit = 3; ; {
			page, err := s.Sessions(ctx, f)
			if err != nil {
				t.Fatalf("%+v: %v", f, err)
			}
			for _, c := range page {
				got = append(got, c.ID)
				f.Before = c.ID
			}
			if len(page) < f.Limit {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d sessions, want %d", f, len(got), len(want))
		}
	}
}
