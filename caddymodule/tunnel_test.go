package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// handlersWriter is a stream's writer, which is nobody's once its handler has
// returned: the one of HTTP/2 panics then.
type handlersWriter struct {
	*httptest.ResponseRecorder
	t         *testing.T
	returned  atomic.Bool
	deadlines atomic.Int64
}

func (w *handlersWriter) touched(by string) {
	if w.returned.Load() {
		w.t.Errorf("%s after the handler has returned", by)
	}
}

func (w *handlersWriter) Write(p []byte) (int, error) {
	w.touched("Write")
	return w.ResponseRecorder.Write(p)
}

func (w *handlersWriter) SetWriteDeadline(time.Time) error {
	w.touched("SetWriteDeadline")
	w.deadlines.Add(1)
	return nil
}

// TestStreamIsLeftAloneOnceItsHandlerReturned: the session of a WebSocket on a
// stream ends in the middle of a frame, and the origin goes away before it is
// whole.
func TestStreamIsLeftAloneOnceItsHandlerReturned(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"", "\x82\x05ab"} { // between two frames; within one
		w := &handlersWriter{ResponseRecorder: httptest.NewRecorder(), t: t}
		canceled := make(chan struct{})
		o := &openRequest{ResponseWriter: w, websocket: true, tunnel: true, cancel: func() { close(canceled) }}
		o.WriteHeader(http.StatusOK)
		if _, err := o.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		o.cut(protocol.SessionExpired)
		if code := o.finish(); code != protocol.SessionExpired {
			t.Errorf("finished with %q", code)
		}
		w.returned.Store(true)
		<-canceled
		want := sent
		if sent == "" {
			want = string(closeFrame(closeSessionEnded, string(protocol.SessionExpired)))
		}
		if got := w.Body.String(); got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
}
