package edge

import (
	"context"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Events of Caddy's event app, from the module session_gate. Refusals are
// not events, since any client can cause any number of them; metrics count them.
const (
	eventEntered = "session_gate.entered" // a launch was redeemed here
	eventEnded   = "session_gate.ended"   // a session that entered here, or was used here, is over
)

// eventsMost is how many events may wait for handlers. Those beyond are dropped:
// a slow handler must not hold up the end of a session.
const eventsMost = 4096

// Audience is the event app of the running configuration.
type Audience struct {
	Ctx caddy.Context
	App *caddyevents.App
}

// Announcer emits events from a goroutine of its own, since Caddy runs handlers
// as part of the emitting program. It outlives configurations, as its edge does.
type Announcer struct {
	Audience atomic.Pointer[Audience] // nil between configurations
	queue    chan announcement
	lost     prometheus.Counter
}

type announcement struct {
	name string
	data map[string]any
}

func newAnnouncer(lost prometheus.Counter) *Announcer {
	return &Announcer{queue: make(chan announcement, eventsMost), lost: lost}
}

// Entered announces a redeemed launch.
func (a *Announcer) Entered(s *live.Session) {
	a.add(eventEntered, func() map[string]any { return eventData(s) })
}

// Ended announces a session's end and why.
func (a *Announcer) Ended(s *live.Session, code protocol.Code) {
	a.add(eventEnded, func() map[string]any {
		data := eventData(s)
		data["code"] = string(code)
		return data
	})
}

// eventData leaves out the user: handlers may send it anywhere.
func eventData(s *live.Session) map[string]any {
	return map[string]any{"session": s.ID(), "provider": s.ProviderID(), "expires_at": s.ExpiresAt()}
}

// add queues an event if there is a handler for it. It never blocks.
func (a *Announcer) add(name string, data func() map[string]any) {
	to := a.Audience.Load()
	if to == nil || !to.App.ShouldEmit(name) {
		return
	}
	select {
	case a.queue <- announcement{name, data()}:
	default:
		a.lost.Inc()
	}
}

// run emits what is queued until ctx ends.
func (a *Announcer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-a.queue:
			if to := a.Audience.Load(); to != nil {
				to.App.Emit(to.Ctx, next.name, next.data)
			}
		}
	}
}
