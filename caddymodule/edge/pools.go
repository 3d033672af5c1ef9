package edge

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

const (
	poolsShown = 1000    // origins that have metrics of their own
	otherPools = "other" // the label of the others, together
)

// Pools are the connections to origins that a configuration uses, for the metrics.
type Pools struct {
	mu sync.Mutex // guards by
	by map[*origin.Pool]string
}

// Add shows a pool under a label: a provider's id, or an address.
func (p *Pools) Add(label string, pool *origin.Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = make(map[*origin.Pool]string)
	}
	p.by[pool] = label
}

// Remove ends what Add began.
func (p *Pools) Remove(pool *origin.Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, pool)
}

// stats returns what the pools have counted, by label.
func (p *Pools) stats() map[string]*origin.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	by := make(map[string]*origin.Stats)
	// In an order, so that the same labels are shown each time.
	order := func(a, b *origin.Pool) int { return cmp.Compare(p.by[a], p.by[b]) }
	for _, pool := range slices.SortedFunc(maps.Keys(p.by), order) {
		label := p.by[pool]
		if by[label] == nil && len(by) >= poolsShown {
			label = otherPools
		}
		s := pool.Stats()
		if sum := by[label]; sum != nil {
			sum.Add(s)
			continue
		}
		by[label] = &s
	}
	return by
}

// Descriptions of the metrics of origins.
var (
	originConnections = prometheus.NewDesc("session_gate_origin_connections", "Connections to an origin, by state: idle or in_use.", []string{"origin", "state"}, nil)
	originDials       = prometheus.NewDesc("session_gate_origin_dials_total", "Connections that were dialed.", []string{"origin"}, nil)
	originRepeated    = prometheus.NewDesc("session_gate_origin_repeated_total", "Requests sent again because a kept connection was closed.", []string{"origin"}, nil)
	originFailures    = prometheus.NewDesc("session_gate_origin_failures_total", "Requests without a whole response of the origin, by kind.", []string{"origin", "kind"}, nil)
	originSeconds     = prometheus.NewDesc("session_gate_origin_seconds", "Time until the head of a response.", []string{"origin"}, nil)
)

// Describe implements [prometheus.Collector].
func (p *Pools) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{originConnections, originDials, originRepeated, originFailures, originSeconds} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (p *Pools) Collect(ch chan<- prometheus.Metric) {
	for label, s := range p.stats() {
		ch <- prometheus.MustNewConstMetric(originConnections, prometheus.GaugeValue, float64(s.Idle), label, "idle")
		ch <- prometheus.MustNewConstMetric(originConnections, prometheus.GaugeValue, float64(s.Open-s.Idle), label, "in_use")
		ch <- prometheus.MustNewConstMetric(originDials, prometheus.CounterValue, float64(s.Dials), label)
		ch <- prometheus.MustNewConstMetric(originRepeated, prometheus.CounterValue, float64(s.Repeated), label)
		for kind, n := range s.Failures {
			ch <- prometheus.MustNewConstMetric(originFailures, prometheus.CounterValue, float64(n), label, string(kind))
		}
		var count uint64
		buckets := make(map[float64]uint64)
		for i, bound := range origin.Latencies() {
			count += s.Heads[i]
			buckets[bound.Seconds()] = count
		}
		count += s.Heads[len(s.Heads)-1]
		ch <- prometheus.MustNewConstHistogram(originSeconds, count, s.HeadTime.Seconds(), buckets, label)
	}
}

// Interface guards
var _ prometheus.Collector = (*Pools)(nil)
