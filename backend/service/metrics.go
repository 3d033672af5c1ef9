package service

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the counters of the use cases. Their labels are bounded.
type metrics struct {
	registry *prometheus.Registry
	created  prometheus.Counter
	ended    *prometheus.CounterVec
	replays  prometheus.Counter
	beats    prometheus.Counter
	late     prometheus.Histogram
	attempts *prometheus.CounterVec
	disabled *prometheus.CounterVec
	limited  *prometheus.CounterVec
	offline  *prometheus.CounterVec
	passes   *prometheus.CounterVec

	clockSteps *prometheus.CounterVec

	stateReadsShed prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		created: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sessiongate_sessions_created_total", Help: "Sessions sold. Test sessions and those of passes are not counted.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sessiongate_sessions_ended_total", Help: "Live sessions settled, by the state they ended in.",
		}, []string{"status"}),
		replays: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sessiongate_idempotent_replays_total", Help: "Requests answered from an earlier one with their key.",
		}),
		beats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sessiongate_heartbeats_total", Help: "Heartbeats of pages, as edges and SDKs reported them.",
		}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sessiongate_expiry_late_seconds", Help: "How long after its deadline a session was settled.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 5, 60},
		}),
	}
	m.attempts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_webhook_attempts_total", Help: "Calls of webhooks, by the answer's status: 2xx, …, none.",
	}, []string{"result"})
	m.disabled = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_webhooks_disabled_total", Help: "Webhooks that were disabled because they are gone or failed for days.",
	}, []string{"reason"})
	m.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_limited_total", Help: "Requests refused because of a limit, by the limit's name.",
	}, []string{"limit"})
	m.offline = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_offline_entries_total",
		Help: "Entries that edges admitted while they could not reach the service: counted, after_end (the session was over) or elsewhere (the link was used in another browser).",
	}, []string{"outcome"})
	m.passes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_pass_entries_total", Help: "Sessions that passes opened, by kind: staff or preview.",
	}, []string{"kind"})
	m.clockSteps = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_clock_steps_total", Help: "How often the clock was set by more than a second: forward or back.",
	}, []string{"direction"})
	m.stateReadsShed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sessiongate_state_reads_shed_total", Help: "Requests of edges for live states that were told to come back, because too many waited for the database.",
	})
	m.registry.MustRegister(m.passes, m.stateReadsShed, m.clockSteps, m.offline, m.limited, m.attempts, m.disabled, m.created, m.ended, m.replays, m.beats, m.late,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe registers gauges whose values are measured when they are scraped.
func (m *metrics) observe(s *Service) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("sessiongate_clock_skew_seconds", "How far this machine's clock is ahead of the database's.", func() float64 {
		if s.clock == nil {
			return 0
		}
		return s.clock.clock.Skew().Seconds()
	})
	gauge("sessiongate_database_writable", "1 unless a write failed within the last 10 seconds because the database accepts none.", func() float64 {
		if s.store.Refused() != nil {
			return 0
		}
		return 1
	})
	gauge("sessiongate_redis_up", "1 while what is published in Redis arrives; 1 without Redis.", func() float64 {
		if s.coord.Trouble() != "" {
			return 0
		}
		return 1
	})
}
