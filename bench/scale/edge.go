package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

const (
	edgeHost     = "app.example"
	edgeSessions = 1_000_000
	edgeSample   = 19 // every 19th session's cookie is kept for requests, beats and streams
	edgeStreams  = 200
	edgeSpread   = 30 // seconds over which all sessions end
	edgePace     = 500
	edgeLength   = 10 * time.Second
)

// million asks what a million live sessions cost at one edge: entering, requests,
// heartbeats and ends.
func million(ctx context.Context, l *lab) (table, error) {
	t := table{
		title: "A million live sessions at one edge",
		note: "The real program with `origin`, HTTP/1.1 in the clear, and a session service that answers from memory, so that what counts is the edge.\n" +
			"The sessions end within " + fmt.Sprint(edgeSpread) + " seconds. CPU is the edge's alone; load and service share its two cores.",
		columns: []string{"work", "how much", "CPU of the edge", "p50", "p99"},
	}
	m := &crowd{lab: l, sessions: l.scaled(edgeSessions)}
	if err := m.start(ctx); err != nil {
		return t, err
	}
	defer m.close()
	// A few sessions first: what a request costs without the crowd.
	if _, err := m.enter(ctx, 0, min(1000, m.sessions/2)); err != nil {
		return t, err
	}
	if err := m.requests(ctx, &t, "pages of 2 KB, a thousand sessions held"); err != nil {
		return t, err
	}
	before, err := m.edge.memory()
	if err != nil {
		return t, err
	}
	for _, measure := range []func(context.Context, *table) error{
		m.entries,
		func(ctx context.Context, t *table) error { return m.memory(t, before) },
		func(ctx context.Context, t *table) error {
			return m.requests(ctx, t, fmt.Sprintf("pages of 2 KB, %d sessions held", m.sessions))
		},
		m.heartbeats,
		m.ends,
	} {
		if err := measure(ctx, &t); err != nil {
			return t, err
		}
	}
	return t, nil
}

// crowd is many sessions at one edge.
type crowd struct {
	*lab
	sessions int
	service  *stub
	edge     *process
	cookies  []string // of every edgeSample-th session
	client   *http.Client
}

func (m *crowd) start(ctx context.Context) (err error) {
	// The sessions last until the service's clock is set forward.
	if m.service, err = newStub(time.Now().Add(24*time.Hour).Unix(), edgeSpread); err != nil {
		return err
	}
	if m.edge, err = m.gated(ctx, m.service.address, "sgk_bench"); err != nil {
		return err
	}
	m.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	m.cookies = make([]string, (m.sessions+edgeSample-1)/edgeSample)
	return nil
}

func (m *crowd) close() { _ = m.service.server.Close() }

// enter has the sessions from first to before end enter by their launch links.
func (m *crowd) enter(ctx context.Context, first, end int) (took []time.Duration, err error) {
	const workers = 32
	var next atomic.Int64
	next.Store(int64(first))
	all := make([][]time.Duration, workers)
	errs := make([]error, workers)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			for errs[i] == nil && ctx.Err() == nil {
				n := int(next.Add(1) - 1)
				if n >= end {
					return
				}
				var d time.Duration
				if d, errs[i] = m.launch(ctx, n); n%100 == 0 {
					all[i] = append(all[i], d)
				}
				if n > 0 && n%100_000 == 0 {
					m.progress("%d of %d sessions have entered", n, end)
				}
			}
		})
	}
	running.Wait()
	for _, list := range all {
		took = append(took, list...)
	}
	return took, errors.Join(append(errs, ctx.Err())...)
}

func (m *crowd) launch(ctx context.Context, n int) (time.Duration, error) {
	raw, err := m.service.token(token.Launch, sessionID(n))
	if err != nil {
		return 0, err
	}
	began := time.Now()
	resp, err := m.ask(ctx, http.MethodGet, "/?session="+raw, "", nil)
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusSeeOther && resp.StatusCode != http.StatusFound || len(cookies) == 0 {
		return 0, fmt.Errorf("entering: %s", resp.Status)
	}
	if n%edgeSample == 0 {
		m.cookies[n/edgeSample] = cookies[0].Name + "=" + cookies[0].Value
	}
	return took, nil
}

