package edge

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// RefusalCodes are all labels that a refusal can have.
var RefusalCodes = []protocol.Code{
	protocol.SessionMissing, protocol.SessionInvalid, protocol.SessionExpired, protocol.SessionCompleted,
	protocol.SessionRevoked, protocol.SessionCanceled, protocol.SessionMoved, protocol.AnotherSession, protocol.SessionPaused, protocol.SessionPending,
	protocol.LaunchSpent, protocol.LaunchInvalid, protocol.LaunchExpired, protocol.WrongProvider,
	protocol.BackendUnavailable, protocol.OriginUnavailable, protocol.HostUnknown, protocol.CrossSite, protocol.RateLimited, protocol.InMaintenance,
}

// Metrics is what an edge counts. It belongs to the edge, not to a
// configuration: a reload registers the same collectors anew and loses no count.
// Every label has a fixed set of values.
type Metrics struct {
	Entries    prometheus.Counter
	Admissions prometheus.Counter
	refusals   map[protocol.Code]prometheus.Counter
	cuts       map[protocol.Code]prometheus.Counter
	pages      map[string]prometheus.Counter // by inject.Outcome.String
	calls      *prometheus.HistogramVec
	eventsLost prometheus.Counter

	streamEvents, streamResets prometheus.Counter

	limited *prometheus.CounterVec        // by the limit
	offline map[string]prometheus.Counter // by result

	all []prometheus.Collector
}

func newMetrics(e *Edge) *Metrics {
	m := &Metrics{}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "session_gate", Name: name, Help: help})
		m.all = append(m.all, c)
		return c
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "session_gate", Name: name, Help: help}, []string{label})
		m.all = append(m.all, c)
		return c
	}
	gauge := func(name, help string, value func() float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "session_gate", Name: name, Help: help}, value))
	}
	m.Entries = counter("entries_total", "Launch tokens redeemed.")
	m.Admissions = counter("admissions_total", "Requests passed to an origin.")
	m.refusals = byCode(vec("refusals_total", "Requests refused, by reason.", "code"))
	m.cuts = byCode(vec("cuts_total", "Open requests ended with their session, by reason.", "code"))
	m.limited = vec("limited_total", "Uses refused because of a limit, by the limit's name.", "limit")
	m.eventsLost = counter("events_lost_total", "Events dropped because their handlers are too slow.")
	m.streamEvents = counter("stream_events_total", "Changes of sessions received over the event stream.")
	m.streamResets = counter("stream_resets_total", "Times that changes may have been missed and every state is confirmed anew.")
	offline := vec("offline_entries_total", "Entries while the backend was down: admitted or turned_away (too many), and then redeemed or refused by the backend.", "result")
	m.offline = make(map[string]prometheus.Counter)
	for _, result := range []string{offlineAdmitted, offlineTurnedAway, offlineRedeemed, offlineRefused} {
		m.offline[result] = offline.WithLabelValues(result)
	}
	pages := vec("pages_total", "Responses by injection result: identity, prefix and reencode mean injected, others say why not.", "outcome")
	m.pages = make(map[string]prometheus.Counter)
	for _, o := range inject.Outcomes() {
		m.pages[o.String()] = pages.WithLabelValues(o.String())
	}
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "session_gate", Name: "backend_seconds", Help: "Time of calls to the backend, by call.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"call"})
	m.all = append(m.all, m.calls)
	m.all = append(m.all, &e.Pools)
	gauge("live_sessions", "Sessions held in memory, including ended ones.", func() float64 { return float64(e.Sessions.Len()) })
	gauge("open_websockets", "WebSockets that are open.", func() float64 { return float64(e.Limits.OpenSockets()) })
	gauge("origins_failing", "Providers whose origin did not respond to the last request.", func() float64 { return float64(e.Origins.failing.Load()) })
	gauge("stream_connected", "1 while the event stream from the backend runs.", func() float64 {
		if e.stream.connected.Load() {
			return 1
		}
		return 0
	})
	gauge("stream_silence_seconds", "Time since the last line of the event stream; the backend sends one every 2 s.", func() float64 {
		return (time.Duration(MonotonicMS()-e.stream.heardAt.Load()) * time.Millisecond).Seconds()
	})
	gauge("stream_providers", "Providers whose changes the event stream carries; -1 for all.", func() float64 {
		c := e.stream.coverage.Load()
		switch {
		case c == nil:
			return 0
		case c.all:
			return -1
		}
		return float64(len(c.providers))
	})
	gauge("offline_entries_waiting", "Sessions admitted while the backend was down that it has not redeemed yet.", func() float64 { return float64(e.Offline.len()) })
	gauge("states_waiting", "Sessions whose state is to be asked for while all calls for states are under way.", func() float64 { return float64(e.states.len()) })
	gauge("heartbeats_pending", "Sessions whose heartbeats are not sent yet.", func() float64 { return float64(e.Heartbeats.len()) })
	return m
}

func byCode(vec *prometheus.CounterVec) map[protocol.Code]prometheus.Counter {
	by := make(map[protocol.Code]prometheus.Counter, len(RefusalCodes))
	for _, code := range RefusalCodes {
		by[code] = vec.WithLabelValues(string(code))
	}
	return by
}

// Register makes r show m. Twice is as good as once.
func (m *Metrics) Register(r *prometheus.Registry) error {
	for _, c := range m.all {
		if err := r.Register(c); err != nil {
			if _, again := errors.AsType[prometheus.AlreadyRegisteredError](err); !again {
				return err
			}
		}
	}
	return nil
}

// CountPage counts an injection result.
func (m *Metrics) CountPage(o inject.Outcome) {
	if c := m.pages[o.String()]; c != nil {
		c.Inc()
	}
}

// CountRefusal counts a refused request.
func (m *Metrics) CountRefusal(code protocol.Code) { count(m.refusals, code) }

// CountCut counts an open request that ended with its session.
func (m *Metrics) CountCut(code protocol.Code) { count(m.cuts, code) }

// count adds one to a reason that may be unknown to the set.
func count(by map[protocol.Code]prometheus.Counter, code protocol.Code) {
	if c := by[code]; c != nil {
		c.Inc()
	}
}
