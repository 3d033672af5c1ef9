package e2e_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// native sends a request as a program without cookies does.
func native(t testing.TB, method, url, token, body string, headers ...string) *Answer {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: b.Bytes()}
}

func launchTokenOf(link string) string {
	_, token, _ := strings.Cut(link, "session=")
	return token
}

// enterNative exchanges a sale's launch token.
func (s *System) enterNative(t testing.TB, sold sale) (sessionToken string, a *Answer) {
	t.Helper()
	a = native(t, "POST", s.App+"/.session-gate/enter", "", `{"launch_token": "`+launchTokenOf(sold.LaunchURL)+`"}`)
	var in struct {
		SessionToken string  `json:"session_token"`
		Session      session `json:"session"`
	}
	if a.Status == http.StatusOK {
		a.JSON(t, &in)
		if in.Session.ID != sold.Session.ID {
			t.Errorf("entered %q, want %q", in.Session.ID, sold.Session.ID)
		}
	}
	return in.SessionToken, a
}

// TestNativeClient: a program without cookies enters with JSON and uses the app, its
// WebSockets and the gate's API with the session token.
func TestNativeClient(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	user := s.newUser(t, 500)
	sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 100, Extension: map[string]any{"additional_seconds": 60, "tokens": 10, "max_count": 1}})
	token, a := s.enterNative(t, sold)
	if token == "" || len(a.Header["Set-Cookie"]) > 0 || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("entering: %d %s, %q", a.Status, a.Body, a.Header)
	}

	if a := native(t, "GET", s.App+"/", token, ""); a.Status != 200 || len(a.Header["Set-Cookie"]) > 0 {
		t.Errorf("the app answers %d, %q, %s", a.Status, a.Header, a.Body)
	}
	for path, body := range map[string]string{"heartbeat": `{"timestamp":1,"active":true}`, "session": "", "extend": "{}"} {
		if a := native(t, "POST", s.App+"/.session-gate/"+path, token, body); a.Status != 200 {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.App, "http")+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		t.Fatalf("opening a WebSocket: %v", err)
	}
	defer conn.CloseNow()
	if got := s.read(t, sold.Session.ID); got.TokensAllocated != 110 {
		t.Errorf("after the extension the session has %d tokens, want 110", got.TokensAllocated)
	}
	if a := native(t, "POST", s.App+"/.session-gate/end", token, ""); a.Status != 200 {
		t.Errorf("end: %d %s", a.Status, a.Body)
	}
	for err == nil { // until the gate closes it
		_, _, err = conn.Read(ctx)
	}
	if got := websocket.CloseStatus(err); got != 4401 {
		t.Errorf("the WebSocket ends with %v (%v), want 4401", got, err)
	}
	if a := native(t, "GET", s.App+"/", token, ""); a.Status != 401 || a.Code() != "session_completed" {
		t.Errorf("after the end: %d %s", a.Status, a.Body)
	}
	if strings.Contains(s.Log.String(), token) || strings.Contains(s.Log.String(), launchTokenOf(sold.LaunchURL)) {
		t.Error("a token is in the log")
	}
}