// ask sends a request to the edge and reads the response to its end.
func (m *crowd) ask(ctx context.Context, method, path, cookie string, body io.Reader) (*http.Response, error) {
	resp, err := m.open(ctx, method, path, cookie, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, err
}

func (m *crowd) open(ctx context.Context, method, path, cookie string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+m.edge.address+path, body)
	if err != nil {
		return nil, err
	}
	req.Host = edgeHost
	req.Header.Set("Accept", "text/html")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", "http://"+edgeHost)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	return m.client.Do(req)
}

// spent measures the edge's CPU while f runs.
func (m *crowd) spent(f func() error) (cpu, took time.Duration, err error) {
	before, err := m.edge.cpu()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := f(); err != nil {
		return 0, 0, err
	}
	took = time.Since(began)
	after, err := m.edge.cpu()
	return after - before, took, err
}

func (m *crowd) entries(ctx context.Context, t *table) error {
	first := min(1000, m.sessions/2)
	var took []time.Duration
	cpu, all, err := m.spent(func() (err error) {
		took, err = m.enter(ctx, first, m.sessions)
		return err
	})
	if err != nil {
		return err
	}
	n := m.sessions - first
	t.add("entries by launch link", fmt.Sprintf("%d, %s", n, rate(n, all)), micros(cpu, n)+" each", ms(quantile(took, 0.5)), ms(quantile(took, 0.99)))
	return nil
}

func (m *crowd) memory(t *table, before int64) error {
	after, err := m.edge.memory()
	if err != nil {
		return err
	}
	t.add("memory of the process", fmt.Sprintf("%s before, %s after", megabytes(before), megabytes(after)), fmt.Sprintf("%d B a session", (after-before)/int64(m.sessions)), "", "")
	return nil
}

