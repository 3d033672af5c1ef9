package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/bench/internal/proc"
)

// table is the answer of a part.
type table struct {
	title   string
	note    string // how it was measured, in Markdown
	columns []string
	rows    [][]string
}

// add adds a row.
func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, row)
}

func (t *table) write(out *strings.Builder) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n| %s |\n|%s\n", t.title, t.note, strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
}

// report is the result, as Markdown.
func report(binary string, tables []table) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# What one edge and one session service carry\n\n")
	fmt.Fprintf(&out, "%s, %s, %s, %s/%s. Made by `make bench-scale`. Load, edges, services, PostgreSQL and Redis share the cores.\n",
		time.Now().UTC().Format("2006-01-02"), proc.Processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, t := range tables {
		t.write(&out)
	}
	return out.String()
}

// quantile returns a quantile of durations, which it sorts.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[int(q*float64(len(list)-1))]
}

// ms writes a duration in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1e3) }

// micros writes the share of a duration that one of n pieces of work took.
func micros(d time.Duration, n int) string {
	return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1e3/float64(max(1, n)))
}

// megabytes writes a number of bytes.
func megabytes(n int64) string { return fmt.Sprintf("%d MB", n>>20) }

// rate writes how many pieces of work were done in a second.
func rate(n int, d time.Duration) string { return fmt.Sprintf("%.0f/s", float64(n)/d.Seconds()) }
