package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// openStream is a stream that an edge has opened.
type openStream struct {
	method, lastID string
	providers      []string
	say            chan string   // what the edge is told
	gone           chan struct{} // closed when the edge has closed it
}

// streamsOf starts a backend that leaves its streams to the test, and an edge that is not
// started. refuse may answer a request in the place of a stream.
func streamsOf(t *testing.T, refuse func(w http.ResponseWriter, r *http.Request) bool) (*Edge, <-chan *openStream) {
	t.Helper()
	streams := make(chan *openStream, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse != nil && refuse(w, r) {
			return
		}
		if r.URL.Path != protocol.EdgeEvents {
			// The backend knows of no session.
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s := &openStream{method: r.Method, lastID: r.Header.Get("Last-Event-ID"), say: make(chan string), gone: make(chan struct{})}
		var ask protocol.StreamRequest
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
				t.Error(err)
			}
		}
		s.providers = ask.Providers
		defer close(s.gone)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		flush := http.NewResponseController(w)
		if err := flush.Flush(); err != nil {
			return
		}
		streams <- s
		for {
			select {
			case <-r.Context().Done():
				return
			case text, more := <-s.say:
				if !more {
					return
				}
				if _, err := w.Write([]byte(text)); err != nil || flush.Flush() != nil {
					return
				}
			}
		}
	}))
	e := edgeOf(t, server.URL)
	t.Cleanup(func() {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
	})
	return e, streams
}

func took[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: not within 2 minutes", what)
		panic("unreachable")
	}
}

func timeEvent(id string) string { return "id: " + id + "\nevent: time\ndata: {}\n\n" }

func stateEvent(id string, st *protocol.LiveState) string {
	data, _ := json.Marshal(st) // of numbers and strings alone
	return "id: " + id + "\nevent: state\ndata: " + string(data) + "\n\n"
}

func sessionAt(provider, id string, version int64) *protocol.LiveState {
	st := stateOf(id, version, protocol.Active, time.Hour)
	st.ProviderID = provider
	return st
}

// nextMoment waits until the clock in use shows another time: what was confirmed in the
// moment of a change counts as confirmed before it.
func nextMoment() {
	for now := MonotonicMS(); MonotonicMS() == now; {
		time.Sleep(time.Millisecond)
	}
}

// confirm has the backend vouch for a session now.
func confirm(s *live.Session) {
	nextMoment()
	s.Confirm(s.Record().State().Version, MonotonicMS())
}

// A session of another provider has the edge open a second stream. The first runs until
// the second has begun: sessions of the first provider stay current all the while. Those
// of the other are not, before the stream covers them and the backend has vouched for them
// since.
func TestStreamIsWidenedWithoutAGap(t *testing.T) {
	t.Parallel()
	e, streams := streamsOf(t, nil)
	e.Site("p1")
	e.Start()
	first := took(t, streams, "the first stream")
	if first.method != http.MethodPost || !slices.Equal(first.providers, []string{"p1"}) || first.lastID != "" {
		t.Errorf("%+v", first)
	}
	first.say <- timeEvent("5")
	waitUntil(t, e.stream.connected.Load)
	nextMoment()
	one := e.Sessions.Put(sessionAt("p1", "a", 1), MonotonicMS())
	if !e.fresh(one, 0) {
		t.Error("a session of the provider that is covered is not current")
	}
	first.say <- stateEvent("6", sessionAt("p9", "x", 1)) // of a session that is not held
	other := e.Sessions.Put(sessionAt("p2", "b", 1), MonotonicMS())

	second := took(t, streams, "the second stream")
	if !slices.Equal(second.providers, []string{"p1", "p2"}) || second.lastID != "6" {
		t.Errorf("%+v", second)
	}
	confirm(other)
	if e.fresh(other, time.Hour) || !e.fresh(one, 0) || !e.stream.connected.Load() {
		t.Errorf("before the second stream has begun: %t, %t", e.fresh(other, time.Hour), e.fresh(one, 0))
	}
	first.say <- stateEvent("7", sessionAt("p1", "a", 2))
	waitUntil(t, func() bool { return one.Record().State().Version == 2 })
	second.say <- stateEvent("7", sessionAt("p1", "a", 2)) + stateEvent("8", sessionAt("p1", "a", 3))
	waitUntil(t, func() bool { return one.Record().State().Version == 3 })
	took(t, first.gone, "the end of the first stream")
	if !e.fresh(one, 0) || !e.stream.connected.Load() {
		t.Error("a session that was current is not any more")
	}
	if e.fresh(other, time.Hour) {
		t.Error("a session that was confirmed before the stream covered its provider is taken for current")
	}
	confirm(other)
	if !e.fresh(other, 0) {
		t.Error("a session that was confirmed since is not current")
	}
	// The stream ends. The next one has the same providers and resumes.
	close(second.say)
	third := took(t, streams, "the third stream")
	if !slices.Equal(third.providers, []string{"p1", "p2"}) || third.lastID != "8" {
		t.Errorf("%+v", third)
	}
	if e.fresh(one, 0) || !e.fresh(one, time.Hour) || !e.fresh(other, time.Hour) {
		t.Error("while the stream is down, sessions count as current for as long as max_staleness")
	}
	third.say <- timeEvent("9")
	waitUntil(t, e.stream.connected.Load)
	if !e.fresh(one, 0) || !e.fresh(other, 0) {
		t.Error("after the stream has resumed, sessions are not current")
	}
}

