package cut

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// idle puts Caddy's idle timeouts around a server's writer, as Caddy does.
func idle(w http.ResponseWriter) *caddyhttp.IdleTimeoutWriter {
	return &caddyhttp.IdleTimeoutWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, Ctrl: http.NewResponseController(w),
		Deadline: caddyhttp.IdleDeadline{Timeout: time.Minute}, ClearBetweenWrites: true, Logger: zap.NewNop(),
	}
}

// TestCutEndsWritesUnderIdleTimeouts cuts a handler in the middle of its writes
// to a client that reads nothing: each write moves the connection's deadline a
// minute ahead, in a writer that is not made for two goroutines.
func TestCutEndsWritesUnderIdleTimeouts(t *testing.T) {
	t.Parallel()
	written := make(chan error, 1)
	opened := make(chan *Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		o := &Request{ResponseWriter: idle(w), Cancel: cancel, Beneath: func(w http.ResponseWriter) *http.ResponseController {
			return w.(*caddyhttp.IdleTimeoutWriter).Ctrl
		}}
		o.WriteHeader(http.StatusOK)
		opened <- o
		page := make([]byte, 64<<10)
		for ctx.Err() == nil {
			if _, err := o.Write(page); err != nil {
				break
			}
		}
		_, err := o.Write(page)
		o.Finish()
		written <- err
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	o := <-opened
	o.Cut(protocol.SessionExpired)
	select {
	case err := <-written:
		if !errors.Is(err, errCut) {
			t.Errorf("a write after the cut: %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the handler still writes, two minutes after it was cut")
	}
}

// TestPressingEndsWithTheHandler: a writer is left alone once its handler has
// returned, however often it was pressed before.
func TestPressingEndsWithTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &handlersWriter{ResponseRecorder: httptest.NewRecorder(), t: t}
		o := &Request{ResponseWriter: w, Cancel: func() {}}
		o.WriteHeader(http.StatusOK)
		o.Cut(protocol.SessionExpired)
		time.Sleep(5 * expireAgain)
		if n := w.deadlines.Load(); n < 5 {
			t.Errorf("a handler that goes on was pressed %d times in %s", n, 5*expireAgain)
		}
		o.Finish()
		w.returned.Store(true)
		time.Sleep(5 * expireAgain)
	})
}
