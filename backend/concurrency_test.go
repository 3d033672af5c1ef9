package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
	"github.com/sessiongate/sessiongate/backend/webhook/webhooktest"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

var postgres *storetest.Postgres

func TestMain(m *testing.M) {
	var err error
	if postgres, err = storetest.StartPostgres(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := webhooktest.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// onEach runs a test over the whole API on each database.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); test(t, newWorldOn(t, postgres.Database(t))) })
}

// onEachAnew is [onEach] for a test that opens several worlds on each database.
func onEachAnew(t *testing.T, test func(t *testing.T, open func(*testing.T) *world)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, newWorld) })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) *world { return newWorldOn(t, postgres.Database(t)) })
	})
}

// together runs f n times at once.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		all.Go(func() { <-gate; f(i) })
	}
	close(gate)
	all.Wait()
}

func TestParallelHoldsGrantWhatThereIs(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.credit("user_1", 500)
		var granted, poor atomic.Int64
		together(20, func(int) {
			switch a := w.call("POST", "/api/v1/sessions", w.market, order("tokens_allocated", 75)); a.status {
			case 201:
				granted.Add(1)
			case 402:
				poor.Add(1)
			default:
				t.Errorf("got %d %s", a.status, a.raw)
			}
		})
		if granted.Load() != 6 || poor.Load() != 14 {
			t.Errorf("granted %d, refused %d, want 6 and 14", granted.Load(), poor.Load())
		}
		if available, held := w.balance("user_1"); available != 50 || held != 450 {
			t.Errorf("%d available, %d held", available, held)
		}
		w.audit()
	})
}

func TestEqualRequestsHaveOneEffect(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.credit("user_1", 100) // exactly one session's worth
		var mu sync.Mutex
		ids := map[string]int{}
		together(100, func(int) {
			a := w.call("POST", "/api/v1/sessions", w.market, order(), "Idempotency-Key", "order-1").want(201)
			if strings.Count(a.str("token"), ".") != 2 || !strings.Contains(a.str("launch_url"), a.str("token")) {
				t.Errorf("a repeated answer lacks its token: %s", a.raw)
			}
			mu.Lock()
			ids[a.str("session", "id")]++
			mu.Unlock()
		})
		if len(ids) != 1 {
			t.Errorf("%d sessions", len(ids))
		}
		w.call("POST", "/api/v1/sessions", w.market, order("tokens_allocated", 1), "Idempotency-Key", "order-1").want(409, "idempotency_conflict")
		w.call("POST", "/api/v1/users/user_1/tokens", w.market, map[string]any{"amount": 1}, "Idempotency-Key", "order-1").want(409, "idempotency_conflict")

		for id := range ids {
			together(16, func(int) {
				w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 60}, "Idempotency-Key", "more-1").want(200)
			})
			got := w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200)
			if got.num("duration_limit_seconds") != 120 {
				t.Errorf("extended to %d s", got.num("duration_limit_seconds"))
			}
		}
		// A refused request leaves its key free.
		w.call("POST", "/api/v1/sessions", w.market, order(), "Idempotency-Key", "order-2").want(402, "insufficient_tokens")
		w.credit("user_1", 100)
		w.call("POST", "/api/v1/sessions", w.market, order(), "Idempotency-Key", "order-2").want(201)
		w.audit()
	})
}

func TestEndingsAtOnceSettleOnce(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, launch := w.sell()
		session := w.enter(launch)
		w.clock.Add(30*time.Second + 500*time.Millisecond)
		together(16, func(i int) {
			switch i % 4 {
			case 0:
				w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
			case 1:
				w.call("POST", "/api/v1/sessions/"+id+"/end", session, nil).want(200)
			case 2:
				a := w.call("POST", "/api/v1/sessions/"+id+"/extend", w.market, map[string]any{"additional_seconds": 5, "tokens_to_deduct": 5})
				if a.status != 200 && a.status != 409 {
					t.Errorf("extending answered %s", a.raw)
				}
			case 3:
				a := w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.admin, map[string]any{"refund": "none"})
				if a.status != 200 && a.status != 409 {
					t.Errorf("revoking answered %s", a.raw)
				}
			}
		})
		first := w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
		w.clock.Add(time.Hour)
		if n, err := w.b.AdvanceDue(context.Background()); n != 0 || err != nil {
			t.Errorf("settled %d more, %v", n, err)
		}
		again := w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
		if first.num("session", "settlement", "captured") != again.num("session", "settlement", "captured") {
			t.Errorf("settled as %s, then %s", first.raw, again.raw)
		}
		if _, held := w.balance("user_1"); held != 0 {
			t.Errorf("%d still held", held)
		}
		w.audit()
	})
}

