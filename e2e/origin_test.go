package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const samplePage = "<!doctype html><html><head><title>t</title></head><body>" + "hello</body></html>"

// TestOriginsThatMisbehave puts origins behind the gate that are down, slow, or
// lie about what they send. Nobody gets a page that looks whole and is not.
func TestOriginsThatMisbehave(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("<p>0123456789</p>", 5000)
	whole := strings.Replace(samplePage, "hello", long, 1)
	zipped := zip(whole)
	mux := http.NewServeMux()
	html := func(path string, header map[string]string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			for k, v := range header {
				w.Header().Set(k, v)
			}
			_, _ = w.Write(body)
		})
	}
	html("/plain", nil, []byte(whole))
	html("/zipped", map[string]string{"Content-Encoding": "gzip"}, zipped)
	html("/says-gzip-is-plain", map[string]string{"Content-Encoding": "gzip"}, []byte(whole))
	html("/says-plain-is-gzip", nil, zipped)
	html("/says-brotli", map[string]string{"Content-Encoding": "br"}, []byte("\x8b\x00\x80\x41\x03"))
	html("/truncated", map[string]string{"Content-Encoding": "gzip"}, zipped[:len(zipped)/2])
	damaged := bytes.Clone(zipped)
	damaged[len(damaged)-6] ^= 0xff // CRC-32
	html("/wrong-crc", map[string]string{"Content-Encoding": "gzip"}, damaged)
	html("/empty", nil, nil)
	mux.HandleFunc("/breaks-off", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
		_, _ = io.WriteString(w, whole[:len(whole)/2])
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for _, part := range []string{"<!doctype html><ht", "ml><head", "><title>t</title></head><body>slow", "</body></html>"} {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(30 * time.Millisecond)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	s := Start(t, "--origin", server.URL)
	b := s.enter(t, s.buy(t, terms{User: s.newUser(t, 100), Seconds: 300, Tokens: 10}).LaunchURL)

	for _, path := range []string{"/plain", "/zipped", "/slow"} {
		a := b.Do(t, "GET", s.App+path, nil)
		text := string(a.Body)
		if a.Status != http.StatusOK || strings.Count(text, "/.session-gate/boot.") != 1 || !strings.Contains(text, "</body></html>") {
			t.Errorf("%s: %d, %d bytes, script %d times", path, a.Status, len(text), strings.Count(text, "/.session-gate/boot."))
		}
	}
	// What cannot be read is passed on as the origin sent it.
	for path, want := range map[string][]byte{
		"/says-gzip-is-plain": []byte(whole), "/says-plain-is-gzip": zipped, "/says-brotli": []byte("\x8b\x00\x80\x41\x03"), "/empty": nil,
	} {
		if a := b.Do(t, "GET", s.App+path, nil); a.Status != http.StatusOK || !bytes.Equal(a.Wire, want) {
			t.Errorf("%s: %d, %d bytes; want the origin's %d as they are", path, a.Status, len(a.Wire), len(want))
		}
	}
	// What is not whole must not decode as whole.
	for _, path := range []string{"/truncated", "/wrong-crc"} {
		a := b.Do(t, "GET", s.App+path, nil)
		if _, err := gunzip(a.Wire); err == nil {
			t.Errorf("%s came through as a whole page", path)
		}
	}
	resp := b.Open(t, "GET", s.App+"/breaks-off", nil)
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("a page that broke off came through as a whole one")
	}
	resp.Body.Close()

	server.Close()
	a := b.Do(t, "GET", s.App+"/plain", nil)
	if a.Status != http.StatusBadGateway || !bytes.Contains(a.Body, []byte("The app is not answering")) {
		t.Errorf("with the origin down: %d %.200s", a.Status, a.Body)
	}
	if a := page(b, t, "GET", s.App+"/plain", nil); a.Status != http.StatusBadGateway {
		t.Errorf("a fetch with the origin down: %d", a.Status)
	}
	if a := page(b, t, "GET", s.App+"/.session-gate/session", nil); a.Status != http.StatusOK {
		t.Errorf("the session with the origin down: %d", a.Status)
	}
}
