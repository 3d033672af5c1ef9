package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	resetEdges    = 20
	resetSessions = 50_000 // of each edge
	resetRate     = 10_000 // sessions asked for each second, at all edges together
	resetLimit    = 2 * time.Minute
	simulate      = "simulate-edges"
)

// reset asks what it costs to confirm all sessions of all edges after the event stream
// was reset.
func reset(ctx context.Context, l *lab) (table, error) {
	t := table{
		title: "A reset of the event stream",
		note: fmt.Sprintf("A session service on PostgreSQL and Redis, and %d edges in one process, each with %d sessions. Redis is emptied; then sessions are\n"+
			"asked for in random order, %d each second, until the backend has confirmed all of them.", resetEdges, l.scaled(resetSessions), resetRate),
		columns: []string{"what", "figure"},
	}
	each := l.scaled(resetSessions)
	p, err := l.populate(ctx, resetEdges*each)
	if err != nil {
		return t, err
	}
	child, err := p.simulate(ctx, each)
	if err != nil {
		return t, err
	}
	defer child.stop()
	if err := child.until("ready"); err != nil {
		return t, err
	}
	time.Sleep(2 * time.Second) // PostgreSQL counts queries with a delay
	before, err := p.usage(ctx)
	if err != nil {
		return t, err
	}
	opened := p.connections()
	conn, err := net.Dial("tcp", p.redis.address)
	if err != nil {
		return t, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "FLUSHALL\r\n"); err != nil {
		return t, err
	}
	if _, err := io.WriteString(child.in, "go\n"); err != nil {
		return t, err
	}
	if err := child.until("done"); err != nil {
		return t, err
	}
	var r resetResult
	if err := json.Unmarshal(child.said, &r); err != nil {
		return t, err
	}
	most := opened()
	time.Sleep(2 * time.Second)
	after, err := p.usage(ctx)
	if err != nil {
		return t, err
	}
	n := r.Confirmed
	t.add("sessions confirmed", fmt.Sprintf("%d of %d", n, p.n))
	t.add("from the reset to the last one", r.Last.Round(10*time.Millisecond))
	t.add("`Confirm`, p50", ms(r.P50))
	t.add("`Confirm`, p99", ms(r.P99))
	t.add("slowest", ms(r.Max))
	states, beats := after.calls[protocol.EdgeStates]-before.calls[protocol.EdgeStates], after.calls[protocol.EdgeHeartbeats]-before.calls[protocol.EdgeHeartbeats]
	t.add("calls for states", states)
	t.add("batches of heartbeats and of the sweep", beats)
	t.add("calls refused", after.refused[protocol.EdgeStates]-before.refused[protocol.EdgeStates]+after.refused[protocol.EdgeHeartbeats]-before.refused[protocol.EdgeHeartbeats])
	t.add("sessions for each call", fmt.Sprintf("%.0f", float64(n)/float64(max(1, states+beats))))
	t.add("queries of the database", after.queries-before.queries)
	t.add("CPU of the service for each session", micros(after.service-before.service, n))
	t.add("CPU of PostgreSQL for each session", micros(after.postgres-before.postgres, n))
	t.add("open connections and files of the service, at most", most)
	return t, nil
}

// child is the process with the edges.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	said []byte // what followed the word that was waited for
}

func (p *population) simulate(ctx context.Context, each int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	state, err := json.Marshal(p.first)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, simulate, "http://"+p.service.address, strconv.Itoa(each), string(state))}
	c.cmd.Env = append(os.Environ(), "SCALE_EDGE_KEY="+p.edgeKey)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	return c, c.cmd.Start()
}

// until waits for a line that begins with a word.
func (c *child) until(word string) error {
	for c.out.Scan() {
		if line := c.out.Text(); len(line) >= len(word) && line[:len(word)] == word {
			c.said = []byte(line[len(word):])
			return nil
		}
	}
	return errors.Join(c.out.Err(), errors.New("the edges ended"))
}

func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// resetResult is what the edges measured.
type resetResult struct {
	Confirmed           int
	Last, P50, P99, Max time.Duration
}

// simulated is the process with the edges: their backend, how many sessions each has, and
// the state of the first.
func simulated(ctx context.Context, args []string) error {
	base, err := url.Parse(args[0])
	if err != nil {
		return err
	}
	each, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var st protocol.LiveState
	if err := json.Unmarshal([]byte(args[2]), &st); err != nil {
		return err
	}
	f := &fleet{}
	for range resetEdges {
		e := edge.New(base, os.Getenv("SCALE_EDGE_KEY"), zap.NewNop())
		e.Start()
		f.edges = append(f.edges, e)
	}
	time.Sleep(4 * time.Second) // their streams begin, and with them a reset
	first := st.ID
	for i := range resetEdges * each {
		st.ID = copyOf(first, i)
		f.sessions = append(f.sessions, f.edges[i%resetEdges].Sessions.Put(&st, edge.MonotonicMS()))
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	result, err := json.Marshal(f.confirmAll(ctx))
	fmt.Println("done" + string(result))
	return err
}

// fleet is all edges and their sessions: session i is at edge i mod [resetEdges].
type fleet struct {
	edges    []*edge.Edge
	sessions []*live.Session
}

// confirmAll asks for sessions at a steady rate until all were confirmed after now.
func (f *fleet) confirmAll(ctx context.Context) (r resetResult) {
	reset, began := edge.MonotonicMS(), time.Now()
	confirmed := func(s *live.Session) bool { return s.ConfirmedAt() > reset }
	for i, e := range f.edges { // until the reset has reached all of them
		for s := f.sessions[i]; !confirmed(s) && time.Since(began) < resetLimit; time.Sleep(10 * time.Millisecond) {
			e.Confirm(ctx, s, time.Minute)
		}
	}
	var mu sync.Mutex // guards took
	var took []time.Duration
	var under atomic.Int64
	var all sync.WaitGroup
	start, asked := time.Now(), 0
	left := rand.Perm(len(f.sessions))
	for len(left) > 0 && time.Since(began) < resetLimit {
		var again []int
		for _, i := range left {
			for float64(asked) >= resetRate*time.Since(start).Seconds() || under.Load() > 50_000 {
				time.Sleep(time.Millisecond)
			}
			asked++
			under.Add(1)
			all.Go(func() {
				defer under.Add(-1)
				at := time.Now()
				f.edges[i%resetEdges].Confirm(ctx, f.sessions[i], time.Minute)
				d := time.Since(at)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, d)
			})
			if time.Since(began) > resetLimit {
				break
			}
			if asked%1000 == 0 && f.unconfirmed(confirmed) == 0 {
				break
			}
		}
		all.Wait()
		for i, s := range f.sessions {
			if !confirmed(s) {
				again = append(again, i)
			}
		}
		left = again
	}
	for _, s := range f.sessions {
		if confirmed(s) {
			r.Confirmed++
		}
		r.Last = max(r.Last, time.Duration(s.ConfirmedAt()-reset)*time.Millisecond)
	}
	r.P50, r.P99, r.Max = quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1)
	return r
}

// unconfirmed looks for a session that is not confirmed, from where it found the last one.
func (f *fleet) unconfirmed(confirmed func(*live.Session) bool) (n int) {
	for _, s := range f.sessions {
		if !confirmed(s) {
			return 1
		}
	}
	return 0
}
