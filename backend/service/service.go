// Package service holds the use cases of the session service, its background
// loops, sign-in and rate limits. It knows no HTTP server: package api calls it,
// and turns its errors into answers.
package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/keyring"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/backend/webhook"
	"github.com/sessiongate/sessiongate/internal/doctor"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/seal"
	"github.com/sessiongate/sessiongate/internal/token"
)

// Coordinator shares live states among backends and with the edges' streams.
// It may forget everything at any time; the record is SQL.
type Coordinator interface {
	// Publish keeps a state and tells all subscribers, unless it is old news.
	Publish(ctx context.Context, s coord.State) error
	// Remember keeps a state read from the record and tells nobody.
	Remember(ctx context.Context, s coord.State) error
	// States returns the states of ids in their order, zero where unknown.
	States(ctx context.Context, ids []string) ([]coord.State, error)
	// Subscribe returns all changes after the event lastID, or a reset.
	Subscribe(lastID string) (*coord.Subscription, error)
}

// Limiter limits how often something may happen.
type Limiter interface {
	// Allow returns how long to wait, 0 when allowed.
	Allow(ctx context.Context, key string, l coord.Limit) (time.Duration, error)
}

// Service is the use cases. Safe for concurrent use.
type Service struct {
	store   *store.Store
	coord   Coordinator
	limit   Limiter
	keys    *keyring.Ring
	verify  token.Verifier
	issuer  string
	now     func() time.Time
	log     *zap.Logger
	metric  *metrics
	beats   *beatBuffer
	used    *keyUse
	reports *reportBuffer
	rates   rates
	wake    chan struct{} // tells the expiry loop of a new deadline

	seal   seal.Cipher
	guard  webhook.Guard
	sender *webhook.Sender
	hooks  *webhook.Dispatcher
	edges  *EdgeHosts
	checks *checks
	people *identityProvider // nil: keys only
}

// Options is how the use cases run.
type Options struct {
	Store  *store.Store
	Coord  Coordinator
	Limit  Limiter
	Keys   *keyring.Ring
	Seal   seal.Cipher
	Issuer string
	Now    func() time.Time
	Log    *zap.Logger
	// Requests a second, of one caller and of one address without a key;
	// negative: any number.
	KeyRate, AddressRate int
	// Whether webhooks and checks of sites may go to this machine.
	ToLoopback bool
	Edges      *EdgeHosts
	Lookup     Lookup
	Rules      doctor.Rules
	OIDC       OIDC
}

// New returns the use cases. Its loops run while run does.
func New(o Options) *Service {
	guard := webhook.Guard{AllowLoopback: o.ToLoopback}
	s := &Service{
		store: o.Store, coord: o.Coord, limit: o.Limit, keys: o.Keys,
		verify: token.Verifier{Keys: o.Keys, Issuer: o.Issuer}, issuer: o.Issuer,
		now: o.Now, log: o.Log, metric: newMetrics(), beats: newBeatBuffer(), wake: make(chan struct{}, 1),
		reports: newReportBuffer(), edges: o.Edges, checks: &checks{rules: o.Rules, lookup: o.Lookup, running: map[string]bool{}},
		used: &keyUse{used: map[string]int64{}}, rates: rates{key: perSecond(o.KeyRate), address: perSecond(o.AddressRate)},
		people: newIdentityProvider(o.OIDC, o.Issuer, o.Now),
		seal:   o.Seal, guard: guard, sender: webhook.NewSender(guard, o.Now),
	}
	s.hooks = webhook.NewDispatcher(webhookQueue{s}, s.sender, o.Log)
	return s
}

// Run advances due sessions, writes heartbeats, delivers webhooks and removes old
// records until ctx ends, then writes what is left. shared says that other
// processes use the same database.
func (s *Service) Run(ctx context.Context, shared bool) {
	loops := []func(context.Context){s.expiryLoop, s.beatLoop, s.housekeepingLoop, s.hooks.Run, s.analyticsLoop}
	if shared {
		loops = append(loops, s.reconcileLoop)
	}
	StartLoops(ctx, loops...).Wait()
}

