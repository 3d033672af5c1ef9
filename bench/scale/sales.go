package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	salesEach    = 20_000
	salesUsers   = 5_000
	salesCallers = 64
)

// sales asks how many sales and entries PostgreSQL carries, with one session service
// and with four, and which process the CPU goes to.
func sales(ctx context.Context, l *lab) (table, error) {
	t := table{
		title: "Sales and entries on PostgreSQL",
		note: fmt.Sprintf("PostgreSQL waits for its disk at each commit. Redis is shared. %d callers, %d users, one provider. A sale is POST /api/v1/sessions,\n"+
			"an entry POST /api/v1/edge/launch. CPU is for each sale or entry, by process.", salesCallers, salesUsers),
		columns: []string{"work", "services", "how much", "p50", "p99", "CPU of the services", "of PostgreSQL", "of Redis", "cores in use"},
	}
	database, err := l.postgres(ctx, true)
	if err != nil {
		return t, err
	}
	redis, err := l.redis(ctx)
	if err != nil {
		return t, err
	}
	m := &market{lab: l, redis: redis, n: l.scaled(salesEach), users: l.scaled(salesUsers)}
	keys := map[string]string{}
	for _, role := range []string{"admin", "marketplace", "edge"} {
		if keys[role], err = l.key(ctx, database, role); err != nil {
			return t, err
		}
	}
	for i := range 4 {
		p, err := l.backend(ctx, "backend"+strconv.Itoa(i), database, "redis://"+redis.address)
		if err != nil {
			return t, err
		}
		m.services = append(m.services, p)
		m.shops = append(m.shops, newAPI(p.address, keys["marketplace"], salesCallers))
		m.edges = append(m.edges, newAPI(p.address, keys["edge"], salesCallers))
	}
	if err := m.prepare(ctx, newAPI(m.services[0].address, keys["admin"], 1)); err != nil {
		return t, err
	}
	for _, services := range []int{1, 4} {
		if err := m.measure(ctx, &t, services); err != nil {
			return t, err
		}
	}
	return t, nil
}

// market sells sessions through several session services.
type market struct {
	*lab
	redis    *process
	services []*process
	shops    []*api // by service, with a marketplace's key
	edges    []*api // by service, with an edge's key
	n, users int
}

// prepare creates the provider, and gives every user tokens.
func (m *market) prepare(ctx context.Context, admin *api) error {
	err := admin.post(ctx, "/api/v1/providers", map[string]any{
		"id": stubProvider, "name": "Scale", "app_url": "http://app.example/", "policies": map[string]any{"return_hosts": []string{"market.example"}},
	}, nil)
	if err != nil {
		return err
	}
	_, err = m.each(ctx, m.users, func(i int) error {
		return m.shops[0].post(ctx, "/api/v1/users/u"+strconv.Itoa(i)+"/tokens", map[string]any{"amount": 1_000_000}, nil)
	})
	return err
}

// each runs f for 0 to n-1 in as many goroutines as there are callers, and returns how
// long each took.
func (m *market) each(ctx context.Context, n int, f func(i int) error) ([]time.Duration, error) {
	took, errs := make([]time.Duration, n), make([]error, salesCallers)
	var next atomic.Int64
	var all sync.WaitGroup
	for c := range salesCallers {
		all.Go(func() {
			for errs[c] == nil && ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				began := time.Now()
				errs[c] = f(i)
				took[i] = time.Since(began)
			}
		})
	}
	all.Wait()
	return took, errors.Join(append(errs, ctx.Err())...)
}

// measure sells and enters through some of the services.
func (m *market) measure(ctx context.Context, t *table, services int) error {
	tokens := make([]string, m.n)
	err := m.row(ctx, t, "sales", services, func(i int) error {
		var sold struct {
			Token string `json:"token"`
		}
		err := m.shops[i%services].post(ctx, protocol.Sessions, map[string]any{
			"user_id": "u" + strconv.Itoa(i%m.users), "provider_id": stubProvider, "tokens_allocated": 1,
			"duration_limit_seconds": 3600, "return_url": "http://market.example/done",
		}, &sold)
		tokens[i] = sold.Token
		return err
	})
	if err != nil {
		return err
	}
	return m.row(ctx, t, "entries", services, func(i int) error {
		return m.edges[i%services].post(ctx, protocol.EdgeLaunch, protocol.LaunchRequest{
			Token: tokens[i], ProviderID: stubProvider, RedemptionID: fmt.Sprintf("redemption-%08d-%d", i, services),
		}, &protocol.LaunchAnswer{})
	})
}

func (m *market) row(ctx context.Context, t *table, what string, services int, f func(i int) error) error {
	before, err := m.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	took, err := m.each(ctx, m.n, f)
	if err != nil {
		return err
	}
	all := time.Since(began)
	after, err := m.cpu()
	if err != nil {
		return err
	}
	var sum time.Duration
	for i := range after {
		after[i] -= before[i]
		sum += after[i]
	}
	m.progress("%s with %d services: %s", what, services, rate(m.n, all))
	t.add(what, services, rate(m.n, all), ms(quantile(took, 0.5)), ms(quantile(took, 0.99)),
		micros(after[0], m.n), micros(after[1], m.n), micros(after[2], m.n), fmt.Sprintf("%.2f", sum.Seconds()/all.Seconds()))
	return nil
}

// cpu is what the services, PostgreSQL and Redis have used so far.
func (m *market) cpu() ([3]time.Duration, error) {
	var sum [3]time.Duration
	for _, p := range m.services {
		used, err := p.cpu()
		if err != nil {
			return sum, err
		}
		sum[0] += used
	}
	pid, err := os.ReadFile(filepath.Join(m.dir, "pg", "data", "postmaster.pid"))
	if err != nil {
		return sum, err
	}
	first, _, _ := strings.Cut(string(pid), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		return sum, err
	}
	if sum[1], err = proc.CPU(proc.Tree(postmaster)...); err != nil {
		return sum, err
	}
	sum[2], err = m.redis.cpu()
	return sum, err
}
