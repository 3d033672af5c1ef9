package backend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

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