// Registry holds the metrics.
func (s *Service) Registry() *prometheus.Registry { return s.metric.registry }

// WakeWebhooks makes the webhook loop check for due deliveries immediately.
func (s *Service) WakeWebhooks() { s.hooks.Wake() }

// Ready reports whether the database answers.
func (s *Service) Ready(ctx context.Context) error {
	if err := s.store.Ping(ctx); err != nil {
		return &Refusal{Code: protocol.Unavailable, Detail: "The database is unavailable.", Cause: err}
	}
	return nil
}

// Request identifies a write and its caller, so that the write takes effect once.
type Request struct {
	// Who, as a namespace of idempotency keys.
	scope string
	// The Idempotency-Key; empty: none was given.
	key string
	// Of what was asked: operation, path and body.
	hash string

	operation, target string
	// Whose key or person, if what is done is recorded in the audit log.
	Actor string
	ID    string // of the HTTP request
}

// NewRequest describes a write. body is what was asked, decoded: the same
// request spelled otherwise is the same request.
func NewRequest(scope, key, operation, target string, body any) (Request, error) {
	spelled, err := json.Marshal([]any{operation, target, body})
	if err != nil {
		return Request{}, fmt.Errorf("hashing request: %w", err)
	}
	sum := sha256.Sum256(spelled)
	return Request{scope: scope, key: key, hash: hex.EncodeToString(sum[:]), operation: operation, target: target}, nil
}

// writeTx is one write in progress: its transaction, its moment, and what to tell
// the world once it is committed.
type writeTx struct {
	*store.Tx
	s        *Service
	now      time.Time
	changed  []session.Session
	enqueued int64 // webhook deliveries that the transaction enqueued
}

// write runs f in one transaction and publishes what it changed once that is
// committed. With an idempotency key, a request that was answered before is
// answered the same and f does not run; a refused one leaves no trace.
func write[T any](ctx context.Context, s *Service, req Request, f func(*writeTx) (T, error)) (T, error) {
	var out T
	var w *writeTx
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		var zero T
		out = zero
		w = &writeTx{Tx: tx, s: s, now: s.now()}
		if req.key != "" {
			answer, fresh, err := tx.Once(ctx, req.scope, req.key, req.hash, w.now)
			if err != nil {
				return err
			}
			if !fresh {
				s.metric.replays.Inc()
				if err := json.Unmarshal([]byte(answer), &out); err != nil {
					return fmt.Errorf("reading remembered answer: %w", err)
				}
				return nil
			}
		}
		var err error
		if out, err = f(w); err != nil {
			return err
		}
		if err := w.auditLog(ctx, req); err != nil {
			return err
		}
		if req.key == "" {
			return nil
		}
		answer, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("remembering answer: %w", err)
		}
		return tx.Remember(ctx, req.scope, req.key, string(answer))
	})
	if err != nil {
		var zero T
		return zero, err
	}
	s.publish(ctx, w.changed)
	if w.enqueued > 0 {
		s.hooks.Wake()
	}
	return out, nil
}

// auditLog writes what is recorded to the audit log.
func (w *writeTx) auditLog(ctx context.Context, req Request) error {
	if req.Actor == "" {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("writing audit log: %w", err)
	}
	return w.InsertAudit(ctx, store.AuditEntry{
		ID: id.String(), At: w.now.Unix(), Actor: req.Actor, Action: req.operation, Target: req.target, RequestID: req.ID,
	})
}

// apply brings session id up to date with the time, then applies e, and writes
// what changed: record, ledger and events.
func (w *writeTx) apply(ctx context.Context, id string, e session.Event) (session.Session, error) {
	current, err := w.catchUp(ctx, id)
	if err != nil {
		return current, err
	}
	tr, err := session.Apply(current, e, w.now)
	if err != nil {
		return current, err
	}
	if tr.Unchanged {
		return current, nil
	}
	return tr.Session, w.record(ctx, tr)
}

