package edge

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A session ends before the stream covers its provider. Its user sends no further request,
// but has a connection open, which ends once the wider stream runs, although no event tells
// of the end.
func TestSessionThatEndedBeforeItsProviderWasCovered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		change   func(*protocol.LiveState)
		failures int
		ended    protocol.Code
	}{
		{"revoked", func(st *protocol.LiveState) { st.Status = protocol.Revoked }, 0, protocol.SessionRevoked},
		{"revoked, and the backend fails twice", func(st *protocol.LiveState) { st.Status = protocol.Revoked }, 2, protocol.SessionRevoked},
		{"paused", func(st *protocol.LiveState) { st.Status = protocol.Paused }, 0, protocol.SessionPaused},
		{"relaunched", func(st *protocol.LiveState) { st.Relaunches = 1 }, 0, protocol.SessionMoved},
		{"extended", func(st *protocol.LiveState) { st.ExpiresAt += 600 }, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			changed := sessionAt("p2", "b", 2)
			tt.change(changed)
			failures := make(chan struct{}, tt.failures)
			e, streams := streamsOf(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != protocol.EdgeHeartbeats {
					return false
				}
				if len(failures) < cap(failures) {
					failures <- struct{}{}
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				}
				var in protocol.HeartbeatsRequest
				if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
					t.Error(err)
				}
				var out protocol.HeartbeatsAnswer
				for _, b := range in.Beats {
					if b.At != 0 || b.Count != 0 {
						t.Errorf("a question counts as a heartbeat: %+v", b)
					}
					if b.ID == "b" && b.Version < 2 {
						out.States = append(out.States, *changed)
					}
				}
				if err := json.NewEncoder(w).Encode(out); err != nil {
					t.Error(err)
				}
				return true
			})
			e.Site("p1")
			e.Start()
			first := took(t, streams, "the first stream")
			first.say <- timeEvent("5")
			waitUntil(t, e.stream.connected.Load)
			s := e.Sessions.Put(sessionAt("p2", "b", 1), MonotonicMS())
			cut := make(chan protocol.Code, 1)
			if code := s.Register(&live.Registration{Cutter: codeCutter(cut)}); code != "" {
				t.Fatal(code)
			}
			second := took(t, streams, "the second stream")
			nextMoment()
			second.say <- timeEvent("6") // the end came before
			if tt.ended != "" {
				if code := took(t, cut, "the end of the open connection"); code != tt.ended {
					t.Errorf("it ends with %s, want %s", code, tt.ended)
				}
			}
			waitUntil(t, func() bool { return s.Record().State().Version == 2 && e.fresh(s, 0) })
			if tt.ended == "" && (len(cut) > 0 || s.ExpiresAt() != changed.ExpiresAt) {
				t.Errorf("cut: %d; it ends at %d, want %d", len(cut), s.ExpiresAt(), changed.ExpiresAt)
			}
		})
	}
}

// Sessions of providers that were covered all the while are not asked about.
func TestSweepAsksAboutNewProvidersAlone(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	e.stream.coverage.Store(coveredFor(10_000))
	now := MonotonicMS()
	e.resetAt.Store(now - 30_000) // no gap since
	e.Sessions.Put(stateOf("before", 3, protocol.Active, time.Hour), now-20_000)
	e.Sessions.Put(stateOf("since", 1, protocol.Active, time.Hour), now-5000)
	e.Sessions.Put(stateOf("over", 1, protocol.Completed, time.Hour), now-20_000)
	e.Sessions.Put(sessionAt("another", "not covered", 1), now-20_000)
	offline := e.Sessions.Put(stateOf("offline", 1, protocol.Active, time.Hour), now-20_000)
	offline.ServeUntil(e.Clock.NowMS() + time.Hour.Milliseconds())
	var asked []string
	e.Sessions.Each(func(s *live.Session) {
		if e.sweep.unconfirmed(s) {
			asked = append(asked, s.ID())
		}
	})
	if !slices.Equal(asked, []string{"before"}) {
		t.Errorf("asked about %v", asked)
	}
}

