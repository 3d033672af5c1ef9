package inject

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sink is a writer below that remembers how it was called.
type sink struct {
	header  http.Header
	status  []int
	writes  []int
	reads   int // calls of ReadFrom
	flushes int
	body    bytes.Buffer
	fail    error
}

func newSink() *sink                 { return &sink{header: http.Header{}} }
func (s *sink) Header() http.Header  { return s.header }
func (s *sink) WriteHeader(code int) { s.status = append(s.status, code) }
func (s *sink) FlushError() error    { s.flushes++; return nil }
func (s *sink) Write(b []byte) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	s.writes = append(s.writes, len(b))
	return s.body.Write(b)
}
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	s.reads++
	return s.body.ReadFrom(r)
}
func (s *sink) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

func wrap(r *http.Request, header map[string]string) (*Writer, *sink) {
	s := newSink()
	w := New(testConfig()).Wrap(s, r, "origin")
	for k, v := range header {
		w.Header().Set(k, v)
	}
	return w, s
}

// Caddy's encode handler gives up compression if the first write is small.
func TestFirstWriteIsGathered(t *testing.T) {
	t.Parallel()
	w, s := wrap(navigate(), htmlHeader())
	io.WriteString(w, "<!doctype html><html><head>")
	for range 100 {
		io.WriteString(w, "<p>some text</p>")
		if len(s.writes) > 0 && s.writes[0] <= encodeMinimum {
			t.Fatalf("first write of %d bytes", s.writes[0])
		}
	}
	if len(s.writes) < 2 {
		t.Errorf("%d writes: held on to the page", len(s.writes))
	}
	w.Close()
	if want := "<!doctype html><html><head>" + testTag + strings.Repeat("<p>some text</p>", 100); s.body.String() != want {
		t.Errorf("got %.200q", s.body.String())
	}
}

// A page that is flushed as it grows reaches the client as it grows.
func TestFlushDelivers(t *testing.T) {
	t.Parallel()
	w, s := wrap(navigate(), htmlHeader())
	w.WriteHeader(200)
	w.Flush()
	io.WriteString(w, "<!doctype html>")
	w.Flush()
	if len(s.status) > 0 || s.body.Len() > 0 {
		t.Fatalf("sent before the place was known: %v, %q", s.status, &s.body)
	}
	io.WriteString(w, "<html><head><title>")
	want := "<!doctype html><html><head>" + testTag + "<title>"
	if s.body.String() != want || s.flushes != 1 {
		t.Fatalf("after the place: %d flushes, %q", s.flushes, &s.body)
	}
	io.WriteString(w, "x")
	if err := w.FlushError(); err != nil || s.body.String() != want+"x" || s.flushes != 2 {
		t.Fatalf("later: %d flushes, %q, %v", s.flushes, &s.body, err)
	}
	w.Close()
}

// A flushed gzip page is not shown 8 bytes late: no trailer ends like a flush.
func TestFlushedGzipDelivers(t *testing.T) {
	t.Parallel()
	w, s := wrap(navigate(), htmlHeader("Content-Encoding", "gzip"))
	z := gzip.NewWriter(w)
	var page string
	for _, part := range []string{testHead, "<p>one", "<p>two", strings.Repeat("<p>more", 1000)} {
		page += part
		io.WriteString(z, part)
		z.Flush()
		w.Flush()
		got, err := gunzipped(s.body.Bytes())
		if !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != prefixed([]byte(page)) {
			t.Fatalf("after %.10q: %v, %.200q", part, err, got)
		}
	}
	z.Close()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := gunzipped(s.body.Bytes()); err != nil || string(got) != prefixed([]byte(page)) {
		t.Fatalf("whole: %v, %.200q", err, got)
	}
}

// A gzip page whose end is in sight waits for it, unless it is flushed.
func TestFlushAtTheEndOfAMember(t *testing.T) {
	t.Parallel()
	packed := gzipped(t, 6, []byte(testHead))
	w, s := wrap(navigate(), htmlHeader("Content-Encoding", "gzip"))
	w.Write(packed)
	if s.body.Len() > 0 {
		t.Fatal("did not wait for the end")
	}
	w.Flush()
	if s.body.Len() == 0 {
		t.Fatal("held after a flush")
	}
	w.Close()
	if got, err := gunzipped(s.body.Bytes()); err != nil || string(got) != prefixed([]byte(testHead)) {
		t.Fatalf("%v, %q", err, got)
	}
}

