package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// listener is a user of a provider's app at an edge that names no provider.
type listener struct {
	*Client
	provider, url, session string
}

// listenerOf registers a provider and enters its site at an edge.
func (s *Split) listenerOf(t *testing.T, edge, user, name, originURL string) listener {
	t.Helper()
	l := listener{Client: Browser(t), provider: "prov_" + name, url: "https://" + name + ".example"}
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
		"id": l.provider, "name": name, "domains": []string{name + ".example"}, "origin_url": originURL,
		"policies": map[string]any{"return_hosts": []string{"market.example"}},
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("registering %s: %d %s", name, a.Status, a.Body)
	}
	theirs := *s.System
	theirs.ProviderID = l.provider
	l.Client.Client.Transport = dialing(edge)
	sold := theirs.buy(t, terms{User: user, Seconds: 300, Tokens: 10})
	l.session = sold.Session.ID
	if a := l.Do(t, "GET", sold.LaunchURL, nil); a.Status != http.StatusSeeOther {
		t.Fatalf("entering %s: %d %s", name, a.Status, a.Body)
	}
	return l
}

// expiresAt is when the session ends, as the edge tells its page.
func (l listener) expiresAt(t *testing.T) int64 {
	t.Helper()
	var got struct{ Session session }
	page(l.Client, t, "GET", l.url+protocol.GateSession, nil).JSON(t, &got)
	return got.Session.ExpiresAt
}

// questions is how often the edge has asked for the states of sessions.
func (s *Split) questions() (n int) {
	for _, path := range s.Link.Asked() {
		if path == protocol.EdgeStates {
			n++
		}
	}
	return n
}

// heardOf waits until the edge judges a session without asking the backend.
func (s *Split) heardOf(t *testing.T, l listener) {
	t.Helper()
	eventually(t, func() bool {
		before := s.questions()
		if a := l.Do(t, "GET", l.url+"/", nil); a.Status != http.StatusOK {
			t.Fatalf("a request to %s: %d %s", l.provider, a.Status, a.Body)
		}
		return s.questions() == before
	}, func() string { return "the stream carries the changes of " + l.provider })
}

// hears extends a session and revokes it: the edge is told of both.
func (s *Split) hears(t *testing.T, l listener) {
	t.Helper()
	asked, before := s.questions(), l.expiresAt(t)
	began := time.Now()
	a := Caller(s.MarketplaceKey).Do(t, "POST", s.API+"/api/v1/sessions/"+l.session+"/extend",
		map[string]any{"additional_seconds": 60, "tokens_to_deduct": 1}, "Idempotency-Key", l.session)
	if a.Status/100 != 2 {
		t.Fatalf("extending: %d %s", a.Status, a.Body)
	}
	extended := time.Now()
	eventually(t, func() bool { return l.expiresAt(t) == before+60 }, func() string { return "the edge hears of an extension at " + l.provider })
	onTime(t, began, extended, time.Now())

	open := l.Open(t, "GET", l.url+"/open", nil)
	defer open.Body.Close()
	if open.StatusCode != http.StatusOK {
		t.Fatalf("an open request: %d", open.StatusCode)
	}
	began, revoked := s.revoke(t, l.session)
	s.bodyEnded(t, open)
	onTime(t, began, revoked, time.Now())
	if a := page(l.Client, t, "GET", l.url+"/", nil); a.Code() != "session_revoked" {
		t.Errorf("after the revocation at %s: %d %s", l.provider, a.Status, a.Body)
	}
	if n := s.questions() - asked; n > 0 {
		t.Errorf("the edge asked %d times for a state that the stream carries", n)
	}
}

// openOrigin is an app with pages, and with a response that does not end.
func openOrigin(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")
		if r.URL.Path != "/open" {
			return
		}
		if http.NewResponseController(w).Flush() == nil {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// TestStreamCarriesTheProvidersOfAnEdge uses two providers at an edge that names none. The
// second is first seen after the stream was opened; the edge hears of changes at both. A
// backend that cannot limit the stream to some providers is asked for all changes.
func TestStreamCarriesTheProvidersOfAnEdge(t *testing.T) {
	t.Parallel()
	for name, older := range map[string]int{"this backend": 0, "a backend that answers 404": http.StatusNotFound, "a backend that answers 405": http.StatusMethodNotAllowed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := openOrigin(t)
			s := StartSplit(t, app)
			if older != 0 {
				s.Link.noFilter.Store(int64(older))
				s.Link.CloseClientConnections() // the edge opens the stream anew
				eventually(t, func() bool {
					return strings.Contains(strings.ReplaceAll(s.Log.String(), " ", ""), `"providers":"all"`)
				}, func() string { return "the edge reads the stream of all providers" })
			}
			ports := freePorts(t)
			s.reload(t, s.byDNSAlone(s.admin, ports, "", dynamic("")))
			edge := net.JoinHostPort("127.0.0.1", fmt.Sprint(ports+1))
			user := s.newUser(t, 1000)
			first := s.listenerOf(t, edge, user, "first", app)
			s.heardOf(t, first)
			second := s.listenerOf(t, edge, user, "second", app)
			s.heardOf(t, second)
			s.heardOf(t, first)
			s.hears(t, second)
			s.hears(t, first)

			streams := s.Link.streamsAsked()
			last := streams[len(streams)-1]
			if older != 0 {
				if last.method != http.MethodGet {
					t.Errorf("an older backend is asked with %s", last.method)
				}
				return
			}
			if last.method != http.MethodPost || !slices.Contains(last.providers, first.provider) || !slices.Contains(last.providers, second.provider) {
				t.Errorf("the edge asks for %+v", last)
			}
		})
	}
}

// streamAsked is a request for the event stream.
type streamAsked struct {
	method    string
	providers []string
}

// streamsAsked are the streams that the edge has asked for so far.
func (l *link) streamsAsked() []streamAsked {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.streams)
}

// noteStream remembers what stream an edge asks for.
func (l *link) noteStream(method string, body []byte) {
	var ask protocol.StreamRequest
	_ = json.Unmarshal(body, &ask) // a request without a body asks for all
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams = append(l.streams, streamAsked{method, ask.Providers})
}
