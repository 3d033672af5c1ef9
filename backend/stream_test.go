package backend_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// event is one server-sent event.
type event struct{ id, name, data string }

// follow opens the edge's stream and returns its events as they come.
func (w *world) follow(lastID string) (events <-chan event, stop func()) {
	w.t.Helper()
	return w.followBy("GET", "", lastID)
}

// followBy does, by a request with a body.
func (w *world) followBy(method, body, lastID string) (events <-chan event, stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, method, w.url+protocol.EdgeEvents, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+w.edge)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("stream answered %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	out := make(chan event, 1000)
	go func() {
		defer close(out)
		defer resp.Body.Close()
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				out <- e
				e = event{}
			}
		}
	}()
	return out, cancel
}

// next is the next event with this name; others are passed over.
func next(t *testing.T, events <-chan event, name string) event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before a %s event", name)
			}
			if e.name == name {
				return e
			}
		case <-deadline:
			t.Fatalf("no %s event in %v", name, patience)
		}
	}
}

func nextState(t *testing.T, events <-chan event) (protocol.LiveState, string) {
	t.Helper()
	e := next(t, events, protocol.StreamState)
	var l protocol.LiveState
	if err := json.Unmarshal([]byte(e.data), &l); err != nil {
		t.Fatal(err)
	}
	return l, e.id
}

func TestStreamTellsChangesAndResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events, stop := w.follow("")
	defer stop()
	next(t, events, protocol.StreamReset)
	var clock protocol.StreamTimeData
	if err := json.Unmarshal([]byte(next(t, events, protocol.StreamTime).data), &clock); err != nil || clock.ServerTimeMS != 1_800_000_000_500 {
		t.Errorf("the stream says it is %d (%v)", clock.ServerTimeMS, err)
	}

	id, launch := w.sell()
	created, firstID := nextState(t, events)
	if created.ID != id || created.Version != 1 || created.Status != protocol.Active {
		t.Errorf("created as %+v", created)
	}
	token := w.enter(launch)
	if s, _ := nextState(t, events); s.Version != 2 {
		t.Errorf("launched as %+v", s)
	}
	stop()

	// What happens while the edge is away is told when it comes back.
	w.call("POST", "/api/v1/sessions/"+id+"/pause", token, nil).want(200)
	w.call("POST", "/api/v1/sessions/"+id+"/revoke", w.admin, map[string]any{"refund": "full"}).want(200)
	events, stop = w.follow(firstID)
	defer stop()
	for _, want := range []struct {
		version int64
		status  protocol.Status
	}{{2, protocol.Active}, {3, protocol.Paused}, {4, protocol.Revoked}} {
		got, _ := nextState(t, events)
		if got.Version != want.version || got.Status != want.status {
			t.Errorf("resumed with %+v, want %+v", got, want)
		}
	}

	// Another process knows nothing of these ids: revalidate.
	w.open()
	events, stop = w.follow(firstID)
	defer stop()
	next(t, events, protocol.StreamReset)
}

// The server's own clock and loop, once, with real time.
func TestExpiryLoopSettlesWithinASecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = time.Now
	w.open()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.b.Run(ctx) }()
	events, stop := w.follow("")
	defer stop()
	next(t, events, protocol.StreamReset)

	w.sell("duration_limit_seconds", 1)
	created, _ := nextState(t, events)
	expired, _ := nextState(t, events)
	late := time.Since(time.Unix(created.ExpiresAt, 0))
	if expired.Status != protocol.Expired || late < 0 || late > patience {
		t.Errorf("%s %v after its deadline", expired.Status, late)
	}
	t.Logf("settled and told %v after the deadline", late)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.audit()
}

// A server that gives slow readers up does not end a stream that is read.
// TestStreamEndsWithItsKey: an edge whose key was revoked hears no more of the
// sessions, though its stream was open.
func TestStreamEndsWithItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events, stop := w.follow("")
	defer stop()
	next(t, events, protocol.StreamTime)
	w.revokeKeys()
	deadline := time.After(patience)
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
		case <-deadline:
			t.Fatalf("the stream is open %v after its key was revoked", patience)
		}
	}
}

func TestStreamOutlivesTheWriteTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := httptest.NewUnstartedServer(w.b.Handler())
	server.Config.WriteTimeout = 100 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	w.url = server.URL
	events, stop := w.follow("")
	defer stop()
	for range 3 { // one every two seconds
		next(t, events, protocol.StreamTime)
	}
}