// TestNativeEntryIsRefused: what is not an entry of a native client gets a clear answer,
// and the launch link stays good.
func TestNativeEntryIsRefused(t *testing.T) {
	t.Parallel()
	s := Start(t)
	sold := s.buy(t, terms{User: s.newUser(t, 500), Seconds: 600, Tokens: 100, Clock: "launch"})
	good := `{"launch_token": "` + launchTokenOf(sold.LaunchURL) + `"}`
	for _, tt := range []struct {
		name, body string
		headers    []string
		status     int
		code       string
	}{
		{"a page of another site", good, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403, "cross_site"},
		{"a page of the app", good, []string{"Origin", s.App, "Sec-Fetch-Site", "same-origin"}, 403, "cross_site"},
		{"an old browser's page", good, []string{"Origin", s.App}, 403, "cross_site"},
		{"no token", `{}`, nil, 422, "invalid_request"},
		{"not JSON", `launch_token=`, nil, 400, "invalid_request"},
		{"forged", `{"launch_token": "eyJhbGciOiJub25lIn0.e30."}`, nil, 401, "launch_invalid"},
		{"too long", `{"launch_token": "` + strings.Repeat("a", 70<<10) + `"}`, nil, 413, "too_large"},
		{"the text of a form", good, []string{"Content-Type", "text/plain"}, 403, "cross_site"},
	} {
		a := native(t, "POST", s.App+"/.session-gate/enter", "", tt.body, tt.headers...)
		if a.Status != tt.status || a.Code() != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.name, a.Status, a.Body, tt.status, tt.code)
		}
	}
	token, a := s.enterNative(t, sold)
	if token == "" {
		t.Fatalf("the launch link was spent by a refusal: %d %s", a.Status, a.Body)
	}
	native(t, "GET", s.App+"/", token, "") // now it is used
	if _, a := s.enterNative(t, sold); a.Status != 409 || a.Code() != "launch_spent" {
		t.Errorf("a second entry: %d %s", a.Status, a.Body)
	}
}

// TestNativeEntryIsRepeatedByItsClient: who has lost the response asks again with the same
// key and is let in; who knows the launch link alone is not.
func TestNativeEntryIsRepeatedByItsClient(t *testing.T) {
	t.Parallel()
	s := Start(t)
	sold := s.buy(t, terms{User: s.newUser(t, 500), Seconds: 600, Tokens: 100})
	body := `{"launch_token": "` + launchTokenOf(sold.LaunchURL) + `"}`
	enter := func(key string) *Answer {
		return native(t, "POST", s.App+"/.session-gate/enter", "", body, "Idempotency-Key", key)
	}
	first := enter("6f0c2a")
	for name, key := range map[string]string{"another key": "d41d8c", "no key": ""} {
		if a := enter(key); a.Status != 409 || a.Code() != "launch_spent" {
			t.Errorf("with %s: %d %s", name, a.Status, a.Body)
		}
	}
	if again := enter("6f0c2a"); first.Status != 200 || again.Status != 200 {
		t.Errorf("with the same key: %d %s, then %d %s", first.Status, first.Body, again.Status, again.Body)
	}
}