// Two backends on one PostgreSQL settle the same deadlines at the same time.
func TestTwoBackendsSettleEachDeadlineOnce(t *testing.T) {
	t.Parallel()
	address := postgres.Database(t)
	w := newWorldOn(t, address)
	other, err := backend.Open(context.Background(), backend.Config{
		DataDir: w.dir, Database: address, Issuer: "http://backend.test", Now: w.clock.Now,
	}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	server := httptest.NewServer(other.Handler())
	defer server.Close()

	const sessions = 200
	w.credit("user_1", sessions)
	w.credit("user_2", sessions)
	for i := range sessions {
		w.call("POST", "/api/v1/sessions", w.market, order("tokens_allocated", 2, "user_id", fmt.Sprint("user_", 1+i%2))).want(201)
	}
	w.clock.Add(2 * time.Minute)
	var total atomic.Int64
	backends := []*backend.Backend{w.b, other}
	together(4, func(i int) {
		n, err := backends[i%2].AdvanceDue(context.Background())
		if err != nil {
			t.Error(err)
		}
		total.Add(int64(n))
	})
	if total.Load() != sessions {
		t.Errorf("settled %d sessions, want %d", total.Load(), sessions)
	}
	if available, held := w.balance("user_1"); available != 0 || held != 0 {
		t.Errorf("%d available, %d held", available, held)
	}
	w.audit()
}

func TestHeartbeatsAnswerWhatChanged(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		id, launch := w.sell("duration_limit_seconds", 600)
		w.enter(launch)
		beats := func(version int64) *answer {
			return w.call("POST", "/api/v1/edge/heartbeats", w.edge, map[string]any{"edge_id": "e1", "beats": []any{
				map[string]any{"id": id, "version": version, "at": w.clock.Now().Unix(), "active": true, "count": 3},
				map[string]any{"id": "never-was", "version": 1},
			}}).want(200)
		}
		known := beats(2)
		if len(known.at("states").([]any)) != 0 || fmt.Sprint(known.at("unknown")) != "[never-was]" || known.num("server_time_ms") == 0 {
			t.Errorf("an edge that knows is told %s", known.raw)
		}
		if behind := beats(1); len(behind.at("states").([]any)) != 1 {
			t.Errorf("an edge that is behind is told %s", behind.raw)
		}
		w.b.FlushBeats(context.Background())
		if got := w.beats(id); got.Count != 6 || got.Active != 6 || got.LastAt != w.clock.Now().Unix() {
			t.Errorf("recorded %+v", got)
		}
		w.open() // memory is gone; the record knows
		if asked := beats(0); len(asked.at("states").([]any)) != 1 {
			t.Errorf("after a restart the edge is told %s", asked.raw)
		}
	})
}

func TestPauseAndEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	session := w.enter(launch)
	path := "/api/v1/sessions/" + id
	w.clock.Add(10 * time.Second)
	paused := w.call("POST", path+"/pause", session, nil).want(200)
	if paused.str("session", "status") != "paused" || paused.num("session", "pause", "used") != 1 {
		t.Errorf("paused as %s", paused.raw)
	}
	w.clock.Add(10 * time.Second)
	if beat := w.call("POST", path+"/heartbeat", session, nil).want(200); beat.num("remaining_seconds") != 51 {
		t.Errorf("a paused session has %d s left", beat.num("remaining_seconds"))
	}
	resumed := w.call("POST", path+"/resume", session, map[string]any{}).want(200)
	if resumed.num("session", "expires_at") != 1_800_000_061+10 {
		t.Errorf("resumed as %s", resumed.raw)
	}
	w.call("POST", path+"/pause", session, nil).want(200)
	w.call("POST", path+"/resume", session, nil).want(200)
	w.call("POST", path+"/pause", session, nil).want(403, "pause_not_allowed")

	events := map[string]any{"events": []any{map[string]any{"name": "tab.hidden", "at": 1, "props": map[string]any{"why": "test"}}}}
	w.call("POST", path+"/events", session, events, "Idempotency-Key", "batch-1").want(202)
	w.call("POST", path+"/events", session, events, "Idempotency-Key", "batch-1").want(202)
	if n := w.pageEvents(id); n != 1 {
		t.Errorf("%d page events", n)
	}
	w.call("POST", path+"/events", session, map[string]any{"events": []any{map[string]any{"name": "NO!", "at": 1}}}).want(422, "invalid_request")

	limited := 0
	for range 150 {
		if a := w.call("POST", path+"/heartbeat", session, nil); a.status == 429 {
			a.want(429, "rate_limited")
			if a.header.Get("Retry-After") == "" {
				t.Fatal("no Retry-After")
			}
			limited++
		}
	}
	if limited == 0 {
		t.Error("a page that runs wild is never stopped")
	}
}

func TestRevokedKeyStopsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call("GET", "/api/v1/sessions", w.market, nil).want(200)
	w.revokeKeys()
	w.call("GET", "/api/v1/sessions", w.market, nil).want(401, "unauthorized")
}

// serve answers a request without a network.
func (w *world) serve(b *testing.B, method, path, key string, body []byte, want int) []byte {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.b.Handler().ServeHTTP(rec, r)
	if rec.Code != want {
		b.Fatalf("got %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.Bytes()
}

// A batch of a thousand heartbeats whose sessions the edge knows.
func BenchmarkHeartbeatsOf1000(b *testing.B) {
	w := newWorldOn(b, "sqlite:"+b.TempDir()+"/test.db")
	w.serve(b, "POST", "/api/v1/users/user_1/tokens", w.market, []byte(`{"amount":1000000}`), 201)
	var req protocol.HeartbeatsRequest
	for range 1000 {
		body, _ := json.Marshal(order("duration_limit_seconds", 3600))
		var out struct {
			Session struct {
				ID string `json:"id"`
			} `json:"session"`
		}
		if err := json.Unmarshal(w.serve(b, "POST", "/api/v1/sessions", w.market, body, 201), &out); err != nil {
			b.Fatal(err)
		}
		req.Beats = append(req.Beats, protocol.Heartbeat{ID: out.Session.ID, Version: 1, At: w.clock.Now().Unix(), Active: true, Count: 1})
	}
	body, _ := json.Marshal(req)
	b.ReportAllocs()
	for b.Loop() {
		w.serve(b, "POST", protocol.EdgeHeartbeats, w.edge, body, 200)
		w.b.FlushBeats(b.Context())
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/beat")
}

// A session sold and completed, one after the other, by eight callers at once.
func BenchmarkCreateAndComplete(b *testing.B) {
	for name, database := range map[string]func(b *testing.B) string{
		"sqlite":   func(b *testing.B) string { return "sqlite:" + b.TempDir() + "/test.db" },
		"postgres": func(b *testing.B) string { return postgres.Database(b) }, // without fsync
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorldOn(b, database(b))
			for u := range 64 {
				w.serve(b, "POST", fmt.Sprintf("/api/v1/users/user_%d/tokens", u), w.market, []byte(`{"amount":100000000}`), 201)
			}
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for u := 0; pb.Next(); u++ {
					body, _ := json.Marshal(order("user_id", fmt.Sprint("user_", u%64)))
					created := string(w.serve(b, "POST", "/api/v1/sessions", w.market, body, 201))
					_, rest, _ := strings.Cut(created, `"id":"`)
					w.serve(b, "POST", "/api/v1/sessions/"+rest[:36]+"/complete", w.market, nil, 200)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
		})
	}
}
