package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// edge puts an injector before a reverse proxy before an origin: real servers,
// real connections. HTTP/2 on both sides if asked for.
func edge(t *testing.T, i *Injector, http2 bool, origin http.HandlerFunc) *httptest.Server {
	t.Helper()
	serve := func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.EnableHTTP2 = http2
		if http2 {
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		return s
	}
	upstream := serve(origin)
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	transport := upstream.Client().Transport.(*http.Transport).Clone()
	transport.DisableCompression = true
	proxy.Transport = transport
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := i.Wrap(w, r, target.Host)
		whole := false
		defer func() {
			if !whole {
				page.Abort()
			}
		}()
		proxy.ServeHTTP(page, r)
		whole = true
		if err := page.Close(); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
}

func get(t *testing.T, s *httptest.Server, path string) (*http.Response, []byte, error) {
	t.Helper()
	r, err := http.NewRequest("GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func TestThroughReverseProxy(t *testing.T) {
	t.Parallel()
	page := testPage(300_000)
	packed := gzipped(t, 6, page)
	for _, http2 := range []bool{false, true} {
		s := edge(t, New(testConfig()), http2, func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Type", "text/html")
			body := page
			if strings.HasPrefix(r.URL.Path, "/gzip") {
				h.Set("Content-Encoding", "gzip")
				body = packed
			}
			if !strings.HasSuffix(r.URL.Path, "/chunked") {
				h.Set("Content-Length", strconv.Itoa(len(body)))
			}
			if strings.HasSuffix(r.URL.Path, "/cut") {
				w.Write(body[:len(body)/2])
				panic(http.ErrAbortHandler)
			}
			w.Write(body)
		})
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			t.Parallel()
			var wg sync.WaitGroup
			for range 8 {
				for _, path := range []string{"/", "/chunked", "/gzip", "/gzip/chunked", "/cut", "/gzip/cut"} {
					wg.Go(func() {
						resp, body, err := get(t, s, path)
						if strings.HasSuffix(path, "cut") {
							if err == nil {
								t.Errorf("%s: the page looks whole", path)
							}
							return
						}
						if err != nil {
							t.Errorf("%s: %v", path, err)
							return
						}
						if known := !strings.HasSuffix(path, "chunked"); known != (resp.ContentLength == int64(len(body))) {
							t.Errorf("%s: Content-Length %d, body %d", path, resp.ContentLength, len(body))
						}
						want := testHead + testTag + string(page[len(testHead):])
						if strings.HasPrefix(path, "/gzip") {
							want = prefixed(page)
							body, err = gunzipped(body)
						}
						if err != nil || string(body) != want {
							t.Errorf("%s: %v, got %.200q", path, err, body)
						}
					})
				}
			}
			wg.Wait()
		})
	}
}

// The place is found and the bytes arrive while the origin is still working.
func TestStreamingThroughReverseProxy(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	s := edge(t, New(testConfig()), false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for _, part := range []string{"<!doctype html>", "<html><head>", "<p>one", "<p>two"} {
			io.WriteString(w, part)
			http.NewResponseController(w).Flush()
			if strings.HasPrefix(part, "<p>") {
				<-next
			}
		}
	})
	r, _ := http.NewRequest("GET", s.URL, nil)
	r.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got bytes.Buffer
	for _, want := range []string{"<!doctype html><html><head>" + testTag + "<p>one", "<p>two"} {
		if _, err := io.CopyN(&got, resp.Body, int64(len(want))); err != nil || !strings.HasSuffix(got.String(), want) {
			t.Fatalf("%v, %q", err, &got)
		}
		next <- struct{}{}
	}
	if _, err := io.Copy(&got, resp.Body); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// A digest that comes after the body is as wrong as one before it.
func TestDigestTrailerIsDropped(t *testing.T) {
	t.Parallel()
	s := edge(t, New(testConfig()), false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Trailer", "Content-Digest, X-Other")
		w.Write(testPage(20_000))
		w.Header().Set("Content-Digest", "sha-256=:x:")
		w.Header().Set("X-Other", "kept")
	})
	resp, _, err := get(t, s, "/")
	if err != nil {
		t.Fatal(err)
	}
	if resp.Trailer.Get("Content-Digest") != "" || resp.Trailer.Get("X-Other") != "kept" {
		t.Errorf("trailer %v", resp.Trailer)
	}
}
