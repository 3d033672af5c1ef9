package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// decide changes the provider's site settings and returns when the service has answered.
func (s *Split) decide(t testing.TB, site any) (answered time.Time) {
	t.Helper()
	a := Caller(s.AdminKey).Do(t, "PATCH", s.API+"/api/v1/providers/"+s.ProviderID, map[string]any{"site": site})
	if a.Status != http.StatusOK {
		t.Fatalf("changing the site settings: %d %s", a.Status, a.Body)
	}
	return time.Now()
}

// TestSiteSettingsAtTwoEdges changes each setting by the API. Both edges act on it without
// a reload, and keep it while the service is down, over a restart, too.
func TestSiteSettingsAtTwoEdges(t *testing.T) {
	t.Parallel()
	site := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><html><head><title>x</title></head><body>%s user=%q cookie=%q</body></html>", r.URL.Path, r.Header.Get("Session-Gate-User"), r.Header.Get("Cookie"))
	})
	s := StartSplit(t, site)
	edges := []string{s.App, s.secondEdge(t)}
	user := s.newUser(t, 1000)
	sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	paying := func(edge, path string) *Answer {
		c := &Client{Client: plainClient(), Headers: map[string]string{"Cookie": "session_gate=" + cookieOf(t, b, s.App)}}
		return c.Do(t, "GET", edge+path, nil, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	}
	stranger := func(edge, path string) *Answer {
		return Browser(t).Do(t, "GET", edge+path, nil)
	}
	shows := func(a *Answer, status int, text string) bool {
		return a.Status == status && strings.Contains(string(a.Body), text)
	}
	for _, tt := range []struct {
		name string
		site map[string]any
		want func(edge string) bool
	}{
		{"an open path", map[string]any{"open_paths": []string{"/robots.txt", "/hooks/*"}}, func(edge string) bool {
			return shows(stranger(edge, "/robots.txt"), 200, `/robots.txt user="" cookie=""`) && shows(stranger(edge, "/hooks/pay"), 200, "/hooks/pay") &&
				stranger(edge, "/private").Status == 401 && stranger(edge, "/hooks/../private").Status == 401 && stranger(edge, "/hooks/%2e%2e/private").Status == 401
		}},
		{"no open path", map[string]any{"open_paths": []string{}}, func(edge string) bool { return stranger(edge, "/robots.txt").Status == 401 }},
		{"pages without the clock", map[string]any{"inject": "off"}, func(edge string) bool {
			a := paying(edge, "/page")
			return a.Status == 200 && !strings.Contains(string(a.Body), "/.session-gate/")
		}},
		{"pages with the clock", map[string]any{"inject": nil}, func(edge string) bool { return shows(paying(edge, "/page"), 200, "/.session-gate/boot") }},
		{"no identity", map[string]any{"forward_identity": "off"}, func(edge string) bool { return shows(paying(edge, "/page"), 200, `user=""`) }},
		{"identity", map[string]any{"forward_identity": "headers"}, func(edge string) bool { return shows(paying(edge, "/page"), 200, `user="`+user) }},
		{"a brand", map[string]any{"brand": map[string]any{"app_name": "Rosette <b>", "shop_url": "https://shop.example/rosette", "accent": "#8a2be2"}}, func(edge string) bool {
			a := stranger(edge, "/private")
			return shows(a, 401, "Rosette &lt;b&gt;") && shows(a, 401, `href="https://shop.example/rosette"`)
		}},
		{"a clock of its own", map[string]any{"clock": map[string]any{"position": "top-left"}}, func(edge string) bool {
			return shows(paying(edge, "/.session-gate/session"), 200, `"position":"top-left"`)
		}},
		{"maintenance", map[string]any{"maintenance": map[string]any{"on": true, "message": "We are back at noon."}}, func(edge string) bool {
			return shows(paying(edge, "/page"), 503, "We are back at noon.") && shows(stranger(edge, "/page"), 503, "Rosette &lt;b&gt;")
		}},
	} {
		answered := s.decide(t, tt.site)
		for i, edge := range edges {
			eventually(t, func() bool { return tt.want(edge) }, func() string { return fmt.Sprintf("%s at edge %d", tt.name, i+1) })
			t.Logf("%s: %v after the answer at edge %d", tt.name, time.Since(answered).Round(time.Millisecond), i+1)
		}
	}

	// The clock stands still, and goes on.
	eventually(t, func() bool { return s.read(t, sold.Session.ID).Status == "paused" }, func() string { return "the session stands still" })
	s.decide(t, map[string]any{"maintenance": map[string]any{"on": false}})
	for _, edge := range edges {
		eventually(t, func() bool { return paying(edge, "/page").Status == 200 }, func() string { return "the site is open again" })
	}
	if got := s.read(t, sold.Session.ID); got.Status != "active" || got.ExpiresAt < sold.Session.ExpiresAt {
		t.Errorf("after the maintenance: %+v, was due at %d", got, sold.Session.ExpiresAt)
	}

	// Without the service they stay, after a restart, too.
	s.decide(t, map[string]any{"open_paths": []string{"/robots.txt"}})
	for _, edge := range edges {
		eventually(t, func() bool { return stranger(edge, "/robots.txt").Status == 200 }, func() string { return "the path is open" })
	}
	s.Link.Cut()
	s.kill(t)
	s.stop(t)
	s.stopped = false
	s.cmd = s.command(t, "run", "--config", s.Caddyfile, "--adapter", "caddyfile")
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, s.App+"/.session-gate/boot.js", s.Log)
	for _, edge := range edges {
		if a := stranger(edge, "/robots.txt"); a.Status != 200 {
			t.Errorf("while the service is down: %d %s", a.Status, a.Body)
		}
		if a := stranger(edge, "/private"); !shows(a, 401, "Rosette &lt;b&gt;") {
			t.Errorf("the page while the service is down: %d %s", a.Status, a.Body)
		}
	}
}

// TestCaddyfileWinsOverSiteSettings: an option that the operator has written stays, and the
// API says which.
func TestCaddyfileWinsOverSiteSettings(t *testing.T) {
	t.Parallel()
	site := newServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	s := StartSplit(t, site)
	s.reload(t, strings.Replace(s.caddyfile(""), "provider prov_split", "provider prov_split\n\t\topen /static/*", 1))
	s.decide(t, map[string]any{"open_paths": []string{"/robots.txt"}, "inject": "off"})
	eventually(t, func() bool {
		a := Caller(s.AdminKey).Do(t, "GET", s.API+"/api/v1/providers/"+s.ProviderID, nil)
		return strings.Contains(string(a.Body), `"site_overrides":["open_paths"]`)
	}, func() string { return "the provider's entry names what the Caddyfile sets" })
	for path, want := range map[string]int{"/static/a.css": 200, "/robots.txt": 401} {
		if a := Browser(t).Do(t, "GET", s.App+path, nil); a.Status != want {
			t.Errorf("%s: %d, want %d", path, a.Status, want)
		}
	}
}
