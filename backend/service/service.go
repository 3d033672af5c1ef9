// Package service holds the use cases of the session service, its background loops,
// sign-in and rate limits. It does not import an HTTP server. Package api calls it and
// turns its errors into responses.
package service

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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

// Coordinator shares live states among backends and with the streams of edges. It may
// lose all its data at any time; the database is the source of truth.
type Coordinator interface {
	// Publish stores a state and sends it to all subscribers, unless a newer state is
	// stored.
	Publish(ctx context.Context, s coord.State) error
	// Remember stores states that were read from the database. It does not send them to
	// subscribers.
	Remember(ctx context.Context, list ...coord.State) error
	// Published reports, of each version, whether Publish would do nothing because it
	// or a newer one was published.
	Published(versions []coord.Version) []bool
	// States returns the states of ids in their order, with a zero state if unknown.
	States(ctx context.Context, ids []string) ([]coord.State, error)
	// Subscribe returns the changes of these providers, or of all if none is given, after
	// the event lastID, or a reset.
	Subscribe(lastID string, providers ...string) (*coord.Subscription, error)
	// Reconciled reports to the coordinator that all recent changes in the database
	// have just been published, whichever process made them.
	Reconciled()
	// Trouble describes a problem with the shared infrastructure, or returns "".
	Trouble() string
}

// Limiter limits how often a key may be used.
type Limiter interface {
	// Allow returns how long to wait, or 0 if the use is allowed.
	Allow(ctx context.Context, key string, l coord.Limit) (time.Duration, error)
}

// Service implements the use cases. It is safe for concurrent use.
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
	limits  Limits
	reading reading
	wake    chan struct{} // wakes the expiry loop for a new deadline
	// wakes the loop that applies standstills
	wakeStandstill chan struct{}

	stateReads chan struct{} // has an element for each of the [stateReads] under way
	// The most changes that one query of the reconciliation lists; 0: reconcilePage.
	changesAtOnce int

	seal   seal.Cipher
	guard  webhook.Guard
	sender *webhook.Sender
	hooks  *webhook.Dispatcher
	edges  *EdgeHosts
	checks *checks
	dns    DNS
	secret atomic.Pointer[[]byte] // of the tokens in DNS records; nil until it is read
	// The operator's hosts, which no provider can own.
	ownHosts []string
	clock    *clockKeeper      // nil if Options has no Clock
	people   *identityProvider // nil if people sign in with keys only
}

// Options configures a [Service].
type Options struct {
	Store  *store.Store
	Coord  Coordinator
	Limit  Limiter
	Keys   *keyring.Ring
	Seal   seal.Cipher
	Issuer string
	Now    func() time.Time
	// The clock behind Now, which the service corrects. Nil if Now needs no correction.
	Clock  *Clock
	Log    *zap.Logger
	Limits Limits
	// Whether webhooks and site checks may connect to this machine.
	ToLoopback bool
	Edges      *EdgeHosts
	DNS        DNS
	Lookup     Lookup
	Rules      doctor.Rules
	OIDC       OIDC
}

// New returns a Service. Its loops run while [Service.Run] does.
func New(o Options) *Service {
	guard := webhook.Guard{AllowLoopback: o.ToLoopback}
	s := &Service{
		store: o.Store, coord: o.Coord, limit: o.Limit, keys: o.Keys,
		verify: token.Verifier{Keys: o.Keys, Issuer: o.Issuer}, issuer: o.Issuer,
		now: o.Now, log: o.Log, metric: newMetrics(), beats: newBeatBuffer(), wake: make(chan struct{}, 1), wakeStandstill: make(chan struct{}, 1), stateReads: make(chan struct{}, stateReads),
		reports: newReportBuffer(), edges: o.Edges, dns: o.DNS, ownHosts: operatorHosts(o.Issuer, o.Edges), checks: &checks{rules: o.Rules, lookup: o.Lookup, running: map[string]bool{}},
		used: &keyUse{used: map[string]int64{}}, limits: o.Limits.withDefaults(),
		people: newIdentityProvider(o.OIDC, o.Issuer, o.Now),
		seal:   o.Seal, guard: guard, sender: webhook.NewSender(guard, o.Now),
	}
	s.hooks = webhook.NewDispatcher(webhookQueue{s}, s.sender, o.Log)
	if o.Clock != nil {
		s.clock = &clockKeeper{s: s, clock: o.Clock}
	}
	s.metric.observe(s)
	return s
}

