package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/store/storetest"
)

const (
	killWriters = 16
	killUsers   = 8
)

// killRounds is 4, or what SESSIONGATE_KILL_ROUNDS says: `make test-long` sets 50.
func killRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SESSIONGATE_KILL_ROUNDS")
	if text == "" {
		return 4
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKilledUnderLoad kills the session service with SIGKILL at random moments
// while 16 writers sell, extend, end and credit, and starts it again. After each
// kill the ledger is recounted; every request whose answer was lost is sent
// again with its key, and has had, or has now, exactly one effect.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { killed(t, "") })
	t.Run("postgres", func(t *testing.T) {
		server, err := storetest.StartPostgres()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		}()
		killed(t, server.Database(t))
	})
}

// victim is a session service that is killed and started again.
type victim struct {
	t        *testing.T
	dir      string
	database string
	port     int
	market   string
	cmd      *exec.Cmd
	log      Log

	mu       sync.Mutex // guards all below
	credited map[string]int64
	settled  map[string]string
	requests int
}

func killed(t *testing.T, database string) {
	dir := t.TempDir()
	if database == "" {
		database = "sqlite:" + filepath.Join(dir, "kill.db")
	}
	v := &victim{t: t, dir: dir, database: database, port: freePorts(t), credited: map[string]int64{}, settled: map[string]string{}}
	v.market = v.apikey("marketplace")
	v.start()
	defer func() { v.kill() }()
	v.provider()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	rounds := killRounds(t)
	for round := range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		var writers sync.WaitGroup
		lost := make([]*killRequest, killWriters)
		for i := range killWriters {
			writers.Go(func() { lost[i] = v.write(ctx, fmt.Sprintf("%d-%d", round, i)) })
		}
		// At a random moment, once there is load.
		loaded := v.answered() + killWriters
		eventually(t, func() bool { return t.Failed() || v.answered() >= loaded }, func() string { return "the service answers under load" })
		time.Sleep(time.Duration(r.Int64N(int64(700 * time.Millisecond))))
		v.kill()
		cancel()
		writers.Wait()
		v.audit("after the kill")
		v.start()
		for _, req := range lost {
			if req != nil {
				v.again(req)
			}
		}
		v.check()
		v.audit("after the restart")
		if t.Failed() {
			t.Fatalf("in round %d of %d; the service wrote:\n%.4000s", round+1, rounds, v.log.String())
		}
	}
	t.Logf("%d rounds, %d answered writes", rounds, v.answered())
}

// answered is how many writes have been answered so far.
func (v *victim) answered() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests
}

func (v *victim) run(args ...string) *exec.Cmd {
	cmd := exec.Command(Binary(v.t), args...)
	cmd.Env = append(os.Environ(), "SESSIONGATE_DATABASE="+v.database, "SESSIONGATE_DATA="+v.dir, "HOME="+v.dir, "SESSIONGATE_LOG_LEVEL=warn")
	return cmd
}

