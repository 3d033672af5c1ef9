package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// The backend answers, a change follows, the stream that would tell of it is
// lost, and a new one begins with a reset: all while the answer is on its way.
// What it says is from before the reset and no proof of anything after it.
func TestAnswerFromBeforeAResetIsNotFresh(t *testing.T) {
	t.Parallel()
	var e *edge
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Millisecond) // the next moment of the clock in use
		e.reset()
		time.Sleep(2 * time.Millisecond)
		var answer any = protocol.HeartbeatsAnswer{States: []protocol.LiveState{*state("a", 1, protocol.Active, time.Hour)}}
		if r.URL.Path == protocol.EdgeLaunch {
			answer = protocol.LaunchAnswer{Session: *state("s1", 1, protocol.Active, time.Hour), SessionToken: "tok"}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	e = newEdge(base, "key", zap.NewNop())
	e.stream.connected.Store(true)
	asked, err := e.ask(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if e.fresh(asked, time.Minute) {
		t.Error("a state that was asked for before the reset is taken for confirmed after it")
	}
	if err := e.early.redeem(t.Context(), &protocol.LaunchRequest{Token: "t"}); err != nil {
		t.Fatal(err)
	}
	if e.fresh(e.live.byToken("tok"), time.Minute) {
		t.Error("so is a state that came with a launch")
	}
}
