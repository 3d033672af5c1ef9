package origin

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The request for a WebSocket spells its fields as RFC 6455 does, and has one key.
func TestWebSocketRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tunnel bool
		header http.Header
		want   []string
	}{
		"upgrade": {
			header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"a2V5"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Protocol": {"chat"}},
			want:   []string{"Sec-WebSocket-Key: a2V5", "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Version: 13"},
		},
		"tunnel": {
			tunnel: true,
			header: http.Header{":protocol": {"websocket"}, "Sec-Websocket-Key": {"a2V5"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Extensions": {"x"}},
			want:   []string{"Sec-WebSocket-Extensions: x", "Sec-WebSocket-Key: new", "Sec-WebSocket-Version: 13"},
		},
		"neither": {
			header: http.Header{"Sec-Websocket-Version": {"13"}},
			want:   []string{"Sec-Websocket-Version: 13"},
		},
	} {
		r := get()
		r.Header = c.header
		head, err := appendHead(nil, &Outgoing{Request: r, Host: "x", Tunnel: c.tunnel}, 0, new([4]string))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.SplitSeq(string(head), "\r\n") {
			if key, ok := strings.CutPrefix(line, "Sec-WebSocket-Key: "); ok && len(key) == 24 {
				line = "Sec-WebSocket-Key: new"
			}
			if strings.HasPrefix(strings.ToLower(line), "sec-websocket-") {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
