package edge

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// listener is an event handler that keeps what it hears, and may be held up.
type listener struct {
	mu    sync.Mutex // guards heard; held by a test to hold the handler up
	heard []string
	got   chan struct{}
}

func (l *listener) Handle(_ context.Context, e caddy.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, fmt.Sprintf("%s %v %v", e.Name(), e.Data["session"], e.Data["code"]))
	if _, ok := e.Data["user"]; ok || len(e.Data) > 4 {
		l.heard = append(l.heard, fmt.Sprintf("too much: %v", e.Data))
	}
	select {
	case l.got <- struct{}{}:
	default:
	}
	return nil
}

// listen makes e announce to a listener, by Caddy's real event app.
func listen(t *testing.T, e *Edge) *listener {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	app := new(caddyevents.App)
	if err := app.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	l := &listener{got: make(chan struct{}, 1)}
	for _, name := range []string{eventEntered, eventEnded} {
		if err := app.On(name, l); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	e.Events.Audience.Store(&Audience{Ctx: ctx, App: app})
	running, stop := context.WithCancel(context.Background())
	var loop sync.WaitGroup
	loop.Go(func() { e.Events.run(running) })
	t.Cleanup(func() { stop(); loop.Wait(); cancel() })
	return l
}

// waitHeard waits for n events.
func (l *listener) waitHeard(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		l.mu.Lock()
		heard := append([]string(nil), l.heard...)
		l.mu.Unlock()
		if len(heard) >= n {
			return heard
		}
		select {
		case <-l.got:
		case <-deadline:
			t.Fatalf("heard %q, want %d events", heard, n)
		}
	}
}

func TestEventsTellEachEndOnce(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	l := listen(t, e)
	s := e.Sessions.Put(stateOf("a", 1, protocol.Active, time.Hour), 1)
	e.Events.Entered(s)
	e.Sessions.Put(stateOf("a", 2, protocol.Paused, time.Hour), 2) // no end
	e.Sessions.Put(stateOf("a", 3, protocol.Revoked, time.Hour), 3)
	e.Sessions.Put(stateOf("b", 9, protocol.Completed, time.Hour), 3)
	d := e.Sessions.Put(stateOf("d", 1, protocol.Active, time.Hour), 1)
	d.Apply(stateOf("d", 2, protocol.Active, -time.Second), 4)
	d.Apply(stateOf("d", 3, protocol.Active, time.Hour), 5) // extended after all
	d.Apply(stateOf("d", 4, protocol.Completed, time.Hour), 6)
	got := l.waitHeard(t, 4)
	want := []string{
		"session_gate.entered a <nil>", "session_gate.ended a session_revoked",
		"session_gate.ended d session_expired", "session_gate.ended d session_completed",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// TestSlowEventHandlerHoldsNothingUp ends more sessions than events may wait.
func TestSlowEventHandlerHoldsNothingUp(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	l := listen(t, e)
	l.mu.Lock() // the handler waits from its first event on
	const sessions = eventsMost + 100
	for i := range sessions {
		id := fmt.Sprint(i)
		e.Sessions.Put(stateOf(id, 1, protocol.Active, time.Hour), 1)
		e.Sessions.Put(stateOf(id, 2, protocol.Revoked, time.Hour), 2)
	}
	l.mu.Unlock()
	heard := l.waitHeard(t, eventsMost)
	if len(heard) > sessions {
		t.Errorf("heard %d events of %d sessions", len(heard), sessions)
	}
}
