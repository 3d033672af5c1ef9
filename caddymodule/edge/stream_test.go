package edge

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// TestRefusedEdgesAreToldWhy: what the log says of a key that the backend does
// not take leads to the option that is wrong.
func TestRefusedEdgesAreToldWhy(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusUnauthorized: "unknown or revoked", http.StatusForbidden: "must have the role edge", http.StatusBadGateway: "502",
	} {
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(backend.Close)
		base, err := url.Parse(backend.URL)
		if err != nil {
			t.Fatal(err)
		}
		e := New(base, "sg_edge_secret", zap.NewNop())
		s := e.stream.open(t.Context(), wanted{}, false, "")
		<-s.ended
		if err := s.err; err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v; want %q in it", status, err, want)
		}
	}
}

// FuzzEventStream: no stream that a backend could send makes the edge panic or
// read without end.
func FuzzEventStream(f *testing.F) {
	f.Add("id: 1\nevent: state\ndata: {\"id\":\"s\"}\n\n")
	f.Add(":\n\nevent:reset\n\ndata\r\nid:\x00\n\n")
	e := New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "key", zap.NewNop())
	f.Fuzz(func(t *testing.T, text string) {
		s := &stream{f: e.stream, opened: make(chan struct{})}
		r := bufio.NewReaderSize(strings.NewReader(text), 16)
		if s.read(r, true, time.NewTimer(time.Hour)) == nil {
			t.Error("the stream has no end")
		}
		if e.Sessions.Len() > 0 {
			t.Error("an event made a session known")
		}
	})
}
