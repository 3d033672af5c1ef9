package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	streamEdges     = 100
	streamProviders = 100
	streamRate      = 5000 // changes a second
	streamFor       = 20 * time.Second
	streamSessions  = 10_000
	// Sessions that end, by which the way to an edge is timed: so many a second.
	streamProbes = 50
	// The stream is not current any more if a change takes longer.
	streamLate = time.Second
)

// askStream publishes changes of sessions to Redis, as session services do, and follows
// them through one session service to a hundred edges in a process of their own.
func askStream(ctx context.Context, l *lab) (table, error) {
	t := table{
		title: "A hundred edges on the event stream",
		note: fmt.Sprintf("%d changes a second of %d sessions, of %d providers, are published in Redis for %s. One session service tells "+
			"%d edges, which run in one process. Edges hold the sessions that end, %d a second, and no others. Latency is from the call that publishes to the end of the "+
			"session at an edge. Where a second is not enough for 99 of 100, or changes are lost, the rate is halved and measured again.",
			streamRate, streamSessions, streamProviders, streamFor, streamEdges, streamProbes),
		columns: []string{"edges hear of", "changes", "CPU of the service, each change", "CPU of one edge, each change of all", "p50", "p99", "lost", "resets", "service's memory"},
	}
	for _, of := range []struct {
		name string
		each int // providers of one edge
	}{{"all providers", streamProviders}, {"one provider of a hundred", 1}} {
		for n := streamRate; n >= streamRate/16; n /= 2 {
			l.progress("%s, %d changes a second", of.name, n)
			r, err := l.measureStream(ctx, of.each, n)
			if err != nil {
				return t, err
			}
			t.add(of.name, rate(r.changes, r.took), micros(r.service, r.changes), micros(r.edges/streamEdges, r.changes),
				ms(r.heard.P50), ms(r.heard.P99), r.lost, r.heard.Resets, megabytes(r.memory))
			if r.heard.P99 < streamLate && r.lost == 0 {
				break
			}
		}
	}
	return t, nil
}

// streamed is what one run on the stream gave.
type streamed struct {
	changes        int
	took           time.Duration
	service, edges time.Duration // CPU
	memory         int64
	lost           int
	heard          heard
}

// measureStream runs a session service and edges that hear of so many providers each.
func (l *lab) measureStream(ctx context.Context, each, perSecond int) (r streamed, err error) {
	run := &lab{binary: l.binary, short: l.short}
	if run.dir, err = os.MkdirTemp(l.dir, "stream"); err != nil {
		return r, err
	}
	if err := os.Chmod(run.dir, 0o755); err != nil { // PostgreSQL runs as another user
		return r, err
	}
	defer func() {
		run.stop()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, run.logs())
		}
	}()
	database, err := run.postgres(ctx, false)
	if err != nil {
		return r, err
	}
	redis, err := run.redis(ctx)
	if err != nil {
		return r, err
	}
	key, err := run.key(ctx, database, "edge")
	if err != nil {
		return r, err
	}
	service, err := run.backend(ctx, "backend", database, "redis://"+redis.address)
	if err != nil {
		return r, err
	}
	during := streamFor
	if l.short {
		during = 3 * time.Second
	}
	edges, err := run.edges(edgesOptions{
		Backend: "http://" + service.address, Key: key, Edges: streamEdges, Each: each, Probes: streamProbes * int(during.Seconds()),
	})
	if err != nil {
		return r, err
	}
	publisher, err := coord.NewRedis("redis://"+redis.address, coord.DefaultLog, time.Now, zap.NewNop())
	if err != nil {
		return r, err
	}
	defer publisher.Close()
	serviceBefore, err := service.cpu()
	if err != nil {
		return r, err
	}
	edgesBefore, err := edges.cpu()
	if err != nil {
		return r, err
	}
	begun := time.Now()
	if r.changes, err = publishFor(ctx, publisher, during, perSecond); err != nil {
		return r, err
	}
	r.took = time.Since(begun)
	expected := r.changes * streamEdges * each / streamProviders
	if r.heard, err = edges.heardAll(ctx, expected); err != nil {
		return r, err
	}
	r.lost = max(0, expected-r.heard.Events)
	after, err := service.cpu()
	if err != nil {
		return r, err
	}
	r.service = after - serviceBefore
	if after, err = edges.cpu(); err != nil {
		return r, err
	}
	r.edges = after - edgesBefore
	r.memory, err = service.memory()
	return r, err
}

