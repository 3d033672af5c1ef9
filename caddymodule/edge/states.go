package edge

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

const (
	// stateCalls is how many requests for states are under way at once. While they are,
	// further sessions wait, and go together as soon as one returns.
	stateCalls = 4
	// maxStatesWaiting is how many sessions wait: for some ten full calls. Requests for
	// further ones are told that the backend is unavailable.
	maxStatesWaiting = 10 * protocol.MaxStates
	// maxSplits bounds the calls for one batch that the backend refuses because of
	// some of its sessions.
	maxSplits = 32
	// maxPause is the longest that a backend can ask to wait.
	maxPause = 10 * time.Second
)

// errTooManyWaiting is returned, with [ErrBackendDown], when no more sessions can wait.
var errTooManyWaiting = errors.New("too many sessions wait for the backend")

// stateRequests gathers what requests ask the backend about sessions, so that many
// questions cost few calls. A question goes at once while fewer than [stateCalls] are
// under way. Questions for one session share an answer. It is safe for concurrent use.
type stateRequests struct {
	// ask returns the states of those of ids that exist; take makes one the edge's own,
	// as the backend had it at asked, in monotonic ms, or later.
	ask  func(ctx context.Context, ids []string) ([]protocol.LiveState, error)
	take func(st *protocol.LiveState, asked int64) *live.Session
	// How long a caller waits at most.
	timeout time.Duration

	mu          sync.Mutex // guards all below, and the requests
	byID        map[string]*stateRequest
	waiting     list.List // of *stateRequest, the earliest first
	calls       int       // under way
	pausedUntil int64     // monotonic ms: the backend asked for time until then
}

// stateRequest is a question for one session.
type stateRequest struct {
	id      string
	ctx     context.Context // of its first caller, whose trace the call belongs to
	callers int
	// A caller needs the answer even if it takes another try.
	patient bool
	place   *list.Element // nil once the question is on its way

	done    chan struct{} // closed once session and err are set
	session *live.Session
	err     error
}

// fetch asks for a session. It returns within the timeout, and when ctx ends. If the
// backend asks for time, a patient caller waits for another try.
func (r *stateRequests) fetch(ctx context.Context, id string, patient bool) (*live.Session, error) {
	q, err := r.join(ctx, id, patient)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	select {
	case <-q.done:
		return q.session, q.err
	case <-timer.C:
		err = fmt.Errorf("fetching live states: %w: it did not answer within %v", ErrBackendDown, r.timeout)
	case <-ctx.Done():
		err = fmt.Errorf("fetching live states: %w", ctx.Err())
	}
	r.leave(q)
	return nil, err
}

// join adds a caller to the question for a session.
func (r *stateRequests) join(ctx context.Context, id string, patient bool) (*stateRequest, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if wait := r.pausedUntil - MonotonicMS(); wait > 0 && !patient {
		return nil, fmt.Errorf("fetching live states: %w: %w", ErrBackendDown, &protocol.Problem{Code: protocol.Unavailable, RetryAfter: int(wait+999) / 1000})
	}
	q := r.byID[id]
	if q == nil {
		if r.waiting.Len() >= maxStatesWaiting {
			return nil, fmt.Errorf("fetching live states: %w: %w", ErrBackendDown, errTooManyWaiting)
		}
		q = &stateRequest{id: id, ctx: context.WithoutCancel(ctx), done: make(chan struct{})}
		if r.byID == nil {
			r.byID = make(map[string]*stateRequest)
		}
		r.byID[id] = q
		q.place = r.waiting.PushBack(q)
	}
	q.callers++
	q.patient = q.patient || patient
	r.sendLocked()
	return q, nil
}

// leave removes a caller. A question that nobody waits for is not asked.
func (r *stateRequests) leave(q *stateRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.callers--; q.callers == 0 && q.place != nil {
		r.waiting.Remove(q.place)
		delete(r.byID, q.id)
	}
}

// sendLocked sends what waits, as far as calls are free.
func (r *stateRequests) sendLocked() {
	for r.calls < stateCalls && r.waiting.Len() > 0 && MonotonicMS() >= r.pausedUntil {
		batch := make([]*stateRequest, 0, min(r.waiting.Len(), protocol.MaxStates))
		for len(batch) < cap(batch) {
			q := r.waiting.Remove(r.waiting.Front()).(*stateRequest)
			q.place = nil
			batch = append(batch, q)
		}
		r.calls++
		go r.send(batch)
	}
}

// send makes one call, and then the next one if any waits.
func (r *stateRequests) send(batch []*stateRequest) {
	splits := maxSplits
	again := r.answer(batch, &splits)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls--
	for i := len(again) - 1; i >= 0; i-- { // in their order, before what came later
		if q := again[i]; q.callers > 0 {
			q.place = r.waiting.PushFront(q)
		} else { // they left meanwhile
			delete(r.byID, q.id)
		}
	}
	r.sendLocked()
}

// answer asks for a batch, and answers all of it but what is to be asked again. If the
// backend refuses the batch because of something in it, halves of it are asked for, so
// that the other sessions have their answers.
func (r *stateRequests) answer(batch []*stateRequest, splits *int) (again []*stateRequest) {
	ids := make([]string, len(batch))
	for i, q := range batch {
		ids[i] = q.id
	}
	// The answer says how things stood after this moment, and of what the stream lost
	// since then it may know nothing.
	asked := MonotonicMS()
	states, err := r.ask(batch[0].ctx, ids)
	if blames(err) && len(batch) > 1 && *splits > 0 {
		*splits -= 2
		half := len(batch) / 2
		return append(r.answer(batch[:half], splits), r.answer(batch[half:], splits)...)
	}
	byID := make(map[string]*protocol.LiveState, len(states))
	for i := range states {
		byID[states[i].ID] = &states[i]
	}
	for _, q := range batch {
		switch st := byID[q.id]; {
		case err != nil:
			q.err = err
		case st != nil:
			q.session = r.take(st, asked)
		default:
			q.err = ErrUnknownSession
		}
	}
	return r.finish(batch, retryAfter(err))
}

// finish gives the callers their answers. If the backend asks for time, what it did not
// answer to patient callers is returned.
func (r *stateRequests) finish(batch []*stateRequest, pause time.Duration) (again []*stateRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pause > 0 {
		// Edges that were sent away together do not come back together.
		pause += rand.N(pause/2 + 1)
		r.pausedUntil = max(r.pausedUntil, MonotonicMS()+pause.Milliseconds())
		time.AfterFunc(pause+time.Millisecond, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.sendLocked()
		})
	}
	for _, q := range batch {
		if pause > 0 && q.patient && q.callers > 0 {
			q.err = nil
			again = append(again, q)
			continue
		}
		delete(r.byID, q.id)
		close(q.done)
	}
	return again
}

// len returns how many sessions wait to be asked for.
func (r *stateRequests) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting.Len()
}

// retryAfter returns how long a backend that sends requests away asks to wait; 0 for all
// other results.
func retryAfter(err error) time.Duration {
	p, ok := errors.AsType[*protocol.Problem](err)
	if !ok || p.Code != protocol.RateLimited && p.Code != protocol.Unavailable {
		return 0
	}
	return min(time.Duration(p.RetryAfter)*time.Second, maxPause)
}

// blames reports whether a batch was refused because of something in it.
func blames(err error) bool {
	p, ok := errors.AsType[*protocol.Problem](err)
	return ok && (p.Code == protocol.InvalidRequest || p.Code == protocol.TooLarge || p.Code == protocol.Internal)
}
