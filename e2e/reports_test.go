package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// until reads what an administrator sees until it is as wanted.
func until[T any](t testing.TB, s *System, path, what string, wanted func(T) bool) {
	t.Helper()
	var a *Answer
	eventually(t, func() bool {
		a = Caller(s.AdminKey).Do(t, "GET", s.API+path, nil)
		var body T
		if err := json.Unmarshal(a.Body, &body); err != nil {
			t.Fatal(err)
		}
		return a.Status == 200 && wanted(body)
	}, func() string { return fmt.Sprintf("%s; %d %s", what, a.Status, a.Body) })
}

// TestOperatorSeesEdges sells a session and finds the edge that admits it, and
// what became of the pages that it served.
func TestOperatorSeesEdges(t *testing.T) {
	t.Parallel()
	s := Start(t)
	b := s.enter(t, s.buy(t, terms{User: s.newUser(t, 10), Seconds: 600, Tokens: 5}).LaunchURL)
	type edges struct {
		Edges []struct {
			ID, Version  string
			LiveSessions int64 `json:"live_sessions"`
			StreamLagMS  int64 `json:"stream_lag_ms"`
		}
	}
	until(t, s, "/api/v1/edges", "one edge, with the session", func(e edges) bool {
		return len(e.Edges) == 1 && e.Edges[0].Version != "" && e.Edges[0].LiveSessions == 1 && e.Edges[0].StreamLagMS >= 0 && e.Edges[0].StreamLagMS < 5000
	})
	for _, path := range []string{"/", "/notes/new?secret=hunter2", "/no/such/page/12345"} {
		b.Do(t, "GET", s.App+path, nil)
	}
	type pages struct {
		Pages []struct {
			Host, Path, Outcome, Remedy string
			Injected                    bool
		}
	}
	until(t, s, "/api/v1/providers/"+s.ProviderID+"/pages", "three pages with their clocks", func(p pages) bool {
		found := map[string]bool{}
		for _, page := range p.Pages {
			found[page.Path] = page.Injected && page.Remedy == "" && page.Host == strings.TrimPrefix(s.App, "http://")
		}
		return len(found) == 3 && found["/"] && found["/notes/new"] && found["/no/such/page/…"]
	})
}

// TestChecksByTheService asks the session service to look at the demo's app.
func TestChecksByTheService(t *testing.T) {
	t.Parallel()
	s := Start(t)
	a := Caller(s.ProviderKey).Do(t, "POST", s.API+"/api/v1/providers/"+s.ProviderID+"/checks", map[string]any{})
	var report struct {
		Checks []struct{ Name, Grade, Found, Remedy string }
	}
	if err := json.Unmarshal(a.Body, &report); err != nil || a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	got := map[string]string{}
	for _, c := range report.Checks {
		got[c.Name] = c.Grade
		if c.Grade != "ok" && c.Remedy == "" && c.Name != "tls" {
			t.Errorf("%s is %s and has no remedy: %s", c.Name, c.Grade, c.Found)
		}
	}
	for name, want := range map[string]string{
		"dns": "unchecked", "tls": "unchecked", "gate": "ok", "refusal": "ok", "websocket": "ok",
		"origin_lock": "warning", "injection": "ok", "policy": "ok",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %s: %s", name, got[name], want, a.Body)
		}
	}
}
