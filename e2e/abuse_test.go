package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// everyProvider is an edge on plain HTTP that names no provider, with the limits given.
func (s *Split) everyProvider(limits string) string {
	return fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	auto_https off
	session_gate {
		backend %s
		edge_key %s
		limits {
			%s
		}
	}
}
http://:%s {
	session_gate {
		open /robots.txt
		origin registered {
			allow_private
		}
	}
}
`, s.admin, s.Link.URL, s.EdgeKey, limits, s.App[strings.LastIndex(s.App, ":")+1:])
}

// flood sends requests with made-up hosts over some connections until told to stop, and
// returns how many were answered by which status.
func flood(address, request string, stop <-chan struct{}) func() map[int]int {
	var mu sync.Mutex
	statuses := map[int]int{}
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				in := bufio.NewReader(conn)
				for ok := true; ok; {
					select {
					case <-stop:
						conn.Close()
						return
					default:
					}
					if _, err := io.WriteString(conn, strings.ReplaceAll(request, "HOST", fmt.Sprintf("h%d.example", n.Add(1)))); err != nil {
						break
					}
					resp, err := http.ReadResponse(in, nil)
					if err != nil {
						break
					}
					_, err = io.Copy(io.Discard, resp.Body)
					ok = err == nil && !resp.Close
					mu.Lock()
					statuses[resp.StatusCode]++
					mu.Unlock()
				}
				conn.Close()
			}
		})
	}
	return func() map[int]int { wg.Wait(); return statuses }
}

// TestHostFloodKeepsEntriesOpen floods an edge for every provider with made-up hosts, in
// each way that could make it ask. Users enter meanwhile, the backend is asked little, and
// nothing of what it answers uses up what entries need.
func TestHostFloodKeepsEntriesOpen(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	s.reload(t, s.everyProvider("host_lookups 20"))
	if a := Caller(s.AdminKey).Do(t, "PATCH", s.API+"/api/v1/providers/"+s.ProviderID, map[string]any{
		"domains": []string{"app.localhost"}, "app_url": strings.Replace(s.App, "127.0.0.1", "app.localhost", 1) + "/",
	}); a.Status != http.StatusOK {
		t.Fatalf("registering the domain: %d %s", a.Status, a.Body)
	}
	address := strings.TrimPrefix(s.App, "http://")
	user := s.newUser(t, 1000)
	enter := func() {
		t.Helper()
		sold := s.buy(t, terms{User: user, Seconds: 300, Tokens: 1})
		b := Browser(t)
		b.Client.Transport = dialing(address)
		if a := b.Do(t, "GET", sold.LaunchURL, nil); a.Status != http.StatusSeeOther {
			t.Errorf("entering: %d %s", a.Status, a.Body)
		}
		if a := b.Do(t, "GET", strings.Replace(s.App, "127.0.0.1", "app.localhost", 1)+"/", nil); a.Status != http.StatusOK {
			t.Errorf("with the session: %d %s", a.Status, a.Body)
		}
	}
	enter()
	for what, request := range map[string]string{
		"nothing":        "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"a cookie":       "GET / HTTP/1.1\r\nHost: HOST\r\nCookie: session_gate=HOST\r\n\r\n",
		"a token":        "GET /?session=eyJhbGciOiJFUzI1NiIsInR5cCI6ImxhdW5jaCtqd3QiLCJraWQiOiJrIn0.e30.AAAA HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"an open path":   "GET /robots.txt HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"the page's API": "GET /.session-gate/session HTTP/1.1\r\nHost: HOST\r\n\r\n",
	} {
		before := len(s.Link.Asked())
		stop := make(chan struct{})
		statuses := flood(address, request, stop)
		for range 3 {
			enter()
		}
		close(stop)
		got := statuses()
		asked := slices.DeleteFunc(s.Link.Asked()[before:], func(path string) bool { return !strings.HasPrefix(path, protocol.EdgeHosts) })
		total := 0
		for status, n := range got {
			total += n
			if status < 400 {
				t.Errorf("%s: %d requests without a session were answered %d", what, n, status)
			}
		}
		switch {
		case what == "nothing" || what == "a token" || what == "the page's API":
			if len(asked) > 2 { // the provider's own, once a minute
				t.Errorf("%s: %d requests made the edge ask for %d hosts", what, total, len(asked))
			}
		case len(asked) > total/2+20:
			t.Errorf("%s: %d requests made the edge ask for %d hosts", what, total, len(asked))
		}
	}
}

// TestEventFloodKeepsSalesOpen sends page events with fresh names from one session of one
// token, at the edge and at the backend itself. The flood is refused by code, what is
// recorded is bounded, and others buy and enter meanwhile.
func TestEventFloodKeepsSalesOpen(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 1), Seconds: 600, Tokens: 1})
	b := s.enter(t, sold.LaunchURL)
	var cookie string
	for _, c := range b.Jar.Cookies(mustURL(t, s.App)) {
		if c.Name == "session_gate" {
			cookie = c.Value
		}
	}
	batch := func(i int) map[string]any {
		var list []any
		for j := range 100 {
			list = append(list, map[string]any{"name": fmt.Sprintf("n%d_%d", i, j), "at": 1})
		}
		return map[string]any{"events": list}
	}
	others := s.newUser(t, 100)
	codes := map[string]int{}
	for i := range 80 {
		a := b.Do(t, "POST", s.App+protocol.GateEvents, batch(i), "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json")
		codes[fmt.Sprint("edge ", a.Status)]++
		a = Caller(cookie).Do(t, "POST", s.API+protocol.Sessions+"/"+sold.Session.ID+"/events", batch(1000+i))
		codes[fmt.Sprint("backend ", a.Status)]++
		if i%20 == 0 {
			s.enter(t, s.buy(t, terms{User: others, Seconds: 60, Tokens: 1}).LaunchURL)
		}
	}
	if codes["edge 202"]+codes["backend 202"] != 1 || codes["backend 409"]+codes["edge 409"] == 0 {
		t.Errorf("answers to the flood: %v", codes)
	}
}
