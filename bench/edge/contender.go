package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
)

// contender is one proxy under test.
type contender struct {
	name       string
	what       string // one line for the report
	address    string
	tlsAddress string // empty: it has no TLS here
	admin      string // Caddy's admin endpoint, if it is open
	command    func() *exec.Cmd
	process    *exec.Cmd
	roots      *x509.CertPool
	cookies    []string               // sessions' cookies, sent in turn
	secure     string                 // what precedes the cookie's name over TLS
	tagged     bool                   // writes our tag into pages
	figures    map[load][]figure      // by round
	paced      []pacedFigure          // by round
	memory     map[protocol][]float64 // bytes for each idle connection, by round

}

// figure is what one measurement gave.
type figure struct {
	cpu  float64 // µs of the proxy for each request
	busy float64 // share of its core that the proxy used
}

// does tells whether the contender takes part in a load.
func (c *contender) does(l load) bool {
	return l.protocol == http1 || c.tlsAddress != ""
}

// cookie is the n-th session's, with its name.
func (c *contender) cookie(p protocol, n int) string {
	prefix := ""
	if p != http1 {
		prefix = c.secure
	}
	return prefix + "session_gate=" + c.cookies[n%len(c.cookies)]
}

// start starts the process, and waits until it answers.
func (c *contender) start(f *field) error {
	c.process = c.command()
	return f.start(c.process, "http://"+c.address+cells[0].path())
}

// restart starts a process that has not served anything yet.
func (c *contender) restart(f *field) error {
	_ = c.process.Process.Signal(syscall.SIGTERM)
	_ = c.process.Wait()
	f.forget(c.process)
	return c.start(f)
}

// processIDs names the processes whose CPU and memory count.
func (c *contender) processIDs() []int { return proc.Tree(c.process.Process.Pid) }

// crowd are the connections of a load.
type crowd []client

func (c *contender) open(ctx context.Context, l load) (crowd, error) {
	var list crowd
	for i := range l.conns {
		// Connections begin at different sessions.
		conn, err := c.dial(ctx, l, i*9)
		if err != nil {
			list.close()
			return nil, err
		}
		list = append(list, conn)
	}
	return list, nil
}

func (list crowd) close() {
	for _, c := range list {
		c.close()
	}
}

// run lets each connection ask as long as more says so, and returns how many
// answers came. Nothing is in flight before and after.
func (list crowd) run(more func() func() bool) (int, error) {
	var sum atomic.Int64
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, c := range list {
		all.Go(func() {
			n, err := c.run(more())
			sum.Add(int64(n))
			errs[i] = err
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return int(sum.Load()), err // when a proxy fails, all connections say so
		}
	}
	return int(sum.Load()), nil
}

// times is a condition that holds n times, for each connection.
func times(n int) func() func() bool {
	return func() func() bool {
		left := n
		return func() bool {
			left--
			return left >= 0
		}
	}
}

// until is a condition that holds for a while, or until ctx is done.
func until(ctx context.Context, d time.Duration) func() func() bool {
	var over atomic.Bool
	timer := time.AfterFunc(d, func() { over.Store(true) })
	context.AfterFunc(ctx, func() { timer.Stop(); over.Store(true) })
	return func() func() bool { return func() bool { return !over.Load() } }
}

// measure runs a load for a while.
func (c *contender) measure(ctx context.Context, l load, d time.Duration) (figure, error) {
	list, err := c.open(ctx, l)
	if err != nil {
		return figure{}, err
	}
	defer list.close()
	// Warm: connections to the origin, pools, and the canary that looks at an
	// origin's first compressed answer.
	if _, err := list.run(times(max(3, 50/l.conns))); err != nil {
		return figure{}, err
	}
	pids := c.processIDs()
	before, err := proc.CPU(pids...)
	if err != nil {
		return figure{}, err
	}
	began := time.Now()
	n, err := list.run(until(ctx, d))
	if err != nil {
		return figure{}, err
	}
	took := time.Since(began)
	after, err := proc.CPU(pids...)
	if err != nil {
		return figure{}, err
	}
	used := after - before
	return figure{cpu: float64(used.Nanoseconds()) / 1e3 / float64(n), busy: float64(used) / float64(took)}, ctx.Err()
}

// checkGate looks whether a contender that writes our tag is a gate: that it
// refuses who has no session, and tells the origin of the session but not its
// token.
func (c *contender) checkGate(ctx context.Context) error {
	if !c.tagged {
		return nil
	}
	ask := func(cookie string) (int, string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+identityPath, nil)
		if err != nil {
			return 0, "", err
		}
		req.Host = host
		if cookie != "" {
			req.Header.Set("Cookie", "theme=dark; "+cookie)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), err
	}
	if status, text, err := ask(""); err != nil || status == http.StatusOK {
		return errors.Join(err, fmt.Errorf("without a session it answered %d %.100q", status, text))
	}
	status, text, err := ask(c.cookie(http1, 0))
	session, hidden := strings.CutSuffix(text, ", token false")
	if err != nil || status != http.StatusOK || session == "session " || !hidden {
		return errors.Join(err, fmt.Errorf("it answered %d, and the origin was told %q", status, text))
	}
	return nil
}

// check looks whether the contender answers a load as it should.
func (c *contender) check(ctx context.Context, l load) error {
	l.conns = 1
	list, err := c.open(ctx, l)
	if err != nil {
		return err
	}
	defer list.close()
	_, err = list.run(times(2))
	return err
}
