package inject

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
)

const (
	testSrc    = "/.session-gate/boot.3fa9c1d2.js"
	testSuffix = "-sg3fa9c1d2"
	testTag    = `<script src="` + testSrc + `"></script>`
)

func testConfig() Config {
	return Config{Src: testSrc, Integrity: "sha256-AbC=", ETagSuffix: testSuffix, Nonce: func() string { return "made" }}
}

// navigate is the request of a browser that fills a window.
func navigate() *http.Request {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	return r
}

// answer is a response of an origin, delivered in pieces.
type answer struct {
	status int
	header map[string]string
	body   []byte
	piece  func() int // size of the next piece; nil: all at once
	flush  bool       // after each piece
	abort  bool
}

// pass sends an answer through an injector and returns what the client gets.
func pass(t testing.TB, i *Injector, r *http.Request, a answer) (*httptest.ResponseRecorder, Outcome, error) {
	t.Helper()
	rec := httptest.NewRecorder()
	w := i.Wrap(rec, r, "origin")
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	var failed error
	for body := a.body; len(body) > 0 && failed == nil; {
		n := len(body)
		if a.piece != nil {
			n = min(max(1, a.piece()), n)
		}
		if _, err := w.Write(body[:n]); err != nil {
			failed = err
		}
		body = body[n:]
		if a.flush && failed == nil {
			failed = w.FlushError()
		}
	}
	if a.abort {
		w.Abort()
		return rec, w.Outcome(), failed
	}
	if err := w.Close(); err != nil {
		failed = err
	}
	return rec, w.Outcome(), failed
}

func htmlHeader(more ...string) map[string]string {
	h := map[string]string{"Content-Type": "text/html; charset=utf-8"}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

func gzipped(t testing.TB, level int, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gunzipped decodes one member strictly: checksum, size, and nothing after it.
func gunzipped(b []byte) ([]byte, error) {
	src := bytes.NewReader(b)
	z, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	content, err := io.ReadAll(z)
	if err == nil && src.Len() > 0 {
		err = errTrailing
	}
	return content, err
}

// newRand is a source that is the same in each run.
func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
