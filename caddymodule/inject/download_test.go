package inject

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fileServer answers as servers of files do, with the given validator.
func fileServer(name, body, header, validator string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header, validator)
		http.ServeContent(w, r, name, time.Time{}, strings.NewReader(body))
	})
}

// fetched sends a request through an injector to an origin.
func fetched(t *testing.T, origin http.Handler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	w := New(testConfig()).Wrap(rec, r, "origin")
	origin.ServeHTTP(w, r)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestBrokenDownloadGoesOn: whoever asks for the rest of a file gets the rest, as a
// download, as a navigation, or without a word about what it is for.
func TestBrokenDownloadGoesOn(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789", 1000)
	date := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC).Format(http.TimeFormat)
	for _, name := range []string{"file.zip", "file.pdf", "report.html"} {
		for validator, header := range map[string]string{`"v1"`: "Etag", date: "Last-Modified"} {
			origin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Disposition", "attachment")
				modified := time.Time{}
				if header == "Last-Modified" {
					modified, _ = http.ParseTime(validator)
				} else {
					w.Header().Set(header, validator)
				}
				http.ServeContent(w, r, name, modified, strings.NewReader(body))
			})
			for _, as := range []map[string]string{
				{"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Upgrade-Insecure-Requests": "1"},
				{"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "navigate"},
				{"Sec-Fetch-Dest": "embed", "Sec-Fetch-Mode": "no-cors"},
				{"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "no-cors"},
				{},
			} {
				r := httptest.NewRequest("GET", "https://app.example/"+name, nil)
				for k, v := range as {
					r.Header.Set(k, v)
				}
				r.Header.Set("Range", "bytes=4000-")
				r.Header.Set("If-Range", validator)
				rec := fetched(t, origin, r)
				if rec.Code != http.StatusPartialContent || rec.Body.String() != body[4000:] {
					t.Errorf("%s by %s as %v: %d with %d bytes", name, header, as, rec.Code, rec.Body.Len())
				}
			}
		}
	}
}

// TestNoPartOfOursIsGluedToTheirs: the rest of a page with the tag is the whole page
// again, whatever validator its origin has, or the page says that it has no parts.
func TestNoPartOfOursIsGluedToTheirs(t *testing.T) {
	t.Parallel()
	page := string(testPage(5000))
	date := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name, etag string
		modified   time.Time
	}{
		{"ETag", `"v1"`, time.Time{}},
		{"ETag and date", `"v1"`, date},
		{"weak ETag and date", `W/"v1"`, date},
		{"date", "", date},
	} {
		origin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.etag != "" {
				w.Header().Set("Etag", tt.etag)
			}
			http.ServeContent(w, r, "page.html", tt.modified, strings.NewReader(page))
		})
		first := fetched(t, origin, navigate())
		if !strings.Contains(first.Body.String(), testTag) {
			t.Fatalf("%s: no tag", tt.name)
		}
		if tag := first.Header().Get("Etag"); !strings.HasPrefix(tag, `"`) {
			if got := first.Header().Get("Accept-Ranges"); got != "none" {
				t.Errorf("%s: Accept-Ranges is %q, and clients may go on by date", tt.name, got)
			}
			continue
		}
		r := navigate()
		r.Header.Set("Range", "bytes=100-")
		r.Header.Set("If-Range", first.Header().Get("Etag"))
		if again := fetched(t, origin, r); again.Code != http.StatusOK || again.Body.String() != first.Body.String() {
			t.Errorf("%s: the rest is %d with %d bytes", tt.name, again.Code, again.Body.Len())
		}
	}
}

