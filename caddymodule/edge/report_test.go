package edge

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// heartbeatsOf is a backend that takes heartbeats, strictly or not, and keeps
// what it took.
type heartbeatsOf struct {
	mu      sync.Mutex // guards the rest
	refused int
	took    []protocol.HeartbeatsRequest
}

func newHeartbeatsOf(t *testing.T, before bool) (*heartbeatsOf, *Edge) {
	t.Helper()
	b := &heartbeatsOf{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		var body struct {
			protocol.HeartbeatsRequest
			Edge  json.RawMessage `json:"edge"`
			Pages json.RawMessage `json:"pages"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if before && (body.Edge != nil || body.Pages != nil) {
			b.refused++
			w.Header().Set("Content-Type", protocol.ProblemType)
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"code":"invalid_request","status":422,"title":"x"}`)
			return
		}
		if body.Pages != nil {
			if err := json.Unmarshal(body.Pages, &body.HeartbeatsRequest.Pages); err != nil {
				t.Error(err)
			}
		}
		if body.Edge != nil {
			body.HeartbeatsRequest.Edge = new(protocol.EdgeReport)
			if err := json.Unmarshal(body.Edge, body.HeartbeatsRequest.Edge); err != nil {
				t.Error(err)
			}
		}
		b.took = append(b.took, body.HeartbeatsRequest)
		fmt.Fprintf(w, `{"states":[],"server_time_ms":%d}`, time.Now().UnixMilli())
	}))
	t.Cleanup(server.Close)
	return b, edgeOf(t, server.URL)
}

// TestEdgesReportThemselves sends a batch as the loop does.
func TestEdgesReportThemselves(t *testing.T) {
	t.Parallel()
	b, e := newHeartbeatsOf(t, false)
	e.Sessions.Put(stateOf("a", 1, protocol.Active, time.Hour), 1)
	e.Sessions.Put(stateOf("b", 1, protocol.Paused, time.Hour), 1)
	e.Sessions.Put(stateOf("c", 1, protocol.Active, -time.Second), 1)
	if err := e.Heartbeats.flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if len(b.took) != 1 || b.took[0].Edge == nil {
		t.Fatalf("it took %+v", b.took)
	}
	got := *b.took[0].Edge
	if got.Version == "" || got.StartedAt != processStart.Unix() || got.LiveSessions != 1 || got.StreamLagMS != -1 {
		t.Errorf("reported %+v, want one running session and a stream never heard", got)
	}
}

// TestBackendFromBeforeReports gets every beat, and is asked once in a while.
func TestBackendFromBeforeReports(t *testing.T) {
	t.Parallel()
	b, e := newHeartbeatsOf(t, true)
	for i := range 3 {
		e.Heartbeats.Add(protocol.Heartbeat{ID: fmt.Sprint(i), Version: 1, At: 1, Count: 1})
		if err := e.Heartbeats.flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	beats := 0
	for _, req := range b.took {
		beats += len(req.Beats)
	}
	if beats != 3 || b.refused != 1 {
		t.Errorf("%d beats arrived and %d batches were refused, want 3 and 1", beats, b.refused)
	}
	e.Heartbeats.reporter.plainTill = time.Now()
	if err := e.Heartbeats.flush(t.Context(), true); err != nil || b.refused != 2 {
		t.Errorf("it was asked %d times, %v", b.refused, err)
	}
}

// TestPagesAreReported notes pages as requests do, and sees what leaves the edge.
func TestPagesAreReported(t *testing.T) {
	t.Parallel()
	b, e := newHeartbeatsOf(t, false)
	note := func(path string, o inject.Outcome) {
		e.Pages.Add(ServedPage{ProviderID: "p", UserID: "ada", Host: "App.example:8082", Path: path, Outcome: o})
	}
	for range 3 {
		note("/orders/12345", inject.Outcome{Mode: inject.ModePrefix})
	}
	note("/orders/67890", inject.Outcome{Mode: inject.ModePrefix})
	note("/hello/ada", inject.Outcome{Reason: inject.ReasonNoTransform})
	for _, none := range []inject.Reason{inject.ReasonNotNavigation, inject.ReasonStatus, inject.ReasonContentType, inject.ReasonHead, inject.ReasonUpgraded, inject.ReasonUnanswered} {
		note("/data.json", inject.Outcome{Reason: none})
	}
	e.Heartbeats.reporter.drainPages(time.Now())
	if err := e.Heartbeats.flush(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, p := range b.took[0].Pages {
		got[fmt.Sprint(p.ProviderID, " ", p.Host, p.Path, " ", p.Outcome)] = p.Count
	}
	want := map[string]int64{"p app.example:8082/orders/… prefix": 4, "p app.example:8082/hello/… no_transform": 1}
	if !maps.Equal(got, want) {
		t.Errorf("reported %v, want %v", got, want)
	}
	// Not again, and not before ten seconds have passed.
	note("/", inject.Outcome{Mode: inject.ModeIdentity})
	e.Heartbeats.reporter.drainPages(time.Now())
	if err := e.Heartbeats.flush(t.Context(), true); err != nil || len(b.took[1].Pages) != 0 {
		t.Errorf("the next batch has %v, %v", b.took[1].Pages, err)
	}
	e.Heartbeats.reporter.pagesAt = time.Time{}
	if err := e.Heartbeats.flush(t.Context(), true); err != nil || len(b.took[2].Pages) != 1 {
		t.Errorf("ten seconds later it has %v, %v", b.took[2].Pages, err)
	}
}

// TestPagesAreKeptWhileTheBackendIsDown gives them with the next batch.
func TestPagesAreKeptWhileTheBackendIsDown(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t) // whose backend never answers
	e.Pages.Add(ServedPage{ProviderID: "p", Host: "h", Path: "/", Outcome: inject.Outcome{Mode: inject.ModeIdentity}})
	e.Heartbeats.reporter.drainPages(time.Now())
	if err := e.Heartbeats.flush(t.Context(), true); err == nil {
		t.Fatal("a backend answered")
	}
	if list := e.Pages.takeReports(); len(list) != 1 || list[0].Count != 1 {
		t.Errorf("kept %v", list)
	}
}

// TestPageLogIsBounded notes more than there is room for, from many goroutines.
func TestPageLogIsBounded(t *testing.T) {
	t.Parallel()
	l := new(PageLog)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 1000 {
				l.Add(ServedPage{ProviderID: "p", Host: "h", Path: fmt.Sprintf("/%c/%c/%c", 'a'+i, 'a'+n%26, 'a'+n/26%26), Outcome: inject.Outcome{Mode: inject.ModeIdentity}})
			}
		})
	}
	for range 10 {
		l.drain(time.Now())
	}
	all.Wait()
	l.drain(time.Now())
	list := l.takeReports()
	if len(list) == 0 || len(list) > protocol.MaxPages {
		t.Errorf("%d pages wait", len(list))
	}
	l.drain(time.Now())
	if left := l.takeReports(); len(left) != 0 {
		t.Errorf("%v was left", left)
	}
}

func TestNotingAPageAllocatesNothing(t *testing.T) {
	l := new(PageLog)
	seen := ServedPage{ProviderID: "p", Host: "h", Path: "/", Outcome: inject.Outcome{Mode: inject.ModeIdentity}}
	if n := testing.AllocsPerRun(100, func() { l.Add(seen) }); n != 0 {
		t.Errorf("noting a page allocates %v times", n)
	}
}
