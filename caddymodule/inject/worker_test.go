package inject

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

func TestStartOfScript(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]scriptStart{
		"":                            startsPlain,
		"self.x = 1":                  startsPlain,
		"\"use strict\";\nself.x = 1": startsStrict,
		"'use strict'\nself.x = 1":    startsStrict,
		"\xef\xbb\xbf'use strict';":   startsStrict,
		"/* a */ // b\n'use asm'; 'use strict' // c\nx": startsStrict,
		"'use strict' + x":                            startsPlain,
		"'use strict'.length":                         startsPlain,
		"'use \\x73trict';":                           startsPlain, // an escape: no such directive
		"import './a.js'":                             startsWithImport,
		"/*!\n * license\n */\nimport{a}from'./a.js'": startsWithImport,
		"import * as a from './a.js'":                 startsWithImport,
		"import a from './a.js'":                      startsWithImport,
		"\"use strict\"; import a from './a.js'":      startsWithImport,
		"import('./a.js')":                            startsPlain,
		"import /* x */ (a)":                          startsPlain,
		"import.meta.url":                             startsPlain,
		"importScripts('/a.js')":                      startsPlain,
		"imports = 1":                                 startsPlain,
		"// import a from 'b'\nx":                     startsPlain,
	} {
		if got, found := startOf([]byte(script), true); got != want || !found {
			t.Errorf("%q: %d, %t; want %d", script, got, found, want)
		}
		// What is known from a part is the same as from the whole.
		for i := range len(script) {
			if got, found := startOf([]byte(script[:i]), false); found && got != want {
				t.Errorf("%q is taken for %d, but %q for %d", script[:i], got, script, want)
			}
		}
	}
}

func FuzzStartOfScript(f *testing.F) {
	for _, s := range []string{"", "'use strict'", "/*", "//", "import{", "import/*", "\"\\", "'a';'b'"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, script []byte, at int) {
		whole, found := startOf(script, true)
		if !found {
			t.Errorf("%q: undecided at its end", script)
		}
		if at >= 0 && at < len(script) {
			if part, found := startOf(script[:at], false); found && part != whole {
				t.Errorf("%q: %d, and its beginning %d", script, whole, part)
			}
		}
	})
}

// serveWorker has next answer a browser's request for a worker's script.
func serveWorker(t *testing.T, next http.HandlerFunc, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/sw.js", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w := WrapWorker(rec, r, true)
	next(w, r)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return rec.Result()
}

func pack(t *testing.T, coding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		encoder, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = encoder
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A worker's script gets the guard before everything else, however its origin encodes
// and describes it.
func TestWorkerScriptsGetTheGuard(t *testing.T) {
	t.Parallel()
	long := "self.a = 1;" + strings.Repeat("\n// filler", 20_000)
	for name, script := range map[string]string{"short": "self.a = 1;", "empty": "", "long": long, "strict": "'use strict'; a()", "module": "import a from './a.js'", "comment": "/*" + strings.Repeat("x", 2*workerLook) + "*/ 'use strict'"} {
		want := string(WorkerGuard(true))
		switch name {
		case "strict":
			want = `"use strict"; ` + want
		case "module":
			want = `import "/.session-gate/worker.js"; `
		}
		for _, coding := range []string{"", "identity", "gzip", "deflate", "br", "zstd"} {
			t.Run(name+" "+coding, func(t *testing.T) {
				t.Parallel()
				want := want
				if name == "comment" && coding != "" && coding != "identity" { // the whole script is at hand
					want = `"use strict"; ` + want
				}
				body := pack(t, coding, script)
				resp := serveWorker(t, func(w http.ResponseWriter, r *http.Request) {
					if got := r.Header.Get("Accept-Encoding"); got != "identity" {
						t.Errorf("the origin is asked for %q", got)
					}
					h := w.Header()
					for k, v := range map[string]string{"Content-Type": "application/javascript; charset=utf-8", "Etag": `"v1"`, "Content-Length": strconv.Itoa(len(body)), "Digest": "sha-256=x", "Accept-Ranges": "bytes"} {
						h.Set(k, v)
					}
					if coding != "" {
						h.Set("Content-Encoding", coding)
					}
					for i, chunk := 0, 1000; i < len(body); i += chunk {
						if _, err := w.Write(body[i:min(len(body), i+chunk)]); err != nil {
							t.Error(err)
						}
					}
				}, "Accept-Encoding", "gzip, br", "Range", "bytes=0-1")
				got, err := io.ReadAll(resp.Body)
				if err != nil || string(got) != want+script {
					t.Fatalf("got %d bytes, %v: %.60q…", len(got), err, got)
				}
				if n := resp.Header.Get("Content-Length"); n != strconv.Itoa(len(got)) {
					t.Errorf("Content-Length is %s for %d bytes", n, len(got))
				}
				if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
					t.Errorf("Content-Encoding is %s", e)
				}
				if tag := resp.Header.Get("Etag"); tag != `"v1`+guardSuffix(true)+`"` {
					t.Errorf("the ETag is %s", tag)
				}
				if resp.Header.Get("Digest") != "" || resp.Header.Get("Accept-Ranges") != "" {
					t.Errorf("the header describes other bytes: %v", resp.Header)
				}
				if vary := strings.Join(resp.Header["Vary"], ", "); vary != "Service-Worker, Sec-Fetch-Dest" {
					t.Errorf("Vary is %q", vary)
				}
			})
		}
	}
}

