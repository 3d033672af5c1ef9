// Package edge is what one process knows of one backend, and what must survive a
// reload of Caddy's configuration: the live sessions, the issuer's keys, the
// event stream, the heartbeats on their way, the backend's clock.
package edge

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// downPause is how long a backend that was found down is not called again about a
// known session.
const downPause = time.Second

// edges holds the state that survives reloads, by backend and key.
var edges = caddy.NewUsagePool()

// Edge is what one process knows of one backend. Configurations share it.
type Edge struct {
	id         string
	logger     *zap.Logger
	Clock      *Clock
	Backend    *BackendClient
	Sessions   *live.Store
	Verifier   *token.Verifier
	stream     *follower
	Heartbeats *Heartbeats
	Hosts      *HostCache
	Metrics    *Metrics
	Offline    *OfflineAdmissions
	Launches   *LaunchDedup
	Events     *Announcer
	Origins    Origins
	Pools      Pools
	Pages      PageLog
	Limits     *Limiter
	Sites      *Sites
	ended      endedSessions
	interest   *interest
	unheld     recentEvents
	options    siteOptions
	siteAsker  siteAsker
	keeper     *keeper

	states stateRequests
	sweep  sweeper
	// Monotonic ms: states confirmed at or before it must be confirmed anew.
	resetAt atomic.Int64
	// Monotonic ms until which the backend is taken to be down; 0 while it answers.
	downUntil atomic.Int64
	// Monotonic ms until which states are fetched by heartbeats: the backend is
	// older than the endpoint for them.
	heartbeatsUntil atomic.Int64

	loops loops
}

// Load returns the process's edge for a backend and key; the caller gives
// it back with [Unload].
func Load(base *url.URL, edgeKey string, logger *zap.Logger) (*Edge, string, error) {
	sum := sha256.Sum256([]byte(edgeKey))
	poolKey := base.String() + " " + hex.EncodeToString(sum[:8])
	v, _, err := edges.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return New(base, edgeKey, logger), nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("setting up the edge: %w", err)
	}
	return v.(*Edge), poolKey, nil
}

// Unload releases what [Load] returned.
func Unload(poolKey string) error {
	_, err := edges.Delete(poolKey)
	return err
}

// Each calls f for every edge of this process until f returns false.
func Each(f func(*Edge) bool) {
	more := true
	edges.Range(func(_, v any) bool {
		if e, ok := v.(*Edge); ok && more {
			more = f(e)
		}
		return more
	})
}

// New returns an edge that is not started. Configurations use [Load].
func New(base *url.URL, edgeKey string, logger *zap.Logger) *Edge {
	c := &Clock{}
	e := &Edge{id: rand.Text(), logger: logger, Clock: c, Backend: newBackendClient(base, edgeKey, c), Sessions: live.NewStore(c.NowMS)}
	e.Verifier = &token.Verifier{Keys: token.NewRemoteKeys(e.Backend.url(protocol.JWKS), e.Backend.client, time.Now)}
	e.interest = newInterest()
	e.stream = &follower{backend: e.Backend, logger: logger, interest: e.interest, onState: e.applyEvent, onSite: e.applySite, onReset: e.reset, held: e.heldProviders, legacyFor: legacyFor}
	e.Sessions.OnAdd = e.added
	e.stream.onCover = e.covered
	e.Heartbeats = &Heartbeats{
		edgeID: e.id, interval: time.Second, backend: e.Backend, logger: logger,
		onAnswer: e.applyAnswer, pending: make(map[string]protocol.Heartbeat), reporter: &reporter{edge: e},
	}
	e.Metrics = newMetrics(e)
	e.Limits = newLimiter(e.Metrics.limited)
	e.Sites = newSites(e.closeSite)
	e.siteAsker = siteAsker{edge: e, wake: make(chan struct{}, 1), legacyFor: legacyFor}
	e.Hosts = newHostCache(e.Backend, e.Limits, e.foundHost)
	e.keeper = newKeeper(e, base.String())
	e.Launches = newLaunchDedup(e.Sessions)
	e.Offline = &OfflineAdmissions{edge: e, waiting: make(map[string]*offlineEntry)}
	e.Backend.calls = e.Metrics.calls
	e.Events = newAnnouncer(e.Metrics.eventsLost)
	e.Sessions.OnEnd = e.Events.Ended
	e.states = stateRequests{ask: e.fetchStates, take: e.Sessions.Put, timeout: callTimeout}
	e.sweep = sweeper{edge: e, wake: make(chan struct{}, 1)}
	return e
}

