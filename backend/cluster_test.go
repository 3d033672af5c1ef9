package backend_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
	"github.com/sessiongate/sessiongate/backend/keyring"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// pair is two backends on one PostgreSQL and one Redis, in real time.
type pair struct{ a, b *world }

func newPair(t *testing.T, database, redisA, redisB string) pair {
	t.Helper()
	a := newWorldOn(t, database)
	a.now = time.Now
	a.tune = func(c *backend.Config) { c.Redis, c.EventLog = redisA, 1000 }
	a.open()
	a.run()
	// Another machine: its own folder, the same database.
	b := *a
	b.dir = t.TempDir()
	b.tune = func(c *backend.Config) { c.Redis, c.EventLog = redisB, 1000 }
	b.open()
	b.run()
	p := pair{a, &b}
	for _, w := range []*world{p.a, p.b} {
		w.streams()
	}
	return p
}

// streams waits until edges can follow a backend.
func (w *world) streams() {
	w.t.Helper()
	eventually(w.t, "there is a stream", func() bool {
		req, err := http.NewRequest("GET", w.url+protocol.EdgeEvents, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.edge)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		resp, err := http.DefaultClient.Do(req.WithContext(ctx))
		if err != nil {
			w.t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode == 200
	})
}

// ask is what an edge at w is told of a session when it asks.
func (w *world) ask(id string) string {
	w.t.Helper()
	a := w.call("POST", protocol.EdgeHeartbeats, w.edge, map[string]any{"edge_id": "e", "beats": []any{map[string]any{"id": id, "version": 0}}}).want(200)
	list, _ := a.at("states").([]any)
	if len(list) != 1 {
		return "unknown"
	}
	return list[0].(map[string]any)["status"].(string)
}

func (w *world) revoke(id string) {
	w.t.Helper()
	w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.market, map[string]any{"refund": "full"}).want(200)
}

// stateOf waits for news of a session on a stream.
func stateOf(t *testing.T, events <-chan event, id, status string) {
	t.Helper()
	for {
		if s, _ := nextState(t, events); s.ID == id && string(s.Status) == status {
			return
		}
	}
}

// A change at one backend reaches an edge at the other within a second; a token
// of one is valid at the other; an edge takes its place in the stream along.
func TestTwoBackends(t *testing.T) {
	t.Parallel()
	redis := coordtest.Start(t).URL()
	p := newPair(t, postgres.Database(t), redis, redis)
	events, stop := p.b.follow("")
	next(t, events, "reset")
	id, launch := p.a.sell("duration_limit_seconds", 600)
	stateOf(t, events, id, "active")
	token := p.b.enter(launch)
	p.a.call("POST", "/api/v1/sessions/"+id+"/heartbeat", token, map[string]any{"active": true}).want(200)
	if launched := p.a.launch(launch, "redemption-0000002"); launched.status != 409 {
		t.Errorf("redeemed at both: %d", launched.status)
	}
	late := 0
	for range 20 {
		begun := time.Now()
		one, _ := p.a.sell()
		p.a.revoke(one)
		revoked := time.Now()
		stateOf(t, events, one, "revoked")
		// On a busy machine, news take their time as two calls do.
		if time.Since(revoked) > time.Second+2*revoked.Sub(begun) {
			late++
		}
	}
	if late > 10 { // otherwise, somebody else had the processor
		t.Errorf("%d of 20 revocations came to the other backend no sooner than its database tells it", late)
	}
	last := next(t, events, "time")
	stop()
	two, _ := p.a.sell()
	elsewhere, stop := p.a.follow(last.id)
	defer stop()
	if s, _ := nextState(t, elsewhere); s.ID != two {
		t.Errorf("resumed with %s, want %s", s.ID, two)
	}
	p.a.audit()
}

