package main

import (
	"fmt"
	"strings"
)

// goal is what the gate may cost at most, as a multiple of another contender in
// the same load.
type goal struct {
	load load
	than string // the other contender
	most float64
}

// goals are those of the gate that forwards by itself.
func goals() []goal {
	page := func(i int) load { return load{page: cells[i], conns: many} }
	var list []goal
	for i := range cells {
		most := 0.65
		if i == 0 {
			most = 0.50
		}
		list = append(list, goal{page(i), plainCaddy, most})
	}
	for i := range cells {
		list = append(list, goal{page(i), bareProxyGo, 1.15})
	}
	list = append(list, goal{page(1), nginxLua, 1.25}, goal{page(3), nginxLua, 0.45}, goal{page(5), nginxLua, 0.04})
	for i := range cells {
		list = append(list, goal{page(i), haproxyLua, 1.0})
	}
	for i := range 2 {
		list = append(list, goal{load{page: cells[i], protocol: https2, conns: many}, plainCaddy, 0.50})
	}
	return list
}

// idleGoal is what an idle connection may hold, as a multiple of plain Caddy's.
const idleGoal = 1.1

// goalTable says which goals are met.
func (b *bench) goalTable(out *strings.Builder) {
	gate := b.named(gateForwards)
	if gate == nil {
		gate = b.named(gateReverse)
	}
	if gate == nil {
		return
	}
	fmt.Fprintf(out, "\n## Goals\n\nOf **%s**, as a multiple of another contender in the same load.\n\n| load | compared with | at most | measured | |\n|---|---|--:|--:|---|\n", gate.name)
	line := func(name, than string, most, got float64) {
		verdict := "met"
		if !(got <= most) { // NaN is missed as well
			verdict = "**missed**"
		}
		fmt.Fprintf(out, "| %s | %s | %.2f | %.3f | %s |\n", name, than, most, got, verdict)
	}
	for _, g := range goals() {
		other := b.named(g.than)
		if other == nil || len(gate.figures[g.load]) == 0 || len(other.figures[g.load]) == 0 {
			continue
		}
		name := g.load.what()
		if g.load.protocol != http1 {
			name += ", " + g.load.protocol.String()
		}
		line(name, g.than, g.most, ratio(gate.cpu(g.load), other.cpu(g.load)))
	}
	for _, p := range memoryProtocols {
		if own, base := gate.memory[p], b.named(plainCaddy).memory[p]; len(own) > 0 {
			line("memory for each idle connection, "+p.String(), plainCaddy, idleGoal, ratio(own, base))
		}
	}
}

// named is the contender of that name, if it takes part.
func (b *bench) named(name string) *contender {
	for _, c := range b.contenders {
		if c.name == name {
			return c
		}
	}
	return nil
}
