package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestPagesThroughEncode injects into pages that Caddy's encode compresses
// after us, and into pages that the app compressed already.
func TestPagesThroughEncode(t *testing.T) {
	t.Parallel()
	whole := strings.Replace(samplePage, "hello", strings.Repeat("<p>0123456789</p>", 3000), 1)
	small := samplePage
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Etag", `"v1"`)
		switch {
		case r.URL.Path == "/small":
			_, _ = io.WriteString(w, small)
		case r.URL.Path == "/packed" && r.Header.Get("Accept-Encoding") == "gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zip(whole))
		default:
			_, _ = io.WriteString(w, whole)
		}
	}))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL)
	s.reload(t, s.caddyfile("\tencode zstd gzip\n"))
	b := s.enter(t, s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL)
	for _, tt := range []struct{ path, accept, coding, page string }{
		{"/plain", "", "", whole},
		{"/plain", "gzip", "gzip", whole},
		{"/plain", "gzip, br, zstd", "zstd", whole},
		{"/plain", "zstd", "zstd", whole},
		{"/plain", "br", "", whole},
		{"/packed", "gzip, br, zstd", "gzip", whole},
		{"/packed", "zstd", "zstd", whole},
		{"/small", "gzip, zstd", "", small},
	} {
		a := b.Do(t, "GET", s.App+tt.path, nil, "Accept-Encoding", tt.accept)
		if got := a.Header.Get("Content-Encoding"); a.Status != http.StatusOK || got != tt.coding {
			t.Errorf("%s for %q: %d, coding %q; want %q", tt.path, tt.accept, a.Status, got, tt.coding)
			continue
		}
		page := a.Body
		if tt.coding == "zstd" {
			z, err := zstd.NewReader(bytes.NewReader(a.Wire))
			if err != nil {
				t.Fatal(err)
			}
			if page, err = io.ReadAll(z); err != nil {
				t.Errorf("%s for %q: %v", tt.path, tt.accept, err)
			}
			z.Close()
		}
		text := string(page)
		i := strings.Index(text, "/.session-gate/boot.")
		if strings.Count(text, "/.session-gate/boot.") != 1 || i > 200 || !strings.HasSuffix(text, tt.page[len(tt.page)-40:]) || len(text) < len(tt.page) {
			t.Errorf("%s for %q: %d bytes with the clock at %d: %.300s", tt.path, tt.accept, len(text), i, text)
		}
		if vary := strings.Join(a.Header.Values("Vary"), ", "); tt.coding != "" && !strings.Contains(vary, "Accept-Encoding") || !strings.Contains(vary, "Sec-Fetch-Dest") {
			t.Errorf("%s for %q: Vary is %q", tt.path, tt.accept, vary)
		}
	}
}

// TestEncodeGuessesNoType: where the app names no type, encode names none in its
// place, with a charset that may not be the page's.
func TestEncodeGuessesNoType(t *testing.T) {
	t.Parallel()
	page := "<html><head><meta charset=\"windows-1252\"></head><body>caf\xe9" + strings.Repeat("<p>x</p>", 300)
	bodies := map[string]string{"/page": page, "/style.css": strings.Repeat("p { color: red }\n", 100), "/data": `{"a":"` + strings.Repeat("x", 2000) + `"}`}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, bodies[r.URL.Path])
	}))
	t.Cleanup(app.Close)
	s := StartSplit(t, app.URL)
	s.reload(t, s.caddyfile("\tencode zstd gzip\n"))
	b := s.enter(t, s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL)
	for _, tt := range []struct{ path, mode, want string }{
		{"/page", "navigate", "text/html"},
		{"/page", "cors", ""},
		{"/style.css", "no-cors", ""},
		{"/data", "navigate", ""},
		{"/data", "cors", ""},
	} {
		dest := map[string]string{"navigate": "document", "no-cors": "style", "cors": "empty"}[tt.mode]
		upgrade := map[bool]string{true: "1"}[tt.mode == "navigate"]
		a := b.Do(t, "GET", s.App+tt.path, nil, "Sec-Fetch-Mode", tt.mode, "Sec-Fetch-Dest", dest, "Upgrade-Insecure-Requests", upgrade)
		if got := a.Header.Get("Content-Type"); a.Status != http.StatusOK || got != tt.want {
			t.Errorf("%s (%s): %d, Content-Type %q; want %q", tt.path, tt.mode, a.Status, got, tt.want)
		}
		rest := strings.Replace(string(a.Body), clockIn(string(a.Body)), "", 1)
		if rest != bodies[tt.path] {
			t.Errorf("%s (%s): the body became %.200q", tt.path, tt.mode, rest)
		}
		if clock := clockIn(string(a.Body)) != ""; clock != (tt.want == "text/html") {
			t.Errorf("%s (%s): with the clock: %v", tt.path, tt.mode, clock)
		}
	}
}

// clockIn is the tag of the clock's script in a page, or "".
func clockIn(page string) string {
	from := strings.Index(page, `<script src="/.session-gate/boot.`)
	if from < 0 {
		return ""
	}
	return page[from : from+strings.Index(page[from:], "</script>")+len("</script>")]
}