// Redis goes and comes back, with and without what it held: no session is admitted
// who should not be, no token is lost, requests are answered all the while.
func TestRedisFaultsBehindTwoBackends(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	proxy := coordtest.NewProxy(t, server.Addr())
	at := "redis://" + proxy.Addr()
	p := newPair(t, postgres.Database(t), at, at)
	p.a.credit("user_1", 100_000)
	var slowest atomic.Int64
	work := func(what string) {
		t.Helper()
		for _, pair := range [][2]*world{{p.a, p.b}, {p.b, p.a}} {
			begun := time.Now()
			a := pair[0].call("POST", "/api/v1/sessions", pair[0].market, order("duration_limit_seconds", 600)).want(201)
			id := a.str("session", "id")
			if got := pair[1].ask(id); got != "active" {
				t.Errorf("%s: the other backend says %s", what, got)
			}
			pair[0].revoke(id)
			slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
			eventually(t, what+": the other backend knows that it is revoked", func() bool { return pair[1].ask(id) == "revoked" })
			if pair[1].call("POST", "/api/v1/sessions/validate", a.str("token"), map[string]any{"jti": id}).status == 200 {
				t.Errorf("%s: a revoked session is valid", what)
			}
		}
	}
	work("at rest")
	atRest := time.Duration(slowest.Load()) // a busy machine's calls are slow with Redis, too
	kept := p.a.call("POST", "/api/v1/sessions", p.a.market, order("duration_limit_seconds", 600)).want(201).str("session", "id")
	if p.b.ask(kept) != "active" {
		t.Error("unknown")
	}
	events, stop := p.b.follow("")
	defer stop()

	server.Kill(t)
	for range events { // ends: an edge must not trust what it no longer hears
	}
	// Revoked at one while nobody can be told: the other must not answer from
	// what it remembers.
	p.a.revoke(kept)
	if got := p.b.ask(kept); got != "revoked" {
		t.Errorf("without Redis the other backend says %s", got)
	}
	work("killed")
	server.Run(t)
	p.a.streams()
	p.b.streams()
	work("restarted")
	server.Do(t, "FLUSHALL")
	work("emptied")
	proxy.Delay(100 * time.Millisecond)
	work("slow")
	proxy.Delay(3 * time.Second)
	work("as good as dead")
	proxy.Delay(0)
	proxy.Cut(true)
	work("cut off")
	proxy.Cut(false)
	p.a.streams()
	p.b.streams()
	work("back")
	if d := time.Duration(slowest.Load()); d > 5*time.Second+10*atRest {
		t.Errorf("a sale, a question and a revocation took %v, and %v at rest", d, atRest)
	}
	p.a.audit()
	if available, held := p.a.balance("user_1"); available != 100_000 || held != 0 {
		t.Errorf("%d available, %d held: tokens were lost", available, held)
	}
}

// A process dies between its commit and its word to the others: they find out.
func TestUntoldChangesAreReconciled(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	proxy := coordtest.NewProxy(t, server.Addr())
	p := newPair(t, postgres.Database(t), "redis://"+proxy.Addr(), server.URL())
	id, _ := p.a.sell("duration_limit_seconds", 600)
	events, stop := p.b.follow("")
	defer stop()
	next(t, events, "reset")
	if p.b.ask(id) != "active" {
		t.Error("unknown")
	}
	proxy.Cut(true)
	p.a.revoke(id)
	// It never gets through. The other backend looks into the record by itself.
	stateOf(t, events, id, "revoked")
	if got := p.b.ask(id); got != "revoked" {
		t.Errorf("the other backend says %s", got)
	}
}

// PostgreSQL crashes and comes back: clear 503s meanwhile, then all is well
// without a restart of ours, and due sessions are settled.
func TestPostgresRestarted(t *testing.T) {
	t.Parallel()
	own, err := storetest.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	redis := coordtest.Start(t).URL()
	p := newPair(t, own.Database(t), redis, redis)
	id, _ := p.a.sell("duration_limit_seconds", 2)
	long, launch := p.a.sell("duration_limit_seconds", 600)
	if p.b.ask(long) != "active" {
		t.Error("unknown")
	}
	own.Down(t)
	for _, w := range []*world{p.a, p.b} {
		for method, path := range map[string]string{"GET": "/api/v1/users/user_1/balance", "POST": "/api/v1/users/user_1/tokens"} {
			var body any
			if method == "POST" {
				body = map[string]any{"amount": 1}
			}
			a := w.call(method, path, w.market, body).want(503, "unavailable")
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		w.call("GET", "/readyz", "", nil).want(503)
		w.call("GET", "/healthz", "", nil).want(200)
	}
	time.Sleep(2500 * time.Millisecond) // the first session's deadline passes
	own.Up(t)
	for _, w := range []*world{p.a, p.b} {
		eventually(t, "it is ready", func() bool { return w.call("GET", "/readyz", "", nil).status == 200 })
	}
	eventually(t, "the due session is settled", func() bool {
		return p.b.call("GET", "/api/v1/sessions/"+id, p.b.market, nil).want(200).str("status") == "expired" && p.b.ask(id) == "expired"
	})
	p.b.enter(launch)
	p.a.audit()
	available, held := p.a.balance("user_1")
	if available+held != 2000-100 || held != 100 {
		t.Errorf("%d available, %d held", available, held)
	}
}

// Backends that start together sign with one ring; a rotation at one is the
// other's within seconds.
func TestBackendsShareSigningKeys(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	first := newWorldOn(t, database)
	jwks := make([]string, 4)
	together(len(jwks), func(i int) {
		w := *first
		w.dir = t.TempDir()
		w.open()
		jwks[i] = string(w.call("GET", protocol.JWKS, "", nil).want(200).raw)
	})
	for _, got := range jwks {
		if got != jwks[0] {
			t.Errorf("different keys: %s, %s", got, jwks[0])
		}
	}
	first.run()
	keyStore, err := backend.KeyStore(backend.Config{DataDir: first.dir}, first.b.Store())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Existing(context.Background(), keyStore, time.Now)
	if err == nil {
		err = ring.Rotate(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new key signs", func() bool {
		return string(first.call("GET", protocol.JWKS, "", nil).raw) != jwks[0]
	})
}