func (v *victim) apikey(role string) string {
	v.t.Helper()
	out, err := v.run("apikey", "create", "--role", role).Output()
	if err != nil {
		v.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (v *victim) start() {
	v.t.Helper()
	v.cmd = v.run("backend", "--listen", "127.0.0.1:"+strconv.Itoa(v.port))
	v.cmd.Stdout, v.cmd.Stderr = &v.log, &v.log
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	eventually(v.t, func() bool {
		resp, err := http.Get(v.url("/readyz"))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	}, func() string { return "the service is ready:\n" + v.log.String() })
}

func (v *victim) kill() {
	if v.cmd == nil {
		return
	}
	if err := v.cmd.Process.Kill(); err != nil { // SIGKILL
		v.t.Error(err)
	}
	_ = v.cmd.Wait() // killed
	v.cmd = nil
}

func (v *victim) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", v.port, path) }

func (v *victim) provider() {
	v.t.Helper()
	admin := v.apikey("admin")
	req := &killRequest{path: "/api/v1/providers", key: "provider", bearer: admin, body: map[string]any{
		"id": "prov_kill", "name": "Kill", "policies": map[string]any{"settlement": "prorated", "return_hosts": []string{"m.example"}},
	}}
	if status, body, err := v.send(context.Background(), req); err != nil || status != 201 {
		v.t.Fatalf("%d %s %v", status, body, err)
	}
}

// killRequest is one write, to be sent again as it was.
type killRequest struct {
	path, key, bearer string
	body              any
	// What to note once it is answered.
	answered func(status int, body []byte)
}

func (v *victim) send(ctx context.Context, r *killRequest) (int, []byte, error) {
	text, err := json.Marshal(r.body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url(r.path), bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	bearer := r.bearer
	if bearer == "" {
		bearer = v.market
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", r.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// write writes until ctx ends or the service is gone, and returns the request
// whose answer never came.
func (v *victim) write(ctx context.Context, name string) *killRequest {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(len(name))))
	var open []string
	for n := 0; ; n++ {
		req := v.next(r, fmt.Sprintf("%s-%d", name, n), &open)
		status, body, err := v.send(ctx, req)
		if err != nil {
			return req
		}
		req.answered(status, body)
	}
}

func (v *victim) next(r *rand.Rand, key string, open *[]string) *killRequest {
	user := fmt.Sprint("user_", r.IntN(killUsers))
	req := &killRequest{key: key}
	switch n := r.IntN(10); {
	case n < 3:
		amount := int64(1 + r.IntN(500))
		req.path, req.body = "/api/v1/users/"+user+"/tokens", map[string]any{"amount": amount}
		req.answered = func(status int, body []byte) {
			v.note(status, body, 201)
			v.mu.Lock()
			defer v.mu.Unlock()
			v.credited[user] += amount
		}
	case n < 7 || len(*open) == 0:
		req.path = "/api/v1/sessions"
		req.body = map[string]any{
			"user_id": user, "provider_id": "prov_kill", "tokens_allocated": r.IntN(200), "duration_limit_seconds": 1 + r.IntN(100),
			"return_url": "https://m.example/",
		}
		req.answered = func(status int, body []byte) {
			v.note(status, body, 201, 402)
			var sold struct{ Session struct{ ID string } }
			if json.Unmarshal(body, &sold) == nil && sold.Session.ID != "" {
				*open = append(*open, sold.Session.ID)
			}
		}
	case n == 7:
		id := (*open)[r.IntN(len(*open))]
		req.path, req.body = "/api/v1/sessions/"+id+"/extend", map[string]any{"additional_seconds": 5, "tokens_to_deduct": r.IntN(50)}
		req.answered = func(status int, body []byte) { v.note(status, body, 200, 402, 401, 409) }
	default:
		id := (*open)[r.IntN(len(*open))]
		req.path, req.body = "/api/v1/sessions/"+id+"/complete", map[string]any{}
		req.answered = func(status int, body []byte) {
			v.note(status, body, 200)
			v.remember(id, body)
		}
	}
	return req
}

// note counts an answer and checks that it is one of those to expect.
func (v *victim) note(status int, body []byte, want ...int) {
	v.mu.Lock()
	v.requests++
	v.mu.Unlock()
	for _, w := range want {
		if status == w {
			return
		}
	}
	v.t.Errorf("answered %d: %s", status, body)
}

// remember keeps a settlement: it must never be another.
func (v *victim) remember(id string, body []byte) {
	var got struct {
		Session struct{ Settlement json.RawMessage }
	}
	if err := json.Unmarshal(body, &got); err != nil {
		v.t.Error(err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if before, ok := v.settled[id]; ok && before != string(got.Session.Settlement) {
		v.t.Errorf("session %s was settled as %s and is now %s", id, before, got.Session.Settlement)
	}
	v.settled[id] = string(got.Session.Settlement)
}

// again sends a request whose answer was lost, twice: both answers are the same.
func (v *victim) again(req *killRequest) {
	v.t.Helper()
	var answers [2]string
	for i := range answers {
		status, body, err := v.send(context.Background(), req)
		if err != nil {
			v.t.Fatal(err)
		}
		if i == 0 {
			req.answered(status, body)
		}
		answers[i] = fmt.Sprint(status) + essence(body)
	}
	if answers[0] != answers[1] {
		v.t.Errorf("the same request was answered\n%s\nand\n%s", answers[0], answers[1])
	}
}

// essence is an answer without what differs each time: signatures and clocks.
func essence(body []byte) string {
	var m map[string]any
	if json.Unmarshal(body, &m) != nil {
		return string(body)
	}
	for _, k := range []string{"token", "launch_url", "server_time_ms"} {
		delete(m, k)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// check compares what was acknowledged with what the service says now: every
// credit counted once, none lost.
func (v *victim) check() {
	v.t.Helper()
	db := v.open()
	defer db.Close()
	ctx := context.Background()
	for u := range killUsers {
		user := fmt.Sprint("user_", u)
		var credited int64
		f := store.EntryFilter{UserID: user, Limit: 1000}
		for {
			page, err := db.Entries(ctx, f)
			if err != nil {
				v.t.Fatal(err)
			}
			for _, e := range page {
				if e.Kind == "credit" {
					credited += e.Amount
				}
			}
			if len(page) < f.Limit {
				break
			}
			f.BeforeUS, f.BeforeID = page[len(page)-1].At, page[len(page)-1].ID
		}
		if credited != v.credited[user] {
			v.t.Errorf("%s was credited %d, and was told so of %d", user, credited, v.credited[user])
		}
	}
}

func (v *victim) open() *store.Store {
	v.t.Helper()
	db, err := store.Open(context.Background(), v.database, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return db
}

func (v *victim) audit(when string) {
	v.t.Helper()
	db := v.open()
	err := errors.Join(db.Audit(context.Background()), db.Close())
	if err != nil {
		v.t.Errorf("%s: %v", when, err)
	}
}
