package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// statesBackend answers questions for states. Each call of the endpoint is handed to the
// test, which says how it is answered.
type statesBackend struct {
	calls chan *statesCall
}

// statesCall is one call, which waits for an answer.
type statesCall struct {
	ids    []string
	answer chan http.HandlerFunc
}

func newStatesBackend(t *testing.T) (*statesBackend, *Edge) {
	t.Helper()
	b := &statesBackend{calls: make(chan *statesCall, 100)}
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req protocol.StatesRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		call := &statesCall{ids: req.IDs, answer: make(chan http.HandlerFunc, 1)}
		b.calls <- call
		select {
		case answer := <-call.answer:
			answer(w, r)
		case <-ended:
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(ended) })
	return b, edgeOf(t, server.URL)
}

// next waits for a call.
func (b *statesBackend) next(t *testing.T) *statesCall {
	t.Helper()
	select {
	case c := <-b.calls:
		return c
	case <-time.After(2 * time.Minute):
		t.Fatal("the backend is not asked")
		return nil
	}
}

// occupy has all calls under way, and returns them.
func (b *statesBackend) occupy(t *testing.T, e *Edge) (calls []*statesCall) {
	t.Helper()
	for i := range stateCalls {
		ask(e, fmt.Sprintf("busy-%d", i))
		calls = append(calls, b.next(t))
	}
	return calls
}

// known answers with the states of all ids but those that begin with "unknown".
func (c *statesCall) known() {
	c.answer <- func(w http.ResponseWriter, _ *http.Request) {
		var a protocol.StatesAnswer
		for _, id := range c.ids {
			if strings.HasPrefix(id, "unknown") {
				a.Unknown = append(a.Unknown, id)
				continue
			}
			a.States = append(a.States, *stateOf(id, 1, protocol.Active, time.Hour))
		}
		slices.Reverse(a.States)                                                        // any order is an answer
		a.States = append(a.States, *stateOf("unasked", 1, protocol.Active, time.Hour)) // nobody asked for it
		_ = json.NewEncoder(w).Encode(a)
	}
}

// refuse answers with a problem.
func (c *statesCall) refuse(status int, code protocol.Code, retryAfter string) {
	c.answer <- func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", protocol.ProblemType)
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		_, _ = w.Write((&protocol.Problem{Status: status, Code: code}).JSON())
	}
}

// asked is what a caller was told.
type asked struct {
	id  string
	err error
}

// ask asks for sessions, each for itself.
func ask(e *Edge, ids ...string) chan asked {
	told := make(chan asked, len(ids))
	for _, id := range ids {
		go func() {
			s, err := e.FetchSession(context.Background(), id)
			if err == nil && s.ID() != id {
				err = fmt.Errorf("it is told of %s", s.ID())
			}
			told <- asked{id, err}
		}()
	}
	return told
}

// waitFor waits until so many sessions wait to be asked for.
func waitFor(t *testing.T, e *Edge, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); e.states.len() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sessions wait, want %d", e.states.len(), n)
		}
	}
}

// waitForCallers waits until so many callers wait for answers about sessions that are not
// asked for yet: a later one would ask anew.
func waitForCallers(t *testing.T, e *Edge, n int) {
	t.Helper()
	callers := func() (sum int) {
		e.states.mu.Lock()
		defer e.states.mu.Unlock()
		for _, q := range e.states.byID {
			if q.place != nil {
				sum += q.callers
			}
		}
		return sum
	}
	for end := time.Now().Add(2 * time.Minute); callers() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d callers wait, want %d", callers(), n)
		}
	}
}

// names are n ids.
func names(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s-%05d", prefix, i))
	}
	return list
}

