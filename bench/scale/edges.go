package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// edgesOptions say which edges a process runs.
type edgesOptions struct {
	Backend, Key string
	Edges        int
	Each         int // providers of one edge
	Probes       int // sessions that end
}

// heard is what the edges have heard so far.
type heard struct {
	Events, Resets, Ends int
	P50, P99             time.Duration
}

// listeners are the edges of one process.
type listeners struct {
	registries []*prometheus.Registry

	mu   sync.Mutex // guards took
	took []time.Duration
}

// runEdges runs edges until its input ends. It writes a line once all of them follow the
// service, and answers each line with what they heard.
func runEdges(options string) error {
	var o edgesOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	base, err := url.Parse(o.Backend)
	if err != nil {
		return err
	}
	config := zap.NewProductionConfig()
	config.Level.SetLevel(zap.WarnLevel)
	logger, err := config.Build()
	if err != nil {
		return err
	}
	var l listeners
	for n := range o.Edges {
		e := edge.New(base, o.Key, logger)
		registry := prometheus.NewRegistry()
		if err := e.Metrics.Register(registry); err != nil {
			return err
		}
		l.registries = append(l.registries, registry)
		for probe := range o.Probes {
			if provider := probe % streamProviders; o.Each == 1 && provider != n%streamProviders {
				continue
			}
			if err := l.hold(e, probe); err != nil {
				return err
			}
		}
		e.Start()
	}
	for l.sum("session_gate_stream_connected") < o.Edges {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)                        // all of them have opened a stream for all of their providers
	begin := l.sum("session_gate_stream_resets_total") // each stream begins with one
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		h := l.heard()
		h.Resets -= begin
		answer, err := json.Marshal(h)
		if err != nil {
			return err
		}
		fmt.Println(string(answer))
	}
	return nil
}

// hold has an edge hold a session with an open request, whose end is timed.
func (l *listeners) hold(e *edge.Edge, n int) error {
	var st protocol.LiveState
	if err := json.Unmarshal(probeState(n, protocol.Active, time.Now()).Data, &st); err != nil {
		return err
	}
	s := e.Sessions.Put(&st, edge.MonotonicMS())
	if code := s.Register(&live.Registration{Cutter: &probe{l, s}}); code != "" {
		return fmt.Errorf("a session that was added is refused: %s", code)
	}
	return nil
}

// probe is the open request of a session whose end is timed.
type probe struct {
	l *listeners
	s *live.Session
}

// Cut implements [live.Cutter].
func (p *probe) Cut(protocol.Code) {
	now := time.Now()
	_, text, _ := strings.Cut(p.s.ReturnURL(), "at=")
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return
	}
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.l.took = append(p.l.took, now.Sub(time.Unix(0, at)))
}

func (l *listeners) heard() heard {
	h := heard{Events: l.sum("session_gate_stream_events_total"), Resets: l.sum("session_gate_stream_resets_total")}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.Ends, h.P50, h.P99 = len(l.took), quantile(l.took, 0.5), quantile(l.took, 0.99)
	return h
}

// sum adds up a metric of all edges.
func (l *listeners) sum(name string) (n int) {
	for _, r := range l.registries {
		families, err := r.Gather()
		if err != nil {
			continue
		}
		for _, f := range families {
			if f.GetName() == name {
				for _, m := range f.GetMetric() {
					n += int(m.GetCounter().GetValue() + m.GetGauge().GetValue())
				}
			}
		}
	}
	return n
}
