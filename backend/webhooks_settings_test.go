package backend_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
	"github.com/sessiongate/sessiongate/backend/webhook/webhooktest"
)

func TestWebhookSecretsRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t)
	id, old := w.hook(r.URL)
	w.run()
	a := w.call("POST", hooks+"/"+id+"/rotate-secret", w.provider, map[string]any{"overlap_seconds": 60}, "Idempotency-Key", "k").want(200)
	again := w.call("POST", hooks+"/"+id+"/rotate-secret", w.provider, map[string]any{"overlap_seconds": 60}, "Idempotency-Key", "k").want(200)
	fresh := a.str("secret")
	w.secrets = append(w.secrets, fresh)
	if fresh == old || again.str("secret") != fresh {
		t.Error("not rotated, or twice")
	}
	w.sell()
	c := r.next(t)
	webhooktest.Verify(t, w.clock.Now(), old, c)
	webhooktest.Verify(t, w.clock.Now(), fresh, c)
	w.later(61 * time.Second)
	w.sell()
	for c = r.next(t); messageOf(t, c).Type != "session.started"; c = r.next(t) {
	}
	webhooktest.Verify(t, w.clock.Now(), fresh, c)
	if strings.Contains(c.Headers[webhook.HeaderSignature], " ") {
		t.Error("the old secret still signs")
	}
	for _, path := range []string{hooks, hooks + "/" + id} {
		if a := w.call("GET", path, w.provider, nil).want(200); strings.Contains(string(a.raw), "whsec_") {
			t.Errorf("%s shows a secret", path)
		}
	}
}

func TestWebhookSecretsAreSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.SealKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" }
	w.open()
	r := newReceiver(t)
	id, secret := w.hook(r.URL)
	w.run()
	h, err := w.b.Store().Webhook(context.Background(), id)
	if err != nil || strings.Contains(h.Secret, "whsec_") {
		t.Errorf("kept as %.12s…, %v", h.Secret, err)
	}
	w.sell()
	webhooktest.Verify(t, w.clock.Now(), secret, r.next(t))
}

// A webhook whose secret no longer opens holds up nobody but itself.
func TestUnreadableWebhookDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.SealKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" }
	w.open()
	r := newReceiver(t)
	sealed, _ := w.hook(r.URL)
	w.tune = nil // the seal key is lost
	w.open()
	for {
		after, _ := w.hook(r.URL)
		if after > sealed { // it is looked at later
			break
		}
		w.call("DELETE", hooks+"/"+after, w.provider, nil).want(204)
	}
	const sessions = 60
	w.credit("user_1", sessions*100)
	for range sessions {
		w.call("POST", "/api/v1/sessions", w.market, order()).want(201)
	}
	w.run()
	r.next(t)
}

const sealKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// Without the key that secrets were sealed with, messages wait: what was not sent
// is no attempt. With the key again, or a new secret, they are sent.
func TestMessagesWaitForALostSealKey(t *testing.T) {
	onEachAnew(t, func(t *testing.T, open func(*testing.T) *world) {
		const another = "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE="
		for name, c := range map[string]struct {
			key  string // while it is lost
			mend func(w *world, id string)
		}{
			"no key, then the key":      {"", func(w *world, _ string) { w.tune = func(c *backend.Config) { c.SealKey = sealKey }; w.open(); w.run() }},
			"another key, then the key": {another, func(w *world, _ string) { w.tune = func(c *backend.Config) { c.SealKey = sealKey }; w.open(); w.run() }},
			"a new secret": {another, func(w *world, id string) {
				a := w.call("POST", hooks+"/"+id+"/rotate-secret", w.provider, map[string]any{}).want(200)
				w.secrets = append(w.secrets, a.str("secret"))
				w.later(time.Second)
			}},
		} {
			t.Run(name, func(t *testing.T) {
				w, r := open(t), newReceiver(t)
				w.tune = func(b *backend.Config) { b.SealKey = sealKey }
				w.open()
				id, _ := w.hook(r.URL)
				w.tune = func(b *backend.Config) { b.SealKey = c.key }
				w.open()
				w.run()
				w.sell("duration_limit_seconds", 100_000)
				eventually(t, "the log reports it", func() bool { return strings.Contains(w.log.String(), "set SESSIONGATE_SEAL_KEY") })
				for range 5 {
					w.later(3 * time.Hour)
					if d := w.deliveries(id, "")[0]; d["status"] != "pending" || d["attempts"] != 0.0 {
						t.Fatalf("while the key is lost: %v", d)
					}
				}
				w.call("POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": id}).want(503, "unavailable")
				if list := w.deliveries(id, ""); len(list) != 1 {
					t.Errorf("the test was recorded: %v", list)
				}
				if a := w.state(id); a.at("failing_since") != nil {
					t.Errorf("it is shown as failing: %s", a.raw)
				}
				c.mend(w, id)
				r.next(t)
				eventually(t, "it is delivered", func() bool { d := w.deliveries(id, "")[0]; return d["status"] == "delivered" && d["attempts"] == 1.0 })
			})
		}
	})
}

func TestWebhookTestDelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t)
	id, secret := w.hook(r.URL, "session.ended")
	for _, kind := range []string{"webhook.test", "session.started", "session.warning", "session.extended", "session.paused", "session.resumed", "session.ended"} {
		a := w.call("POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": id, "type": kind}).want(200)
		if a.at("delivered") != true || a.num("attempt", "status") != 204 || a.str("delivery", "type") != kind {
			t.Errorf("%s", a.raw)
		}
		c := r.next(t)
		webhooktest.Verify(t, w.clock.Now(), secret, c)
		if !strings.Contains(c.Body, `"test":true`) {
			t.Errorf("does not say that it is a test: %s", c.Body)
		}
	}
	r.status(500)
	a := w.call("POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": id}).want(200)
	if a.at("delivered") != false || a.str("delivery", "status") != "failed" || a.num("attempt", "status") != 500 {
		t.Errorf("%s", a.raw)
	}
	r.Close()
	a = w.call("POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": id}).want(200)
	if a.at("delivered") != false || a.num("attempt", "status") != 0 || !strings.Contains(a.str("attempt", "response"), "refused") {
		t.Errorf("%s", a.raw)
	}
}

// A provider's key is no means to call somebody's server as often as it likes,
// nor to keep as many calls open.
func TestWebhookTestsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t)
	id, _ := w.hook(r.URL)
	refused := 0
	for range 30 {
		if a := w.call("POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": id}); a.status != 200 {
			a.want(429, "rate_limited")
			refused++
		}
	}
	if refused != 10 || len(r.calls) != 20 {
		t.Errorf("%d calls, %d refused", len(r.calls), refused)
	}
	w.clock.Add(time.Second)
	w.call("POST", "/api/v1/webhooks/test", w.provider, map[string]any{"webhook_id": id}).want(200)
}

func TestWebhooksAreTheirProvidersOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t)
	id, _ := w.hook(r.URL)
	if _, err := w.b.CreateProvider(context.Background(), store.Provider{ID: "prov_other", Name: "Other"}); err != nil {
		t.Fatal(err)
	}
	other, err := w.b.CreateAPIKey(context.Background(), backend.RoleProvider, "prov_other", "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{hooks, hooks + "/" + id, "/api/v1/providers/prov_other/webhooks/" + id, hooks + "/" + id + "/deliveries"} {
		w.call("GET", path, other, nil).want(404, "not_found")
	}
	w.call("DELETE", "/api/v1/providers/prov_other/webhooks/"+id, other, nil).want(404, "not_found")
	w.call("POST", "/api/v1/webhooks/test", other, map[string]any{"webhook_id": id}).want(404, "not_found")
	w.call("GET", hooks, w.market, nil).want(403)
	w.call("DELETE", hooks+"/"+id, w.provider, nil).want(204)
	w.call("GET", hooks+"/"+id, w.provider, nil).want(404)
}

func TestWebhooksThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.WebhooksToLoopback = false }
	w.open()
	for _, url := range []string{
		"https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.1.2.3/", "https://192.168.0.1/", "https://172.16.0.1/",
		"https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://0.0.0.0/", "https://[fe80::1]/", "https://[fd00::1]/",
		"https://[::ffff:127.0.0.1]/", "https://[::ffff:169.254.169.254]/", "https://[64:ff9b::7f00:1]/", "https://2130706433/",
		"http://93.184.216.34/", "https://user:hunter2@93.184.216.34/", "https://93.184.216.34/#x", "ftp://93.184.216.34/", "https:///x",
	} {
		a := w.call("POST", hooks, w.provider, map[string]any{"url": url}).want(422, "invalid_request")
		if strings.Contains(string(a.raw), "hunter2") {
			t.Errorf("%s: the answer tells the password", url)
		}
	}
	w.call("POST", hooks, w.provider, map[string]any{"url": "https://93.184.216.34/hook"}).want(201)
	w.call("POST", hooks, w.provider, map[string]any{"url": "https://93.184.216.34/", "events": []string{"session.nonsense"}}).want(422)
	for range 19 {
		w.call("POST", hooks, w.provider, map[string]any{"url": "https://93.184.216.34/hook"}).want(201)
	}
	w.call("POST", hooks, w.provider, map[string]any{"url": "https://93.184.216.34/hook"}).want(422)
}

func TestWebhookCreationRepeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := map[string]any{"url": "http://127.0.0.1:1/", "events": []string{"session.ended", "session.ended"}}
	var mu sync.Mutex
	var ids []string
	together(8, func(int) {
		a := w.call("POST", hooks, w.provider, body, "Idempotency-Key", "k").want(201)
		mu.Lock()
		defer mu.Unlock()
		w.secrets = append(w.secrets, a.str("secret"))
		ids = append(ids, a.str("webhook", "id")+a.str("secret"))
	})
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Errorf("%d webhooks", len(slices.Compact(ids)))
	}
}

// Messages are kept for 30 days, however many there are.
func TestOldDeliveriesAreForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, _ := w.hook("http://127.0.0.1:1/")
		w.call("PATCH", hooks+"/"+id, w.provider, map[string]any{"enabled": false}).want(200)
		ctx, st := context.Background(), w.b.Store()
		announce := func(prefix string, from, to int) {
			err := st.Write(ctx, func(tx *store.Tx) error {
				for i := from; i < to; i++ {
					a := store.Announcement{MessageID: fmt.Sprint(prefix, i), ProviderID: "prov_demo", Type: "session.ended", SessionID: "s", Payload: "{}"}
					if _, err := tx.Announce(ctx, a, w.clock.Now()); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; i < 10_001; i += 500 { // a transaction has a time limit
			announce("old", i, min(i+500, 10_001))
		}
		w.clock.Add(30*24*time.Hour + time.Second)
		announce("new", 0, 1)
		if err := w.b.Forget(ctx); err != nil {
			t.Fatal(err)
		}
		if list := w.deliveries(id, "?limit=200"); len(list) != 1 {
			t.Errorf("%d are left", len(list))
		}
	})
}
