package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// particular is an app that answers at its own address only, as Jupyter (403),
// Transmission (421) and Cockpit (WebSockets, 403) do.
func particular(t *testing.T, refusal int) *httptest.Server {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := strings.TrimPrefix(s.URL, "http://")
		origin := r.Header.Get("Origin")
		switch {
		case r.Host != own, origin != "" && origin != s.URL:
			http.Error(w, "refused", refusal)
		case r.URL.Path == "/ws":
			// The library compares Origin with Host, as Cockpit does.
			if c, err := websocket.Accept(w, r, nil); err == nil {
				_ = c.Close(websocket.StatusNormalClosure, "")
			}
		case r.URL.Path == "/":
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", Domain: "127.0.0.1"})
			http.Redirect(w, r, s.URL+"/tree?", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, "<!doctype html><html><head></head><body>%s from %s</body></html>", r.Method, r.Header.Get("Referer"))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestAppsThatRefuseTheirPublicName: with app_address, such an app works behind the edge,
// WebSockets and forms included, and the doctor says what is wrong without it.
func TestAppsThatRefuseTheirPublicName(t *testing.T) {
	t.Parallel()
	for _, refusal := range []int{http.StatusForbidden, http.StatusMisdirectedRequest, http.StatusBadRequest} {
		t.Run(http.StatusText(refusal), func(t *testing.T) {
			t.Parallel()
			app := particular(t, refusal)
			s := StartSplit(t, app.URL)
			link := func() string { return s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL }

			// Without it, the app refuses everybody; the doctor knows why.
			b := s.enter(t, link())
			if a := b.Do(t, "GET", s.App+"/tree", nil); a.Status != refusal {
				t.Fatalf("the app takes its public name: %d", a.Status)
			}
			_, r := examine(t, "", s.App+"/tree", "--session", link())
			check(t, r, "injection warning", "refuse its public name")
			_, r = examine(t, "", s.App+"/tree", "--session", link(), "--websocket", "/ws", "--origin", app.URL)
			check(t, r, "injection failed", "the app refuses its public name")
			check(t, r, "injection failed", "app_address "+app.URL)
			check(t, r, "websocket failed", "app_address")
			_, r = examine(t, "", s.App+"/tree", "--origin", app.URL)
			check(t, r, "injection failed", "the app refuses its public name")
			check(t, r, "origin_lock warning", "to every client")

			// With it, everything works.
			s.reload(t, strings.Replace(s.caddyfile(""), "provider prov_split", "provider prov_split\n\t\tapp_address "+app.URL, 1))
			a := b.Do(t, "GET", s.App+"/", nil)
			if a.Status != http.StatusFound || a.Header.Get("Location") != s.App+"/tree?" || strings.Contains(a.Header.Get("Set-Cookie"), "Domain") {
				t.Errorf("a redirect: %d, %v", a.Status, a.Header)
			}
			a = b.Do(t, "POST", s.App+"/tree", "a=1", "Origin", s.App, "Referer", s.App+"/form")
			if a.Status != http.StatusOK || !strings.Contains(string(a.Body), "POST from "+app.URL+"/form") || clockIn(string(a.Body)) == "" {
				t.Errorf("a form: %d %s", a.Status, a.Body)
			}
			if a := b.Do(t, "POST", s.App+"/tree", "a=1", "Origin", "https://evil.example"); a.Status != refusal {
				t.Errorf("a form of another site: %d", a.Status)
			}
			u, err := url.Parse(s.App)
			if err != nil {
				t.Fatal(err)
			}
			dial := &websocket.DialOptions{HTTPClient: b.Client, HTTPHeader: http.Header{"Origin": {s.App}}, Host: u.Host}
			if c, _, err := websocket.Dial(t.Context(), "ws://"+u.Host+"/ws", dial); err != nil {
				t.Errorf("a WebSocket: %v", err)
			} else {
				c.CloseNow()
			}
			status, r := examine(t, "", s.App+"/", "--session", link(), "--websocket", "/ws", "--origin", app.URL)
			check(t, r, "injection ok", "has the clock")
			check(t, r, "websocket ok", "")
			if status != 0 {
				t.Errorf("the doctor ends with %d: %+v", status, r.Checks)
			}
		})
	}
}
