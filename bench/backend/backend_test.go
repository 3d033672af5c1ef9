package backend_bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	callers = 32
	users   = 256
)

// service is a session service on SQLite, as an operator runs it.
type service struct {
	url, market, edge, provider string
	store                       string
	client                      *http.Client
}

func start(b *testing.B) *service {
	b.Helper()
	dir := b.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &service{
		url: "http://" + listener.Addr().String(), store: "sqlite:" + filepath.Join(dir, "bench.db"),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}},
	}
	back, err := backend.Open(context.Background(), backend.Config{DataDir: dir, Database: s.store, Issuer: s.url, KeyRate: -1}, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- back.ServeListener(ctx, listener) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if err := back.Audit(context.Background()); err != nil {
			b.Error(err)
		}
		if err := back.Close(); err != nil {
			b.Error(err)
		}
	})
	_, err = back.CreateProvider(ctx, store.Provider{ID: "prov_bench", Name: "Bench", Policies: store.Policies{ReturnHosts: []string{"m.example"}}})
	if err != nil {
		b.Fatal(err)
	}
	for role, to := range map[backend.Role]*string{backend.RoleMarketplace: &s.market, backend.RoleEdge: &s.edge, backend.RoleProvider: &s.provider} {
		id := ""
		if role == backend.RoleProvider {
			id = "prov_bench"
		}
		if *to, err = back.CreateAPIKey(ctx, role, id, "bench"); err != nil {
			b.Fatal(err)
		}
	}
	for u := range users {
		s.call(b, s.market, fmt.Sprintf("/api/v1/users/user_%d/tokens", u), map[string]any{"amount": 1_000_000_000})
	}
	return s
}

func (s *service) call(b *testing.B, key, path string, body any) []byte {
	var in io.Reader
	method := http.MethodGet
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			b.Error(err)
			return nil
		}
		in, method = bytes.NewReader(text), http.MethodPost
	}
	req, err := http.NewRequest(method, s.url+path, in)
	if err != nil {
		b.Error(err)
		return nil
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		b.Error(err)
		return nil
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		b.Errorf("%s answered %d %s %v", path, resp.StatusCode, out, err)
	}
	return out
}

func (s *service) sell(b *testing.B, n int64) string {
	var sold struct{ Session struct{ ID string } }
	out := s.call(b, s.market, "/api/v1/sessions", map[string]any{
		"user_id": fmt.Sprint("user_", n%users), "provider_id": "prov_bench", "tokens_allocated": 10, "duration_limit_seconds": 3600,
		"return_url": "https://m.example/",
	})
	if err := json.Unmarshal(out, &sold); err != nil {
		b.Error(err)
	}
	return sold.Session.ID
}