// The first questions go at once, each by itself. What is asked while all calls are under
// way goes together, a thousand at most, and each caller has the answer for its session:
// also if the backend does not know it, and if others ask for the same one.
func TestQuestionsAreGathered(t *testing.T) {
	t.Parallel()
	b, e := newStatesBackend(t)
	patient(e)
	busy := b.occupy(t, e)
	for i, c := range busy {
		if want := []string{fmt.Sprintf("busy-%d", i)}; !slices.Equal(c.ids, want) {
			t.Errorf("call %d asks for %q", i, c.ids)
		}
	}
	ids := append(names("a", protocol.MaxStates+1), "unknown-1", "unknown-2")
	told := ask(e, append(slices.Clone(ids), ids...)...) // everyone twice
	waitForCallers(t, e, 2*len(ids))
	busy[0].known()
	first := b.next(t)
	if len(first.ids) != protocol.MaxStates {
		t.Errorf("%d sessions are asked for together", len(first.ids))
	}
	busy[1].known()
	second := b.next(t)
	if all := append(slices.Clone(first.ids), second.ids...); !slices.Equal(slices.Sorted(slices.Values(all)), slices.Sorted(slices.Values(ids))) {
		t.Errorf("%d sessions are asked for, want each of %d once", len(all), len(ids))
	}
	second.known()
	first.known()
	for range 2 * len(ids) {
		got := <-told
		if unknown := strings.HasPrefix(got.id, "unknown"); unknown != errors.Is(got.err, ErrUnknownSession) || !unknown && got.err != nil {
			t.Errorf("%s: %v", got.id, got.err)
		}
	}
	if e.Sessions.ByID("unasked") != nil {
		t.Error("the answer made another session known")
	}
	if e.states.len() != 0 || len(e.states.byID) != stateCalls-2 {
		t.Errorf("%d wait and %d are open after the answers", e.states.len(), len(e.states.byID))
	}
}

// patient has an edge wait for its backend as long as a busy machine needs.
func patient(e *Edge) {
	e.states.timeout, e.Backend.timeout = time.Minute, time.Minute
	e.Backend.client.Transport.(*http.Transport).ResponseHeaderTimeout = time.Minute
}

// Questions go in the order in which they were asked.
func TestQuestionsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b, e := newStatesBackend(t)
	patient(e)
	busy := b.occupy(t, e)
	ids := names("a", 20)
	for i, id := range ids {
		ask(e, id)
		waitFor(t, e, i+1)
	}
	busy[2].known()
	if got := b.next(t); !slices.Equal(got.ids, ids) {
		t.Errorf("they are asked as %q", got.ids)
	}
}

// A call that fails, and one that is not answered, have no effect on the others.
func TestAFailedCallFailsItsOwnBatch(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*statesCall){
		"a gateway's error": func(c *statesCall) { c.answer <- func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) } },
		"a broken connection": func(c *statesCall) {
			c.answer <- func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		},
		"an answer of no JSON": func(c *statesCall) {
			c.answer <- func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("?")) }
		},
		"the key is revoked": func(c *statesCall) { c.refuse(401, protocol.Unauthorized, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := newStatesBackend(t)
			busy := b.occupy(t, e) // the first of them is never answered
			failing := ask(e, names("failing", 10)...)
			waitFor(t, e, 10)
			busy[1].known()
			batch := b.next(t)
			other := ask(e, names("other", 10)...)
			waitFor(t, e, 10)
			fail(batch)
			for range 10 {
				if got := <-failing; got.err == nil || errors.Is(got.err, ErrUnknownSession) {
					t.Errorf("%s: %v", got.id, got.err)
				}
			}
			b.next(t).known()
			for range 10 {
				if got := <-other; got.err != nil {
					t.Errorf("%s: %v", got.id, got.err)
				}
			}
		})
	}
}

