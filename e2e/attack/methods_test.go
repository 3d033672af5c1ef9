package attack

import (
	"fmt"
	"strings"
	"testing"
)

// TestMethods sends methods that servers treat specially.
func TestMethods(t *testing.T) {
	type cell struct {
		method, target, host string
		session              bool
	}
	var cells []cell
	eachSite(func(_ *Origin, host string) {
		for _, session := range []bool{false, true} {
			for _, method := range []string{
				"TRACE", "trace", "TRACK", "CONNECT", "connect", "Connect", "get", "Get", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND", "PURGE", "PRI", "DEBUG", "ACL", "X-METHOD", "M-SEARCH", "G\x00T", "GET/",
				strings.Repeat("A", 4000),
			} {
				for _, path := range []string{"/paid/", "/open/"} {
					cells = append(cells, cell{method, path + mark(session, "method"), host, session})
				}
			}
			for _, target := range []string{host + ":80", "other.example:443", "127.0.0.1:22", "/paid/" + mark(session, "connect"), "*", "http://" + host + "/paid/"} {
				cells = append(cells, cell{"CONNECT", target, host, session})
			}
		}
	})
	atOnce(cells, func(c cell) {
		answer := send(t, fmt.Sprintf("%s %s?_method=TRACE HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nX-HTTP-Method-Override: TRACE\r\nX-Method-Override: CONNECT\r\n%s\r\n", c.method, c.target, c.host, cookie(c.session)))
		if strings.Contains(answer, kit.Cookie) || strings.Contains(answer, kit.User) {
			t.Errorf("%s %s shows what the edge tells the origin: %.500q", c.method, c.target, answer)
		}
		if method := strings.ToUpper(c.method); (method == "TRACE" || method == "TRACK" || method == "CONNECT") && (strings.HasPrefix(status(answer), "1") || strings.HasPrefix(status(answer), "2")) {
			t.Errorf("%s %s at %s: %.200q", c.method, c.target, c.host, answer)
		}
	})
	check(t)
}

// TestTunnels asks for a change of the protocol, behind which nobody would look.
func TestTunnels(t *testing.T) {
	type cell struct {
		o       *Origin
		host    string
		path    string
		session bool
		head    string
	}
	settings := "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
	webSocket := "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	var cells []cell
	for _, o := range kit.Origins {
		for _, host := range []string{o.Whole(), o.Part()} {
			for _, session := range []bool{false, true} {
				for _, head := range []string{
					"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + settings,
					"Connection: Upgrade\r\nUpgrade: h2c\r\n" + settings,
					"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: H2C\r\nhttp2-settings: \r\n",
					"Connection: HTTP2-Settings, upgrade\r\nUpgrade: HTTP/2.0\r\n" + settings,
					"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
					"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n" + settings + webSocket,
					"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n" + settings + webSocket,
					"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n" + settings + webSocket,
					"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n" + settings + webSocket,
					"Connection: Upgrade\r\nUpgrade:\th2c \r\n" + settings,
					"Connection: Upgrade\r\nConnection: HTTP2-Settings\r\nUpgrade: h2c-17\r\n" + settings,
					"Connection: Upgrade\r\nUpgrade: connect-udp\r\n", "Connection: Upgrade\r\nUpgrade: connect-ip\r\nCapsule-Protocol: ?1\r\n", "Connection: Upgrade\r\nUpgrade: anything\r\n",
					"Connection: Upgrade\r\nUpgrade: websocket/h2c\r\n" + webSocket,
				} {
					for _, path := range []string{"/open/", "/paid/"} {
						cells = append(cells, cell{o, host, path + mark(session, "tunnel"), session, head})
					}
				}
			}
		}
	}
	atOnce(cells, func(c cell) {
		answer := send(t, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", c.path, c.host, cookie(c.session), c.head))
		want := "200"
		if !c.session && strings.HasPrefix(c.path, "/paid/") {
			want = "401"
		}
		if answer != "" && status(answer) != want { // an origin may hang after what it was sent before
			t.Errorf("%s %s with %q: %.200q, want a plain answer with %s", c.host, c.path, c.head, answer, want)
		}
	})
	// A WebSocket passes, with a session alone.
	for _, session := range []bool{true, false} {
		for _, name := range []string{"node", "hypercorn"} {
			o := kit.origin(name)
			answer := send(t, fmt.Sprintf("GET /paid/%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s%s\r\n", mark(session, "websocket"), o.Whole(), webSocket, cookie(session)))
			if want := map[bool]string{true: "101", false: "401"}[session]; status(answer) != want {
				t.Errorf("a WebSocket to %s, session %t: %.300q", name, session, answer)
			}
		}
	}
	check(t)
}
