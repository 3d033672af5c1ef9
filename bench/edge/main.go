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
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/sessiongate", "the program under test")
	flag.IntVar(&o.rounds, "rounds", 21, "interleaved rounds; the median counts")
	flag.IntVar(&o.sessions, "sessions", 300, "live sessions whose cookies are sent in turn")
	flag.DurationVar(&o.each, "each", 500*time.Millisecond, "how long each contender runs in each round and cell")
	flag.StringVar(&o.out, "out", "bench/RESULTS.md", "file for the table, - for standard output only")
	flag.StringVar(&o.only, "only", "", "contenders to run, by part of their names, with commas (plain always runs)")
	flag.StringVar(&o.pages, "pages", "", "pages to ask for, by the beginning of their names, as in \"2 KB\"")
	flag.StringVar(&o.env, "env", "", "NAME=VALUE for the gate alone, to try a setting")
	flag.StringVar(&o.profile, "profile", "", "open the admin endpoint of plain, gate or auth on 127.0.0.1:2019, for /debug/pprof/")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
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
	out      string
	only     string
	pages    string
	env      string
	profile  string
}

// cell is one kind of page.
type cell struct {
	size int
	gzip bool
}

func (c cell) String() string {
	coding := "identity"
	if c.gzip {
		coding = "gzip"
	}
	return fmt.Sprintf("%d KB, %s", c.size>>10, coding)
}

func (c cell) path() string {
	return fmt.Sprintf("/page?size=%d", c.size)
}

var cells = []cell{{2 << 10, false}, {2 << 10, true}, {32 << 10, false}, {32 << 10, true}, {512 << 10, false}, {512 << 10, true}}

func run(ctx context.Context, o options) error {
	cells := slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return !strings.HasPrefix(c.String(), o.pages) })
	dir, err := os.MkdirTemp("", "sessiongate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return err
	}
	field, err := newField(ctx, binary, dir, o.profile, o.sessions)
	if err != nil {
		return err
	}
	defer field.stop()
	contenders, err := field.contenders(ctx, o.only, o.env)
	if err != nil {
		return err
	}
	for _, c := range contenders {
		for _, page := range cells {
			if err := c.check(ctx, page); err != nil {
				return fmt.Errorf("%s, %s: %w", c.name, page, err)
			}
		}
	}
	figures := make(map[string]map[cell][]float64) // contender → cell → µs of CPU a request
	for _, c := range contenders {
		figures[c.name] = make(map[cell][]float64)
	}
	for round := range o.rounds {
		for _, page := range cells {
			// The order turns with each round, so that none is always first.
			for i := range contenders {
				c := contenders[(i+round)%len(contenders)]
				cpu, err := c.measure(ctx, page, o.each)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, page, err)
				}
				figures[c.name][page] = append(figures[c.name][page], cpu)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d done\n", round+1, o.rounds)
	}
	table := render(contenders, cells, figures, o)
	fmt.Print(table)
	if o.out == "-" {
		return nil
	}
	return os.WriteFile(o.out, []byte(table), 0o644)
}

// render is the table, as Markdown.
func render(contenders []*contender, cells []cell, figures map[string]map[cell][]float64, o options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What the gate costs\n\n")
	fmt.Fprintf(&b, "CPU of the proxy process in µs for each request, and in brackets as a multiple of plain Caddy in the same run.\n")
	fmt.Fprintf(&b, "Median of %d interleaved rounds of %s each; %d sessions' cookies in turn; the proxy on one core, load and origin on\nthe other. The multiple is the median of each round's own.\n\n",
		o.rounds, o.each, o.sessions)
	fmt.Fprintf(&b, "%s, %s, %s, %s/%s, %s. Made by `make bench`.\n\n", time.Now().UTC().Format("2006-01-02"),
		processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH, versions())
	b.WriteString("| page |")
	for _, c := range contenders {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(contenders)) + "\n")
	base := figures[contenders[0].name]
	for _, page := range cells {
		fmt.Fprintf(&b, "| %s |", page)
		for _, c := range contenders {
			own := figures[c.name][page]
			ratios := make([]float64, len(own))
			for i := range own {
				ratios[i] = own[i] / base[page][i]
			}
			fmt.Fprintf(&b, " %.0f (%.2f) |", median(own), median(ratios))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, c := range contenders {
		fmt.Fprintf(&b, "- **%s**: %s\n", c.name, c.what)
	}
	return b.String()
}

func median(list []float64) float64 {
	s := slices.Clone(list)
	slices.Sort(s)
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

// processor is the machine's CPU as the kernel names it.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.SplitSeq(string(info), "\n") {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return fmt.Sprintf("%s (%d cores)", strings.TrimSpace(strings.TrimLeft(name, "\t :")), runtime.NumCPU())
		}
	}
	return fmt.Sprintf("%d cores", runtime.NumCPU())
}

// versions names what is compared.
func versions() string {
	list := []string{"Caddy v2.11.9"}
	if out, err := exec.Command("nginx", "-v").CombinedOutput(); err == nil {
		list = append(list, strings.TrimSpace(strings.TrimPrefix(string(out), "nginx version: ")))
	}
	for _, program := range []struct{ name, flag, before, says string }{
		{"haproxy", "-v", "HAProxy version ", "HAProxy "}, {workerdBinary, "--version", "", ""},
	} {
		if out, err := exec.Command(program.name, program.flag).Output(); err == nil {
			line, _, _ := strings.Cut(string(out), "\n")
			version, _, _ := strings.Cut(strings.TrimPrefix(line, program.before), " - ")
			list = append(list, program.says+strings.TrimSpace(version))
		}
	}
	return strings.Join(list, ", ")
}
