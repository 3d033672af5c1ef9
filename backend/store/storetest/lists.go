package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// keysPage reads keys and links page by page: the newest first, each once, and as a
// filter selects them.
func keysPage(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	var all []string
	for i := range 7 {
		k := store.APIKey{ID: fmt.Sprintf("0190-%02d", i), Hash: fmt.Sprint("h", i), Role: "provider", ProviderID: "p", CreatedAt: 5, Kind: store.KindKey}
		switch {
		case i%2 == 1:
			k.Kind, k.ExpiresAt = store.KindLink, Now.Unix()+int64(i)-3 // two ended, one works
		case i == 6:
			k.Role, k.ProviderID = "admin", ""
		}
		write(t, s, func(tx *store.Tx) error { return tx.InsertAPIKey(ctx, k) })
		all = append(all, k.ID)
	}
	slices.Reverse(all)
	write(t, s, func(tx *store.Tx) error { return tx.RevokeAPIKey(ctx, "0190-00", Now) })
	for want, f := range map[string]store.KeyFilter{
		strings.Join(all, " "):            {},
		strings.Join(all[1:], " "):        {ProviderID: "p"},
		"0190-05 0190-03 0190-01":         {ProviderID: "p", Kind: store.KindLink},
		"0190-06 0190-04 0190-02 0190-00": {Kind: store.KindKey},
		"0190-06 0190-05 0190-04 0190-02": {LiveAt: Now},
		"0190-04 0190-02":                 {ProviderID: "p", Kind: store.KindKey, LiveAt: Now},
		"":                                {ProviderID: "q"},
	} {
		var got []string
		for f.Limit = 2; ; {
			page, err := s.APIKeys(ctx, f)
			if err != nil || len(page) > 2 {
				t.Fatalf("%+v: %d keys, %v", f, len(page), err)
			}
			for _, k := range page {
				got = append(got, k.ID)
			}
			if len(page) < 2 {
				break
			}
			f.Before = page[1].ID
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%+v lists %v, want %s", f, got, want)
		}
	}
	if n, err := s.LiveKeys(ctx, "p", Now); err != nil || n != 2 {
		t.Errorf("%d live keys, %v", n, err)
	}
	if err := s.ForgetLinks(ctx, Now); err != nil {
		t.Fatal(err)
	}
	if list, err := s.APIKeys(ctx, store.KeyFilter{Limit: 9}); err != nil || len(list) != 6 {
		t.Errorf("%d keys and links are left, want 6, %v", len(list), err)
	}
}

// otherListsPage does the same for webhooks, edges and extensions.
func otherListsPage(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	const n = 5
	for i := range n {
		write(t, s, func(tx *store.Tx) error {
			at := Now.Add(time.Duration(i/2) * time.Second)
			if err := tx.InsertWebhook(ctx, store.Webhook{ID: fmt.Sprint("w", i), ProviderID: "p", URL: "https://x.example/", Secret: "s"}, at); err != nil {
				return err
			}
			return tx.SeeEdges(ctx, []store.Edge{{ID: fmt.Sprint("e", i), StartedAt: at.Unix(), LastSeenAt: Now.Unix()}})
		})
	}
	var hooks, edges []string
	w := store.WebhookFilter{ProviderID: "p", Limit: 2}
	e := store.EdgeFilter{Since: Now, Limit: 2}
	for range n {
		page, err := s.Webhooks(ctx, w)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range page {
			hooks = append(hooks, h.ID)
			w.AfterAt, w.AfterID = h.CreatedAt, h.ID
		}
		seen, err := s.Edges(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range seen {
			edges = append(edges, one.ID)
			e.BeforeAt, e.BeforeID = one.StartedAt, one.ID
		}
	}
	if got := strings.Join(hooks, " "); got != "w0 w1 w2 w3 w4" {
		t.Errorf("webhooks are %s", got)
	}
	if got := strings.Join(edges, " "); got != "e4 e3 e2 e1 e0" {
		t.Errorf("edges are %s", got)
	}
	if count, err := s.WebhookCount(ctx, "p"); err != nil || count != n {
		t.Errorf("%d webhooks, %v", count, err)
	}
	// A webhook that must wait has nothing due.
	announce(t, s, "m", "session.ended")
	h, err := s.Webhook(ctx, "w3")
	if err != nil {
		t.Fatal(err)
	}
	h.FailingSince, h.Failures, h.LastFailedAt, h.RetryAtMS = Now.Unix(), 2, Now.Unix(), Now.UnixMilli()+1
	write(t, s, func(tx *store.Tx) error { return tx.UpdateWebhook(ctx, h, Now) })
	for at, want := range map[time.Duration]int{0: n - 1, time.Millisecond: n} {
		if due, err := s.DueWebhooks(ctx, "", Now.Add(at), 9); err != nil || len(due) != want {
			t.Errorf("after %v, %d are due, want %d, %v", at, len(due), want, err)
		}
	}
	if got, err := s.Webhook(ctx, "w3"); err != nil || got.Failures != 2 || got.LastFailedAt != Now.Unix() || got.RetryAtMS != h.RetryAtMS {
		t.Errorf("got %+v, %v", got, err)
	}
}

// messagesRewritten erases a user with more messages than are read at once.
func messagesRewritten(t *testing.T, s *store.Store) {
	addProvider(t, s, "p")
	credit(t, s, "c", "u", 100)
	sell(t, s, "s", "u", 10) // the session that announce tells of
	if err := settle(s, "s", session.Complete{By: session.User}, Now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *store.Tx) error {
		return tx.InsertWebhook(ctx, store.Webhook{ID: "w", ProviderID: "p", URL: "https://x.example/", Secret: "s"}, Now)
	})
	const n = 1201
	write(t, s, func(tx *store.Tx) error {
		for i := range n {
			if _, err := tx.Announce(ctx, store.Announcement{MessageID: fmt.Sprint("m", i), ProviderID: "p", Type: "session.ended", SessionID: "s", Payload: "{}"}, Now); err != nil {
				return err
			}
		}
		_, err := tx.Announce(ctx, store.Announcement{MessageID: "other", ProviderID: "p", Type: "session.ended", SessionID: "another", Payload: "{}"}, Now)
		return err
	})
	seen := 0
	write(t, s, func(tx *store.Tx) error {
		seen = 0
		return tx.EraseUser(ctx, "u", "erased_1", func(payload string) string { seen++; return payload + "!" })
	})
	if seen != n {
		t.Errorf("%d messages were rewritten, want %d", seen, n)
	}
	for id, want := range map[string]string{"m0.w": "{}!", "m1200.w": "{}!", "other.w": "{}"} {
		if d, err := s.Delivery(ctx, id); err != nil || d.Payload != want || d.Status != "pending" {
			t.Errorf("%s is %+v, %v", id, d, err)
		}
	}
}