func TestReadFrom(t *testing.T) {
	t.Parallel()
	page := testPage(200_000)
	for _, encoded := range []bool{false, true} {
		w, s := wrap(navigate(), htmlHeader())
		body := page
		if encoded {
			w.Header().Set("Content-Encoding", "gzip")
			body = gzipped(t, flate.NoCompression, page)
		}
		n, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(body)})
		if err != nil || n != int64(len(body)) {
			t.Fatalf("%d of %d bytes, %v", n, len(body), err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got := s.body.Bytes()
		want := testHead + testTag + string(page[len(testHead):])
		if encoded {
			if got, err = gunzipped(got); err != nil {
				t.Fatal(err)
			}
			want = prefixed(page)
		}
		if string(got) != want {
			t.Errorf("encoded %v: got %.200q", encoded, got)
		}
		if passed := s.reads == 1; passed == encoded {
			t.Errorf("encoded %v: %d calls of the ReadFrom below", encoded, s.reads)
		}
	}
	// An image goes straight through.
	w, s := wrap(navigate(), map[string]string{"Content-Type": "image/png"})
	w.ReadFrom(bytes.NewReader(page))
	if s.reads != 1 || len(s.writes) != 0 {
		t.Errorf("image: %d reads, %d writes", s.reads, len(s.writes))
	}
}

func TestInformational(t *testing.T) {
	t.Parallel()
	w, s := wrap(navigate(), map[string]string{"Link": "</a.css>; rel=preload"})
	w.WriteHeader(http.StatusEarlyHints)
	w.WriteHeader(http.StatusEarlyHints)
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(200)
	w.WriteHeader(500) // superfluous
	io.WriteString(w, "<html>")
	w.Close()
	if len(s.status) != 3 || s.status[0] != 103 || s.status[2] != 200 {
		t.Errorf("statuses %v", s.status)
	}
	if got := s.header["Link"]; len(got) != 2 {
		t.Errorf("Link %q", got)
	}
}

func TestHijack(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/socket", nil)
	r.Header.Set("Upgrade", "websocket")
	w, s := wrap(r, nil)
	w.WriteHeader(http.StatusSwitchingProtocols)
	if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || w.Outcome().Reason != ReasonUpgraded || len(s.status) != 1 {
		t.Errorf("error %v, outcome %v, statuses %v", err, w.Outcome(), s.status)
	}
	if w.Unwrap() != http.ResponseWriter(s) {
		t.Error("Unwrap")
	}
}

// A handler that fails before it answers leaves the answer to others.
func TestNothingIsSentForNothing(t *testing.T) {
	t.Parallel()
	for _, end := range []func(*Writer){func(w *Writer) { w.Close() }, (*Writer).Abort} {
		w, s := wrap(navigate(), htmlHeader())
		end(w)
		if len(s.status) != 0 || len(s.writes) != 0 || w.Outcome().Reason != ReasonUnanswered {
			t.Errorf("statuses %v, writes %v, outcome %v", s.status, s.writes, w.Outcome())
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]string{"text/html": "identity", "image/png": "content_type"} {
		w, s := wrap(navigate(), map[string]string{"Content-Type": typ})
		w.Explain("Session-Gate-Debug")
		io.WriteString(w, "<html>")
		w.Close()
		if got := s.header.Get("Session-Gate-Debug"); got != want {
			t.Errorf("%s: %q, want %q", typ, got, want)
		}
	}
}

// After a failed write nothing follows, least of all a trailer.
func TestErrorsStick(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	packed := gzipped(t, flate.NoCompression, testPage(5000))
	for _, exact := range []bool{false, true} {
		cfg := testConfig()
		cfg.Exact = exact
		s := newSink()
		w := New(cfg).Wrap(s, navigate(), "origin")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed[:3000])
		s.fail = gone
		_, err := w.Write(packed[3000:])
		if err == nil {
			err = w.FlushError()
		}
		s.fail = nil
		before := s.body.Len()
		_, again := w.Write(packed[3000:])
		if closing := w.Close(); !errors.Is(err, gone) || !errors.Is(again, gone) || !errors.Is(closing, gone) || s.body.Len() != before {
			t.Errorf("exact %v: %v, then %v, then %v, %d bytes more", exact, err, again, closing, s.body.Len()-before)
		}
	}
}

func TestNonceInTagAndLink(t *testing.T) {
	t.Parallel()
	rec, _, _ := pass(t, New(testConfig()), navigate(), answer{
		header: htmlHeader("Content-Security-Policy", "script-src 'nonce-aGk='"), body: []byte("<html>"),
	})
	if want := `<html><script src="` + testSrc + `" nonce="aGk="></script>`; rec.Body.String() != want {
		t.Errorf("got %s", rec.Body)
	}
	if want := "<" + testSrc + `>; rel=preload; as=script; nonce="aGk="`; rec.Header().Get("Link") != want {
		t.Errorf("Link %s", rec.Header().Get("Link"))
	}
}