// publishFor publishes changes at a rate, and returns how many.
func publishFor(ctx context.Context, to *coord.Redis, during time.Duration, perSecond int) (int, error) {
	work := make(chan coord.State, 1000)
	var workers sync.WaitGroup
	var failed atomic.Int64
	for range 32 {
		workers.Go(func() {
			for s := range work {
				err := to.Publish(ctx, s)
				for tries := 0; err != nil && tries < 50 && ctx.Err() == nil; tries++ { // a busy machine
					time.Sleep(100 * time.Millisecond)
					s.Version++ // the last one may be stored, and not told
					err = to.Publish(ctx, s)
				}
				if err != nil {
					failed.Add(1)
				}
			}
		})
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	begun, sent, probes := time.Now(), 0, 0
	versions := make([]int64, streamSessions)
	for elapsed := time.Duration(0); elapsed < during && ctx.Err() == nil; elapsed = time.Since(begun) {
		<-tick.C
		for ; sent < int(elapsed.Seconds()*float64(perSecond)); sent++ {
			if probes < int(elapsed.Seconds()*streamProbes) {
				work <- probeState(probes, protocol.Revoked, time.Now())
				probes++
				continue
			}
			n := sent % streamSessions
			versions[n] += 100
			work <- encodeState(fmt.Sprintf("ses_%020d", n), n%streamProviders, versions[n], protocol.Active, "https://market.example/done?order=4711")
		}
	}
	close(work)
	workers.Wait()
	if n := failed.Load(); n > 0 {
		return sent, fmt.Errorf("%d changes could not be published", n)
	}
	return sent, ctx.Err()
}

// probeState is the state of a session whose way to the edges is timed.
func probeState(n int, status protocol.Status, at time.Time) coord.State {
	version := int64(1)
	if status.Terminal() {
		version = 2
	}
	return encodeState(fmt.Sprintf("probe_%06d", n), n%streamProviders, version, status, fmt.Sprintf("https://market.example/done?at=%d", at.UnixNano()))
}

func encodeState(id string, provider int, version int64, status protocol.Status, returnURL string) coord.State {
	now := time.Now()
	st := protocol.LiveState{
		ID: id, UserID: "user_1234567890", ProviderID: providerName(provider), Status: status, Version: version,
		ExpiresAt: now.Unix() + 3600, StartedAt: now.Unix(), DurationLimitSeconds: 3600, TokensAllocated: 100, ReturnURL: returnURL,
		SettlementPolicy: protocol.SettlementProrated, WarningSeconds: []int64{300, 60},
		Extension: &protocol.Extension{AdditionalSeconds: 600, Tokens: 10, MaxCount: 5}, Pause: &protocol.PauseRight{MaxCount: 3, MaxSeconds: 600},
	}
	data, err := json.Marshal(st)
	if err != nil {
		panic(err) // numbers and strings alone
	}
	return coord.State{ID: id, Version: version, Data: data, Forget: now.Add(time.Hour)}
}

func providerName(n int) string { return fmt.Sprintf("prov_%03d", n) }

// edgesProcess is a process with edges; see runEdges.
type edgesProcess struct {
	*process
	ask    io.Writer
	answer *bufio.Scanner
}

// edges starts a process with edges, and waits until all of them follow the service.
func (l *lab) edges(o edgesOptions) (*edgesProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	p := &edgesProcess{process: &process{name: "edges", cmd: exec.Command(program, "-edges", string(line))}}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.ask, p.answer = in, bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	l.processes = append(l.processes, p.process)
	if !p.answer.Scan() {
		return nil, errors.New("the edges did not start")
	}
	return p, nil
}

// heardAll asks the edges what they heard until it is all, or no more arrives for a while.
func (p *edgesProcess) heardAll(ctx context.Context, expected int) (h heard, err error) {
	for quiet := 0; quiet < 10; {
		select {
		case <-ctx.Done():
			return h, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		if _, err := fmt.Fprintln(p.ask); err != nil {
			return h, err
		}
		if !p.answer.Scan() {
			return h, errors.New("the edges ended")
		}
		before := h.Events
		if err := json.Unmarshal(p.answer.Bytes(), &h); err != nil {
			return h, err
		}
		if quiet++; h.Events != before {
			quiet = 0
		}
		if h.Events >= expected {
			break
		}
	}
	return h, nil
}
