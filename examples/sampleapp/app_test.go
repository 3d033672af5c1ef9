package sampleapp_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sessiongate/sessiongate/examples/sampleapp"
)

// start serves the app, with a feed and a download that tests can wait for.
func start(t *testing.T, config sampleapp.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(sampleapp.New(config))
	t.Cleanup(server.Close)
	return server
}

// get asks without Accept-Encoding unless headers say otherwise.
func get(t *testing.T, link string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading %s: %v", link, err)
	}
	return res, string(body)
}

func TestPagesAnswer(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{})
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "Latest notes"},
		{"/notes", 200, "Otter spraint"},
		{"/notes?habitat=Creek", 200, "Otter spraint"},
		{"/notes?habitat=Nowhere", 200, "Otter spraint"},
		{"/notes/1", 200, "The sluice sticks"},
		{"/notes/new", 200, "Save note"},
		{"/notes/999", 404, "left the path"},
		{"/notes/x", 404, "left the path"},
		{"/live", 200, "Gauges"},
		{"/chat", 200, "Channel"},
		{"/status.json", 200, `"tide_m"`},
		{"/whoami", 200, `"headers"`},
		{"/slow?ms=1", 200, `"waited_ms": 1`},
		{"/slow?ms=x", 400, "error"},
		{"/static/site.css", 200, "--deep"},
		{"/static/chat.js", 200, "WebSocket"},
		{"/static/../app.go", 404, ""},
		{"/nothing", 404, "left the path"},
	}
	for _, test := range tests {
		res, body := get(t, server.URL+test.path)
		if res.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: got %d, want %d with %q in %.200q", test.path, res.StatusCode, test.status, test.want, body)
		}
	}
}

func TestGzipIsForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{})
	_, plain := get(t, server.URL+"/notes/1")
	tests := []struct{ accept, coding string }{
		{"", ""},
		{"identity", ""},
		{"gzip;q=0", ""},
		{"br", ""},
		{"gzip", "gzip"},
		{"br;q=1.0, GZIP;q=0.5", "gzip"},
	}
	for _, test := range tests {
		var headers []string
		if test.accept != "" {
			headers = []string{"Accept-Encoding", test.accept}
		}
		res, body := get(t, server.URL+"/notes/1", headers...)
		if got := res.Header.Get("Content-Encoding"); got != test.coding {
			t.Errorf("Accept-Encoding %q: got coding %q, want %q", test.accept, got, test.coding)
			continue
		}
		if test.coding == "gzip" {
			zr, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			inflated, err := io.ReadAll(zr)
			if err != nil {
				t.Fatal(err)
			}
			body = string(inflated)
		}
		if len(body) != len(plain) { // nonces differ, lengths do not
			t.Errorf("Accept-Encoding %q: got %d bytes, want %d", test.accept, len(body), len(plain))
		}
	}
}

func TestNoteHasAStrictPolicyWithAFreshNonce(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{})
	first, body := get(t, server.URL+"/notes/1")
	second, _ := get(t, server.URL+"/notes/1")
	policy := first.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || policy == second.Header.Get("Content-Security-Policy") {
		t.Fatalf("policy is not strict and fresh: %q", policy)
	}
	_, rest, _ := strings.Cut(policy, "'nonce-")
	nonce, _, _ := strings.Cut(rest, "'")
	if nonce == "" || !strings.Contains(body, `<script nonce="`+nonce+`">`) {
		t.Errorf("the page's script does not carry the nonce %q", nonce)
	}
}

func TestWritingANote(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{})
	post := func(form url.Values) (*http.Response, string) {
		t.Helper()
		res, err := http.PostForm(server.URL+"/notes/new", form)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	res, body := post(url.Values{"title": {"A <b>heron</b>"}, "habitat": {"Creek"}, "body": {"Grey.\r\n\r\nStill."}})
	if res.StatusCode != 200 || !strings.HasPrefix(res.Request.URL.Path, "/notes/") {
		t.Fatalf("got %d at %s", res.StatusCode, res.Request.URL)
	}
	for _, want := range []string{"A &lt;b&gt;heron&lt;/b&gt;", "<p>Grey.</p>", "<p>Still.</p>", "in the book", "A visitor"} {
		if !strings.Contains(body, want) {
			t.Errorf("the note lacks %q", want)
		}
	}
	res, body = post(url.Values{"title": {"Only a title"}})
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, `value="Only a title"`) || !strings.Contains(body, "body-error") {
		t.Errorf("an empty note: got %d, want 422 and the form with what was typed", res.StatusCode)
	}
	res, _ = post(url.Values{"title": {"Long"}, "body": {strings.Repeat("x", 1<<20)}})
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a note of 1 MB: got %d, want 413", res.StatusCode)
	}
}

func TestFeedSendsReadings(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{Tick: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/live/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("got %q", got)
	}
	readings := 0
	for lines := bufio.NewScanner(res.Body); readings < 3 && lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var w sampleapp.Weather
		if err := json.Unmarshal([]byte(data), &w); err != nil || w.From == "" {
			t.Fatalf("reading %q: %v", data, err)
		}
		readings++
	}
	if readings != 3 {
		t.Errorf("got %d readings, want 3", readings)
	}
}

func TestChatReachesEveryone(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{})
	join := func() *websocket.Conn {
		t.Helper()
		conn, _, err := websocket.Dial(t.Context(), server.URL+"/chat/socket", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return conn
	}
	// heard reads until somebody says text.
	heard := func(conn *websocket.Conn, text string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		for {
			_, frame, err := conn.Read(ctx)
			if err != nil {
				t.Fatalf("waiting for %q: %v", text, err)
			}
			var m struct{ Kind, From, Text string }
			if err := json.Unmarshal(frame, &m); err != nil {
				t.Fatal(err)
			}
			if m.Kind == "message" && m.Text == text && m.From != "" {
				return
			}
		}
	}
	a, b := join(), join()
	if err := a.Write(t.Context(), websocket.MessageText, []byte("curlew on the scrape")); err != nil {
		t.Fatal(err)
	}
	heard(a, "curlew on the scrape")
	heard(b, "curlew on the scrape")
	heard(join(), "curlew on the scrape") // a newcomer sees what was said

	_, res, err := websocket.Dial(t.Context(), server.URL+"/chat/socket", &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}},
	})
	if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site joined the channel: %v", err)
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{DownloadFor: 100 * time.Millisecond})
	for _, path := range []string{"/download", "/download?fast=1"} {
		res, body := get(t, server.URL+path)
		if res.ContentLength != -1 || !strings.Contains(res.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: not a chunked attachment", path)
		}
		if got := strings.Count(body, "\n"); got != 120_001 {
			t.Errorf("%s: got %d lines, want 120001", path, got)
		}
	}
}

func TestWhoamiShowsHeaders(t *testing.T) {
	t.Parallel()
	server := start(t, sampleapp.Config{})
	_, body := get(t, server.URL+"/whoami?a=1", "X-Test", "yes")
	var got struct {
		Path, Query string
		Headers     map[string]string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Path != "/whoami" || got.Query != "a=1" || got.Headers["X-Test"] != "yes" {
		t.Errorf("got %+v", got)
	}
}

func ExampleNew() {
	app := sampleapp.New(sampleapp.Config{})
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/slow?ms=1", nil))
	fmt.Print(answer.Body)
	// Output:
	// {
	//   "waited_ms": 1
	// }
}