// TestBearerAndTheAppsOwnAuthorization: a session token opens its own provider's app
// alone and never reaches an origin; what the app sends in Authorization reaches it.
func TestBearerAndTheAppsOwnAuthorization(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	app := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><html><head><title>x</title></head><body>hello</body></html>")
	})
	s := StartSplit(t, app)
	sold := s.buy(t, terms{User: s.newUser(t, 500), Seconds: 600, Tokens: 100})
	token, a := s.enterNative(t, sold)
	if token == "" {
		t.Fatalf("entering: %d %s", a.Status, a.Body)
	}

	a = native(t, "GET", s.App+"/x", token, "", "Cookie", "app=1", "Accept", "text/html")
	if a.Status != 200 || bytes.Contains(a.Body, []byte("/.session-gate/")) || len(a.Header["Set-Cookie"]) > 0 {
		t.Fatalf("with Bearer: %d %q %s", a.Status, a.Header, a.Body)
	}
	if h := <-seen; h.Get("Authorization") != "" || strings.Contains(h.Get("Cookie"), "session_gate") || h.Get("Cookie") != "app=1" || h.Get("Session-Gate-User") == "" {
		t.Errorf("the origin got %q", h)
	}
	for name, authorization := range map[string]string{"Basic": "Basic YTpi", "the app's own JWT": "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl", "opaque": "Bearer abc"} {
		a := native(t, "GET", s.App+"/x", "", "", "Authorization", authorization, "Cookie", "session_gate="+token, "Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate")
		if a.Status != 200 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
			continue
		}
		if !bytes.Contains(a.Body, []byte("/.session-gate/boot")) {
			t.Errorf("%s: the browser's page has no clock: %s", name, a.Body)
		}
		if h := <-seen; h.Get("Authorization") != authorization {
			t.Errorf("%s: the origin got %q", name, h.Get("Authorization"))
		}
		if a := native(t, "GET", s.App+"/x", "", "", "Authorization", authorization); a.Status != 401 || a.Code() != "session_missing" {
			t.Errorf("%s alone: %d %s", name, a.Status, a.Body)
		}
	}
	// A client that sends the token in two ways, or twice: the origin sees neither.
	if a := native(t, "GET", s.App+"/x", token, "", "Cookie", "session_gate="+token); a.Status != 200 {
		t.Errorf("with both: %d %s", a.Status, a.Body)
	} else if h := <-seen; h.Get("Authorization") != "" {
		t.Errorf("with both: the origin got a session token")
	}
	for name, forged := range map[string]string{"damaged": token[:len(token)-4] + "AAAA", "a launch token": launchTokenOf(sold.LaunchURL)} {
		if a := native(t, "GET", s.App+"/x", forged, ""); a.Status != 401 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

// TestNativeEntryDuringAnOutage: a client that enters while the backend is down is told the
// session token that takes the place of its provisional one, and both open the session.
func TestNativeEntryDuringAnOutage(t *testing.T) {
	t.Parallel()
	s := StartSplit(t, origin(t).URL)
	s.reload(t, strings.Replace(s.caddyfile(""), "max_staleness 1s", "max_staleness 1s\n\t\twhen_backend_down admit", 1))
	user := s.newUser(t, 300)
	s.enter(t, s.buy(t, terms{User: user, Seconds: 600, Tokens: 10}).LaunchURL) // the edge has the keys
	sold := s.buy(t, terms{User: user, Seconds: 600, Tokens: 10})
	s.Link.Cut()
	provisional, a := s.enterNative(t, sold)
	if provisional == "" {
		t.Fatalf("entering during the outage: %d %s", a.Status, a.Body)
	}
	if a := native(t, "GET", s.App+"/", provisional, ""); a.Status != 200 || len(a.Header["Set-Cookie"]) > 0 {
		t.Errorf("during the outage: %d %q", a.Status, a.Header)
	}
	s.Link.Mend()
	var in struct {
		SessionToken string `json:"session_token"`
	}
	eventually(t, func() bool {
		native(t, "POST", s.App+"/.session-gate/session", provisional, "").JSON(t, &in)
		return in.SessionToken != ""
	}, func() string { return "the client is told its session token" })
	if in.SessionToken == provisional {
		t.Fatalf("after the outage the session token is %q", in.SessionToken)
	}
	for _, token := range []string{provisional, in.SessionToken} {
		if a := native(t, "GET", s.App+"/", token, ""); a.Status != 200 {
			t.Errorf("after the outage: %d %s", a.Status, a.Body)
		}
	}
}

// TestNativeAppsDocument runs every command of docs/native-apps.md, in order, in one shell.
func TestNativeAppsDocument(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/native-apps.md")
	if err != nil {
		t.Fatal(err)
	}
	s := Start(t)
	sold := s.buy(t, terms{User: s.newUser(t, 500), Seconds: 600, Tokens: 100})
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	for _, b := range blocks {
		script.WriteString(b[1])
	}
	cmd := exec.Command("bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "APP="+s.App, "LAUNCH_URL="+sold.LaunchURL)
	out, err := cmd.CombinedOutput()
	if err != nil || len(blocks) < 5 {
		t.Fatalf("%d blocks: %v\n%s", len(blocks), err, out)
	}
	for _, want := range []string{`"acknowledged":true`, `"status":"active"`, `"status":"completed"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands never printed %s:\n%s", want, out)
		}
	}
}
