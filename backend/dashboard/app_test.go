package dashboard

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func ask(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	ServeApp(w, r)
	return w.Result()
}

// TestAppIsSmall holds the budget: what a browser loads before it shows anything.
func TestAppIsSmall(t *testing.T) {
	for name, f := range map[string]struct {
		file
		limit int
	}{
		"script": {script, 60 << 10}, "style": {style, 10 << 10},
		// In its frame, and on the page of the site settings alone. It contains the clock and
		// its dialogs in each language.
		"preview": {previewScript, 28 << 10},
	} {
		if len(f.packed) > f.limit {
			t.Errorf("the %s is %d bytes of gzip, more than %d", name, len(f.packed), f.limit)
		}
		if len(f.body) < 1000 {
			t.Errorf("the %s is %d bytes: was it built?", name, len(f.body))
		}
	}
}

func TestEveryPageIsTheApp(t *testing.T) {
	for _, path := range []string{"/dashboard/", "/dashboard/sessions", "/dashboard/sessions/0198-x", "/dashboard/operator/providers/app.js"} {
		r := ask(t, "GET", path)
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != 200 || !bytes.Contains(body, []byte(script.name)) || !bytes.Contains(body, []byte(style.name)) {
			t.Errorf("%s: %d, %.80s", path, r.StatusCode, body)
		}
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:",
			"Cache-Control":           "no-store", "Referrer-Policy": "no-referrer", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := r.Header.Get(header); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		// Nothing that the policy forbids.
		if found := regexp.MustCompile(`<style| style=|<script>| on[a-z]+=`).Find(body); found != nil {
			t.Errorf("%s holds %q", path, found)
		}
	}
}

// TestPreviewIsAlone holds the frame of the preview to what it needs: the app and the API
// are of another origin to it, and it sends nothing anywhere.
func TestPreviewIsAlone(t *testing.T) {
	r := ask(t, "GET", Path+previewName)
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != 200 || !bytes.Contains(body, []byte(previewScript.name)) || bytes.Contains(body, []byte(script.name)) {
		t.Errorf("%d, %.300s", r.StatusCode, body)
	}
	policy := r.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "sandbox allow-scripts", "form-action 'none'", "frame-ancestors 'self'"} {
		if !strings.Contains(policy, part+";") {
			t.Errorf("the policy %q lacks %s", policy, part)
		}
	}
	for _, part := range []string{"connect-src", "allow-same-origin", "unsafe"} {
		if strings.Contains(policy, part) {
			t.Errorf("the policy %q has %s", policy, part)
		}
	}
}

func TestFilesAreKeptForEver(t *testing.T) {
	for _, f := range []file{script, style, previewScript} {
		r := ask(t, "GET", Path+f.name)
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != 200 || !bytes.Equal(body, f.body) || r.Header.Get("Cache-Control") != forEver || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %d, %d bytes, %v", f.name, r.StatusCode, len(body), r.Header)
		}
		r = ask(t, "GET", Path+f.name, "Accept-Encoding", "deflate, gzip;q=0.8, br")
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(unpacked); err != nil || !bytes.Equal(body, f.body) {
			t.Errorf("%s: gzip holds %d bytes, %v", f.name, len(body), err)
		}
		for _, header := range []string{"", "br", "gzip;q=0", "gzipped"} {
			if r := ask(t, "GET", Path+f.name, "Accept-Encoding", header); r.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s: packed for %q", f.name, header)
			}
		}
		if r := ask(t, "GET", Path+f.name, "If-None-Match", f.etag); r.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d for its own ETag", f.name, r.StatusCode)
		}
		if r := ask(t, "HEAD", Path+f.name); r.Header.Get("Content-Length") == "" || r.ContentLength == 0 {
			t.Errorf("%s: HEAD says %v", f.name, r.Header)
		}
	}
	for _, gone := range []string{"app.js", "app.0000000000000000.js", "app.css"} {
		if r := ask(t, "GET", Path+gone); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", gone, r.StatusCode)
		}
	}
}
