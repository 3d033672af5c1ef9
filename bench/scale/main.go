// Command scale measures what one edge and one session service carry: a million live
// sessions at one edge, an edge that restarts under traffic, a lost event stream, a
// hundred edges on the stream, and sales and entries on PostgreSQL.
//
//	make bench-scale
//
// Everything runs on one machine: the load, the edges, the services, PostgreSQL and
// Redis share its cores. Read the CPU for each piece of work, not the totals.
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
	"strings"
	"syscall"
	"time"
)

// part is one of the questions that the bench answers.
type part struct {
	name string
	ask  func(context.Context, *lab) (table, error)
}

// parts are in the order of the report.
var parts = []part{
	{"edge", million},
	{"restart", restart},
	{"reset", reset},
	{"stream", askStream},
	{"sales", sales},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == simulate {
		if err := simulated(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.binary, "binary", "bin/sessiongate", "the program under test")
	flag.BoolVar(&o.short, "short", false, "a hundredth of the sessions, to try something: not for the record")
	flag.StringVar(&o.out, "out", "", "file for the tables; a complete run writes bench/SCALE.md by itself")
	pattern := flag.String("run", "", "parts to run, by a regular expression for their names: "+names())
	edges := flag.String("edges", "", "runs edges, for the bench itself")
	flag.Parse()
	if *edges != "" {
		if err := runEdges(*edges); err != nil {
			fmt.Fprintln(os.Stderr, "bench: edges:", err)
			os.Exit(1)
		}
		return
	}
	var err error
	if o.run, err = regexp.Compile(*pattern); err != nil {
		fmt.Fprintln(os.Stderr, "bench: -run:", err)
		os.Exit(2)
	}
	if o.out == "" && !o.short && *pattern == "" {
		o.out = "bench/SCALE.md"
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	binary string
	short  bool
	out    string
	run    *regexp.Regexp
}

// names lists the parts for the help text.
func names() string {
	var list []string
	for _, p := range parts {
		list = append(list, p.name)
	}
	return strings.Join(list, ", ")
}

func run(ctx context.Context, o options) error {
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return err
	}
	var tables []table
	var failed error
	for _, p := range parts {
		if !o.run.MatchString(p.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), p.name)
		t, err := inLab(ctx, p, binary, o.short)
		if err = cmp.Or(ctx.Err(), err); err != nil {
			failed = fmt.Errorf("%s: %w", p.name, err)
			break
		}
		tables = append(tables, t)
	}
	report := report(binary, tables)
	fmt.Print(report)
	if failed != nil {
		return fmt.Errorf("the tables are not complete: %w", failed)
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(report), 0o644)
}

// inLab runs a part with processes of its own, which end with it.
func inLab(ctx context.Context, p part, binary string, short bool) (t table, err error) {
	dir, err := os.MkdirTemp("", "sgscale") // short, for the paths of Unix sockets
	if err != nil {
		return t, err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return t, err
	}
	l := &lab{binary: binary, dir: dir, short: short}
	defer l.stop()
	if t, err = p.ask(ctx, l); err != nil {
		err = fmt.Errorf("%w\n%s", err, l.logs())
	}
	return t, err
}
