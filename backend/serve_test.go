package backend_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

func TestServeStopsGracefullyWithStreamsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.b.ServeListener(ctx, listener) }()
	events, _ := w.follow("")
	next(t, events, "reset")
	id, launch := w.sell()
	w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", launch, map[string]any{"active": true}).want(200)
	begun := time.Now()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took >= 10*time.Second { // the grace for requests that do not end
		t.Errorf("stopping took %v", took)
	}
	for range events { // ends, since the stream was told to
	}
	if got := w.beats(id); got.Count != 1 {
		t.Errorf("the last heartbeat was lost: %+v", got)
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]backend.Config{
		"no such database": {DataDir: t.TempDir(), Database: "mysql://u:hunter2@x"},
		"no issuer":        {DataDir: t.TempDir(), Issuer: "nonsense"},
		"negative log":     {DataDir: t.TempDir(), EventLog: -1},
	} {
		b, err := backend.Open(context.Background(), c, zap.NewNop())
		if err == nil {
			b.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the password", name)
		}
	}
}

func TestEnsureProviderTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"One", "Two"} {
		p, err := w.b.EnsureProvider(context.Background(), store.Provider{
			ID: "prov_new", Name: name, AppURL: "http://127.0.0.1:8082/", Policies: store.Policies{ReturnHosts: []string{"127.0.0.1:8080"}},
		})
		if err != nil || p.Name != name || p.Policies.ReturnHosts[0] != "127.0.0.1:8080" {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
}

// Without a database the answer is a clear 503, and readiness says so; the
// process lives.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, postgres.Database(t))
	w.credit("user_1", 1)
	postgres.Disconnect(t, w.database)
	a := w.call("GET", "/api/v1/users/user_1/balance", w.market, nil).want(503, "unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.call("GET", "/readyz", "", nil).want(503, "unavailable")
	w.call("GET", "/healthz", "", nil).want(200)
	postgres.Reconnect(t, w.database)
	w.call("GET", "/api/v1/users/user_1/balance", w.market, nil).want(200)
	w.call("GET", "/readyz", "", nil).want(200)
}

func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, launch := w.sell()
	ask := func(method, path string) *http.Response {
		req, err := http.NewRequest("OPTIONS", w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://app.provider.example")
		req.Header.Set("Access-Control-Request-Method", method)
		req.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for _, path := range []string{"/api/v1/sessions/validate", "/api/v1/sessions/" + id + "/heartbeat", "/api/v1/sessions/" + id + "/extend"} {
		resp := ask("POST", path)
		if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%s: %s %v", path, resp.Status, resp.Header)
		}
	}
	for _, path := range []string{"/api/v1/sessions", "/api/v1/sessions/" + id + "/complete", "/api/v1/users/user_1/tokens", "/api/v1/edge/launch", "/nowhere"} {
		if resp := ask("POST", path); resp.StatusCode < 400 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %s %v", path, resp.Status, resp.Header)
		}
	}
	a := w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", launch, nil, "Origin", "https://app.provider.example").want(200)
	if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("the answer has %v", a.header)
	}
	refused := w.call("POST", "/api/v1/sessions/"+id+"/heartbeat", "x", nil, "Origin", "https://app.provider.example").want(401)
	if refused.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a page cannot read why it was refused")
	}
}

// A copy made while sessions are sold is whole, and a service started on it goes
// on from that moment.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	w.credit("user_1", 1_000_000)
	id, launch := w.sell()
	stop := make(chan struct{})
	var sellers sync.WaitGroup
	for range 4 {
		sellers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					w.call("POST", "/api/v1/sessions", w.market, order()).want(201)
				}
			}
		})
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	err := w.b.Store().Backup(ctx, copied)
	close(stop)
	sellers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.b.Store().Backup(ctx, copied); !errors.Is(err, os.ErrExist) {
		t.Errorf("a copy was overwritten: %v", err)
	}
	if stat, err := os.Stat(copied); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v, %v", stat.Mode(), err)
	}
	// Disaster: the database is gone. Its keys were kept beside the copy.
	old := w.b
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(w.database, "sqlite:")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(copied, path); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.audit()
	w.enter(launch)
	w.call("POST", "/api/v1/sessions/"+id+"/complete", w.market, nil).want(200)
	w.audit()
}

func TestBackupOfPostgres(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, postgres.Database(t))
	if err := w.b.Store().Backup(context.Background(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrNoBackup) {
		t.Errorf("got %v", err)
	}
}

// The dashboard is served by the service itself, to whoever is signed in.
func TestDashboardIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newBrowser(w)
	if p := b.get(home + "/dashboard"); p.location() != "/dashboard/" {
		t.Errorf("/dashboard leads to %d %q", p.status, p.location())
	}
	b.do("POST", home+"/auth/key", url.Values{"key": {w.provider}})
	p := b.get(home + "/dashboard/sessions?status=expired")
	if p.status != http.StatusOK || p.header.Get("Cache-Control") != "no-store" || !strings.Contains(p.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page: %d %v", p.status, p.header)
	}
	files := regexp.MustCompile(`"(/dashboard/app\.[^"]+)"`).FindAllStringSubmatch(p.body, -1)
	if len(files) != 2 {
		t.Fatalf("the page names %d files", len(files))
	}
	for _, f := range files {
		p := b.get(home + f[1])
		if p.status != http.StatusOK || !strings.Contains(p.header.Get("Cache-Control"), "immutable") || p.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", f[1], p.status, p.header)
		}
	}
	if p := b.do("POST", home+"/dashboard/", nil); p.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", p.status)
	}
}

// A backend in a process of your own. Run lets deadlines pass meanwhile.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "backend")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	b, err := backend.Open(ctx, backend.Config{DataDir: dir}, zap.NewNop())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()

	answer := httptest.NewRecorder()
	b.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	fmt.Print(answer.Body)
	stop()
	fmt.Println(<-done)
	// Output:
	// {"status":"ok"}
	// <nil>
}
