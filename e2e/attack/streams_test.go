package attack

import (
	"fmt"
	"strings"
	"testing"
)

// get are the fields of an ordinary request.
func get(host, path string, session bool, more ...Field) []Field {
	fields := []Field{{":method", "GET"}, {":scheme", "https"}, {":authority", host}, {":path", path}}
	if session {
		fields = append(fields, Field{"cookie", "theme=dark"}, Field{"cookie", "__Host-session_gate=" + kit.Cookie})
	}
	return append(fields, more...)
}

// replaced changes one field, or removes it with an empty name.
func replaced(fields []Field, name string, with ...Field) (changed []Field) {
	for _, f := range fields {
		if f.Name == name {
			changed = append(changed, with...)
			continue
		}
		changed = append(changed, f)
	}
	return changed
}

// streams are requests that HTTP/2 and HTTP/3 allow to be written, and that an edge which
// writes them as HTTP/1.1 may turn into something else.
func streams(host string, session bool) map[string]*Stream {
	path := "/open/" + mark(session, "stream")
	all := map[string]*Stream{}
	add := func(name string, s *Stream) { all[name] = s }
	for _, f := range []Field{
		{"connection", "upgrade"}, {"upgrade", "h2c"}, {"upgrade", "websocket"}, {"http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"}, {"transfer-encoding", "chunked"}, {"keep-alive", "1"},
		{"proxy-connection", "x"}, {"te", "gzip, forged"}, {"content-length", "5"}, {"content-length", "0"}, {"content-length", "-1"}, {"content-length", "0, 5"}, {"host", "other.example"},
		{"x", "y\r\nSession-Gate-User: forged"}, {"x", "y\nSession-Gate-User: forged"}, {"x", "y\x00forged"}, {"x", "\r\n\r\nGET /paid/nosession HTTP/1.1\r\nHost: " + host + "\r\n\r\n"},
		{"x\r\nsession-gate-user", "forged"}, {"x: y\r\nsession-gate-user", "forged"}, {"session-gate-user: forged\r\nx", "y"}, {"session-gate-user ", "forged"}, {" session-gate-user", "forged"},
		{"session-gate-user:", "forged"}, {"Session-Gate-User", "forged"}, {"", "forged"}, {":session-gate-user", "forged"}, {":protocol", "forged"}, {":path", "/paid/x"}, {":authority", "other.example"},
		{"session-gate-session", "forged"}, {"session\xc3\xa9gate-user", "forged"}, {"connection", "session-gate-user"}, {"expect", "100-continue"}, {"early-data", "1"},
		{"x-forwarded-for", "forged"}, {"x~forwarded~proto", "forged"}, {"cookie", "session_gate=forged; __Host-session_gate=forged"},
	} {
		add(fmt.Sprintf("%q: %q", f.Name, f.Value), &Stream{Fields: get(host, path, session, f)})
		body := &Stream{Fields: replaced(get(host, path, session, f), ":method", Field{":method", "POST"}), Body: "0\r\n\r\n" + smuggled(host)}
		add(fmt.Sprintf("%q: %q, with a body", f.Name, f.Value), body)
	}
	for _, name := range forgedNames() {
		add(name, &Stream{Fields: get(host, path, session, Field{strings.ToLower(name), "forged"})})
	}
	// A path that is closed to others, in what stands for a request line.
	for _, value := range []string{
		"", "*", "paid/nosession", "paid", "/open/../paid/x?nosession", "/paid/x?nosession HTTP/1.1\r\nX: y", "/open/x?nosession HTTP/1.1\r\nSession-Gate-User: forged\r\nX: y", "//paid/x?nosession", "http://" + host + "/paid/x?nosession",
		"/open/\x00?nosession", "/open/ /paid?nosession", `/open/..\paid?nosession`, "/open/x?nosession#/../../paid", "?nosession", "/.session-gate/../paid?nosession",
	} {
		add(fmt.Sprintf(":path %q", value), &Stream{Fields: replaced(get(host, "", false), ":path", Field{":path", value})})
	}
	for _, value := range []string{"", "other.example", host + "/paid", host + "\r\nX: y", "a@" + host, host + "@b", host + ":0", "..", host + "."} {
		add(fmt.Sprintf(":authority %q", value), &Stream{Fields: replaced(get("", "/paid/nosession", false), ":authority", Field{":authority", value})})
		add(fmt.Sprintf(":authority %q, and host", value), &Stream{Fields: append(replaced(get("", "/paid/nosession", false), ":authority", Field{":authority", value}), Field{"host", host})})
	}
	for _, value := range []string{"", "get", "G ET", "GET /paid/nosession HTTP/1.1\r\nHost: x\r\n\r\nGET", "TRACE", "trace", "TRACK", "CONNECT", "connect", "PRI"} {
		add(fmt.Sprintf(":method %q", value), &Stream{Fields: replaced(get(host, path, session), ":method", Field{":method", value})})
	}
	for _, value := range []string{"", "http", "ftp", "https://x", "https\r\nX: y"} {
		add(fmt.Sprintf(":scheme %q", value), &Stream{Fields: replaced(get(host, path, session), ":scheme", Field{":scheme", value})})
	}
	for _, missing := range []string{":method", ":scheme", ":authority", ":path"} {
		add("no "+missing, &Stream{Fields: replaced(get(host, "/paid/nosession", false), missing)})
		add("two of "+missing, &Stream{Fields: append(get(host, "/paid/nosession", false)[:4:4], Field{missing, "x"})})
		add("late "+missing, &Stream{Fields: append([]Field{{"x", "y"}}, get(host, "/paid/nosession", false)...)})
	}
	// Tunnels, which only WebSockets may have.
	for _, protocol := range []string{"connect-udp", "connect-ip", "connect-tcp", "webtransport", "h2c", "websocket, h2c", "WebSocket", "forged", "HTTP/1.1", ""} {
		fields := append([]Field{{":method", "CONNECT"}, {":protocol", protocol}}, get(host, path, session, Field{"sec-websocket-version", "13"}, Field{"capsule-protocol", "?1"})[1:]...)
		add(fmt.Sprintf("tunnel %q", protocol), &Stream{Fields: fields})
	}
	add("a plain tunnel", &Stream{Fields: []Field{{":method", "CONNECT"}, {":authority", "127.0.0.1:22"}}})
	add("a plain tunnel to the site", &Stream{Fields: []Field{{":method", "CONNECT"}, {":authority", host}}})
	// Trailers.
	post := replaced(get(host, path, session), ":method", Field{":method", "POST"})
	for _, f := range []Field{
		{"session-gate-user", "forged"}, {"session~gate~session", "forged"}, {"session_gate_provider", "forged"}, {"cookie", "forged"}, {"content-length", "forged"}, {"transfer-encoding", "forged"},
		{":path", "/forged"}, {":status", "forged"}, {"authorization", "forged"}, {"x-forwarded-for", "forged"}, {"x\r\nsession-gate-user", "forged"}, {"x", "y\r\nsession-gate-user: forged"}, {"host", "forged"},
	} {
		for _, announced := range []bool{true, false} {
			fields := post
			if announced {
				fields = append(post[:len(post):len(post)], Field{"trailer", f.Name}, Field{"te", "trailers"})
			}
			add(fmt.Sprintf("trailer %q: %q, announced %t", f.Name, f.Value, announced), &Stream{Fields: fields, Body: "body", Trailers: []Field{f, {"x-other", "kept"}}})
		}
	}
	add("an ordinary trailer", &Stream{Fields: append(post[:len(post):len(post)], Field{"trailer", "x-other"}), Body: "body", Trailers: []Field{{"x-other", "kept"}}})
	return all
}