// paced sends requests at a steady rate and returns how long each took.
func (m *crowd) paced(ctx context.Context, d time.Duration) ([]time.Duration, error) {
	n := int(d.Seconds() * edgePace)
	took, errs := make([]time.Duration, n), make([]error, n)
	held := m.held()
	began := time.Now()
	var all sync.WaitGroup
	for i := range n {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(began.Add(time.Duration(i) * time.Second / edgePace))):
		}
		all.Go(func() {
			sent := time.Now()
			resp, err := m.ask(ctx, http.MethodGet, "/page", held[i*7919%len(held)], nil)
			took[i] = time.Since(sent)
			if err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("a page with a session: %s", resp.Status)
			}
			errs[i] = err
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

// held are the cookies of sessions that have entered.
func (m *crowd) held() []string {
	for i, c := range m.cookies {
		if c == "" {
			return m.cookies[:i]
		}
	}
	return m.cookies
}

func (m *crowd) requests(ctx context.Context, t *table, what string) error {
	if _, err := m.paced(ctx, time.Second); err != nil { // warms the connections
		return err
	}
	var took []time.Duration
	cpu, _, err := m.spent(func() (err error) {
		took, err = m.paced(ctx, edgeLength)
		return err
	})
	if err != nil {
		return err
	}
	t.add(what, fmt.Sprintf("%d/s", edgePace), micros(cpu, len(took))+" each", ms(quantile(took, 0.5)), ms(quantile(took, 0.99)))
	return nil
}

// heartbeats sends beats as fast as the machine carries them.
func (m *crowd) heartbeats(ctx context.Context, t *table) error {
	const workers = 16
	held := m.held()
	counts, errs := make([]int, workers), make([]error, workers)
	var samples [workers][]time.Duration
	cpu, took, err := m.spent(func() error {
		over := time.Now().Add(edgeLength)
		var all sync.WaitGroup
		for i := range workers {
			all.Go(func() {
				for errs[i] == nil && time.Now().Before(over) && ctx.Err() == nil {
					began := time.Now()
					resp, err := m.ask(ctx, http.MethodPost, protocol.GateHeartbeat, held[(counts[i]*workers+i)%len(held)], strings.NewReader(`{"active":true}`))
					if err == nil && resp.StatusCode != http.StatusOK {
						err = fmt.Errorf("a heartbeat: %s", resp.Status)
					}
					errs[i] = err
					counts[i]++
					samples[i] = append(samples[i], time.Since(began))
				}
			})
		}
		all.Wait()
		return errors.Join(append(errs, ctx.Err())...)
	})
	if err != nil {
		return err
	}
	var list []time.Duration
	n := 0
	for i := range workers {
		n += counts[i]
		list = append(list, samples[i]...)
	}
	t.add("heartbeats of pages", rate(n, took), micros(cpu, n)+" each", ms(quantile(list, 0.5)), ms(quantile(list, 0.99)))
	return nil
}

// ends sets the service's clock to a moment before the first end, and measures how
// late streams of some sessions are cut while all of them end.
func (m *crowd) ends(ctx context.Context, t *table) error {
	held := m.held()
	streams := min(edgeStreams, len(held))
	late, errs := make([]time.Duration, streams), make([]error, streams)
	var all sync.WaitGroup
	var opened sync.WaitGroup
	for i := range streams {
		at := i * len(held) / streams
		opened.Add(1)
		all.Go(func() { late[i], errs[i] = m.streamUntilCut(ctx, held[at], int64(at*edgeSample), opened.Done) })
	}
	opened.Wait()
	m.service.offset.Store(m.service.ends*1000 - time.Now().UnixMilli() - 15_000)
	if err := m.clockIs(ctx, held[0]); err != nil {
		return err
	}
	cpu, took, err := m.spent(func() error {
		all.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		return err
	}
	t.add("ends", fmt.Sprintf("%d in %.0f s", m.sessions, took.Seconds()), micros(cpu, m.sessions)+" each", "", "")
	t.add("streams cut after their session's end", streams, "", ms(quantile(late, 0.5)), ms(quantile(late, 0.99)))
	return nil
}

// clockIs waits until the edge has the service's new clock.
func (m *crowd) clockIs(ctx context.Context, cookie string) error {
	for began := time.Now(); time.Since(began) < 12*time.Second; time.Sleep(50 * time.Millisecond) {
		resp, err := m.open(ctx, http.MethodPost, protocol.GateSession, cookie, strings.NewReader("{}"))
		if err != nil {
			return err
		}
		var in protocol.SessionAnswer
		err = json.NewDecoder(resp.Body).Decode(&in)
		resp.Body.Close()
		if err != nil {
			return fmt.Errorf("asking for the session: %s: %w", resp.Status, err)
		}
		if off := m.service.nowMS() - in.ServerTimeMS; off < 500 && off > -500 {
			return nil
		}
	}
	return errors.New("the edge did not take over the service's clock before sessions ended")
}

// streamUntilCut reads a stream until the edge ends it, and returns how long after the
// session's end that was.
func (m *crowd) streamUntilCut(ctx context.Context, cookie string, n int64, opened func()) (time.Duration, error) {
	resp, err := m.open(ctx, http.MethodGet, "/stream", cookie, nil)
	if err != nil {
		opened()
		return 0, err
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	_, err = r.ReadString('\n')
	opened()
	if err != nil {
		return 0, fmt.Errorf("opening a stream: %s: %w", resp.Status, err)
	}
	_, _ = io.Copy(io.Discard, r) // until it is cut
	late := time.Duration(m.service.nowMS()-m.service.endOf(n)*1000) * time.Millisecond
	if late < -time.Second {
		return 0, fmt.Errorf("a stream ended %s before its session", -late)
	}
	return late, nil
}
