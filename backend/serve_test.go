package backend_test

import (
	"context"
	"net"
	"net/http"
	"strings"
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
	if took := time.Since(begun); took > 5*time.Second {
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
