package service

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/seal"
)

// Between the moment in which a service sees that a webhook has something due and its
// claim, another service may have found that the endpoint fails, or somebody disabled
// or removed it. Nothing is claimed then, and no attempt is counted.
func TestClaimsLookAtTheWebhookAgain(t *testing.T) {
	t.Parallel()
	ctx, now := context.Background(), time.Unix(1_800_000_000, 0)
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	cipher, err := seal.New("")
	if err != nil {
		t.Fatal(err)
	}
	q := webhookQueue{&Service{store: st, seal: cipher, now: func() time.Time { return now }}}
	err = st.Write(ctx, func(tx *store.Tx) error { return tx.InsertProvider(ctx, store.Provider{ID: "p"}, now) })
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, tt := range map[string]struct {
		change func(*store.Webhook)
		want   int
	}{
		"as before":           {func(*store.Webhook) {}, 1},
		"failed elsewhere":    {func(h *store.Webhook) { h.FailingSince, h.RetryAtMS = now.Unix(), now.UnixMilli()+1 }, 0},
		"may be called again": {func(h *store.Webhook) { h.FailingSince, h.RetryAtMS = now.Unix()-9, now.UnixMilli() }, 1},
		"disabled":            {func(h *store.Webhook) { h.DisabledAt, h.DisabledReason = now.Unix(), reasonRequested }, 0},
		"gone":                {func(h *store.Webhook) { h.DisabledAt, h.DisabledReason = now.Unix(), reasonGone }, 0},
		"removed":             {nil, 0},
	} {
		n++
		id, delivery := fmt.Sprint("wh_", n), fmt.Sprint("msg_", n)
		err := st.Write(ctx, func(tx *store.Tx) error {
			if err := tx.InsertWebhook(ctx, store.Webhook{ID: id, ProviderID: "p", URL: "https://hook.example/", Secret: "whsec_c2VjcmV0"}, now); err != nil {
				return err
			}
			return tx.InsertDelivery(ctx, store.Delivery{ID: delivery, WebhookID: id, MessageID: delivery, Type: WebhookTest, Payload: "{}", NextAtMS: now.UnixMilli(), CreatedMS: now.UnixMilli()})
		})
		if err != nil {
			t.Fatal(err)
		}
		if due, err := q.Due(ctx); err != nil || len(due) == 0 {
			t.Fatalf("%s: due: %v, %v", name, due, err)
		}
		err = st.Write(ctx, func(tx *store.Tx) error {
			if tt.change == nil {
				return tx.DeleteWebhook(ctx, id)
			}
			h, err := tx.Webhook(ctx, id)
			if err != nil {
				return err
			}
			tt.change(&h)
			return tx.UpdateWebhook(ctx, h, now)
		})
		if err != nil {
			t.Fatal(err)
		}
		claimed, err := q.Claim(ctx, id, 4)
		if err != nil || len(claimed) != tt.want {
			t.Errorf("%s: claimed %d (%v), want %d", name, len(claimed), err, tt.want)
		}
		if d, err := st.Delivery(ctx, delivery); tt.change != nil && (err != nil || int(d.Attempts) != tt.want) {
			t.Errorf("%s: %d attempts (%v), want %d", name, d.Attempts, err, tt.want)
		}
	}
}