// catchUp reads a session and writes what time has done to it since.
func (w *writeTx) catchUp(ctx context.Context, id string) (session.Session, error) {
	current, err := w.Session(ctx, id)
	if err != nil {
		return current, err
	}
	for {
		tr, err := session.Apply(current, session.Tick{}, w.now)
		if errors.Is(err, session.ErrNotDue) {
			return current, nil
		}
		if err != nil {
			return current, err
		}
		if err := w.record(ctx, tr); err != nil {
			return current, err
		}
		current = tr.Session
	}
}

// record writes one transition of a session that exists.
func (w *writeTx) record(ctx context.Context, tr session.Transition) error {
	if err := w.Update(ctx, tr, w.now); err != nil {
		return err
	}
	if tr.Hold > 0 || tr.Settlement != nil {
		hold, err := w.Hold(ctx, tr.Session.ID)
		if err != nil {
			return err
		}
		var posting ledger.Posting
		if s := tr.Settlement; s != nil {
			posting, err = ledger.Settle(hold, s.Captured, s.Released, w.now)
		} else {
			posting, err = ledger.Grow(hold, tr.Hold, w.now)
		}
		if err != nil {
			return err
		}
		if err := w.Post(ctx, posting); err != nil {
			return err
		}
	}
	w.changed = append(w.changed, tr.Session)
	return w.enqueueTransition(ctx, tr)
}

// publish tells the world of sessions that changed. The change is committed: a
// coordinator that fails loses no more than time, since edges ask again.
func (s *Service) publish(ctx context.Context, changed []session.Session) {
	for _, c := range changed {
		if c.Status.Terminal() {
			s.metric.ended.WithLabelValues(string(c.Status)).Inc()
		}
		state, err := s.state(c)
		if err == nil {
			err = s.coord.Publish(context.WithoutCancel(ctx), state)
		}
		if err != nil {
			s.log.Error("failed to publish a session's change", zap.String("session", c.ID), zap.Error(err))
		}
	}
	if len(changed) > 0 {
		select {
		case s.wake <- struct{}{}:
		default: // the loop is awake already
		}
	}
}

// keepState is how long a live state is remembered beyond its deadline.
const keepState = time.Hour

func (s *Service) state(c session.Session) (coord.State, error) {
	body, err := json.Marshal(shape.LiveStateOf(c))
	if err != nil {
		return coord.State{}, fmt.Errorf("encoding live state: %w", err)
	}
	return coord.State{ID: c.ID, Version: c.Version, Data: body, Forget: time.Unix(max(c.Due(), c.ExpiresAt, c.EndedAt), 0).Add(keepState)}, nil
}

// asOf is what c is at the moment now, should the expiry loop be late to write
// it down.
func asOf(c session.Session, now time.Time) session.Session {
	for {
		tr, err := session.Apply(c, session.Tick{}, now)
		if err != nil {
			return c
		}
		c = tr.Session
	}
}

// metrics is what the use cases count. Labels are bounded.
type metrics struct {
	registry *prometheus.Registry
	created  prometheus.Counter
	ended    *prometheus.CounterVec
	replays  prometheus.Counter
	beats    prometheus.Counter
	late     prometheus.Histogram
	attempts *prometheus.CounterVec
	disabled *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		created: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sessiongate_sessions_created_total", Help: "Sessions created.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sessiongate_sessions_ended_total", Help: "Sessions settled, by the state they ended in.",
		}, []string{"status"}),
		replays: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sessiongate_idempotent_replays_total", Help: "Requests answered from an earlier one with their key.",
		}),
		beats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sessiongate_heartbeats_total", Help: "Heartbeats of pages, as edges and SDKs reported them.",
		}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sessiongate_expiry_late_seconds", Help: "How long after its deadline a session was settled.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 5, 60},
		}),
	}
	m.attempts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_webhook_attempts_total", Help: "Calls of webhooks, by the answer's status: 2xx, …, none.",
	}, []string{"result"})
	m.disabled = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sessiongate_webhooks_disabled_total", Help: "Webhooks that were disabled because they are gone or failed for days.",
	}, []string{"reason"})
	m.registry.MustRegister(m.attempts, m.disabled, m.created, m.ended, m.replays, m.beats, m.late,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}
