package main

import (
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
)

// report is the result, as Markdown.
func (b *bench) report() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# What the gate costs\n\n")
	fmt.Fprintf(&out, "CPU of the proxy process in µs for each request, and in brackets as a multiple of plain Caddy in the same run.\n")
	fmt.Fprintf(&out, "Median of %d interleaved rounds of %s each; %d sessions' cookies in turn; the proxy on one core, load and origin on\nthe other. The multiple is the median of each round's own.\n\n",
		b.rounds, b.each, b.sessions)
	fmt.Fprintf(&out, "%s, %s, %s, %s/%s, %s. Made by `make bench`.\n", time.Now().UTC().Format("2006-01-02"),
		proc.Processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH, versions(b.binary))
	for _, t := range b.tables {
		b.cpuTable(&out, t)
	}
	if b.run.MatchString(latencyLoad) {
		b.latencyTable(&out)
	}
	if b.run.MatchString(memoryLoad) {
		b.memoryTable(&out)
	}
	b.goalTable(&out)
	out.WriteString("\n## Contenders\n\n")
	for _, c := range b.contenders {
		fmt.Fprintf(&out, "- **%s**: %s\n", c.name, c.what)
	}
	fmt.Fprintf(&out, "\nThe load, the origin and the session service share the second core. %s\n", b.busiest())
	return out.String()
}

// heading writes a table's title, its note, and its first two lines.
func (b *bench) heading(out *strings.Builder, title, note, first string) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n| %s |", title, note, first)
	for _, c := range b.contenders {
		fmt.Fprintf(out, " %s |", c.name)
	}
	out.WriteString("\n|---|" + strings.Repeat("--:|", len(b.contenders)) + "\n")
}

func (b *bench) cpuTable(out *strings.Builder, t table) {
	b.heading(out, t.title, t.note, "µs of CPU")
	protocols := make(map[protocol]bool)
	for _, l := range t.loads {
		protocols[l.protocol] = true
	}
	for _, l := range t.loads {
		name := l.what()
		if len(protocols) > 1 {
			name = strings.TrimPrefix(l.protocol.String(), "TLS with ") + ": " + name
		}
		b.row(out, name, "%.0f (%.2f)", func(c *contender) []float64 { return c.cpu(l) })
	}
}

// row writes a value of each contender with its multiple of plain Caddy's.
func (b *bench) row(out *strings.Builder, name, format string, values func(*contender) []float64) {
	fmt.Fprintf(out, "| %s |", name)
	for _, c := range b.contenders {
		own := values(c)
		if len(own) == 0 {
			out.WriteString(" – |")
			continue
		}
		fmt.Fprintf(out, " "+format+" |", median(own), ratio(own, values(b.contenders[0])))
	}
	out.WriteString("\n")
}

func (c *contender) cpu(l load) []float64 {
	var list []float64
	for _, f := range c.figures[l] {
		list = append(list, f.cpu)
	}
	return list
}

func (b *bench) latencyTable(out *strings.Builder) {
	b.heading(out, fmt.Sprintf("%d requests a second", pace),
		fmt.Sprintf("%s, %s: sent at a steady pace over connections that take turns. Medians of the rounds; the 99th percentile is of a round's %d requests.",
			pacedLoad, "in µs", int(b.pacedTime().Seconds()*pace)), "")
	of := func(value func(pacedFigure) float64) func(*contender) []float64 {
		return func(c *contender) []float64 {
			var list []float64
			for _, f := range c.paced {
				list = append(list, value(f))
			}
			return list
		}
	}
	b.row(out, "CPU for each request", "%.0f (%.2f)", of(func(f pacedFigure) float64 { return f.cpu }))
	b.row(out, "latency, median", "%.0f (%.2f)", of(func(f pacedFigure) float64 { return f.p50 }))
	b.row(out, "latency, 99th percentile", "%.0f (%.2f)", of(func(f pacedFigure) float64 { return f.p99 }))
}

func (b *bench) memoryTable(out *strings.Builder) {
	b.heading(out, "Idle connections",
		fmt.Sprintf("KB that the process grows by for each of %d connections which were asked for one page and are kept open, while others ask for pages; medians of %d new processes.",
			b.idle, memoryRounds(b.rounds)), "KB")
	for _, p := range memoryProtocols {
		b.row(out, p.String(), "%.1f (%.2f)", func(c *contender) []float64 {
			var list []float64
			for _, bytes := range c.memory[p] {
				list = append(list, bytes/1024)
			}
			return list
		})
	}
}

// busiest says whether the load could keep the proxies busy.
func (b *bench) busiest() string {
	low, where := math.Inf(1), ""
	for _, t := range b.tables {
		for _, l := range t.loads {
			if l.conns < many {
				continue
			}
			for _, c := range b.contenders {
				var list []float64
				for _, f := range c.figures[l] {
					list = append(list, f.busy)
				}
				if len(list) > 0 && median(list) < low {
					low, where = median(list), c.name+", "+l.what()+", "+l.protocol.String()
				}
			}
		}
	}
	if where == "" {
		return ""
	}
	return fmt.Sprintf("Over %d\nconnections a proxy used at least %.0f %% of its own core (%s).", many, 100*low, where)
}

// ratio is the median of each round's own.
func ratio(own, base []float64) float64 {
	n := min(len(own), len(base))
	if n == 0 {
		return math.NaN()
	}
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = own[i] / base[i]
	}
	return median(ratios)
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}

// versions names what is compared.
func versions(binary string) string {
	var list []string
	if out, err := exec.Command(binary, "version").Output(); err == nil {
		for part := range strings.SplitSeq(string(out), ", ") {
			if fields := strings.Fields(part); len(fields) > 1 && fields[0] == "Caddy" {
				list = append(list, "Caddy "+fields[1])
			}
		}
	}
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