// A wider stream that cannot resume begins with a reset: every session is confirmed anew.
func TestWiderStreamThatCannotResume(t *testing.T) {
	t.Parallel()
	e, streams := streamsOf(t, nil)
	e.Site("p1")
	e.Start()
	first := took(t, streams, "the first stream")
	first.say <- timeEvent("5")
	waitUntil(t, e.stream.connected.Load)
	nextMoment()
	one := e.Sessions.Put(sessionAt("p1", "a", 1), MonotonicMS())
	e.Sessions.Put(sessionAt("p2", "b", 1), MonotonicMS())
	second := took(t, streams, "the second stream")
	nextMoment()
	second.say <- "id: 900\nevent: reset\ndata: {}\n\n"
	took(t, first.gone, "the end of the first stream")
	if e.fresh(one, time.Hour) {
		t.Error("a session is taken for current although changes may have been missed")
	}
	confirm(one)
	if !e.fresh(one, 0) {
		t.Error("a session that was confirmed since is not current")
	}
}

// A wider stream that the backend refuses is tried again; the first one goes on.
func TestWiderStreamIsTriedAgain(t *testing.T) {
	t.Parallel()
	refusals := make(chan struct{}, 2)
	e, streams := streamsOf(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Last-Event-ID") == "" || len(refusals) == cap(refusals) {
			return false
		}
		refusals <- struct{}{}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	e.Site("p1")
	e.Start()
	first := took(t, streams, "the first stream")
	first.say <- timeEvent("5")
	waitUntil(t, e.stream.connected.Load)
	e.Site("p2")
	second := took(t, streams, "the second stream")
	if len(refusals) != 2 || !e.stream.connected.Load() {
		t.Errorf("%d refusals, connected: %t", len(refusals), e.stream.connected.Load())
	}
	second.say <- timeEvent("6")
	took(t, first.gone, "the end of the first stream")
}

// Providers that come one after the other are gathered: few streams are opened.
func TestManyNewProvidersTakeFewStreams(t *testing.T) {
	t.Parallel()
	e, streams := streamsOf(t, nil)
	e.Start()
	first := took(t, streams, "the first stream")
	if !slices.Equal(first.providers, []string{nobody}) {
		t.Errorf("an edge without providers asks for %v", first.providers)
	}
	first.say <- timeEvent("1")
	waitUntil(t, e.stream.connected.Load)
	opened := 1
	const providers = 500
	for n := range providers {
		e.Sessions.Put(sessionAt(fmt.Sprint("p", n), fmt.Sprint("s", n), 1), MonotonicMS())
		if n%100 == 0 {
			nextMoment()
		}
	}
	for last := first; len(last.providers) < providers; opened++ {
		last = took(t, streams, "a wider stream")
		last.say <- timeEvent("2")
	}
	if opened > 5 {
		t.Errorf("%d streams were opened", opened)
	}
	waitUntil(t, func() bool { return !e.interest.exceeds(e.stream.coverage.Load()) })
}

// Above the number of providers that a stream takes, the edge asks for all. What was
// covered before stays so.
func TestTooManyProvidersForAStream(t *testing.T) {
	t.Parallel()
	e, streams := streamsOf(t, nil)
	e.Site("p1")
	e.Start()
	first := took(t, streams, "the first stream")
	first.say <- timeEvent("1")
	waitUntil(t, e.stream.connected.Load)
	nextMoment()
	one := e.Sessions.Put(sessionAt("p1", "a", 1), MonotonicMS())
	for n := range 3 * protocol.MaxStreamProviders {
		e.interest.add(fmt.Sprint("q", n), MonotonicMS())
	}
	for all := first; len(all.providers) > 0; {
		all = took(t, streams, "a wider stream")
		all.say <- timeEvent("2")
	}
	waitUntil(t, func() bool { return e.stream.coverage.Load().all })
	late := e.Sessions.Put(sessionAt("unlisted", "b", 1), MonotonicMS())
	confirm(late)
	if !e.fresh(one, 0) || !e.fresh(late, 0) {
		t.Errorf("with the changes of all: %t, %t", e.fresh(one, 0), e.fresh(late, 0))
	}
	if n := len(e.interest.providers); n > maxInterest {
		t.Errorf("%d providers are remembered", n)
	}
}

