package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
)

func announce(t *testing.T, s *store.Store, message, kind string) int64 {
	t.Helper()
	var n int64
	write(t, s, func(tx *store.Tx) (err error) {
		n, err = tx.Announce(ctx, store.Announcement{MessageID: message, ProviderID: "p", Type: kind, SessionID: "s", Payload: "{}"}, Now)
		return err
	})
	return n
}

func webhooks(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	addProvider(t, s, "q")
	for id, w := range map[string]store.Webhook{
		"all": {ProviderID: "p"}, "ends": {ProviderID: "p", Events: []string{"session.ended"}}, "other": {ProviderID: "q"},
		"two": {ProviderID: "p", Events: []string{"session.paused", "session.started"}},
	} {
		w.ID, w.URL, w.Secret = id, "https://x.example/", "whsec_"+id
		write(t, s, func(tx *store.Tx) error { return tx.InsertWebhook(ctx, w, Now) })
	}
	for kind, want := range map[string]int64{"session.ended": 2, "session.started": 2, "session.start": 1, "ended": 1} {
		if n := announce(t, s, "m-"+kind, kind); n != want {
			t.Errorf("%s was written %d times, want %d", kind, n, want)
		}
	}
	w, err := s.Webhook(ctx, "two")
	if err != nil || len(w.Events) != 2 || w.Secret != "whsec_two" {
		t.Errorf("got %+v, %v", w, err)
	}
	stale := w
	w.DisabledAt, w.DisabledReason = 5, "gone"
	write(t, s, func(tx *store.Tx) error { return tx.UpdateWebhook(ctx, w, Now) })
	if err := s.Write(ctx, func(tx *store.Tx) error {
		if err := tx.UpdateWebhook(ctx, stale, Now); !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("a stale write: %w", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	announce(t, s, "m-late", "session.started")
	if list, err := s.Deliveries(ctx, store.DeliveryFilter{WebhookID: "two", Status: "failed", Limit: 9}); err != nil || len(list) != 1 {
		t.Errorf("a disabled webhook keeps %d for replay, %v", len(list), err)
	}
	due, err := s.DueWebhooks(ctx, "", Now, 9)
	if err != nil || len(due) != 2 {
		t.Errorf("due are %+v, %v", due, err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.DeleteWebhook(ctx, "all") })
	if list, err := s.Deliveries(ctx, store.DeliveryFilter{WebhookID: "all", Limit: 9}); err != nil || len(list) != 0 {
		t.Errorf("a removed webhook keeps %d, %v", len(list), err)
	}
}

// Sixteen claimers at once: each delivery is one's, until its lease is over.
func parallelClaims(t *testing.T, s *store.Store) {
	const deliveries = 100
	addProvider(t, s, "p")
	write(t, s, func(tx *store.Tx) error {
		return tx.InsertWebhook(ctx, store.Webhook{ID: "w", ProviderID: "p", URL: "https://x.example/"}, Now)
	})
	for i := range deliveries {
		announce(t, s, fmt.Sprint("m", i), "session.ended")
	}
	var mu sync.Mutex
	claims := map[string]int{}
	claim := func(now time.Time) {
		together(16, func(int) {
			for {
				var got []store.Delivery
				err := s.Write(ctx, func(tx *store.Tx) (err error) {
					got, err = tx.ClaimDeliveries(ctx, "w", now, now.Add(time.Minute), 3)
					return err
				})
				if err != nil {
					t.Error(err)
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, d := range got {
					claims[d.ID]++
				}
				mu.Unlock()
			}
		})
	}
	claim(Now)
	// On PostgreSQL a claimer that lost every row it chose sees none and
	// leaves; what is left is found at its next look.
	claim(Now)
	for id, n := range claims {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
	if len(claims) != deliveries {
		t.Errorf("%d of %d were claimed", len(claims), deliveries)
	}
	claim(Now.Add(time.Minute))
	if claims["m0.w"] != 2 {
		t.Errorf("after its lease it was claimed %d times", claims["m0.w"])
	}
}