// BenchmarkSessions sells and settles sessions: by bare SQL transactions, and
// over HTTP with signatures. The client's half of the HTTP runs on the same
// processors.
func BenchmarkSessions(b *testing.B) {
	b.Run("sql", func(b *testing.B) {
		st, err := store.Open(context.Background(), "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), nil)
		if err != nil {
			b.Fatal(err)
		}
		defer st.Close()
		bare(b, st)
	})
	b.Run("http", func(b *testing.B) {
		s := start(b)
		var n atomic.Int64
		b.SetParallelism(callers / 2)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				id := s.sell(b, n.Add(1))
				s.call(b, s.market, "/api/v1/sessions/"+id+"/complete", map[string]any{})
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
	})
}

// bare does what a sale and a settlement do in SQL, and nothing else.
func bare(b *testing.B, st *store.Store) {
	ctx := context.Background()
	now := time.Now()
	do := func(f func(*store.Tx) error) {
		if err := st.Write(ctx, f); err != nil {
			b.Error(err)
		}
	}
	do(func(tx *store.Tx) error {
		return tx.InsertProvider(ctx, store.Provider{ID: "prov_bench", Name: "Bench"}, now)
	})
	for u := range users {
		do(func(tx *store.Tx) error {
			p, err := ledger.Credit(fmt.Sprint(u), fmt.Sprint("user_", u), 1_000_000_000, now)
			if err != nil {
				return err
			}
			return tx.Post(ctx, p)
		})
	}
	write := func(tx *store.Tx, tr session.Transition, p ledger.Posting, insert bool) error {
		var err error
		if insert {
			err = tx.Insert(ctx, tr, now)
		} else {
			err = tx.Update(ctx, tr, now)
		}
		if err == nil {
			err = tx.Post(ctx, p)
		}
		if err == nil {
			_, err = tx.Announce(ctx, store.Announcement{MessageID: tr.Session.ID, ProviderID: "prov_bench", Type: "session.started", Payload: "{}"}, now)
		}
		return err
	}
	var n atomic.Int64
	b.SetParallelism(callers / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id, err := uuid.NewV7()
			if err != nil {
				b.Error(err)
			}
			do(func(tx *store.Tx) error {
				if _, err := tx.Provider(ctx, "prov_bench"); err != nil {
					return err
				}
				tr, err := session.New(session.Order{ID: id.String(), UserID: fmt.Sprint("user_", n.Add(1)%users), ProviderID: "prov_bench", Tokens: 10, Duration: 3600}, now)
				if err != nil {
					return err
				}
				p, err := ledger.Open(tr.Session.ID, tr.Session.UserID, "prov_bench", tr.Hold, now)
				if err != nil {
					return err
				}
				return write(tx, tr, p, true)
			})
			do(func(tx *store.Tx) error {
				c, err := tx.Session(ctx, id.String())
				if err != nil {
					return err
				}
				tr, err := session.Apply(c, session.Complete{By: session.Marketplace}, now)
				if err != nil {
					return err
				}
				hold, err := tx.Hold(ctx, c.ID)
				if err != nil {
					return err
				}
				p, err := ledger.Settle(hold, tr.Settlement.Captured, tr.Settlement.Released, now)
				if err != nil {
					return err
				}
				return write(tx, tr, p, false)
			})
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
}

// BenchmarkHeartbeats reports 1000 sessions a batch, as an edge does, and counts
// the processor time of this whole process: the service and its loops, and the
// client that sends.
func BenchmarkHeartbeats(b *testing.B) {
	s := start(b)
	const batch = 1000
	req := protocol.HeartbeatsRequest{EdgeID: "bench"}
	for n := range int64(batch) {
		req.Beats = append(req.Beats, protocol.Heartbeat{ID: s.sell(b, n), Version: 1, At: time.Now().Unix(), Active: true, Count: 1})
	}
	b.ResetTimer()
	begun := processor(b)
	for b.Loop() {
		s.call(b, s.edge, protocol.EdgeHeartbeats, req)
	}
	used := processor(b) - begun
	b.ReportMetric(float64(used.Nanoseconds())/1000/float64(b.N)/batch, "µs-cpu/beat")
}

func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkYearOfAnalytics asks for a year by day of a provider that sold 100
// sessions on each.
func BenchmarkYearOfAnalytics(b *testing.B) {
	s := start(b)
	st, err := store.Open(context.Background(), s.store, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	ctx := context.Background()
	now := time.Now()
	for day := range 365 {
		at := now.AddDate(0, 0, -day)
		err := st.Write(ctx, func(tx *store.Tx) error {
			for n := range 100 {
				id, err := uuid.NewV7()
				if err != nil {
					return err
				}
				tr, err := session.New(session.Order{ID: id.String(), UserID: fmt.Sprint("user_", (day+n)%users), ProviderID: "prov_bench", Tokens: 10, Duration: 3600}, at)
				if err != nil {
					return err
				}
				p, err := ledger.Open(tr.Session.ID, tr.Session.UserID, "prov_bench", tr.Hold, at)
				if err != nil {
					return err
				}
				if err := tx.Insert(ctx, tr, at); err != nil {
					return err
				}
				if err := tx.Post(ctx, p); err != nil {
					return err
				}
				end, err := session.Apply(tr.Session, session.Complete{By: session.User}, at.Add(time.Minute))
				if err != nil {
					return err
				}
				if p, err = ledger.Settle(*p.Hold, end.Settlement.Captured, end.Settlement.Released, at.Add(time.Minute)); err != nil {
					return err
				}
				if err := tx.Update(ctx, end, at.Add(time.Minute)); err != nil {
					return err
				}
				if err := tx.Post(ctx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	path := "/api/v1/providers/prov_bench/analytics/revenue?from=" + now.AddDate(0, 0, -364).UTC().Format("2006-01-02") + "&to=" + now.UTC().Format("2006-01-02")
	begun := time.Now()
	for {
		var out struct{ Total struct{ Captured int64 } }
		if err := json.Unmarshal(s.call(b, s.provider, path, nil), &out); err != nil {
			b.Fatal(err)
		}
		if out.Total.Captured == 365*100*10 {
			break
		}
		if time.Since(begun) > time.Minute {
			b.Fatalf("the roll-up has %d", out.Total.Captured)
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.ResetTimer()
	for b.Loop() {
		s.call(b, s.provider, path, nil)
	}
}
