package cut

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// serverFrame is an unmasked binary frame with n bytes of payload.
func serverFrame(n int) []byte {
	f := []byte{0x82}
	switch {
	case n < 126:
		f = append(f, byte(n))
	case n < 1<<16:
		f = append(f, 126, byte(n>>8), byte(n))
	default:
		f = append(f, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(f, bytes.Repeat([]byte{0x5a}, n)...)
}

func TestFrameTrackerFindsEveryBoundary(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var stream []byte
	boundaries := map[int]bool{0: true}
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 5, 0, 70000} {
		stream = append(stream, serverFrame(n)...)
		boundaries[len(stream)] = true
	}
	for range 200 {
		var tr frameTracker
		for at := 0; at < len(stream); {
			n := min(1+rng.IntN(1+rng.IntN(9000)), len(stream)-at)
			tr.advance(stream[at : at+n])
			at += n
			if tr.atBoundary() != boundaries[at] {
				t.Fatalf("at byte %d: boundary %v, want %v", at, tr.atBoundary(), boundaries[at])
			}
		}
	}
}

// pair is a TCP connection with the gate's end wrapped.
func pair(t *testing.T) (*upgradedConn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return &upgradedConn{Conn: server, websocket: true}, client
}

func TestEndSaysCloseBetweenTwoFrames(t *testing.T) {
	t.Parallel()
	want := closeFrame(closeSessionEnded, string(protocol.SessionExpired))

	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		c, client := pair(t)
		go io.Copy(io.Discard, c) // the proxy's copy, blocked in a read
		ctx, cancel := context.WithCancel(context.Background())
		if _, err := c.Write(serverFrame(3)); err != nil {
			t.Fatal(err)
		}
		c.end(protocol.SessionExpired, cancel)
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, append(serverFrame(3), want...)) {
			t.Errorf("client read %x, %v", got, err)
		}
		<-ctx.Done()
	})

	t.Run("in the middle of a frame that goes on", func(t *testing.T) {
		t.Parallel()
		c, client := pair(t)
		frame := serverFrame(300)
		if _, err := c.Write(frame[:2]); err != nil { // half a header
			t.Fatal(err)
		}
		c.end(protocol.SessionExpired, func() {})
		for !c.closingNow() {
			time.Sleep(time.Millisecond)
		}
		if n, err := c.Write(append(frame[2:], serverFrame(9)...)); n != len(frame)-2 || err == nil {
			t.Errorf("wrote %d bytes, %v; want the rest of the frame and no more", n, err)
		}
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, append(frame, want...)) {
			t.Errorf("client read %d bytes, %v; want the frame and the close", len(got), err)
		}
	})
}

// A frame that its origin never completes is waited for, but not beyond the
// second that a session's end may take.
func TestEndWithinAFrameThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		c := &upgradedConn{Conn: server, websocket: true}
		read := make(chan []byte, 1)
		go func() {
			got, _ := io.ReadAll(client)
			read <- got
		}()
		frame := serverFrame(300)
		if _, err := c.Write(frame[:50]); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		c.end(protocol.SessionExpired, func() {})
		if got := <-read; !bytes.Equal(got, frame[:50]) {
			t.Errorf("client read %d bytes; no close frame may stand inside another", len(got))
		}
		if took := time.Since(began); took > 30*time.Second { // it may wait for no more of the frame, which never comes
			t.Errorf("closed after %s", took)
		}
	})
}

// closingNow reports whether the end is being said.
func (c *upgradedConn) closingNow() bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.closing
}

// recorder is a stream of HTTP/2 as a handler sees it; it fails on use by two
// at once, which net/http does not allow.
type recorder struct {
	t    *testing.T
	busy atomic.Bool
	header
	mu  sync.Mutex // guards out
	out []byte
}

type header struct{ h http.Header }

func (h header) Header() http.Header { return h.h }

func (r *recorder) alone(f func()) {
	if !r.busy.CompareAndSwap(false, true) {
		r.t.Error("two write to one stream at once")
	}
	f()
	r.busy.Store(false)
}

func (r *recorder) WriteHeader(int)   { r.alone(func() {}) }
func (r *recorder) FlushError() error { r.alone(func() {}); return nil }
func (r *recorder) Write(p []byte) (int, error) {
	r.alone(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.out = append(r.out, p...)
	})
	return len(p), nil
}
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

// TestTunnelEndsBetweenTwoFrames ends a WebSocket on a stream while a frame of
// the origin's is half out.
func TestTunnelEndsBetweenTwoFrames(t *testing.T) {
	t.Parallel()
	r := &recorder{t: t, header: header{make(http.Header)}}
	ctx, cancel := context.WithCancel(t.Context())
	o := &Request{ResponseWriter: r, WebSocket: true, Tunnel: true, Cancel: cancel}
	o.WriteHeader(http.StatusOK)
	if err := o.FlushError(); err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{0x81, 5}, "hello"...)
	if _, err := o.Write(frame[:4]); err != nil {
		t.Fatal(err)
	}
	o.Cut(protocol.SessionExpired)
	if _, err := o.Write(frame[4:]); err != nil {
		t.Errorf("the rest of the frame: %v", err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Minute):
		t.Fatal("the handler is not told to end")
	}
	if n, err := o.Write(frame); n != 0 || err == nil {
		t.Errorf("a frame after the end: %d, %v", n, err)
	}
	want := append(append([]byte(nil), frame...), closeFrame(closeSessionEnded, string(protocol.SessionExpired))...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !bytes.Equal(r.out, want) {
		t.Errorf("sent %q, want %q", r.out, want)
	}
}

// FuzzFrames: however a server's frames are cut, boundaries are the same.
func FuzzFrames(f *testing.F) {
	f.Add(append(serverFrame(3), serverFrame(200)...), uint8(1))
	f.Add([]byte{0x81, 0x80, 1, 2, 3}, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		var whole, parts frameTracker
		whole.advance(stream)
		for n := max(int(step), 1); len(stream) > 0; {
			n = min(n, len(stream))
			if rest := parts.rest(n); rest < 0 || rest > n {
				t.Fatalf("rest of %d is %d", n, rest)
			}
			parts.advance(stream[:n])
			stream = stream[n:]
		}
		if whole != parts {
			t.Errorf("in one piece %+v, in parts %+v", whole, parts)
		}
	})
}

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
