package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// table is a set of loads that is measured, and printed, together.
type table struct {
	title string
	note  string
	loads []load
	share float64 // of the time that -each gives a cell
}

// tables are what is measured by CPU for each request.
func tables(o options) []table {
	list := []table{
		{title: "32 connections", share: 1, loads: pageLoads(many),
			note: "HTTP/1.1 without TLS. Each connection asks for one page after another."},
		{title: "TLS, 32 connections", share: 1, loads: tlsLoads(),
			note: fmt.Sprintf("TLS 1.3, kept-open connections. HTTP/2 has %d requests in flight on each connection.", streams)},
		{title: "Beside pages, 32 connections", share: 1, loads: otherLoads(),
			note: "HTTP/1.1 without TLS. The WebSocket's message has 64 bytes; what counts is one message to the origin and its echo."},
		{title: "One connection", share: 0.5, loads: pageLoads(1),
			note: "HTTP/1.1 without TLS. One request at a time: the proxy falls asleep between requests."},
	}
	var some []table
	for _, t := range list {
		if t.loads = chosen(t.loads, o.run); len(t.loads) > 0 {
			some = append(some, t)
		}
	}
	return some
}

// The rows that no load of the tables is.
const (
	latencyLoad = "latency"
	memoryLoad  = "memory"
)

// bench is one run.
type bench struct {
	options
	field      *field
	contenders []*contender
	tables     []table
	began      time.Time
	expected   time.Duration
}

// overhead is what a measurement takes beside its own time: opening connections,
// warming up, and answers that are in flight at the end.
const overhead = 100 * time.Millisecond

// estimate is how long the run will take, and how many measurements it has.
func (b *bench) estimate() time.Duration {
	var round time.Duration
	for _, t := range b.tables {
		for _, l := range t.loads {
			for _, c := range b.contenders {
				if c.does(l) {
					round += b.time(t) + overhead
				}
			}
		}
	}
	if b.run.MatchString(latencyLoad) {
		round += time.Duration(len(b.contenders)) * (b.pacedTime() + overhead)
	}
	sum := time.Duration(b.rounds) * round
	if b.run.MatchString(memoryLoad) {
		for _, c := range b.contenders {
			for _, p := range memoryProtocols {
				if c.does(load{protocol: p}) {
					sum += time.Duration(memoryRounds(b.rounds)) * (memoryTime + time.Duration(b.idle)*700*time.Microsecond)
				}
			}
		}
	}
	return sum
}

func (b *bench) time(t table) time.Duration {
	return time.Duration(float64(b.each) * t.share)
}

// prove checks that each contender does what it is measured for.
func (b *bench) prove(ctx context.Context) error {
	for _, c := range b.contenders {
		if err := c.checkGate(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		for _, t := range b.tables {
			for _, l := range t.loads {
				if !c.does(l) {
					continue
				}
				if err := c.check(ctx, l); err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, l, err)
				}
			}
		}
	}
	return ctx.Err()
}

// measure runs everything, in rounds.
func (b *bench) measure(ctx context.Context) error {
	b.began, b.expected = time.Now(), b.estimate()
	fmt.Fprintf(os.Stderr, "measuring %d contenders in %d rounds takes about %s\n", len(b.contenders), b.rounds, minutes(b.expected))
	if busy := machineLoad(); busy > 2 {
		fmt.Fprintf(os.Stderr, "other programs are running (the machine's load is %.1f): wait until they are done, or do not trust the figures\n", busy)
	}
	for round := range b.rounds {
		for _, t := range b.tables {
			for _, l := range t.loads {
				for _, c := range b.inTurn(round) {
					if !c.does(l) {
						continue
					}
					got, err := c.measure(ctx, l, b.time(t))
					if err != nil {
						return fmt.Errorf("%s, %s: %w", c.name, l, err)
					}
					c.figures[l] = append(c.figures[l], got)
				}
			}
		}
		if b.run.MatchString(latencyLoad) {
			for _, c := range b.inTurn(round) {
				if err := c.measurePaced(ctx, b.pacedTime()); err != nil {
					return fmt.Errorf("%s, %d requests a second: %w", c.name, pace, err)
				}
			}
		}
		b.progress("round %d of %d", round+1, b.rounds)
	}
	if !b.run.MatchString(memoryLoad) {
		return nil
	}
	for round := range memoryRounds(b.rounds) {
		for _, p := range memoryProtocols {
			for _, c := range b.inTurn(round) {
				if !c.does(load{protocol: p}) {
					continue
				}
				if err := c.measureMemory(ctx, b.field, p, b.idle); err != nil {
					return fmt.Errorf("%s, %d idle connections: %w", c.name, b.idle, err)
				}
			}
		}
		b.progress("memory, round %d of %d", round+1, memoryRounds(b.rounds))
	}
	return nil
}

// inTurn are the contenders in an order that turns with each round, so that none
// is always first.
func (b *bench) inTurn(round int) []*contender {
	at := round % len(b.contenders)
	return append(append([]*contender(nil), b.contenders[at:]...), b.contenders[:at]...)
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s of about %s: %s done\n", minutes(time.Since(b.began)), minutes(b.expected), fmt.Sprintf(format, args...))
}

func minutes(d time.Duration) string {
	return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
}

// machineLoad is how many programs ran or waited for a core in the last minute.
func machineLoad() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}
