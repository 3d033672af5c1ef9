package edge

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
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
		if err := e.stream.follow(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v; want %q in it", status, err, want)
		}
	}
}

// FuzzEventStream: no stream that a backend could send makes the edge panic or
// read without end.
func FuzzEventStream(f *testing.F) {
	f.Add("id: 1\nevent: state\ndata: {\"id\":\"s\"}\n\n")
	f.Add(":\n\nevent:reset\n\ndata\r\nid:\x00\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := &follower{onState: func(st *protocol.LiveState) {
			if st.ID == "" {
				t.Error("took a state without id")
			}
		}, onReset: func() {}}
		r := bufio.NewReaderSize(strings.NewReader(text), 16)
		var ev event
		for {
			line, err := readLine(r)
			if err != nil {
				return
			}
			if len(line) > 0 {
				ev.line(line)
				continue
			}
			if s.dispatch(&ev) != nil {
				return
			}
			ev = event{}
		}
	})
}