// What is no script passes as it is: browsers refuse it in any case.
func TestOtherAnswersGetNoGuard(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status              int
		contentType, coding string
		body                string
	}{
		"page":              {200, "text/html", "", "<!doctype html>"},
		"error":             {404, "text/javascript", "", "not found"},
		"redirect":          {302, "text/javascript", "", ""},
		"broken gzip":       {200, "text/javascript", "gzip", "no gzip"},
		"broken brotli":     {200, "text/javascript", "br", "\xff\xff\xff"},
		"unheard-of":        {200, "text/javascript", "x-own", "?"},
		"several encodings": {200, "text/javascript", "gzip, br", "?"},
	} {
		resp := serveWorker(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.contentType)
			if tt.coding != "" {
				w.Header().Set("Content-Encoding", tt.coding)
			}
			w.WriteHeader(tt.status)
			if _, err := io.WriteString(w, tt.body); err != nil {
				t.Error(err)
			}
		})
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != tt.body || resp.StatusCode != tt.status || resp.Header.Get("Content-Encoding") != tt.coding {
			t.Errorf("%s: %d, %q, %v", name, resp.StatusCode, body, err)
		}
	}
}

// A copy without the guard is never confirmed; one with it is.
func TestWorkerScriptsAreRevalidatedAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	origin := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Header().Set("Etag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` || r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "a()")
	}
	ours := `"v1` + guardSuffix(true) + `"`
	for _, tt := range []struct {
		header, value string
		status        int
		tag           string
	}{
		{"If-None-Match", `"v1"`, 200, ours},
		{"If-Modified-Since", "Mon, 02 Jan 2006 15:04:05 GMT", 200, ours},
		{"If-None-Match", `"v1` + guardSuffix(false) + `"`, 200, ours}, // another guard
		{"If-None-Match", ours, 304, ours},
	} {
		resp := serveWorker(t, origin, tt.header, tt.value)
		if resp.StatusCode != tt.status || resp.Header.Get("Etag") != tt.tag {
			t.Errorf("%s %s: %d, %s", tt.header, tt.value, resp.StatusCode, resp.Header.Get("Etag"))
		}
	}
}

// The guard is one line, so that line numbers in an app's worker stay right.
func TestGuardIsOneLine(t *testing.T) {
	t.Parallel()
	for _, g := range [][]byte{WorkerGuard(true), WorkerGuard(false), ReplacementWorker()} {
		if bytes.ContainsAny(g, "\r\n") || bytes.Contains(g, []byte("__")) || bytes.Contains(g, []byte("//")) {
			t.Errorf("got %s", g)
		}
	}
}

// TestEncodedWorkersShareMemory: a script for which there is no memory left passes
// unchanged, whichever step needs it, and every end of a response gives its memory back.
func TestEncodedWorkersShareMemory(t *testing.T) {
	t.Parallel()
	bomb := string(pack(t, "gzip", strings.Repeat("\n", 1<<20)))
	small := string(pack(t, "br", "self.a = 1;"))
	open := func(shared *memory, coding string) (*WorkerWriter, *httptest.ResponseRecorder) {
		rec := httptest.NewRecorder()
		w := WrapWorker(rec, httptest.NewRequest(http.MethodGet, "/sw.js", nil), false)
		w.memory = shared
		w.Header().Set("Content-Type", "text/javascript")
		w.Header().Set("Content-Encoding", coding)
		return w, rec
	}
	send := func(w *WorkerWriter, body string) {
		t.Helper()
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		coding, body string
		most         int64
		guarded      bool
	}{
		"enough":                        {"gzip", bomb, 2 << 20, true},
		"none for the decoded script":   {"gzip", bomb, 1 << 19, false},
		"none for the encoded script":   {"gzip", bomb, 100, false},
		"enough for a short script":     {"br", small, 100, true},
		"none for a short script":       {"br", small, 10, false},
		"none for its decoded form":     {"br", small, int64(len(small)), false},
		"enough for exactly its length": {"br", small, int64(len(small) + len("self.a = 1;")), true},
	} {
		shared := &memory{most: tt.most}
		w, rec := open(shared, tt.coding)
		send(w, tt.body)
		if err := w.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		guarded := strings.HasPrefix(rec.Body.String(), string(WorkerGuard(false)))
		if guarded != tt.guarded || !guarded && (rec.Body.String() != tt.body || rec.Header().Get("Content-Encoding") != tt.coding) {
			t.Errorf("%s: guarded: %t, %d bytes", name, guarded, rec.Body.Len())
		}
		if used := shared.used.Load(); used != 0 {
			t.Errorf("%s: %d bytes stay reserved", name, used)
		}
	}

	// One response holds what the other needs, until its handler fails.
	shared := &memory{most: int64(len(small) + 20)}
	failing, _ := open(shared, "br")
	send(failing, small)
	for _, guarded := range []bool{false, true} {
		w, rec := open(shared, "br")
		send(w, small)
		if err := w.Close(); err != nil || strings.HasSuffix(rec.Body.String(), "self.a = 1;") != guarded {
			t.Errorf("guarded: %t, %v", !guarded, err)
		}
		failing.Abort()
		failing.Abort()
	}
	if used := shared.used.Load(); used != 0 {
		t.Errorf("%d bytes stay reserved", used)
	}
}
