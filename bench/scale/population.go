package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/keyring"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// population is a session service on PostgreSQL and Redis with many live sessions: one
// that was sold and entered through the API, and copies of its row.
type population struct {
	*lab
	n              int
	database       string
	redis, service *process
	edgeKey        string
	first          protocol.LiveState
	claims         token.Claims // of the first session's token
	signer         *token.Signer
}

// populate starts the service and makes n sessions.
func (l *lab) populate(ctx context.Context, n int) (*population, error) {
	p := &population{lab: l, n: n}
	var err error
	// The service moves the keys that it finds in its folder into the database.
	ring, err := keyring.Open(ctx, keyring.Folder(backend.KeysDir(l.dir)), time.Now)
	if err != nil {
		return nil, err
	}
	p.signer = ring.Signer()
	if p.database, err = l.postgres(ctx, false); err != nil {
		return nil, err
	}
	if p.redis, err = l.redis(ctx); err != nil {
		return nil, err
	}
	if p.service, err = l.backend(ctx, "backend", p.database, "redis://"+p.redis.address); err != nil {
		return nil, err
	}
	if err := p.sell(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	_, err = l.sql(ctx, p.database, fmt.Sprintf(`SET session_replication_role = replica;
INSERT INTO sessions SELECT r.* FROM sessions o CROSS JOIN generate_series(1, %d) i
CROSS JOIN LATERAL jsonb_populate_record(o, jsonb_build_object('id', left(o.id, 24) || lpad(to_hex(i), 12, '0'))) r
WHERE o.id = '%s';
ANALYZE sessions;`, n-1, p.first.ID))
	if err != nil {
		return nil, err
	}
	l.progress("%d sessions made in %s", n, time.Since(began).Round(time.Second))
	return p, nil
}

// sell sells one session of a day and enters it.
func (p *population) sell(ctx context.Context) error {
	keys := map[string]string{}
	for _, role := range []string{"admin", "marketplace", "edge"} {
		var err error
		if keys[role], err = p.key(ctx, p.database, role); err != nil {
			return err
		}
	}
	p.edgeKey = keys["edge"]
	address := p.service.address
	err := newAPI(address, keys["admin"], 1).post(ctx, "/api/v1/providers", map[string]any{
		"id": stubProvider, "name": "Scale", "app_url": "http://app.example/", "policies": map[string]any{"return_hosts": []string{"market.example"}},
	}, nil)
	if err != nil {
		return err
	}
	shop := newAPI(address, keys["marketplace"], 1)
	if err := shop.post(ctx, "/api/v1/users/u/tokens", map[string]any{"amount": 1000}, nil); err != nil {
		return err
	}
	var sold struct {
		Token string `json:"token"`
	}
	err = shop.post(ctx, protocol.Sessions, map[string]any{
		"user_id": "u", "provider_id": stubProvider, "tokens_allocated": 1, "duration_limit_seconds": 86_400, "return_url": "http://market.example/done",
	}, &sold)
	if err != nil {
		return err
	}
	var entered protocol.LaunchAnswer
	err = newAPI(address, p.edgeKey, 1).post(ctx, protocol.EdgeLaunch, protocol.LaunchRequest{
		Token: sold.Token, ProviderID: stubProvider, RedemptionID: "redemption-00000000",
	}, &entered)
	if err != nil {
		return err
	}
	p.first = entered.Session
	_, _, err = jwt.NewParser().ParseUnverified(entered.SessionToken, &p.claims)
	return err
}

// id returns the id of a session by its number.
func (p *population) id(n int) string { return copyOf(p.first.ID, n) }

// copyOf returns the id of a copy of a session; the number 0 is the session itself.
func copyOf(id string, n int) string {
	if n == 0 {
		return id
	}
	return fmt.Sprintf("%s%012x", id[:24], n)
}

// cookie returns the cookie of a session, signed as the service signs it.
func (p *population) cookie(n int) (string, error) {
	claims := p.claims
	claims.ID = p.id(n)
	signed, err := p.signer.Sign(token.Session, claims)
	return "session_gate=" + signed, err
}

// usage is what was used up to a moment.
type usage struct {
	at       time.Time
	service  time.Duration // CPU
	postgres time.Duration // CPU
	queries  int64
	calls    map[string]int64 // answered by the service, by path
	refused  map[string]int64 // those with another status than 200
}

func (p *population) usage(ctx context.Context) (u usage, err error) {
	u = usage{at: time.Now(), calls: map[string]int64{}, refused: map[string]int64{}}
	if u.service, err = p.service.cpu(); err != nil {
		return u, err
	}
	if u.postgres, err = p.postgresCPU(); err != nil {
		return u, err
	}
	text, err := p.sql(ctx, p.database, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'sg'")
	if err != nil {
		return u, err
	}
	if u.queries, err = strconv.ParseInt(text, 10, 64); err != nil {
		return u, err
	}
	return u, p.eachMetric(ctx, func(name string, value float64) {
		rest, ok := strings.CutPrefix(name, "sessiongate_http_request_seconds_count{route=\"")
		if !ok {
			return
		}
		route, status, _ := strings.Cut(rest, "\"")
		path := route[strings.LastIndexByte(route, ' ')+1:]
		u.calls[path] += int64(value)
		if !strings.Contains(status, `"200"`) {
			u.refused[path] += int64(value)
		}
	})
}

// eachMetric calls f for each metric of the service.
func (p *population) eachMetric(ctx context.Context, f func(name string, value float64)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.service.address+"/metrics", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "} ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			f(name, n)
		} else if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				f(name, n)
			}
		}
	}
	return lines.Err()
}

// connections counts the files and sockets that the service has open, and keeps the
// largest number until stop is called.
func (p *population) connections() (stop func() int) {
	done, result := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.service.cmd.Process.Pid)); err == nil {
				most = max(most, len(list))
			}
			select {
			case <-done:
				result <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() int { close(done); return <-result }
}

// drain reads a response to its end, so that its connection is kept.
func drain(resp *http.Response) (int64, error) { return io.Copy(io.Discard, resp.Body) }