// Run advances due sessions, writes heartbeats, delivers webhooks and removes old
// records until ctx ends. It then writes buffered data and returns. shared means that
// other processes use the same database.
func (s *Service) Run(ctx context.Context, shared bool) {
	loops := []func(context.Context){s.expiryLoop, s.standstillLoop, s.beatLoop, s.housekeepingLoop, s.hooks.Run, s.analyticsLoop, s.domainLoop, s.warnOfWildcards}
	if shared {
		loops = append(loops, s.reconcileLoop)
	}
	if s.clock != nil {
		loops = append(loops, s.clock.run)
	}
	StartLoops(ctx, loops...).Wait()
}

// Registry returns the registry of the service's metrics.
func (s *Service) Registry() *prometheus.Registry { return s.metric.registry }

// WakeWebhooks makes the webhook loop check for due deliveries immediately.
func (s *Service) WakeWebhooks() { s.hooks.Wake() }

// Ready reports whether the database answers and accepts writes.
func (s *Service) Ready(ctx context.Context) error {
	if err := s.store.Ready(ctx); err != nil {
		return &Refusal{Code: protocol.Unavailable, Detail: "The database is unavailable, or it does not accept writes.", Cause: err}
	}
	return nil
}

// Warnings lists problems that the service works around and that an operator should
// fix.
func (s *Service) Warnings() []string {
	var list []string
	if s.clock != nil {
		if skew := s.clock.clock.Skew(); skew.Abs() > clockStep {
			way := "ahead of"
			if skew < 0 {
				way = "behind"
			}
			list = append(list, fmt.Sprintf("This machine's clock is %v %s the database's. The service uses the database's. Synchronize the machines' clocks.", skew.Abs().Round(100*time.Millisecond), way))
		}
	}
	if trouble := s.coord.Trouble(); trouble != "" {
		list = append(list, trouble)
	}
	return list
}

// Request identifies a write and its caller, so that the write takes effect once.
type Request struct {
	// The caller, as the namespace of its idempotency keys.
	scope string
	// The Idempotency-Key, or empty if none was given.
	key string
	// The hash of the operation, path and body.
	hash string

	operation, target string
	// The marketplace whose sessions alone the write may change. Empty: of any.
	marketplace string
	// The portal link of a guest, whose changes may need to be confirmed. Empty: none.
	guest string
	// The API key or person to record in the audit log. Empty if nothing is recorded.
	Actor string
	ID    string // of the HTTP request
}

// NewRequest describes a write. body is the decoded request body, so requests that
// differ only in spelling are the same request.
func NewRequest(scope, key, operation, target string, body any) (Request, error) {
	spelled, err := json.Marshal([]any{operation, target, body})
	if err != nil {
		return Request{}, fmt.Errorf("hashing request: %w", err)
	}
	sum := sha256.Sum256(spelled)
	return Request{scope: scope, key: key, hash: hex.EncodeToString(sum[:]), operation: operation, target: target}, nil
}

// From returns r limited to what c may change.
func (r Request) From(c Caller) Request {
	r.marketplace = c.MarketplaceID
	if c.Guest {
		r.guest = c.KeyID
	}
	return r
}

// answered reports whether a request was answered before, so that a task of several
// transactions does not run again before the last of them finds its answer.
func (s *Service) answered(ctx context.Context, req Request) (bool, error) {
	if req.key == "" {
		return false, nil
	}
	_, found, err := s.store.Answer(ctx, req.scope, req.key, req.hash, s.now())
	return found, err
}