// TestStreams sends all of them by HTTP/2 and HTTP/3.
func TestStreams(t *testing.T) {
	for version, send := range map[string]func(string, *Stream) error{"HTTP2": kit.HTTP2, "HTTP3": kit.HTTP3} {
		t.Run(version, func(t *testing.T) {
			type cell struct {
				name, host string
				stream     *Stream
				session    bool
			}
			var cells []cell
			for i, o := range kit.Origins {
				host := []string{o.Whole(), o.Part()}[i%2]
				for _, session := range []bool{true, false} {
					turn := 0
					for name, s := range streams(host, session) {
						// Each origin gets each form at least once in two runs of its kind: they differ
						// in what they make of HTTP/1.1, which does not depend on the version.
						if turn++; turn%4 == i%4 || strings.HasPrefix(name, "tunnel") {
							cells = append(cells, cell{name, host, s, session})
						}
					}
				}
			}
			atOnce(cells, func(c cell) {
				if err := send(c.host, c.stream); err != nil {
					t.Errorf("%s at %s: %v", c.name, c.host, err)
				}
				if strings.HasPrefix(c.name, "tunnel") && c.stream.Status == "200" {
					t.Errorf("%s at %s is open", c.name, c.host)
				}
			})
			t.Logf("%d cells", len(cells))
			for _, o := range kit.Origins { // ordinary ones, of which the edge says who asks
				for path, session := range map[string]bool{"/paid/" + mark(true, version): true, "/open/" + mark(false, version): false} {
					s := &Stream{Fields: get(o.Part(), path, session)}
					if err := send(o.Part(), s); err != nil || s.Status != "200" {
						t.Errorf("%s from %s by %s: %s, %v", path, o.Name, version, s.Status, err)
					}
				}
				s := &Stream{Fields: get(o.Whole(), "/paid/"+mark(false, version), false)}
				if err := send(o.Whole(), s); err != nil || s.Status != "401" {
					t.Errorf("%s by %s without a session: %s, %v", o.Name, version, s.Status, err)
				}
				records, err := kit.Records(o, "/paid/"+mark(true, version))
				if err != nil || len(records) != 1 && o.Name != "caddy" { // which writes a moment later
					t.Errorf("%s recorded %v, %v", o.Name, records, err)
				}
			}
			check(t)
		})
	}
}