// TestSavedPageIsTheApps: a page that is saved rather than shown has no tag.
func TestSavedPageIsTheApps(t *testing.T) {
	t.Parallel()
	page := string(testPage(5000))
	download := map[string]string{"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
	for _, tt := range []struct {
		name        string
		request     map[string]string
		disposition string
		tag         bool
	}{
		{"a link with download", download, "", false},
		{"a page that the app sends to be saved", nil, `attachment; filename="report.html"`, false},
		{"a page of a type of disposition that browsers do not know", nil, "file", false},
		{"a page that the app sends to be shown", nil, `inline; filename="report.html"`, true},
		{"a visit through a service worker", map[string]string{"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "navigate", "Upgrade-Insecure-Requests": "1"}, "", true},
	} {
		r := navigate()
		for k, v := range tt.request {
			r.Header.Set(k, v)
		}
		rec := fetched(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.disposition != "" {
				w.Header().Set("Content-Disposition", tt.disposition)
			}
			fileServer("report.html", page, "Etag", `"v1"`).ServeHTTP(w, r)
		}), r)
		if got := strings.Contains(rec.Body.String(), testTag); got != tt.tag || rec.Code != http.StatusOK {
			t.Errorf("%s: %d, with the tag: %v", tt.name, rec.Code, got)
		}
		if !tt.tag && (rec.Body.String() != page || rec.Header().Get("Etag") != `"v1"`) {
			t.Errorf("%s was changed: %v", tt.name, rec.Header())
		}
	}
}

// TestWholeRangeIsAPage: a client that asks for all bytes of a page by their numbers
// sees the page, and one that asks for some of them gets those.
func TestWholeRangeIsAPage(t *testing.T) {
	t.Parallel()
	page := string(testPage(5000))
	for ask, want := range map[string]int{"bytes=0-": 200, "bytes=0-99999": 200, "bytes=0-9": 206, "bytes=10-": 206, "bytes=-10": 206} {
		r := navigate()
		r.Header.Set("Range", ask)
		rec := fetched(t, fileServer("page.html", page, "Etag", `"v1"`), r)
		whole := strings.Contains(rec.Body.String(), testTag) && rec.Header().Get("Content-Range") == "" && rec.Header().Get("Content-Length") == strconv.Itoa(rec.Body.Len())
		if rec.Code != want || whole != (want == 200) {
			t.Errorf("%s: %d, %v, %d bytes", ask, rec.Code, rec.Header(), rec.Body.Len())
		}
	}
}

// TestTypeIsLeftToTheBrowser: where the origin names no type, a page gets one without
// a charset, and all else stays without: the first write is too small for Caddy's
// encode handler to guess one.
func TestTypeIsLeftToTheBrowser(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		name, body, mode string
		header           map[string]string
		want             string
		tag              bool
	}{
		{"a page", `<html><head><meta charset="windows-1252"></head>` + long, "navigate", nil, "text/html", true},
		{"a short page", "<p>x", "navigate", nil, "text/html", true},
		{"a page that must not be guessed", "<html>" + long, "navigate", map[string]string{"X-Content-Type-Options": "nosniff"}, "", false},
		{"JSON in a window", `{"a":"` + long + `"}`, "navigate", nil, "", false},
		{"a stylesheet", "p{}" + long, "no-cors", nil, "", false},
		{"a page that is fetched", "<html>" + long, "cors", nil, "", false},
		{"nothing", "", "navigate", nil, "", false},
	} {
		for _, piece := range []int{1, 100, 1 << 20} {
			for _, flush := range []bool{false, true} {
				r := navigate()
				if r.Header.Set("Sec-Fetch-Mode", tt.mode); tt.mode != "navigate" {
					r.Header.Set("Sec-Fetch-Dest", "empty")
				}
				w, s := wrap(r, tt.header)
				w.Header()["Content-Type"] = nil
				w.Header().Set("Content-Length", strconv.Itoa(len(tt.body)))
				w.WriteHeader(200)
				for body := tt.body; body != ""; {
					n := min(piece, len(body))
					if k, err := w.Write([]byte(body[:n])); k != n || err != nil {
						t.Fatalf("%s: wrote %d of %d, %v", tt.name, k, n, err)
					}
					body = body[n:]
					if flush {
						w.Flush()
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if got := s.header.Get("Content-Type"); got != tt.want {
					// Flushed by the byte, no browser could tell either.
					if tt.want != "text/html" || !flush || piece > 1 {
						t.Errorf("%s in pieces of %d: Content-Type %q, want %q", tt.name, piece, got, tt.want)
					}
					continue
				}
				if tt.tag != strings.Contains(s.body.String(), testTag) || !tt.tag && s.body.String() != tt.body {
					t.Errorf("%s in pieces of %d: got %.100q", tt.name, piece, &s.body)
				}
				if !tt.tag && len(s.writes) > 0 && s.writes[0] > encodeMinimum {
					t.Errorf("%s: a first write of %d bytes has encode guess a type", tt.name, s.writes[0])
				}
				if n := s.header.Get("Content-Length"); n != "" && n != strconv.Itoa(s.body.Len()) {
					t.Errorf("%s: Content-Length %s, body %d", tt.name, n, s.body.Len())
				}
			}
		}
	}
}
