package backend_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
)

// PostgreSQL becomes read-only under open connections: clear 503s, not ready, and well
// again without a restart.
func TestPostgresReadOnlyUnderOpenConnections(t *testing.T) {
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
	w := newWorldOn(t, own.Database(t))
	id, _ := w.sell()
	own.ReadOnly(t, true)
	eventually(t, "it is not ready", func() bool { return w.call("GET", "/readyz", "", nil).status == 503 })
	for range 3 {
		a := w.call("POST", "/api/v1/sessions", w.market, order()).want(503, "unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	w.call("GET", "/api/v1/sessions/"+id, w.market, nil).want(200)
	w.call("GET", "/healthz", "", nil).want(200)
	if metrics := string(w.call("GET", "/metrics", "", nil).raw); !strings.Contains(metrics, "sessiongate_database_writable 0\n") {
		t.Error("the metric says that the database accepts writes")
	}
	own.ReadOnly(t, false)
	eventually(t, "it sells", func() bool { return w.call("POST", "/api/v1/sessions", w.market, order()).status == 201 })
	for end := time.Now().Add(patience); w.call("GET", "/readyz", "", nil).status != 200; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is not ready again")
		}
	}
}

// Redis answers reads and refuses writes: an edge at the other backend is told of an
// extension and of a revocation all the same, on a stream that it opens anew.
func TestChangesReachEdgesOverAHalfDownRedis(t *testing.T) {
	t.Parallel()
	server := coordtest.Start(t)
	p := newPair(t, postgres.Database(t), server.URL(), server.URL())
	extended, _ := p.a.sell("duration_limit_seconds", 600)
	revoked, _ := p.a.sell("duration_limit_seconds", 600)
	events, stop := p.b.follow("")
	defer stop()
	next(t, events, "reset")
	for _, id := range []string{extended, revoked} {
		if p.b.ask(id) != "active" { // b holds the states now
			t.Error("unknown")
		}
	}
	server.Do(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	p.a.call("POST", "/api/v1/sessions/"+extended+"/extend", p.a.market, map[string]any{"additional_seconds": 60, "tokens_to_deduct": 1}).want(200)
	p.a.revoke(revoked)
	for range events { // ends: others' changes are not on it
	}
	p.b.streams()
	again, stop := p.b.follow("")
	defer stop()
	next(t, again, "reset")
	if got := p.b.ask(revoked); got != "revoked" {
		t.Errorf("an edge that asks is told %s", got)
	}
	// An edge that does not ask, because its sessions only hold a connection open, is
	// told what changed before it came back.
	for {
		if s, _ := nextState(t, again); s.ID == extended && s.Version == 2 {
			break
		}
	}
	eventually(t, "the operator is told", func() bool {
		return strings.Contains(string(p.b.call("GET", "/readyz", "", nil).want(200).raw), "Redis") &&
			strings.Contains(string(p.b.call("GET", "/metrics", "", nil).raw), "sessiongate_redis_up 0\n")
	})
	later, _ := p.a.sell("duration_limit_seconds", 600)
	p.a.revoke(later)
	stateOf(t, again, later, "revoked") // from the database
	server.Do(t, "CONFIG", "SET", "min-replicas-to-write", "0")
	eventually(t, "Redis is used again", func() bool {
		return strings.Contains(string(p.b.call("GET", "/metrics", "", nil).raw), "sessiongate_redis_up 1\n")
	})
	last, _ := p.a.sell("duration_limit_seconds", 600)
	stateOf(t, again, last, "active")
	p.a.audit()
}

// A second service on one SQLite file does not start, whatever its data folder is
// called, and says who is there. Commands open the file all the same.
func TestSecondServiceOnOneFile(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	config := backend.Config{DataDir: dir, Listen: "127.0.0.1:18081"}
	first, err := backend.Open(ctx, config, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second := backend.Config{DataDir: t.TempDir(), Database: "sqlite:" + filepath.Join(dir, "sessiongate.db"), Listen: "127.0.0.1:18082"}
	for _, c := range []backend.Config{config, second} {
		_, err := backend.Open(ctx, c, zap.NewNop())
		if _, ok := errors.AsType[*store.LockedError](err); !ok || !strings.Contains(err.Error(), "127.0.0.1:18081") {
			t.Errorf("opened a second time: %v", err)
		}
	}
	st, err := store.Open(ctx, second.Database, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, _, err := backend.CreateAPIKey(ctx, st, backend.RoleAdmin, "", "", time.Now()); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := backend.Open(ctx, second, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}