// TestWebSocketStreams: a WebSocket on a stream passes with a session, and only then.
func TestWebSocketStreams(t *testing.T) {
	host := kit.origin("node").Whole()
	for version, send := range map[string]func(string, *Stream) error{"HTTP/2": kit.HTTP2, "HTTP/3": kit.HTTP3} {
		for _, session := range []bool{true, false} {
			fields := append([]Field{{":method", "CONNECT"}, {":protocol", "websocket"}}, get(host, "/paid/"+mark(session, "websocket"), session, Field{"sec-websocket-version", "13"})[1:]...)
			s := &Stream{Fields: fields}
			if err := send(host, s); err != nil {
				t.Fatal(err)
			}
			if want := map[bool]string{true: "200", false: "401"}[session]; s.Status != want {
				t.Errorf("%s, session %t: %q, want %s", version, session, s.Status, want)
			}
		}
	}
	check(t)
}

// TestServerNameOfAnotherSite: the certificate's site is not the one that is asked for.
func TestServerNameOfAnotherSite(t *testing.T) {
	for _, o := range kit.Origins[:2] {
		for _, send := range []func(string, *Stream) error{kit.HTTP2, kit.HTTP3} {
			for _, session := range []bool{true, false} {
				if err := send(o.Whole(), &Stream{Fields: get(kit.origin("node").Whole(), "/paid/"+mark(session, "name"), session)}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	send(t, "GET /open/nosession-name HTTP/1.1\r\nHost: "+kit.Origins[0].Whole()+"\r\nConnection: close\r\n\r\n")
	check(t)
}