// A session because of which the backend refuses a batch does not take the others with it.
func TestARefusedBatchIsAskedForInHalves(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		code   protocol.Code
		bad    []string
	}{
		"not valid":         {422, protocol.InvalidRequest, []string{"a-00007"}},
		"too large":         {413, protocol.TooLarge, []string{"a-00000"}},
		"not readable":      {500, protocol.Internal, []string{"a-00063"}},
		"two of them":       {500, protocol.Internal, []string{"a-00031", "a-00032"}},
		"all of them":       {500, protocol.Internal, names("a", 64)},
		"not by itself bad": {422, protocol.InvalidRequest, nil}, // only the whole batch is
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := newStatesBackend(t)
			busy := b.occupy(t, e)
			told := ask(e, names("a", 64)...)
			waitFor(t, e, 64)
			busy[0].known()
			calls := 0
			for left := 64; left > 0; {
				select {
				case c := <-b.calls:
					calls++
					bad := slices.ContainsFunc(c.ids, func(id string) bool { return slices.Contains(tt.bad, id) })
					if bad || tt.bad == nil && len(c.ids) == 64 {
						c.refuse(tt.status, tt.code, "")
					} else {
						c.known()
					}
				case got := <-told:
					left--
					if bad := slices.Contains(tt.bad, got.id); bad == (got.err == nil) {
						t.Errorf("%s: %v", got.id, got.err)
					}
				case <-time.After(2 * time.Minute):
					t.Fatalf("%d are not answered", left)
				}
			}
			if calls > 1+maxSplits {
				t.Errorf("it took %d calls", calls)
			}
		})
	}
}

// Whoever leaves is not asked for any more, unless another waits for the same session.
func TestQuestionsOfThoseWhoLeaveAreNotAsked(t *testing.T) {
	t.Parallel()
	b, e := newStatesBackend(t)
	busy := b.occupy(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 2)
	for _, id := range []string{"left", "shared"} {
		go func() { _, err := e.FetchSession(ctx, id); left <- err }()
	}
	waitFor(t, e, 2)
	stays := ask(e, "shared", "stays")
	waitFor(t, e, 3)
	for callers := 0; callers < 2; time.Sleep(time.Millisecond) { // both ask for it
		e.states.mu.Lock()
		callers = e.states.byID["shared"].callers
		e.states.mu.Unlock()
	}
	cancel()
	for range 2 {
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left is told %v", err)
		}
	}
	waitFor(t, e, 2)
	busy[0].known()
	batch := b.next(t)
	if slices.Sort(batch.ids); !slices.Equal(batch.ids, []string{"shared", "stays"}) {
		t.Errorf("%q are asked for", batch.ids)
	}
	batch.known()
	for range 2 {
		if got := <-stays; got.err != nil {
			t.Errorf("%s: %v", got.id, got.err)
		}
	}
	// Who leaves an answer that is on its way does not keep it from the others.
	ctx, cancel = context.WithCancel(t.Context())
	go func() { _, err := e.FetchSession(ctx, "way"); left <- err }()
	way := b.next(t)
	cancel()
	<-left
	joined := ask(e, "way")
	way.known()
	select {
	case got := <-joined:
		if got.err != nil {
			t.Error(got.err)
		}
	case c := <-b.calls: // the answer was there before
		c.known()
		if got := <-joined; got.err != nil {
			t.Error(got.err)
		}
	}
}

// No more sessions wait than the bound says. The others are told that the backend is
// unavailable, and known sessions go on as they stand: the backend does not count as down.
func TestWaitingQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	b, e := newStatesBackend(t)
	patient(e)
	busy := b.occupy(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, id := range names("a", maxStatesWaiting) {
		all.Go(func() { _, _ = e.FetchSession(ctx, id) })
	}
	waitFor(t, e, maxStatesWaiting)
	if _, err := e.FetchSession(ctx, "one more"); !errors.Is(err, ErrBackendDown) || !errors.Is(err, errTooManyWaiting) {
		t.Errorf("one more: %v", err)
	}
	held := e.Sessions.Put(stateOf("held", 1, protocol.Active, time.Hour), 0)
	e.Confirm(ctx, held, 0)
	if e.downUntil.Load() != 0 {
		t.Error("the backend is taken to be down")
	}
	cancel()
	all.Wait()
	waitFor(t, e, 0)
	told := ask(e, "one more")
	waitFor(t, e, 1)
	busy[0].known()
	b.next(t).known()
	if got := <-told; got.err != nil {
		t.Errorf("with room again: %v", got.err)
	}
}

