// Command edge measures what the gate costs: CPU of the proxy process for each
// request, next to the same binary as a plain proxy and to what else could
// stand there, in one run.
//
//	make bench
//
// The proxy under test is pinned to one core; load, origin and session service
// share the other. Each cell is the median of interleaved rounds, so that a
// noisy machine disturbs all contenders alike: read the ratios.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == bareCommand {
		if err := bareProxy(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	var o options
	flag.StringVar(&o.binary, "binary", "bin/sessiongate", "the program under test")
	flag.IntVar(&o.rounds, "rounds", 11, "interleaved rounds; the median counts")
	flag.IntVar(&o.sessions, "sessions", 300, "live sessions whose cookies are sent in turn")
	flag.DurationVar(&o.each, "each", 400*time.Millisecond, "how long each contender runs in each round and cell")
	flag.IntVar(&o.idle, "idle", 3000, "idle connections whose memory is measured")
	flag.BoolVar(&o.short, "short", false, "few short rounds, to try something: not for the record")
	flag.StringVar(&o.out, "out", "", "file for the tables; a complete run writes bench/RESULTS.md by itself")
	flag.StringVar(&o.only, "only", "", "contenders to run, by parts of their names, with commas (plain Caddy always runs)")
	pattern := flag.String("run", "", "loads to run, by a regular expression for their names, as in \"2 KB, gzip, TLS\"; \"latency\" and \"memory\" are loads too")
	flag.StringVar(&o.env, "env", "", "NAME=VALUE for the gates alone, to try a setting")
	flag.StringVar(&o.profile, "profile", "", "write profiles of the gates under load to this folder, and measure nothing")
	flag.Parse()
	var err error
	if o.run, err = regexp.Compile(*pattern); err != nil {
		fmt.Fprintln(os.Stderr, "bench: -run:", err)
		os.Exit(2)
	}
	if o.out == "" && !o.short && *pattern == "" && o.only == "" && o.env == "" {
		o.out = "bench/RESULTS.md"
	}
	if o.short {
		o.rounds, o.each, o.idle = min(o.rounds, 3), min(o.each, 200*time.Millisecond), min(o.idle, 500)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	binary   string
	rounds   int
	sessions int
	each     time.Duration
	idle     int
	short    bool
	out      string
	only     string
	run      *regexp.Regexp
	env      string
	profile  string
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "sessiongate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	f, err := newField(ctx, o.binary, dir, o.sessions)
	if f != nil {
		defer f.stop()
	}
	if err != nil {
		return err
	}
	f.gateEnv, f.admin = o.env, o.profile != ""
	contenders, err := f.contenders(ctx, o.only)
	if err != nil {
		return err
	}
	if o.profile != "" {
		return profileAll(ctx, contenders, o)
	}
	b := &bench{options: o, field: f, contenders: contenders, tables: tables(o)}
	if err := b.prove(ctx); err != nil {
		return err
	}
	err = b.measure(ctx)
	report := b.report()
	fmt.Print(report)
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return fmt.Errorf("the tables are not complete: %w", err)
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report), 0o644)
}