// A backend from before streams of some providers is asked for the stream of all, and once
// in a while for the other.
func TestOlderBackendStreamsAll(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"404": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"405": func(w http.ResponseWriter) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"problem": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", protocol.ProblemType)
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write((&protocol.Problem{Status: http.StatusNotFound, Code: protocol.NotFound}).JSON())
		},
		"a smaller limit": func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnprocessableEntity) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			posts := make(chan struct{}, 2) // so many are refused
			e, streams := streamsOf(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != protocol.EdgeEvents || r.Method != http.MethodPost || len(posts) == cap(posts) {
					return false
				}
				posts <- struct{}{}
				answer(w)
				return true
			})
			e.Site("p1")
			e.stream.legacyFor = 200 * time.Millisecond
			e.Start()
			first := took(t, streams, "the stream of all")
			if first.method != http.MethodGet {
				t.Errorf("%+v", first)
			}
			first.say <- timeEvent("1")
			waitUntil(t, e.stream.connected.Load)
			nextMoment()
			one := e.Sessions.Put(sessionAt("p1", "a", 1), MonotonicMS())
			late := e.Sessions.Put(sessionAt("p2", "b", 1), MonotonicMS())
			if !e.fresh(one, 0) || !e.fresh(late, 0) {
				t.Error("the stream of all does not cover a provider")
			}
			second := took(t, streams, "the stream of some providers")
			if second.method != http.MethodPost || second.lastID != "1" || !slices.Equal(second.providers, []string{"p1", "p2"}) {
				t.Errorf("%+v", second)
			}
			second.say <- timeEvent("2")
			took(t, first.gone, "the end of the stream of all")
			if !e.fresh(one, 0) || !e.fresh(late, 0) {
				t.Error("sessions that were current are not any more")
			}
		})
	}
}

// An event about a session arrives while the edge fetches the session for the first time.
// It finds none, and the answer may be older: the session is confirmed once more.
func TestEventWhileASessionIsFetched(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	e.Site("p1")
	e.stream.coverage.Store(e.stream.coverage.Load().followedBy(e.interest.wanted(MonotonicMS(), e.heldProviders), MonotonicMS()))
	e.stream.connected.Store(true)
	nextMoment()
	asked := MonotonicMS()
	told(t, e, sessionAt("p1", "a", 2))
	missed := e.Sessions.Put(sessionAt("p1", "a", 1), asked)
	if e.fresh(missed, time.Hour) {
		t.Error("a state that may be older than an event is taken for current")
	}
	told(t, e, sessionAt("p1", "a", 2))
	if !e.fresh(missed, 0) {
		t.Error("the event did not confirm the session")
	}
	nextMoment()
	if s := e.Sessions.Put(sessionAt("p1", "b", 1), MonotonicMS()); !e.fresh(s, 0) {
		t.Error("a session without an event is not current")
	}
}

// The decision about a session that is current allocates nothing.
func TestFreshAllocatesNothing(t *testing.T) {
	e := aloneEdge(t)
	e.Site("p")
	e.stream.coverage.Store(e.stream.coverage.Load().followedBy(e.interest.wanted(MonotonicMS(), e.heldProviders), MonotonicMS()))
	e.stream.connected.Store(true)
	nextMoment()
	s := e.Sessions.Put(stateOf("a", 1, protocol.Active, time.Hour), MonotonicMS())
	if n := testing.AllocsPerRun(1000, func() {
		if !e.fresh(s, 0) {
			t.Fatal("the session is not current")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A wider stream that is not silent, but on which no event arrives, is given up like one
// that is silent.
func TestStreamWithoutAnEventIsGivenUp(t *testing.T) {
	t.Parallel()
	e, streams := streamsOf(t, nil)
	e.Start()
	first := took(t, streams, "a stream")
	go func() {
		for {
			select {
			case first.say <- ": still here\n":
				time.Sleep(100 * time.Millisecond)
			case <-first.gone:
				return
			}
		}
	}()
	second := took(t, streams, "another stream")
	second.say <- timeEvent("5")
	waitUntil(t, e.stream.connected.Load)
}