// A backend that sends requests away is left alone for as long as it asks. A session that
// is not known waits for the next try; a known one goes on as it stands.
func TestRetryAfterIsHonored(t *testing.T) {
	t.Parallel()
	for name, shed := range map[string]func(*statesCall){
		"503": func(c *statesCall) { c.refuse(503, protocol.Unavailable, "1") },
		"429": func(c *statesCall) { c.refuse(429, protocol.RateLimited, "1") },
		"a load balancer": func(c *statesCall) {
			c.answer <- func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(503)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, e := newStatesBackend(t)
			held := e.Sessions.Put(stateOf("held", 1, protocol.Active, time.Hour), 0)
			told := ask(e, "new")
			call := b.next(t)
			shedAt := MonotonicMS()
			shed(call)
			for paused := false; !paused; time.Sleep(time.Millisecond) {
				e.states.mu.Lock()
				paused = e.states.pausedUntil > 0
				e.states.mu.Unlock()
			}
			later := ask(e, "later")
			e.Confirm(t.Context(), held, 0)
			again := b.next(t)
			if waited := MonotonicMS() - shedAt; waited < 1000 {
				t.Errorf("asked again after %d ms", waited)
			}
			again.known()
			if !slices.Equal(slices.Sorted(slices.Values(again.ids)), []string{"later", "new"}) {
				// "later" may have come when the pause was over.
				if !slices.Equal(again.ids, []string{"new"}) {
					t.Errorf("%q are asked for", again.ids)
				}
				b.next(t).known()
			}
			for _, c := range []chan asked{told, later} {
				if got := <-c; got.err != nil {
					t.Errorf("%s: %v", got.id, got.err)
				}
			}
		})
	}
}

// When a request that finds out whether the backend is back is given up, the next one
// does.
func TestAProbeThatIsGivenUpIsRepeated(t *testing.T) {
	t.Parallel()
	b, e := newStatesBackend(t)
	s := e.Sessions.Put(stateOf("a", 1, protocol.Active, time.Hour), 0)
	e.downUntil.Store(1) // it was down
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); e.Confirm(ctx, s, 0) }()
	b.next(t)
	cancel()
	<-done
	if until := e.downUntil.Load(); until == 0 || until > MonotonicMS() {
		t.Errorf("taken to be down until %d, and it is %d", until, MonotonicMS())
	}
	other := e.Sessions.Put(stateOf("b", 1, protocol.Active, time.Hour), 0)
	go e.Confirm(t.Context(), other, 0)
	b.next(t).known()
}

// A backend from before the endpoint for states is asked for many by one batch of
// heartbeats that counts for none.
func TestOlderBackendIsAskedForManyAtOnce(t *testing.T) {
	t.Parallel()
	beats := make(chan []protocol.Heartbeat, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req protocol.HeartbeatsRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		beats <- req.Beats
		var a protocol.HeartbeatsAnswer
		for _, beat := range req.Beats {
			a.States = append(a.States, *stateOf(beat.ID, 1, protocol.Active, time.Hour))
		}
		_ = json.NewEncoder(w).Encode(a)
	}))
	defer server.Close()
	e := edgeOf(t, server.URL)
	e.heartbeatsUntil.Store(MonotonicMS() + time.Hour.Milliseconds())
	states, err := e.fetchStates(t.Context(), []string{"a", "b", "c"})
	if err != nil || len(states) != 3 {
		t.Errorf("%d states, %v", len(states), err)
	}
	for _, beat := range <-beats {
		if beat.At != 0 || beat.Count != 0 || beat.Version != 0 {
			t.Errorf("it counts as a heartbeat: %+v", beat)
		}
	}
}
