package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	restartSessions = 200_000
	restartRate     = 3000 // requests each second
	restartLimit    = 4 * time.Minute
)

// restart asks what it costs when an edge, or its session service, dies under traffic
// and starts again.
func restart(ctx context.Context, l *lab) (table, error) {
	t := table{
		title: "A restart under traffic",
		note: fmt.Sprintf("One edge with `origin`, one session service on PostgreSQL and Redis, %d live sessions. Sessions send requests in random order, %d each second,\n"+
			"over kept connections. A process is killed and started again at once; a session whose request failed sends another one later. Quantiles are\n"+
			"of the requests since the process answers again; at the given rate, one request of each session takes %d s.",
			l.scaled(restartSessions), restartRate, l.scaled(restartSessions)/restartRate),
		columns: []string{"killed", "until all sessions were admitted again", "p50", "p99", "refused", "failed", "calls for states", "CPU of the service for each session", "of PostgreSQL", "connections and files of the service"},
	}
	p, err := l.populate(ctx, l.scaled(restartSessions))
	if err != nil {
		return t, err
	}
	v := &visitors{population: p, cookies: make([]string, p.n)}
	if err := v.start(ctx); err != nil {
		return t, err
	}
	for _, killed := range []*process{v.edge, p.service} {
		if err := v.measure(ctx, &t, killed); err != nil {
			return t, err
		}
	}
	return t, nil
}

// visitors are the browsers of all sessions.
type visitors struct {
	*population
	edge    *process
	cookies []string
	client  *http.Client
}

// start signs the cookies and starts the edge and its app.
func (v *visitors) start(ctx context.Context) (err error) {
	var all sync.WaitGroup
	errs := make([]error, 4)
	for w := range errs {
		all.Go(func() {
			for i := w; i < v.n && errs[w] == nil; i += len(errs) {
				v.cookies[i], errs[w] = v.cookie(i)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if v.edge, err = v.gated(ctx, v.service.address, v.edgeKey); err != nil {
		return err
	}
	v.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 512, MaxConnsPerHost: 512},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}
	return nil
}

// measure kills a process, starts it again, and has each session send requests until it
// is admitted.
func (v *visitors) measure(ctx context.Context, t *table, killed *process) error {
	v.round(ctx, nil, time.Now().Add(3*time.Second)) // traffic goes on
	time.Sleep(2 * time.Second)
	before, err := v.usage(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	v.kill(killed)
	if err := v.lab.start(killed); err != nil {
		return err
	}
	health := "http://" + v.edge.address + edgeProbe
	if killed == v.service {
		health = "http://" + v.service.address + "/readyz"
		before.service, before.calls = 0, map[string]int64{}
	}
	opened := v.connections()
	var result round
	result.up = func() bool { return v.answers(health) }
	v.round(ctx, &result, began.Add(restartLimit))
	took, most := time.Since(began), opened()
	time.Sleep(2 * time.Second)
	after, err := v.usage(ctx)
	if err != nil {
		return err
	}
	all := fmt.Sprint(took.Round(100 * time.Millisecond))
	if result.left > 0 {
		all = fmt.Sprintf("%d were not within %v", result.left, restartLimit)
	}
	v.progress("%s killed: %s", killed.name, all)
	postgres := micros(after.postgres-before.postgres, v.n)
	if killed == v.service {
		postgres = "–" // its connections ended, and what they had used is not known any more
	}
	t.add("the "+killed.name, all, ms(quantile(result.took, 0.5)), ms(quantile(result.took, 0.99)), result.refused, result.failed,
		after.calls[protocol.EdgeStates]-before.calls[protocol.EdgeStates], micros(after.service-before.service, v.n), postgres, most)
	return ctx.Err()
}

func (v *visitors) answers(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// round is what became of the requests.
type round struct {
	up              func() bool
	took            []time.Duration
	refused, failed int // answered with another status than 200; not answered
	left            int // sessions that were not admitted
}

// round has the sessions send requests at a steady rate until each was admitted once, or
// until the end.
func (v *visitors) round(ctx context.Context, r *round, end time.Time) {
	var mu sync.Mutex // guards r and again
	var under atomic.Int64
	var all sync.WaitGroup
	var up atomic.Bool
	if r != nil {
		all.Go(func() {
			for !r.up() && time.Now().Before(end) {
				time.Sleep(20 * time.Millisecond)
			}
			up.Store(true)
		})
	}
	start, sent := time.Now(), 0
	for left := rand.Perm(v.n); len(left) > 0 && time.Now().Before(end) && ctx.Err() == nil; {
		var again []int
		for n, i := range left {
			for float64(sent) >= restartRate*time.Since(start).Seconds() || under.Load() > 10_000 {
				time.Sleep(time.Millisecond)
			}
			if time.Now().After(end) {
				mu.Lock()
				again = append(again, left[n:]...)
				mu.Unlock()
				break
			}
			sent++
			under.Add(1)
			all.Go(func() {
				defer under.Add(-1)
				since := up.Load()
				at := time.Now()
				status, err := v.visit(ctx, i)
				took := time.Since(at)
				mu.Lock()
				defer mu.Unlock()
				if r == nil {
					return
				}
				if since {
					r.took = append(r.took, took)
				}
				switch {
				case err != nil:
					r.failed++
				case status != http.StatusOK:
					r.refused++
				default:
					return
				}
				again = append(again, i)
			})
		}
		all.Wait()
		left = again
		if r != nil {
			r.left = len(left)
		}
	}
	all.Wait()
}

func (v *visitors) visit(ctx context.Context, i int) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.edge.address+"/data", nil)
	if err != nil {
		return 0, err
	}
	req.Host = edgeHost
	req.Header.Set("Cookie", v.cookies[i])
	resp, err := v.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = drain(resp)
	return resp.StatusCode, err
}
