package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestOperatorSeesWhatHappens reads metrics, the admin API, placeholders and
// the debug header of a running edge.
func TestOperatorSeesWhatHappens(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	s.reload(t, strings.Replace(s.caddyfile("\theader >X-Session \"{session_gate.session} {session_gate.provider} {session_gate.remaining}\"\n"),
		"max_staleness 1s", "max_staleness 1s\n\t\tdebug_key let-me-see", 1))
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	Browser(t).Do(t, "GET", s.App+"/", nil)

	a := b.Do(t, "GET", s.App+"/", nil, "Session-Gate-Debug", "let-me-see")
	if got := a.Header.Get("Session-Gate-Debug"); got != "content_type" && got != "fragment" && got != "identity" {
		t.Errorf("the debug header says %q", got)
	}
	var id, provider string
	var remaining int
	got := a.Header.Get("X-Session")
	if _, err := fmt.Sscan(got, &id, &provider, &remaining); err != nil || id != sold.Session.ID || provider != s.ProviderID || remaining < 1 || remaining > 300 {
		t.Errorf("placeholders say %q", got)
	}
	if got := b.Do(t, "GET", s.App+"/", nil, "Session-Gate-Debug", "guess").Header.Get("Session-Gate-Debug"); got != "" {
		t.Errorf("without the key, the debug header says %q", got)
	}

	feed := b.Open(t, "GET", s.App+"/sse", nil, "Accept", "text/event-stream", "Sec-Fetch-Mode", "cors")
	defer feed.Body.Close()
	var list struct {
		Total    int `json:"total"`
		Sessions []struct {
			ID           string `json:"id"`
			OpenRequests int    `json:"open_requests"`
		} `json:"sessions"`
	}
	// A request of before is open for a moment after its answer.
	eventually(t, func() bool {
		s.askAdmin(t, "GET", "/session_gate/sessions", "").JSON(t, &list)
		return list.Total == 1 && list.Sessions[0].ID == sold.Session.ID && list.Sessions[0].OpenRequests == 1
	}, func() string { return fmt.Sprintf("the admin API lists one session with one request: %+v", list) })
	if a := s.askAdmin(t, "GET", "/session_gate/sessions?limit=x", ""); a.Status != http.StatusBadRequest {
		t.Errorf("a wrong limit: %d %s", a.Status, a.Body)
	}
	if a := s.askAdmin(t, "DELETE", "/session_gate/sessions/"+sold.Session.ID, ""); a.Status != http.StatusNoContent {
		t.Errorf("dropping: %d %s", a.Status, a.Body)
	}
	s.bodyEnded(t, feed)
	if a := s.askAdmin(t, "GET", "/session_gate/sessions/"+sold.Session.ID, ""); a.Status != http.StatusNotFound {
		t.Errorf("after dropping: %d %s", a.Status, a.Body)
	}
	// Dropped is not revoked: the next request asks the backend and goes on.
	if a := b.Do(t, "GET", s.App+"/", nil); a.Status != http.StatusOK {
		t.Errorf("a request after dropping: %d", a.Status)
	}

	var metrics string
	for _, want := range []string{
		`session_gate_entries_total 1`, `session_gate_refusals_total{code="session_missing"} 1`,
		`session_gate_cuts_total{code="session_missing"} 1`, `session_gate_stream_connected 1`,
		`session_gate_live_sessions 1`, `session_gate_backend_seconds_count{call="launch"} 1`,
	} {
		eventually(t, func() bool {
			metrics = string(s.askAdmin(t, "GET", "/metrics", "").Body)
			return strings.Contains(metrics, want)
		},
			func() string { return fmt.Sprintf("metrics have %s:\n%s", want, grep(metrics, "session_gate_")) })
	}
	// The dashboard asks for what there is.
	board, err := os.ReadFile("../docs/grafana/edge.json")
	if err != nil || !json.Valid(board) {
		t.Fatalf("the dashboard: %v", err)
	}
	wanted := regexp.MustCompile(`session_gate_[a-z_]+`).FindAllString(string(board), -1)
	for _, name := range wanted {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("the dashboard asks for %s, which the edge does not show", name)
		}
	}
	if len(wanted) < 10 {
		t.Errorf("the dashboard asks for %d metrics only", len(wanted))
	}

	asked, revoked := s.revoke(t, sold.Session.ID)
	s.refused(t, b, "session_revoked", asked, revoked)
	// At DEBUG, Caddy's event app logs what it is given.
	for _, want := range []string{`"name":"session_gate.entered"`, `"name":"session_gate.ended"`, `"origin":"session_gate"`, `"code":"session_revoked"`} {
		eventually(t, func() bool { return strings.Contains(s.Log.String(), want) },
			func() string { return fmt.Sprintf("an event has %s:\n%s", want, grep(s.Log.String(), "event")) })
	}

	s.reload(t, s.caddyfile(""))
	if again := string(s.askAdmin(t, "GET", "/metrics", "").Body); !strings.Contains(again, "session_gate_entries_total 1") {
		t.Errorf("a reload lost the counts:\n%s", grep(again, "session_gate_"))
	}
}

func grep(text, part string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, part) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}
