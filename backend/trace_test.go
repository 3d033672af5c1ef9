package backend_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessiongate/sessiongate/backend"
)

// A sale is traced from the caller's own span down to its statements, and so is
// a question; no span names a user.
func TestTracesReachSQL(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	w := newWorld(t)
	w.tune = func(c *backend.Config) {
		c.Traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	}
	w.open()
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	w.call("POST", "/api/v1/users/user_1/tokens", w.market, map[string]any{"amount": 5}, "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01").want(201)
	w.call("GET", "/api/v1/users/user_1/balance", w.market, nil, "traceparent", "00-"+traceID+"-00f067aa0ba902b7-01").want(200)
	names := map[string]bool{}
	for _, s := range spans.GetSpans() {
		if s.SpanContext.TraceID().String() != traceID {
			t.Errorf("%s is in another trace", s.Name)
		}
		names[s.Name] = true
		for _, a := range s.Attributes {
			if strings.Contains(a.Value.String(), "user_1") {
				t.Errorf("%s names a user", s.Name)
			}
		}
	}
	for _, want := range []string{"POST /api/v1/users/{id}/tokens", "sql.tx.commit", "sql GetAPIKeyByHash", "sql InsertEntry", "GET /api/v1/users/{id}/balance", "sql GetAccount"} {
		if !names[want] {
			t.Errorf("there is no span %q, but %v", want, slices.Sorted(maps.Keys(names)))
		}
	}
}
