package e2e_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes spans by OTLP over HTTP, as any collector does.
type collector struct {
	*httptest.Server

	mu    sync.Mutex // guards spans, whole
	spans map[string]*tracepb.Span
	whole strings.Builder // everything that came, as text
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{spans: map[string]*tracepb.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			body = z
		}
		raw, err := io.ReadAll(body)
		var req collectorpb.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(raw, &req)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, fmt.Sprint(r.URL.Path, err), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range req.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans[hex.EncodeToString(s.SpanId)] = s
				}
			}
		}
		fmt.Fprintln(&c.whole, req.String())
		w.Header().Set("Content-Type", "application/x-protobuf")
		answer, _ := proto.Marshal(&collectorpb.ExportTraceServiceResponse{}) // empty: cannot fail
		w.Write(answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// path is the names of spans from the root to one with this name, in the trace;
// nil when no such span has come, or not all above it.
func (c *collector) path(trace, name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) != trace || s.Name != name {
			continue
		}
		names := []string{s.Name}
		for parent := hex.EncodeToString(s.ParentSpanId); parent != outside; {
			above := c.spans[parent]
			if above == nil {
				return nil
			}
			names = append([]string{above.Name}, names...)
			parent = hex.EncodeToString(above.ParentSpanId)
		}
		return names
	}
	return nil
}

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	outside = "00f067aa0ba902b7" // the caller's own span
)

// TestTracesFromEdgeToSQL follows one entry through both processes: the request
// at the edge, what the gate asks, the service's endpoint and its statements. No span holds a token or names a user.
func TestTracesFromEdgeToSQL(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := StartSplit(t, origin(t).URL, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_PROPAGATORS=tracecontext")
	s.reload(t, s.caddyfile("\ttracing {\n\t\tspan edge\n\t}\n"))
	user := s.newUser(t, 100)
	sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 10})
	parent := []string{"traceparent", "00-" + traceID + "-" + outside + "-01"}
	b := Browser(t)
	if a := b.Do(t, "GET", sold.LaunchURL, nil, parent...); a.Status != http.StatusSeeOther {
		t.Fatalf("entering: %d %s", a.Status, a.Body)
	}
	want := [][]string{
		{"edge", "session_gate launch", "POST /api/v1/edge/launch", "sql GetAPIKeyByHash"},
		{"edge", "session_gate launch", "POST /api/v1/edge/launch", "sql UpdateSession"},
	}
	for _, path := range want {
		eventually(t, func() bool { return slices.Equal(c.path(traceID, path[len(path)-1]), path) }, func() string {
			c.mu.Lock()
			defer c.mu.Unlock()
			var names []string
			for _, s := range c.spans {
				names = append(names, fmt.Sprintf("%s (%x below %x)", s.Name, s.SpanId, s.ParentSpanId))
			}
			return fmt.Sprintf("a span stands at %q; there are\n%s", path, strings.Join(names, "\n"))
		})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{"eyJ", user, sold.Session.ID, s.EdgeKey} {
		if strings.Contains(c.whole.String(), secret) {
			t.Errorf("the traces hold %.12s…", secret)
		}
	}
}
