package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
	"github.com/sessiongate/sessiongate/backend/webhook/webhooktest"
)

// The whole life of a session, told to one that wants all and one that wants
// only its end, each signed so that the npm package takes it.
func TestWebhooksTellASession(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		all, ends := newReceiver(t), newReceiver(t)
		hook, secret := w.hook(all.URL + "/a?x=1")
		w.hook(ends.URL, "session.ended")
		w.run()
		var calls []webhooktest.Call
		expect := func(kind string) message {
			t.Helper()
			c := all.next(t)
			calls = append(calls, c)
			m := messageOf(t, c)
			if m.Type != kind {
				t.Fatalf("told %s, want %s", m.Type, kind)
			}
			// Recorded, before the clock moves beyond its lease.
			eventually(t, kind+" is recorded", func() bool { return len(w.deliveries(hook, "?status=pending")) == 0 })
			return m
		}
		id, launch := w.sell("clock", "launch", "duration_limit_seconds", 120, "extension", map[string]any{"additional_seconds": 60, "tokens": 20, "max_count": 1})
		if len(w.deliveries(hook, "")) != 0 {
			t.Error("a session not yet begun was told of")
		}
		token := w.enter(launch)
		if m := expect("session.started"); m.Data.Session["id"] != id || m.Data.Session["status"] != "active" || m.Data.Session["user_id"] != "user_1" {
			t.Errorf("started: %+v", m)
		}
		w.later(time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/pause", token, nil).want(200)
		expect("session.paused")
		w.later(10 * time.Second)
		w.call("POST", "/api/v1/sessions/"+id+"/resume", token, nil).want(200)
		expect("session.resumed")
		w.later(70 * time.Second) // 60 s before the end
		if m := expect("session.warning"); m.Data.RemainingSeconds < 50 || m.Data.RemainingSeconds > 60 {
			t.Errorf("warned with %d s left", m.Data.RemainingSeconds)
		}
		w.call("POST", "/api/v1/sessions/"+id+"/extend", token, nil).want(200)
		if m := expect("session.extended"); m.Data.Extension["additional_seconds"] != 60.0 || m.Data.Extension["by"] != "user" {
			t.Errorf("extended: %+v", m.Data)
		}
		w.call("POST", "/api/v1/sessions/"+id+"/end", token, nil).want(200)
		m := expect("session.ended")
		settlement, _ := m.Data.Session["settlement"].(map[string]any)
		if settlement["reason"] != "user_ended" || settlement["captured"].(float64)+settlement["released"].(float64) != 120 {
			t.Errorf("ended: %+v", m.Data.Session)
		}
		if other := messageOf(t, ends.next(t)); other.Type != "session.ended" || len(ends.calls) != 0 {
			t.Errorf("the other was told %s and %d more", other.Type, len(ends.calls))
		}
		webhooktest.Verify(t, w.clock.Now(), secret, calls...)
		ids := map[string]bool{}
		for _, c := range calls {
			ids[c.Headers[webhook.HeaderID]] = true
		}
		if len(ids) != len(calls) {
			t.Error("two messages share an id")
		}
		w.audit()
	})
}

func TestWebhookRetriesOnSchedule(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		r := newReceiver(t)
		r.status(500)
		id, secret := w.hook(r.URL, "session.started")
		w.run()
		w.sell("duration_limit_seconds", 500_000)
		first := r.next(t)
		waits := []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}
		for i, wait := range waits {
			eventually(t, "the attempt is recorded", func() bool {
				return w.attempts(id, w.deliveries(id, "")[0]["id"].(string)) == i+1
			})
			d := w.deliveries(id, "")[0]
			due := time.Unix(int64(d["next_try_at"].(float64)), 0).Sub(w.clock.Now())
			if due < wait-2*time.Second || due > wait+wait/5+2*time.Second {
				t.Fatalf("after attempt %d the next is due in %v, want %v", i+1, due, wait)
			}
			w.later(due - 2*time.Second)
			if len(r.calls) != 0 {
				t.Fatal("called early")
			}
			w.later(4 * time.Second)
			again := r.next(t)
			if again.Headers[webhook.HeaderID] != first.Headers[webhook.HeaderID] || again.Body != first.Body {
				t.Fatal("a retry is another message")
			}
			if again.Headers[webhook.HeaderTimestamp] == first.Headers[webhook.HeaderTimestamp] {
				t.Fatal("a retry has the first attempt's time")
			}
		}
		eventually(t, "it is given up", func() bool { return w.deliveries(id, "?status=failed") != nil })
		did := w.deliveries(id, "")[0]["id"].(string)
		a := w.call("GET", hooks+"/"+id+"/deliveries/"+did, w.provider, nil).want(200)
		attempts := a.at("attempts").([]any)
		if last := attempts[0].(map[string]any); len(attempts) != 8 || last["status"] != 500.0 || last["response"] != "told\uFFFD you" {
			t.Errorf("%d attempts, the last %v", len(attempts), attempts[0])
		}
		// Mended, and asked for again.
		r.status(200)
		w.call("POST", hooks+"/"+id+"/deliveries/"+did+"/replay", w.provider, nil).want(202)
		again := r.next(t)
		webhooktest.Verify(t, w.clock.Now(), secret, again)
		if again.Headers[webhook.HeaderID] != first.Headers[webhook.HeaderID] {
			t.Error("a replay is another message")
		}
		eventually(t, "it is delivered", func() bool { return len(w.deliveries(id, "?status=delivered")) == 1 })
	})
}

func TestWebhookRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t)
	r.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Retry-After", "600")
		rw.WriteHeader(429)
	})
	id, _ := w.hook(r.URL)
	w.run()
	w.sell()
	r.next(t)
	eventually(t, "the attempt is recorded", func() bool { return w.deliveries(id, "")[0]["last_status"] == 429.0 })
	due := time.Unix(int64(w.deliveries(id, "")[0]["next_try_at"].(float64)), 0).Sub(w.clock.Now())
	if due < 598*time.Second || due > 722*time.Second {
		t.Errorf("due in %v", due)
	}
}

func TestWebhookGoneIsDisabledAndReported(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		r, watch := newReceiver(t), newReceiver(t)
		r.status(410)
		id, _ := w.hook(r.URL, "session.started")
		w.hook(watch.URL, "webhook.disabled")
		w.run()
		w.sell()
		r.next(t)
		if m := messageOf(t, watch.next(t)); m.Type != "webhook.disabled" || m.Data.WebhookID != id || m.Data.Reason != "gone" {
			t.Errorf("reported %+v", m)
		}
		a := w.call("GET", hooks+"/"+id, w.provider, nil).want(200)
		if a.at("enabled") != false || a.str("disabled_reason") != "gone" || a.num("disabled_at") == 0 {
			t.Errorf("%s", a.raw)
		}
		// What happens meanwhile is kept, and replayed once it is back.
		w.sell("user_id", "user_1")
		if got := w.deliveries(id, "?status=failed"); len(got) != 2 || len(r.calls) != 0 {
			t.Errorf("%d deliveries failed, %d calls", len(got), len(r.calls))
		}
		w.call("POST", hooks+"/"+id+"/replay", w.provider, map[string]any{"since": 0}).want(409, "illegal_transition")
		w.call("PATCH", hooks+"/"+id, w.provider, map[string]any{"enabled": true}).want(200)
		r.status(200)
		again := w.call("POST", hooks+"/"+id+"/replay", w.provider, map[string]any{"since": w.clock.Now().Unix() - 60, "only_failed": true}).want(202)
		if again.num("replayed") != 2 {
			t.Errorf("%s", again.raw)
		}
		r.next(t)
		r.next(t)
		eventually(t, "both are delivered", func() bool { return len(w.deliveries(id, "?status=delivered")) == 2 })
		if n := w.call("POST", hooks+"/"+id+"/replay", w.provider, map[string]any{"since": 0, "until": 1}).want(202).num("replayed"); n != 0 {
			t.Errorf("%d replayed of a time before all", n)
		}
	})
}

// A receiver that takes calls and never answers holds up nobody but itself.
func TestDeadWebhookDelaysNoOther(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		dead, alive := newReceiver(t), newReceiver(t)
		stop := make(chan struct{})
		t.Cleanup(func() { close(stop) }) // before its server closes
		dead.answers(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		})
		const sessions = 60
		w.hook(dead.URL)
		w.hook(alive.URL)
		w.credit("user_1", sessions*100)
		w.run()
		for range sessions {
			w.call("POST", "/api/v1/sessions", w.market, order()).want(201)
		}
		begun := time.Now()
		for range sessions {
			alive.next(t)
		}
		if took := time.Since(begun); took >= webhook.AttemptTimeout {
			t.Errorf("the living waited %v", took)
		}
		if n := len(dead.calls); n > 4 {
			t.Errorf("the dead has %d calls at once", n)
		}
	})
}

// Two backends on one database deliver each message once.
func TestWebhooksOfTwoBackends(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, postgres.Database(t))
	r := newReceiver(t)
	w.hook(r.URL)
	w.run()
	w.open() // the second, on the same database and keys
	w.run()
	const sessions = 100
	w.credit("user_1", sessions*100)
	together(10, func(int) {
		for range sessions / 10 {
			w.call("POST", "/api/v1/sessions", w.market, order())
		}
	})
	seen := map[string]int{}
	for range sessions {
		seen[r.next(t).Headers[webhook.HeaderID]]++
	}
	time.Sleep(1500 * time.Millisecond) // one more round of each loop
	if len(seen) != sessions || len(r.calls) != 0 {
		t.Errorf("%d messages, %d calls too many", len(seen), len(r.calls))
	}
}

// A change that is refused tells nobody; what is committed is told after a
// crash, also when the crash came between the call's claim and its record.
func TestWebhooksAreTheTransactions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		r := newReceiver(t)
		id, _ := w.hook(r.URL)
		w.call("POST", "/api/v1/sessions", w.market, order("user_id", "poor")).want(402)
		if len(w.deliveries(id, "")) != 0 {
			t.Error("a refused sale was told of")
		}
		w.sell("duration_limit_seconds", 3600)
		ctx := context.Background()
		err := w.b.Store().Write(ctx, func(tx *store.Tx) error {
			list, err := tx.ClaimDeliveries(ctx, id, w.now(), w.now().Add(webhook.Lease), 10)
			if len(list) != 1 {
				return fmt.Errorf("claimed %d: %w", len(list), err)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.open() // as after a crash
		w.run()
		w.later(webhook.Lease - time.Second)
		time.Sleep(50 * time.Millisecond)
		if len(r.calls) != 0 {
			t.Error("called while another holds the lease")
		}
		w.later(2 * time.Second)
		r.next(t)
	})
}
