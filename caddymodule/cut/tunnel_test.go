package cut

import (
	"errors"
	"io"
	"net"
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
		o := &Request{ResponseWriter: w, WebSocket: true, Tunnel: true, Cancel: func() { close(canceled) }}
		o.WriteHeader(http.StatusOK)
		if _, err := o.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		o.Cut(protocol.SessionExpired)
		if code := o.Finish(); code != protocol.SessionExpired {
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

// TestHandlerStaysUntilTheEndIsSaid: nobody uses a connection any more that
// became a WebSocket, once its handler has returned.
func TestHandlerStaysUntilTheEndIsSaid(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	heard := make(chan []byte, 1)
	go func() {
		frame := make([]byte, len(closeFrame(closeSessionEnded, string(protocol.SessionExpired))))
		_, _ = io.ReadFull(client, frame)
		heard <- frame
		client.Close()
	}()
	o := &Request{ResponseWriter: httptest.NewRecorder(), WebSocket: true, Cancel: func() {}}
	o.takeOver(&upgradedConn{Conn: server, websocket: true})
	o.Cut(protocol.SessionExpired)
	o.Finish()
	if _, err := server.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the connection is open after the handler has returned: %v", err)
	}
	if got, want := string(<-heard), string(closeFrame(closeSessionEnded, string(protocol.SessionExpired))); got != want {
		t.Errorf("the client heard %q, want %q", got, want)
	}
}
