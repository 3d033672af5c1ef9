package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/webhook"
)

// state reads a webhook.
func (w *world) state(id string) *answer {
	w.t.Helper()
	return w.call("GET", hooks+"/"+id, w.provider, nil).want(200)
}

// sale sells a session, so that one message is sent.
func (w *world) sale() {
	w.t.Helper()
	w.sell("duration_limit_seconds", 2_000_000, "tokens_allocated", 1)
}

// refused waits for one more call that fails and is recorded.
func (w *world) refused(r *receiver, id string) {
	w.t.Helper()
	r.next(w.t)
	eventually(w.t, "the failed attempt is recorded", func() bool {
		a := w.state(id)
		return a.num("retry_at") > w.clock.Now().Unix() || a.at("enabled") == false
	})
}

func TestWebhookFailingForDaysIsDisabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t)
	r.status(503)
	id, _ := w.hook(r.URL)
	w.run()
	w.sale()
	w.refused(r, id)
	since := w.state(id).num("failing_since")
	for at := time.Duration(0); at < webhook.DisableAfter; at += 20 * time.Hour {
		if a := w.state(id); a.at("enabled") != true || a.num("failing_since") != since {
			t.Fatalf("after %v of failures: %s", at, a.raw)
		}
		w.later(20 * time.Hour) // at least one retry is due
		w.refused(r, id)
		w.sale()
	}
	eventually(t, "it is disabled", func() bool { return w.state(id).str("disabled_reason") == "failing" })
	if !strings.Contains(w.log.String(), "webhook disabled") {
		t.Error("the log does not report it")
	}
	if m := string(w.call("GET", "/metrics", "", nil).raw); !strings.Contains(m, `sessiongate_webhooks_disabled_total{reason="failing"} 1`) {
		t.Error("no metric reports it")
	}
}

// Failures long ago say nothing of an endpoint to which nothing was sent since: the
// next failure does not disable it, and no more does one after the service was down
// or after the URL was changed.
func TestOneFailureAfterSilenceDisablesNothing(t *testing.T) {
	cases := map[string]func(w *world, r *receiver, id string){
		"nothing to send": func(w *world, r *receiver, id string) {
			for range 7 { // until the delivery is given up
				w.later(13 * time.Hour)
				w.refused(r, id)
			}
			eventually(w.t, "it is given up", func() bool { return len(w.deliveries(id, "?status=failed")) == 1 })
			w.later(6 * 24 * time.Hour)
			w.sale()
		},
		"the service was down": func(w *world, _ *receiver, _ string) { w.later(6 * 24 * time.Hour) },
		"another address": func(w *world, r *receiver, id string) {
			for range 4 { // failing for less than five days
				w.later(24 * time.Hour)
				w.refused(r, id)
			}
			w.call("PATCH", hooks+"/"+id, w.provider, map[string]any{"url": r.URL + "/moved"}).want(200)
			w.later(25 * time.Hour)
		},
	}
	onEachAnew(t, func(t *testing.T, open func(*testing.T) *world) {
		for name, meanwhile := range cases {
			t.Run(name, func(t *testing.T) {
				w, r := open(t), newReceiver(t)
				r.status(500)
				id, _ := w.hook(r.URL)
				w.run()
				w.sale()
				w.refused(r, id)
				meanwhile(w, r, id)
				r.next(t)
				eventually(t, "the failure is recorded", func() bool { return w.state(id).num("failing_since") == w.clock.Now().Unix() })
				if a := w.state(id); a.at("enabled") != true {
					t.Errorf("it is disabled: %s", a.raw)
				}
			})
		}
	})
}

// A receiver that refuses at once gets one attempt after each growing wait, however
// much is due, and all of it when it is back.
func TestFailingWebhookIsCalledWithGrowingWaits(t *testing.T) {
	const due = 30
	cases := map[string]http.HandlerFunc{
		"500":                  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"400 for each message": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) },
		"429 with Retry-After": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "40"); w.WriteHeader(429) },
		"broken connections":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	onEachAnew(t, func(t *testing.T, open func(*testing.T) *world) {
		for name, refuse := range cases {
			t.Run(name, func(t *testing.T) {
				w, r := open(t), newReceiver(t)
				r.answers(refuse)
				id, _ := w.hook(r.URL)
				for range due {
					w.sale()
				}
				began := w.clock.Now() // before the attempt that failed last
				w.run()
				// At most four at once before the first failure is known.
				eventually(t, "the first failures are recorded", func() bool { return w.state(id).num("retry_at") != 0 && w.idle(id) })
				first := len(r.calls)
				if first < 1 || first > 4 {
					t.Fatalf("%d calls before the receiver was known to fail", first)
				}
				w.b.WakeWebhooks() // nothing may be due before the wait is over
				for n := range 3 {
					at := time.Unix(w.state(id).num("retry_at"), 0) // the second in which the wait ends
					if wait, min := at.Add(time.Second).Sub(began), time.Second<<n; wait < min {
						t.Errorf("after %d rounds of failures it waits %v, want at least %v", n+1, wait, min)
					}
					left := at.Add(time.Second).Sub(w.clock.Now())
					began = w.clock.Now().Add(left)
					w.later(left)
					eventually(t, "one more attempt is recorded", func() bool { return w.state(id).num("retry_at") > w.clock.Now().Unix() && w.idle(id) })
					if got := len(r.calls); got != first+n+1 {
						t.Fatalf("%d calls after %d waits, want %d", got, n+1, first+n+1)
					}
				}
				r.status(200)
				w.later(10 * time.Minute)
				eventually(t, "everything is delivered", func() bool { return len(w.deliveries(id, "?status=delivered&limit=200")) == due })
				if a := w.state(id); a.at("failing_since") != nil || a.at("retry_at") != nil {
					t.Errorf("it is back, and shown as %s", a.raw)
				}
			})
		}
	})
}

// idle reports whether no delivery of a webhook is leased for an attempt.
func (w *world) idle(id string) bool {
	leased := float64(w.clock.Now().Add(webhook.Lease).Unix())
	for _, d := range w.deliveries(id, "?status=pending&limit=200") {
		if at, _ := d["next_try_at"].(float64); at == leased && d["last_status"] == nil {
			return false
		}
	}
	return true
}

// A provider's server is told of the warnings that its user sees, and of no others.
func TestWebhooksWarnWhenThePageDoes(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, _ := w.hook("http://127.0.0.1:9/", "session.warning")
		for _, c := range []struct {
			duration int
			want     []int64
		}{
			{900, []int64{300, 60}},
			{400, []int64{60}}, // 300 s are more than its half
			{100, []int64{20}}, // so are 60 s
			{20, nil},
		} {
			before := len(w.deliveries(id, ""))
			w.sell("duration_limit_seconds", c.duration)
			for range c.duration + 2 {
				w.clock.Add(time.Second)
				if _, err := w.b.AdvanceDue(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			list := w.deliveries(id, "")
			var got []int64
			for _, d := range list[:len(list)-before] {
				full, err := w.b.Store().Delivery(context.Background(), fmt.Sprint(d["id"]))
				if err != nil {
					t.Fatal(err)
				}
				var m message
				if err := json.Unmarshal([]byte(full.Payload), &m); err != nil {
					t.Fatal(err)
				}
				got = append(got, m.Data.RemainingSeconds)
			}
			slices.Reverse(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("a session of %d s: warned with %v left, want %v", c.duration, got, c.want)
			}
		}
	})
}
