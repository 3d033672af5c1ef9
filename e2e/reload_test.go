package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestReloadKeepsEverything reloads the Caddyfile under an open WebSocket, a
// download and a session.
func TestReloadKeepsEverything(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	// Five reloads have to fit in: each takes longer than a page.
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 30 + 10*s.fewByLink(t, 0), Tokens: 10, Clock: "launch"})
	b := s.enter(t, sold.LaunchURL)
	feed := b.Open(t, "GET", s.App+"/sse", nil, "Accept", "text/event-stream", "Sec-Fetch-Mode", "cors")
	defer feed.Body.Close()
	s.quiet(t)
	before, began := len(s.Link.Asked()), time.Now()
	for i := range 5 {
		s.reload(t, s.caddyfile(fmt.Sprintf("\theader X-Generation %d\n", i)))
		if resp := s.afterReload(t, b); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Generation") != strconv.Itoa(i) {
			t.Fatalf("after reload %d: %d, generation %q", i, resp.StatusCode, resp.Header.Get("X-Generation"))
		}
	}
	if again := s.Link.Asked()[before:]; len(again) > questions(time.Since(began)) {
		t.Errorf("five reloads made the edge ask for %q: it forgot what it knew", again)
	}
	// A connection that was opened under an old configuration still ends with
	// its session.
	s.bodyEnded(t, feed)
	ended := time.Now()
	due := s.deadlineOf(t, sold.Session.ID)
	onTime(t, due, due, ended)
}

// afterReload asks for the app's first page. A connection that the old server
// was about to close may end unanswered: browsers try again, and so does this.
func (s *Split) afterReload(t testing.TB, b *Client) *http.Response {
	t.Helper()
	for tries := 1; ; tries++ {
		resp, err := b.Client.Get(s.App + "/")
		if err == nil {
			resp.Body.Close()
			return resp
		}
		if tries == 20 {
			t.Fatal(errors.Unwrap(err))
		}
	}
}

// TestFiftyReloadsLeakNothing counts the edge's goroutines before and after.
func TestFiftyReloadsLeakNothing(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	goroutines := func() int {
		// Connections of this test's own are no leak.
		b.CloseIdleConnections()
		var n int
		profile := s.askAdmin(t, "GET", "/debug/pprof/goroutine?debug=1", "")
		if _, err := fmt.Sscanf(string(profile.Body), "goroutine profile: total %d", &n); err != nil {
			t.Fatalf("reading the profile: %v", err)
		}
		return n
	}
	load := func(i int) {
		config := s.caddyfile(fmt.Sprintf("\theader X-Generation %d\n", i))
		if a := s.askAdmin(t, "POST", "/load", config); a.Status != http.StatusOK {
			t.Fatalf("reload %d: %d %s", i, a.Status, a.Body)
		}
		if resp := s.afterReload(t, b); resp.StatusCode != http.StatusOK {
			t.Fatalf("after reload %d: %d", i, resp.StatusCode)
		}
	}
	for i := range 5 {
		load(i)
	}
	before := goroutines()
	for i := range 50 {
		load(i)
	}
	// What a reload leaves behind ends within a moment.
	var after int
	eventually(t, func() bool { after = goroutines(); return after <= before+3 },
		func() string {
			return fmt.Sprintf("as many goroutines as the %d before fifty reloads: %d", before, after)
		})
}

// TestCaddyfileMistakesAreNamed validates wrong configurations: what is said has
// the line, and the word that is wrong.
func TestCaddyfileMistakesAreNamed(t *testing.T) {
	t.Parallel()
	global := func(option string) string { return "{\n\tsession_gate {\n\t\t" + option + "\n\t}\n}\n" }
	site := func(option string) string { return ":1 {\n\tsession_gate {\n\t\t" + option + "\n\t}\n}\n" }
	for _, tt := range []struct {
		config string
		want   []string
	}{
		{global("bakend x"), []string{"Caddyfile:3", `"bakend"`, "backend"}},
		{global("max_staleness soon"), []string{"Caddyfile:3", `"soon"`, "must be a duration"}},
		{global("backend ftp://x"), []string{"Caddyfile:3", `"ftp://x"`, "not a URL like"}},
		{global("backend http://u:p@x"), []string{"Caddyfile:3", "must not contain a password"}},
		{global("edge_key a\n\t\tedge_key b"), []string{"Caddyfile:4", "edge_key is given twice"}},
		{global("when_backend_down wait"), []string{"Caddyfile:3", `"wait"`, "[refuse admit]"}},
		{site("inject sometimes"), []string{"Caddyfile:3", `"sometimes"`, "must be one of: [on off exact]"}},
		{site("on_missing redirect"), []string{"Caddyfile:3", "needs a URL"}},
		{site("on_missing redirect market.example"), []string{"Caddyfile:3", `"market.example"`, "https://"}},
		{site("on_expired page //evil.example"), []string{"Caddyfile:3", `"//evil.example"`}},
		{site("prvider x"), []string{"Caddyfile:3", `"prvider"`, "provider"}},
		{site("provider a\n\t\tprovider b"), []string{"Caddyfile:4", "provider is given twice"}},
	} {
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(Binary(t), "validate", "--config", file, "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		for _, want := range tt.want {
			// The line is printed as JSON by the logger.
			if err == nil || !strings.Contains(strings.ReplaceAll(string(out), `\"`, `"`), want) {
				t.Errorf("%q: %v\n%s\nwant %q in it", tt.config, err, out, want)
			}
		}
	}
}

// TestExampleIsFormattedAndValid holds the shipped Caddyfile to caddy fmt and
// caddy validate.
func TestExampleIsFormattedAndValid(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Binary(t), "fmt", "-")
	cmd.Stdin = bytes.NewReader(example)
	out, err := cmd.Output()
	if err != nil || !bytes.Equal(out, example) {
		t.Errorf("caddy fmt would change Caddyfile.example (%v)", err)
	}
	cmd = exec.Command(Binary(t), "adapt", "--config", "../Caddyfile.example", "--adapter", "caddyfile", "--validate")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err = cmd.Output()
	if err != nil || !json.Valid(out) {
		t.Errorf("adapting Caddyfile.example: %v\n%s", err, out)
	}
}
