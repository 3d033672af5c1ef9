package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
)

// clock is time under a test's control. It advances by a microsecond each time that it
// is read, so that ids have the order in which they were made, whatever the clocks of
// tests that run at the same time show.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// syncBuffer is a log that several goroutines write and the test reads.
type syncBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) Sync() error { return nil }

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// world is a backend with a demo provider, keys of all roles and a test server.
type world struct {
	t        testing.TB
	b        *backend.Backend
	url      string
	dir      string
	database string
	clock    *clock
	now      func() time.Time // the clock's, unless a test needs real time
	log      *syncBuffer
	close    func()   // ends the backend and its server
	stopRun  func()   // ends the loops; nil if they do not run
	secrets  []string // what must never be logged
	// Changes the configuration before the next open.
	tune func(*backend.Config)

	market, provider, edge, admin string
}

// newWorld starts at half past a full second, so that rounding shows.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
}

func newWorldOn(t testing.TB, database string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), database: database, log: &syncBuffer{}, clock: &clock{now: time.Unix(1_800_000_000, 500_000_000)}}
	w.now = w.clock.Now
	w.open()
	ctx := context.Background()
	_, err := w.b.CreateProvider(ctx, store.Provider{
		ID: "prov_demo", Name: "Demo", Domains: []string{"App.Provider.example"}, OriginURL: "http://127.0.0.1:3000",
		Policies: store.Policies{
			Settlement: session.Prorated, ReturnHosts: []string{"market.example", "127.0.0.1:8080"},
			Pause: &session.Pauses{MaxCount: 2, MaxSeconds: 100},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		to       *string
		role     backend.Role
		provider string
	}{
		{&w.market, backend.RoleMarketplace, ""}, {&w.provider, backend.RoleProvider, "prov_demo"},
		{&w.edge, backend.RoleEdge, ""}, {&w.admin, backend.RoleAdmin, ""},
	} {
		if *k.to, err = w.b.CreateAPIKey(ctx, k.role, k.provider, "test"); err != nil {
			t.Fatal(err)
		}
		w.secrets = append(w.secrets, *k.to)
	}
	t.Cleanup(func() {
		for _, secret := range w.secrets {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the log holds a secret: %.12s…", secret)
			}
		}
	})
	return w
}

// open opens the backend in the world's folder, again after a restart: SQLite has one
// service at a time.
func (w *world) open() {
	w.t.Helper()
	if w.b != nil && !w.b.Store().Shared() {
		if w.close(); w.t.Failed() {
			w.t.FailNow()
		}
	}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	logger := zap.New(zapcore.NewCore(encoder, w.log, zap.DebugLevel))
	config := backend.Config{
		DataDir: w.dir, Database: w.database, Issuer: "http://backend.test", Now: w.now, WebhooksToLoopback: true,
		KeyRate: -1, AddressRate: -1, // the tests' clocks stand still
	}
	if w.tune != nil {
		w.tune(&config)
	}
	b, err := backend.Open(context.Background(), config, logger)
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(b.Handler())
	w.b, w.url = b, server.URL
	w.stopRun = nil
	w.close = sync.OnceFunc(func() {
		if w.stopRun != nil {
			w.stopRun()
		}
		b.EndStreams()
		server.CloseClientConnections()
		server.Close()
		if err := b.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.close)
}

// answer is a response read to its end.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// call sends a request. body is marshaled, unless it is a string.
func (w *world) call(method, path, bearer string, body any, headers ...string) *answer {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		buf, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		reader = bytes.NewReader(buf)
	}
	req, err := http.NewRequest(method, w.url+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := &answer{t: w.t, status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		w.t.Fatal(err)
	}
	_ = json.Unmarshal(a.raw, &a.body) // not every answer is JSON
	w.conforms(method, path, a)
	return a
}

// want fails the test unless the answer has this status and, for refusals, code.
func (a *answer) want(status int, code ...string) *answer {
	a.t.Helper()
	got, _ := a.body["code"].(string)
	if a.status != status || (len(code) > 0 && got != code[0]) {
		a.t.Fatalf("got %d %q, want %d %q: %s", a.status, got, status, code, a.raw)
	}
	if a.status >= 400 {
		if got == "" {
			a.t.Fatalf("refusal without code: %s", a.raw)
		}
		if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
			a.t.Fatalf("refusal is %q, want application/problem+json", ct)
		}
	}
	return a
}