// codeCutter is an open request that tells why it is ended.
type codeCutter chan protocol.Code

func (c codeCutter) Cut(code protocol.Code) { c <- code }

// The backend refuses the wider stream again and again. An end at a provider that the
// present stream does not cover still takes effect, whether it came before the refusals or
// after the first of them.
func TestEndWhileAWiderStreamIsRefused(t *testing.T) {
	t.Parallel()
	var revoked atomic.Bool
	refused := make(chan struct{}, 1000)
	e, streams := streamsOf(t, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == protocol.EdgeHeartbeats:
			var in protocol.HeartbeatsRequest
			_ = json.NewDecoder(r.Body).Decode(&in)
			var out protocol.HeartbeatsAnswer
			if revoked.Load() && len(in.Beats) > 0 {
				st := sessionAt("p2", "b", 2)
				st.Status = protocol.Revoked
				out.States = append(out.States, *st)
			}
			_ = json.NewEncoder(w).Encode(out)
			return true
		case r.URL.Path == protocol.EdgeEvents && r.Header.Get("Last-Event-ID") != "":
			refused <- struct{}{}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	e.Site("p1")
	e.Start()
	first := took(t, streams, "the first stream")
	first.say <- timeEvent("5")
	waitUntil(t, e.stream.connected.Load)
	nextMoment() // the reset of the first stream does not concern the session
	s := e.Sessions.Put(sessionAt("p2", "b", 1), MonotonicMS())
	cut := make(chan protocol.Code, 1)
	if code := s.Register(&live.Registration{Cutter: codeCutter(cut)}); code != "" {
		t.Fatal(code)
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() { // the first stream goes on
		for {
			select {
			case first.say <- timeEvent("6"):
			case <-first.gone:
				return
			case <-stop:
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	took(t, refused, "a wider stream")
	for range 4 {
		took(t, refused, "another one")
	}
	revoked.Store(true)
	if code := took(t, cut, "the end of the open connection"); code != protocol.SessionRevoked {
		t.Errorf("it ends with %s", code)
	}
}

// A request is admitted by a state that may be out of date, because the backend does not
// answer at that moment. What it opens does not outlive the session: the edge asks again,
// although the user does not, and no stream is reset.
func TestUnconfirmedAdmissionIsAskedAboutAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		down bool // it is known already that the backend does not answer
	}{{"the question fails", false}, {"no question is asked", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, streams := streamsOf(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != protocol.EdgeHeartbeats {
					return false // states are unavailable
				}
				var in protocol.HeartbeatsRequest
				_ = json.NewDecoder(r.Body).Decode(&in)
				var out protocol.HeartbeatsAnswer
				if len(in.Beats) > 0 {
					st := sessionAt("p1", "a", 2)
					st.Status = protocol.Revoked
					out.States = append(out.States, *st)
				}
				_ = json.NewEncoder(w).Encode(out)
				return true
			})
			e.Site("p1")
			e.Start()
			first := took(t, streams, "the first stream")
			first.say <- timeEvent("5")
			waitUntil(t, e.stream.connected.Load)
			// The sweep of the first reset is over.
			waitUntil(t, func() bool { return MonotonicMS() > e.resetAt.Load()+(sweepWithin+sweepAfter).Milliseconds()+500 })
			asked := MonotonicMS()
			nextMoment()
			first.say <- stateEvent("6", sessionAt("p1", "a", 2)) // between a question and its answer
			waitUntil(t, func() bool { return e.unheld.since("a", asked) })
			s := e.Sessions.Put(sessionAt("p1", "a", 1), asked)
			if tt.down {
				e.downUntil.Store(MonotonicMS() + time.Hour.Milliseconds())
			}
			e.Confirm(t.Context(), s, time.Minute)
			cut := make(chan protocol.Code, 1)
			if code := s.Register(&live.Registration{Cutter: codeCutter(cut)}); code != "" {
				t.Fatal(code)
			}
			if code := took(t, cut, "the end of the open connection"); code != protocol.SessionRevoked {
				t.Errorf("it ends with %s", code)
			}
		})
	}
}
