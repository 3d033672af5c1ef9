package caddymodule

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
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
)

// downPause is how long the backend, once found down, is not asked again about
// a session that is already known.
const downPause = time.Second

var processStart = time.Now()

// monotonicMS counts milliseconds since this process started.
func monotonicMS() int64 { return time.Since(processStart).Milliseconds() }

// edges holds the state that survives reloads, by backend and key.
var edges = caddy.NewUsagePool()

// edge is what one process knows of one backend. Configurations share it.
type edge struct {
	id       string
	logger   *zap.Logger
	clock    *clock
	backend  *backendClient
	live     *liveSet
	verifier *token.Verifier
	stream   *stream
	beats    *heartbeats
	hosts    *hostCache
	metrics  *metrics
	early    *provisionals
	entries  *entries
	events   *announcer
	origins  origins
	pages    pageLog

	questions singleflight.Group
	// Monotonic ms: states confirmed at or before it must be confirmed anew.
	resetAt atomic.Int64
	// Monotonic ms until which the backend is taken to be down; 0 while it answers.
	downUntil atomic.Int64

	startOnce sync.Once
	cancel    context.CancelFunc
	loops     sync.WaitGroup
}

// loadEdge returns the process's edge for a backend and key; the caller gives
// it back with unloadEdge.
func loadEdge(base *url.URL, edgeKey string, logger *zap.Logger) (*edge, string, error) {
	sum := sha256.Sum256([]byte(edgeKey))
	poolKey := base.String() + " " + hex.EncodeToString(sum[:8])
	v, _, err := edges.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return newEdge(base, edgeKey, logger), nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("setting up the edge: %w", err)
	}
	return v.(*edge), poolKey, nil
}

// unloadEdge gives back what loadEdge returned.
func unloadEdge(poolKey string) error {
	_, err := edges.Delete(poolKey)
	return err
}

// eachEdge calls f for every edge of this process until f returns false.
func eachEdge(f func(*edge) bool) {
	more := true
	edges.Range(func(_, v any) bool {
		if e, ok := v.(*edge); ok && more {
			more = f(e)
		}
		return more
	})
}

func newEdge(base *url.URL, edgeKey string, logger *zap.Logger) *edge {
	c := &clock{}
	e := &edge{id: rand.Text(), logger: logger, clock: c, backend: newBackendClient(base, edgeKey, c), live: newLiveSet(c.nowMS)}
	e.verifier = &token.Verifier{Keys: token.NewRemoteKeys(e.backend.url(protocol.JWKS), e.backend.client, time.Now)}
	e.stream = &stream{backend: e.backend, logger: logger, onState: e.learn, onReset: e.reset}
	e.beats = &heartbeats{
		edgeID: e.id, interval: time.Second, backend: e.backend, logger: logger,
		onAnswer: e.answered, pending: make(map[string]protocol.Beat), report: &report{edge: e},
	}
	e.hosts = newHostCache(e.backend)
	e.metrics = newMetrics(e)
	e.entries = newEntries(e.live)
	e.early = &provisionals{edge: e, waiting: make(map[string]*protocol.LaunchRequest)}
	e.backend.calls = e.metrics.calls
	e.events = newAnnouncer(e.metrics.eventsLost)
	e.live.ended = e.events.ended
	return e
}

// start begins to follow the backend, once.
func (e *edge) start() {
	e.startOnce.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		e.cancel = cancel
		e.loops.Go(func() { e.live.run(ctx) })
		e.loops.Go(func() { e.stream.run(ctx) })
		e.loops.Go(func() { e.beats.run(ctx) })
		e.loops.Go(func() { e.early.run(ctx) })
		e.loops.Go(func() { e.events.run(ctx) })
	})
}

// Destruct ends the loops and sends what is left. The pool calls it when no
// configuration uses the edge any more. Requests that are open in its name go
// on, until their sessions end as they were known last.
func (e *edge) Destruct() error {
	if e.cancel != nil {
		go e.live.outlast()
		e.cancel()
	}
	e.loops.Wait()
	e.backend.client.CloseIdleConnections()
	return nil
}

// learn takes a state that the backend sent by itself. States of sessions that
// this edge never saw are not kept: their first request asks.
func (e *edge) learn(st *protocol.LiveState) {
	if s := e.live.byID(st.ID); s != nil {
		s.apply(st, monotonicMS())
	}
}

// reset says that changes may have gone unheard.
func (e *edge) reset() {
	e.resetAt.Store(monotonicMS())
	e.downUntil.Store(0)
}

// answered takes the backend's answer to a batch of beats. A session that it
// does not name is as this edge holds it.
func (e *edge) answered(batch []protocol.Beat, a *protocol.HeartbeatsAnswer, sentAt int64) {
	changed := make(map[string]bool, len(a.States)+len(a.Unknown))
	for i := range a.States {
		changed[a.States[i].ID] = true
		if s := e.live.byID(a.States[i].ID); s != nil {
			s.apply(&a.States[i], sentAt)
		}
	}
	for _, id := range a.Unknown {
		changed[id] = true
	}
	for _, b := range batch {
		if s := e.live.byID(b.ID); s != nil && !changed[b.ID] {
			s.confirm(b.Version, sentAt)
		}
	}
}

// fresh reports whether s may be judged by what is held: the backend vouched
// for it after the last gap in the stream, and the stream runs, or ran within
// maxStaleness, or the backend vouched for s itself as recently.
func (e *edge) fresh(s *liveSession, maxStaleness time.Duration) bool {
	confirmed := s.confirmedAt()
	if confirmed <= e.resetAt.Load() {
		return false
	}
	if e.stream.connected.Load() {
		return true
	}
	return max(confirmed, e.stream.heardAt.Load()) >= monotonicMS()-maxStaleness.Milliseconds()
}

// confirm asks the backend about s when what is held is too old. While the
// backend is down, s runs on as it stands: an admitted session is served to its
// deadline.
func (e *edge) confirm(ctx context.Context, s *liveSession, maxStaleness time.Duration) {
	if s.provisional() || e.fresh(s, maxStaleness) {
		return
	}
	now, until := monotonicMS(), e.downUntil.Load()
	if now < until {
		return
	}
	// Once it was down, one request finds out whether it is back. An answer that
	// never comes takes callTimeout, for which the others need not wait.
	if until > 0 && !e.downUntil.CompareAndSwap(until, now+callTimeout.Milliseconds()) {
		return
	}
	until = 0
	if _, err := e.ask(ctx, s.id()); errors.Is(err, errBackendDown) {
		until = monotonicMS() + downPause.Milliseconds()
	}
	e.downUntil.Store(until)
}

// errUnknownSession is returned by ask when the backend has no such session.
var errUnknownSession = errors.New("session is unknown to the backend")

// ask fetches a session's state from the backend; many who ask about one
// session at once share a question.
func (e *edge) ask(ctx context.Context, id string) (*liveSession, error) {
	v, err, _ := e.questions.Do(id, func() (any, error) {
		// The answer says how things stood after this moment, and of what the
		// stream lost since then it may know nothing.
		asked := monotonicMS()
		answer, err := e.backend.heartbeats(context.WithoutCancel(ctx), &protocol.HeartbeatsRequest{
			EdgeID: e.id, Beats: []protocol.Beat{{ID: id}},
		})
		if err != nil {
			return nil, err
		}
		for i := range answer.States {
			if answer.States[i].ID == id {
				return e.live.put(&answer.States[i], asked), nil
			}
		}
		return nil, errUnknownSession
	})
	if err != nil {
		return nil, err
	}
	return v.(*liveSession), nil
}