// at is a field of the answer by its path; nil when there is none.
func (a *answer) at(path ...string) any {
	var v any = a.body
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func (a *answer) num(path ...string) int64 {
	a.t.Helper()
	f, ok := a.at(path...).(float64)
	if !ok && a.at(path...) != nil {
		a.t.Fatalf("%v is no number: %s", path, a.raw)
	}
	return int64(f)
}

func (a *answer) str(path ...string) string { s, _ := a.at(path...).(string); return s }

// credit gives a user tokens.
func (w *world) credit(user string, amount int) {
	w.t.Helper()
	w.call("POST", "/api/v1/users/"+user+"/tokens", w.market, map[string]any{"amount": amount}).want(201)
}

// order is a session's body, changed by pairs of field and value.
func order(pairs ...any) map[string]any {
	o := map[string]any{
		"user_id": "user_1", "provider_id": "prov_demo", "tokens_allocated": 100, "duration_limit_seconds": 60,
		"return_url": "https://market.example/done",
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		o[pairs[i].(string)] = pairs[i+1]
	}
	return o
}

// sell credits the user and sells a session to it.
func (w *world) sell(pairs ...any) (id, launch string) {
	w.t.Helper()
	w.credit("user_1", 1000)
	a := w.call("POST", "/api/v1/sessions", w.market, order(pairs...)).want(201)
	w.secrets = append(w.secrets, a.str("token"))
	return a.str("session", "id"), a.str("token")
}

// enter launches a session at the edge and returns its session token.
func (w *world) enter(launch string) (token string) {
	w.t.Helper()
	a := w.launch(launch, "redemption-0000001").want(200)
	w.secrets = append(w.secrets, a.str("session_token"))
	return a.str("session_token")
}

func (w *world) launch(launch, redemption string) *answer {
	w.t.Helper()
	return w.call("POST", "/api/v1/edge/launch", w.edge, map[string]any{
		"token": launch, "provider_id": "prov_demo", "redemption_id": redemption,
	})
}

func (w *world) balance(user string) (available, held int64) {
	w.t.Helper()
	a := w.call("GET", "/api/v1/users/"+user+"/balance", w.market, nil).want(200)
	return a.num("available"), a.num("held")
}

func (w *world) audit() {
	w.t.Helper()
	if err := w.b.Audit(context.Background()); err != nil {
		w.t.Error(err)
	}
}

func (w *world) beats(id string) store.Beats {
	w.t.Helper()
	b, err := w.b.Store().Beats(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) pageEvents(id string) int64 {
	w.t.Helper()
	n, err := w.b.Store().PageEventCount(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) revokeKeys() {
	w.t.Helper()
	ctx := context.Background()
	list, err := w.b.Store().APIKeys(ctx, store.KeyFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.b.Store().Write(ctx, func(tx *store.Tx) error {
		for _, k := range list {
			if err := tx.RevokeAPIKey(ctx, k.ID, w.now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// run runs the backend's loops until the test ends.
func (w *world) run() {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	b := w.b
	go func() { defer close(done); b.Run(ctx) }()
	w.stopRun = sync.OnceFunc(func() { stop(); <-done })
	w.t.Cleanup(w.stopRun)
}

// later moves the clock and wakes whoever waits for it.
func (w *world) later(d time.Duration) {
	w.clock.Add(d)
	w.b.WakeWebhooks()
}

// patience ends a test that would never end: a busy machine is no fault.
const patience = 2 * time.Minute

// eventually waits until f is content.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
