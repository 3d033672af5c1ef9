package edge

import (
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
	case <-time.After(10 * time.Second):
		t.Fatal("it runs on after the deadline")
	}
	if early := time.Until(time.Unix(st.ExpiresAt, 0)); early > 0 {
		t.Errorf("it was cut %s early", early)
	}
}
