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
	sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: 15, Tokens: 10})
	b := s.enter(t, sold.LaunchURL)
	feed := b.Open(t, "GET", s.App+"/sse", nil, "Accept", "text/event-stream", "Sec-Fetch-Mode", "cors")
	defer feed.Body.Close()
	before := len(s.Link.Asked())
	for i := range 5 {
		s.reload(t, s.caddyfile(fmt.Sprintf("\theader X-Generation %d\n", i)))
		if resp := s.afterReload(t, b); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Generation") != strconv.Itoa(i) {
			t.Fatalf("after reload %d: %d, generation %q", i, resp.StatusCode, resp.Header.Get("X-Generation"))
		}
	}
	if again := s.Link.Asked()[before:]; len(again) > 2 {
		t.Errorf("five reloads made the edge ask for %q: it forgot what it knew", again)
	}
	// A connection that was opened under an old configuration still ends with
	// its session.
	s.bodyEnded(t, feed)
	if off := time.Since(time.Unix(sold.Session.ExpiresAt, 0)); off < -200*time.Millisecond || off > time.Second {
		t.Errorf("the old connection ended %s after the deadline", off)
	}
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
	admin := &Client{Client: plainClient()}
	goroutines := func() int {
		// Connections of this test's own are no leak.
		b.CloseIdleConnections()
		var n int
		profile := admin.Do(t, "GET", "http://"+s.admin+"/debug/pprof/goroutine?debug=1", nil)
		if _, err := fmt.Sscanf(string(profile.Body), "goroutine profile: total %d", &n); err != nil {
			t.Fatalf("reading the profile: %v", err)
		}
		return n
	}
	load := func(i int) {
		config := s.caddyfile(fmt.Sprintf("\theader X-Generation %d\n", i))
		if a := admin.Do(t, "POST", "http://"+s.admin+"/load", config, "Content-Type", "text/caddyfile"); a.Status != http.StatusOK {
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
	for range 100 {
		if after = goroutines(); after <= before+3 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d goroutines before fifty reloads, %d after", before, after)
}

// TestCaddyfileMistakesAreNamed adapts wrong configurations.
func TestCaddyfileMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ config, want string }{
		{"{\n\tsession_gate {\n\t\tbakend x\n\t}\n}\n", "Caddyfile:3"},
		{"{\n\tsession_gate {\n\t\tmax_staleness soon\n\t}\n}\n", "must be a duration"},
		{":1 {\n\tsession_gate {\n\t\tinject sometimes\n\t}\n}\n", "must be one of: [on off exact]"},
		{":1 {\n\tsession_gate {\n\t\ton_missing redirect\n\t}\n}\n", "needs a URL"},
		{":1 {\n\tsession_gate {\n\t\tprovder x\n\t}\n}\n", "Caddyfile:3"},
		{"{\n\tsession_gate {\n\t\tbackend ftp://x\n\t}\n}\n:1 {\n\tsession_gate\n}\n", "not a URL like"},
	} {
		file := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(Binary(t), "validate", "--config", file, "--adapter", "caddyfile")
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%q: %v\n%s\nwant %q in it", tt.config, err, out, tt.want)
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
