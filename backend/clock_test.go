package backend_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
)

// machine is a machine's clock: right, but for what a test adds.
type machine struct{ ahead atomic.Int64 }

func (m *machine) Now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

func (m *machine) set(ahead time.Duration) { m.ahead.Store(int64(ahead)) }

// onMachine has a world's next backend go by a machine's clock.
func (w *world) onMachine(m *machine) {
	tune := w.tune
	w.now = nil
	w.tune = func(c *backend.Config) {
		if tune != nil {
			tune(c)
		}
		c.MachineClock = m.Now
	}
}

// newMachineWorld is a world whose backend goes by a machine's clock from the start.
func newMachineWorld(t *testing.T, database string, m *machine) *world {
	t.Helper()
	w := newWorldOn(t, database)
	w.onMachine(m)
	w.open()
	return w
}

// Services on machines whose clocks differ agree on the database's: none of them ends a
// session early or late, and a launch token of one is valid at another.
func TestSkewedMachinesAgree(t *testing.T) {
	t.Parallel()
	for name, skew := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			right, wrong := &machine{}, &machine{}
			wrong.set(skew)
			a := newMachineWorld(t, postgres.Database(t), right)
			other := *a
			b := &other
			b.dir, b.tune = t.TempDir(), nil
			b.onMachine(wrong)
			b.open()
			b.run()
			short, _ := b.sell("duration_limit_seconds", 2)
			long, _ := a.sell("duration_limit_seconds", 600)
			_, launch := b.sell("duration_limit_seconds", 600)
			sold := b.call("GET", "/api/v1/sessions/"+short, b.market, nil).want(200)
			if off := sold.num("created_at") - time.Now().Unix(); off < -60 || off > 60 {
				t.Errorf("sold %d s from now", off)
			}
			a.enter(launch)
			eventually(t, "the short one ends", func() bool {
				return a.call("GET", "/api/v1/sessions/"+short, a.market, nil).str("status") == "expired"
			})
			if used := a.call("GET", "/api/v1/sessions/"+short, a.market, nil).want(200); used.num("settlement", "used_seconds") != 2 {
				t.Errorf("%s", used.raw)
			}
			if status := a.call("GET", "/api/v1/sessions/"+long, a.market, nil).want(200).str("status"); status != "active" {
				t.Errorf("the long one is %s", status)
			}
			eventually(t, "it is logged", func() bool {
				return strings.Contains(b.log.String(), "this machine's clock differs from the database's")
			})
			if ready := b.call("GET", "/readyz", "", nil).want(200); !strings.Contains(string(ready.raw), "clock") {
				t.Errorf("readyz: %s", ready.raw)
			}
			if metrics := b.call("GET", "/metrics", "", nil); strings.Contains(string(metrics.raw), "sessiongate_clock_skew_seconds 0\n") {
				t.Error("the metric says that there is no skew")
			}
			// A change at the machine with the wrong clock is found by the other.
			last, err := a.b.Store().Changes(context.Background(), time.Now().Add(-time.Minute), time.Now().Add(time.Minute), "", 100)
			changed := map[string]bool{}
			for _, c := range last {
				changed[c.SessionID] = true
			}
			if err != nil || len(changed) != 3 {
				t.Errorf("%d sessions changed recently, %v", len(changed), err)
			}
		})
	}
}

// A clock that is set forward does not make a request new that a client repeats.
func TestClockSetForwardKeepsIdempotencyKeys(t *testing.T) {
	t.Parallel()
	m := &machine{}
	w := newMachineWorld(t, "sqlite:"+t.TempDir()+"/test.db", m)
	w.credit("user_1", 1000)
	buy := func() string {
		return w.call("POST", "/api/v1/sessions", w.market, order(), "Idempotency-Key", "one-order").want(201).str("session", "id")
	}
	first := buy()
	w.run()
	m.set(48 * time.Hour)
	if again := buy(); again != first {
		t.Error("at once, the order is another")
	}
	eventually(t, "the step is noticed", func() bool { return strings.Contains(w.log.String(), "the clock was set forward") })
	if err := w.b.Forget(context.Background()); err != nil {
		t.Fatal(err)
	}
	if again := buy(); again != first {
		t.Error("after the step, the order is another")
	}
	if _, held := w.balance("user_1"); held > 100 {
		t.Errorf("%d tokens are held for one order", held)
	}
}

// Deliveries that were to be tried again at a time of a clock that was ahead are not
// kept waiting for it: whether it is set back while the service runs, or while it does
// not.
func TestClockSetBackDeliversWhatWaits(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"running": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &machine{}
			m.set(48 * time.Hour)
			w := newMachineWorld(t, "sqlite:"+t.TempDir()+"/test.db", m)
			w.run()
			r := newReceiver(t)
			r.status(http.StatusInternalServerError)
			id, _ := w.hook(r.URL, "session.started")
			w.sell()
			r.next(t)
			eventually(t, "the failure is recorded", func() bool {
				list := w.deliveries(id, "")
				return len(list) == 1 && list[0]["last_status"] == 500.0
			})
			eventually(t, "the time is recorded", func() bool {
				at, err := w.b.Store().ClockMark(context.Background())
				return err == nil && !at.IsZero()
			})
			r.status(http.StatusNoContent)
			m.set(0)
			if restart {
				w.open()
				w.run()
			}
			r.next(t)
			eventually(t, "it is delivered", func() bool { return w.deliveries(id, "?status=delivered") != nil })
			if !strings.Contains(w.log.String(), "the clock was set back") {
				t.Error("nothing is logged")
			}
		})
	}
}

// A service that ran while its clock was ahead counts what happens afterwards.
func TestStatsAfterAClockAhead(t *testing.T) {
	t.Parallel()
	m := &machine{}
	m.set(48 * time.Hour)
	w := newMachineWorld(t, "sqlite:"+t.TempDir()+"/test.db", m)
	w.sell()
	w.rollup()
	m.set(0)
	w.open()
	w.sell()
	w.sell()
	w.rollup()
	if stats := w.call("GET", "/api/v1/providers/prov_demo/stats", w.provider, nil).want(200); stats.num("today", "sessions") != 2 {
		t.Errorf("%s", stats.raw)
	}
}
