package e2e_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// origin is an app of the test's own behind the gate.
func origin(t testing.TB) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			typ, msg, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), typ, msg) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/sse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		drip(w, r, []byte("data: x\n\n"), 100*time.Millisecond)
	})
	mux.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", "1000000000")
		drip(w, r, make([]byte, 64<<10), 10*time.Millisecond)
	})
	mux.HandleFunc("/poll", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // until then, nobody notices that the client is gone
		openRequests.of(r.Header.Get("Session-Gate-Session")).tell()
		<-r.Context().Done()
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 1)); err == nil {
			openRequests.of(r.Header.Get("Session-Gate-Session")).tell()
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// drip writes p again and again until the client is gone.
func drip(w http.ResponseWriter, r *http.Request, p []byte, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for r.Context().Err() == nil {
		if _, err := w.Write(p); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
		}
	}
}

// TestCutOff opens every kind of long connection and sees each end with the
// session, while another user's goes on.
func TestCutOff(t *testing.T) {
	t.Parallel()
	s := Start(t, "--origin", origin(t).URL)
	// Each calls opened when its connection is open, if that is seen at the client.
	cases := map[string]func(t *testing.T, b *Client, opened func()){
		"WebSocket":     s.webSocketEnds,
		"event stream":  func(t *testing.T, b *Client, opened func()) { s.bodyEnds(t, b, "/sse", opened) },
		"download":      func(t *testing.T, b *Client, opened func()) { s.bodyEnds(t, b, "/download", opened) },
		"long poll":     s.pollEnds,
		"upload":        s.uploadEnds,
		"slow download": s.slowClientEnds,
	}
	long := s.enter(t, s.buy(t, terms{User: s.newUser(t, 100), Seconds: 600, Tokens: 10}).LaunchURL)
	survivor := s.dial(t, long)

	for name, ends := range cases {
		for _, how := range []string{"deadline", "revocation", "shortly after an extension"} {
			t.Run(name+" by "+how, func(t *testing.T) {
				t.Parallel()
				seconds := int64(300)
				if how != "revocation" {
					seconds = s.fewByLink(t, 5)
				}
				sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: seconds, Tokens: 10, Clock: "launch",
					Extension: map[string]any{"additional_seconds": 1, "tokens": 1, "max_count": 1}})
				b := s.enter(t, sold.LaunchURL)
				var asked, answered time.Time
				do := func() {}
				switch how {
				case "revocation":
					do = func() { asked, answered = s.revoke(t, sold.Session.ID) }
				case "shortly after an extension":
					do = func() {
						if a := page(b, t, "POST", s.App+"/.session-gate/extend", map[string]any{}); a.Status != http.StatusOK {
							t.Errorf("extending: %d %s", a.Status, a.Body)
						}
					}
				}
				it := openRequests.of(sold.Session.ID)
				var did sync.WaitGroup
				did.Go(func() { <-it.came; do() })
				ends(t, b, it.tell)
				ended := time.Now()
				it.tell() // a case that failed
				did.Wait()
				if how != "revocation" {
					asked = s.deadlineOf(t, sold.Session.ID)
					answered = asked
				}
				onTime(t, asked, answered, ended)
			})
		}
	}
	t.Cleanup(func() { // after every case
		defer survivor.CloseNow()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := survivor.Write(ctx, websocket.MessageText, []byte("still here")); err != nil {
			t.Errorf("another user's WebSocket: %v", err)
		} else if _, msg, err := survivor.Read(ctx); err != nil || string(msg) != "still here" {
			t.Errorf("another user's WebSocket: %q, %v", msg, err)
		}
		if a := long.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
			t.Errorf("another user's request: %d; a cut must not count against the origin", a.Status)
		}
	})
}

func (s *System) dial(t *testing.T, b *Client) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.App, "http")+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Cookie": {"session_gate=" + cookieOf(t, b, s.App)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *System) webSocketEnds(t *testing.T, b *Client, opened func()) {
	c := s.dial(t, b)
	defer c.CloseNow()
	opened()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var writing sync.WaitGroup
	writing.Go(func() { // traffic up to the end
		for c.Write(ctx, websocket.MessageText, []byte(strings.Repeat("x", 3000))) == nil {
			time.Sleep(5 * time.Millisecond)
		}
	})
	var err error
	for err == nil {
		_, _, err = c.Read(ctx)
	}
	if got := websocket.CloseStatus(err); got != 4401 {
		t.Errorf("the WebSocket closed with %d (%v), want 4401", got, err)
	}
	c.CloseNow()
	writing.Wait()
}

func (s *System) bodyEnds(t *testing.T, b *Client, path string, opened func()) {
	resp := b.Open(t, "GET", s.App+path, nil, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty")
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
		t.Errorf("the body has no first byte: %v", err)
	}
	opened()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil {
		t.Errorf("the body ended after %d bytes with %v, want a break", n, err)
	}
}

func (s *System) pollEnds(t *testing.T, b *Client, _ func()) {
	a := b.Do(t, "GET", s.App+"/poll", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "application/json")
	if a.Status != http.StatusUnauthorized || !strings.HasPrefix(a.Code(), "session_") {
		t.Errorf("the poll was answered %d %s", a.Status, a.Body)
	}
}

func (s *System) uploadEnds(t *testing.T, b *Client, _ func()) {
	r, w := io.Pipe()
	go func() {
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	defer r.Close()
	req, err := http.NewRequest("POST", s.App+"/upload", r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Client.Do(req)
	if err != nil {
		return // the connection was cut under it
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the upload was answered %d", resp.StatusCode)
	}
}

// slowClientEnds reads nothing: the gate's writes are stuck when the end comes.
func (s *System) slowClientEnds(t *testing.T, b *Client, _ func()) {
	resp := b.Open(t, "GET", s.App+"/download", nil, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty")
	defer resp.Body.Close()
	// The session's end is seen on a second connection; then the first is read.
	poll := b.Do(t, "GET", s.App+"/poll", nil, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*")
	if poll.Status != http.StatusUnauthorized {
		t.Fatalf("poll: %d", poll.Status)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil || errors.Is(err, context.DeadlineExceeded) || n >= 1_000_000_000 {
		t.Errorf("read %d bytes, %v; want a break", n, err)
	}
}
