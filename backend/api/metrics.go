package api

import "github.com/prometheus/client_golang/prometheus"

// httpMetrics is what the HTTP API counts. Labels are bounded: routes, not paths.
type httpMetrics struct {
	requests *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newHTTPMetrics(registry *prometheus.Registry) httpMetrics {
	m := httpMetrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sessiongate_http_request_seconds", Help: "Duration of requests, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"route", "status"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sessiongate_edge_streams", Help: "Event streams that edges hold open.",
		}),
	}
	registry.MustRegister(m.requests, m.streams)
	return m
}