// writeTx is a write in progress: its transaction, its time, and the changes to publish
// after the commit.
type writeTx struct {
	*store.Tx
	s        *Service
	now      time.Time
	req      Request
	changed  []session.Session
	sites    []store.Provider // whose site settings changed
	enqueued int64            // webhook deliveries that the transaction enqueued

	// For the audit log: what the request made, if it named nothing, and what it changed.
	target  string
	changes []Change
	quiet   bool // whether the request is not recorded

	stops map[string][]store.Standstill // by provider, as far as they were read
}

// write runs f in one transaction and publishes its changes after the commit. If the
// request has an idempotency key that was answered before, write returns the same
// answer and does not run f. A refused request is not stored.
func write[T any](ctx context.Context, s *Service, req Request, f func(*writeTx) (T, error)) (T, error) {
	var out T
	var w *writeTx
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		var zero T
		out = zero
		w = &writeTx{Tx: tx, s: s, now: s.now(), req: req}
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
	s.publishSites(ctx, w.sites)
	if w.enqueued > 0 {
		s.hooks.Wake()
	}
	return out, nil
}

// auditLog writes a request to the audit log if it has an Actor.
func (w *writeTx) auditLog(ctx context.Context, req Request) error {
	if req.Actor == "" || w.quiet {
		return nil
	}
	changes, err := auditText(w.changes)
	if err != nil {
		return err
	}
	return w.InsertAudit(ctx, store.AuditEntry{
		ID: store.NewID(w.now), At: w.now.Unix(), Actor: req.Actor, Action: req.operation, Target: cmp.Or(req.target, w.target), RequestID: req.ID,
		Changes: changes,
	})
}

// apply advances the session to the current time, applies e, and writes the changes to
// the record, the ledger and the events.
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

// catchUp reads a session and writes the transitions that are due. It returns
// [ErrNotFound] for a session that the request may not change: every change of a session
// begins here.
func (w *writeTx) catchUp(ctx context.Context, id string) (session.Session, error) {
	current, err := w.Session(ctx, id)
	if err != nil {
		return current, err
	}
	if !ofMarketplace(current, w.req.marketplace) {
		return session.Session{}, store.ErrNotFound
	}
	if current.Status.Terminal() {
		return current, nil
	}
	if current, err = w.applyStandstills(ctx, current); err != nil {
		return current, err
	}
	return w.tick(ctx, current, w.now)
}

// tick writes the transitions that are due at a moment.
func (w *writeTx) tick(ctx context.Context, current session.Session, at time.Time) (session.Session, error) {
	for {
		tr, err := session.Apply(current, session.Tick{}, at)
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

// record writes one transition of an existing session.
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

// publish sends the sessions that changed to edges and other backends. The changes are
// committed already, so if the coordinator fails, edges receive them later, when they
// ask again.
func (s *Service) publish(ctx context.Context, changed []session.Session) {
	for _, c := range changed {
		if c.Status.Terminal() && c.Purpose() == session.LiveMode {
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
		wakeUp(s.wake)
	}
}

// keepState is how long a live state is stored beyond its deadline.
const keepState = time.Hour

func (s *Service) state(c session.Session) (coord.State, error) {
	body, err := json.Marshal(shape.LiveStateOf(c))
	if err != nil {
		return coord.State{}, fmt.Errorf("encoding live state: %w", err)
	}
	return coord.State{ID: c.ID, Version: c.Version, Data: body, Forget: time.Unix(max(c.Due(), c.ExpiresAt, c.EndedAt), 0).Add(keepState)}, nil
}

// asOf returns the state of c at now, even if the expiry loop has not written it yet.
func asOf(c session.Session, now time.Time) session.Session {
	for {
		tr, err := session.Apply(c, session.Tick{}, now)
		if err != nil {
			return c
		}
		c = tr.Session
	}
}
