package edge

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// edgeOf is an edge whose backend is at an address, never started.
func edgeOf(t *testing.T, backend string) *Edge {
	t.Helper()
	base, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	return New(base, "key", zap.NewNop())
}

// aloneEdge is an edge whose backend answers nothing.
func aloneEdge(t *testing.T) *Edge {
	t.Helper()
	return edgeOf(t, "http://127.0.0.1:1")
}

// stateOf is a session's state that ends in the given time.
func stateOf(id string, version int64, status protocol.Status, left time.Duration) *protocol.LiveState {
	return &protocol.LiveState{
		ID: id, Version: version, Status: status, ProviderID: "p",
		ExpiresAt: time.Now().Add(left).Unix(),
	}
}

// told has an event arrive with a state.
func told(t *testing.T, e *Edge, st *protocol.LiveState) {
	t.Helper()
	data, err := json.Marshal(st)
	if err == nil {
		err = e.applyEvent(data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cutterFunc is a request under way that ends by a call.
type cutterFunc func()

func (f cutterFunc) Cut(protocol.Code) { f() }

// A reload with another edge key gives the edge up, and an event stream that
// began under it goes on: to its session's end and no further.
func TestOpenRequestsOfAnEdgeThatIsGivenUpEndInTime(t *testing.T) {
	t.Parallel()
	e := aloneEdge(t)
	e.Start()
	st := stateOf("a", 1, protocol.Active, 0)
	st.ExpiresAt = time.Now().Unix() + 2
	s := e.Sessions.Put(st, 1)
	ended := make(chan struct{})
	if code := s.Register(&live.Registration{Cutter: cutterFunc(func() { close(ended) })}); code != "" {
		t.Fatal(code)
	}
	if err := e.Destruct(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(2 * time.Minute):
		t.Fatal("it runs on after the deadline")
	}
	if early := time.Until(time.Unix(st.ExpiresAt, 0)); early > 0 {
		t.Errorf("it was cut %s early", early)
	}
}

// The backend answers, a change follows, the stream that would tell of it is
// lost, and a new one begins with a reset: all while the answer is on its way.
// What it says is from before the reset and no proof of anything after it.
func TestAnswerFromBeforeAResetIsNotFresh(t *testing.T) {
	t.Parallel()
	var e *Edge
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Millisecond) // the next moment of the clock in use
		e.reset()
		time.Sleep(2 * time.Millisecond)
		var answer any = protocol.StatesAnswer{States: []protocol.LiveState{*stateOf("a", 1, protocol.Active, time.Hour)}}
		if r.URL.Path == protocol.EdgeLaunch {
			answer = protocol.LaunchAnswer{Session: *stateOf("s1", 1, protocol.Active, time.Hour), SessionToken: "tok"}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	e = edgeOf(t, server.URL)
	e.stream.connected.Store(true)
	asked, err := e.FetchSession(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if e.fresh(asked, time.Minute) {
		t.Error("a state that was asked for before the reset is taken for confirmed after it")
	}
	if err := e.Offline.redeem(t.Context(), "s1", &offlineEntry{req: &protocol.LaunchRequest{Token: "t"}}); err != nil {
		t.Fatal(err)
	}
	if e.fresh(e.Sessions.ByToken("tok"), time.Minute) {
		t.Error("so is a state that came with a launch")
	}
}

// While the backend swallows questions, one request at a time waits to find out
// whether it is back; the others are served by what is held.
func TestSilentBackendHoldsUpOneRequest(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan bool, 10), make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- true
		if !<-answer {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(`{"states":[]}`))
	}))
	defer server.Close()
	e := edgeOf(t, server.URL)
	a, b := e.Sessions.Put(stateOf("a", 1, protocol.Active, time.Hour), 0), e.Sessions.Put(stateOf("b", 1, protocol.Active, time.Hour), 0)
	for _, back := range []bool{false, true} {
		e.downUntil.Store(1) // it was down
		first := make(chan struct{})
		go func() { defer close(first); e.Confirm(t.Context(), a, 0) }()
		<-asked
		e.Confirm(t.Context(), b, 0)
		if len(asked) > 0 {
			t.Fatal("another request asks, and waits, as well")
		}
		answer <- back
		<-first
		if down := e.downUntil.Load() != 0; down == back {
			t.Errorf("answered %t, and the backend is taken to be down: %t", back, down)
		}
	}
}
