package caddymodule

import (
	"bufio"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// FuzzLaunchTokens: what looks like a token leaves the query, and nothing else
// of it changes.
func FuzzLaunchTokens(f *testing.F) {
	for _, q := range []string{"", "session=eyJa.b.c", "a=1&session=eyJ&b", "%73ession=eyJ&%zz=1", "session=1", "&&session=eyJ&="} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		tokens, rest := launchTokens(query)
		for _, tok := range tokens {
			if !looksLikeJWT(tok) {
				t.Errorf("took %q for a token", tok)
			}
		}
		if len(tokens) == 0 && rest != query {
			t.Errorf("%q became %q without a token in it", query, rest)
		}
		if again, _ := launchTokens(rest); len(again) > 0 {
			t.Errorf("%q still holds %q", rest, again)
		}
		for _, v := range mustQuery(rest)[protocol.LaunchParam] {
			if looksLikeJWT(v) {
				t.Errorf("the origin would read the token %q from %q", v, rest)
			}
		}
	})
}

func mustQuery(raw string) url.Values {
	v, _ := url.ParseQuery(raw) // what an origin makes of it, errors skipped
	return v
}

// FuzzCookies: the gate's cookies never reach the origin, others are kept.
func FuzzCookies(f *testing.F) {
	for _, c := range []string{"", "a=1; session_gate=tok", "session_gate", ";;=;session_gate=x;b", " __Host-session_gate =x"} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		hideCookies(h)
		r := http.Request{Header: h}
		for _, c := range r.Cookies() {
			if isGateCookie(c.Name) {
				t.Errorf("%q leaves %q", line, h["Cookie"])
			}
		}
		eachCookie(http.Header{"Cookie": {line}}, plainCookie, func(v string) bool {
			if v == "" || strings.ContainsAny(v, ";") {
				t.Errorf("%q yields the value %q", line, v)
			}
			return true
		})
	})
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

// FuzzEventStream: no stream that a backend could send makes the edge panic or
// read without end.
func FuzzEventStream(f *testing.F) {
	f.Add("id: 1\nevent: state\ndata: {\"id\":\"s\"}\n\n")
	f.Add(":\n\nevent:reset\n\ndata\r\nid:\x00\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := &stream{onState: func(st *protocol.LiveState) {
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