// Start begins to follow the backend. Further calls do nothing.
func (e *Edge) Start() {
	e.loops.start(e.Sessions.Run, e.stream.run, e.Heartbeats.run, e.Offline.run, e.Events.run, e.sweep.run, e.siteAsker.run, e.keeper.run)
}

// Destruct ends the loops and sends what is left. The pool calls it when no
// configuration uses the edge any more. Requests that are open in its name go
// on, until their sessions end as they were known last.
func (e *Edge) Destruct() error {
	if e.loops.started() {
		go e.Sessions.RunWhileBusy()
	}
	e.loops.stop()
	e.Backend.client.CloseIdleConnections()
	return nil
}

// loops are the background work of an edge. Each loop runs until its context
// ends, and has finished what it does then when stop returns.
type loops struct {
	once    sync.Once
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// start runs the loops, once.
func (l *loops) start(all ...func(context.Context)) {
	l.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		l.cancel = cancel
		for _, run := range all {
			l.running.Go(func() { run(ctx) })
		}
	})
}

func (l *loops) started() bool { return l.cancel != nil }

// stop ends the loops and waits for them.
func (l *loops) stop() {
	if l.cancel != nil {
		l.cancel()
	}
	l.running.Wait()
}

// applyAnswer takes the backend's answer to a batch of beats. A session that it
// does not name is as this edge holds it.
func (e *Edge) applyAnswer(batch []protocol.Heartbeat, a *protocol.HeartbeatsAnswer, sentAt int64) {
	changed := make(map[string]bool, len(a.States)+len(a.Unknown))
	for i := range a.States {
		changed[a.States[i].ID] = true
		if s := e.Sessions.ByID(a.States[i].ID); s != nil {
			s.Apply(&a.States[i], sentAt)
		}
	}
	for _, id := range a.Unknown {
		changed[id] = true
	}
	for _, b := range batch {
		if s := e.Sessions.ByID(b.ID); s != nil && !changed[b.ID] {
			s.Confirm(b.Version, sentAt)
		}
	}
}

// covered says that the stream may cover further providers from now on.
func (e *Edge) covered() {
	e.sweep.begin()
	e.siteAsker.ask()
}

// foundHost takes the backend's answer about a host.
func (e *Edge) foundHost(answer *protocol.HostAnswer) {
	now := MonotonicMS()
	e.interest.add(answer.ProviderID, now)
	if answer.Site == nil || answer.Site.ProviderID != answer.ProviderID {
		e.Sites.use(answer.ProviderID, now)
		return
	}
	if err := e.Sites.Take(answer.Site, now); err != nil {
		e.logger.Warn("site settings are left out", zap.String("provider", answer.ProviderID), zap.Error(err))
	}
}

// Confirm asks the backend about s when what is held is too old. While the
// backend is down, s runs on as it stands: an admitted session is served to its
// deadline.
func (e *Edge) Confirm(ctx context.Context, s *live.Session, maxStaleness time.Duration) {
	if s.Provisional() || e.fresh(s, maxStaleness) {
		return
	}
	e.ask(ctx, s)
	if e.sweep.unconfirmed(s) {
		e.sweep.begin() // what the request opens may last, and its user may send no other
	}
}

// ask has the backend confirm s, unless it was found down just before.
func (e *Edge) ask(ctx context.Context, s *live.Session) {
	now, until := MonotonicMS(), e.downUntil.Load()
	if now < until {
		return
	}
	// Once it was down, one request finds out whether it is back. An answer that
	// never comes takes callTimeout, for which the others need not wait.
	if until > 0 && !e.downUntil.CompareAndSwap(until, now+callTimeout.Milliseconds()) {
		return
	}
	_, err := e.states.fetch(ctx, s.ID(), false)
	now = MonotonicMS()
	switch pause := retryAfter(err); {
	case pause > 0:
		until = now + pause.Milliseconds()
	case errors.Is(err, errTooManyWaiting), err != nil && ctx.Err() != nil:
		if until == 0 {
			return
		}
		until = now // nothing was learned: the next request finds out
	case errors.Is(err, ErrBackendDown):
		until = now + downPause.Milliseconds()
	default:
		until = 0
	}
	e.downUntil.Store(until)
}
