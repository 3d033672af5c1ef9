package inject

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		dest, mode, upgrade string
		want                class
	}{
		{"document", "navigate", "1", navigation},
		{"iframe", "navigate", "1", navigation},
		{"frame", "navigate", "", navigation},
		{"object", "navigate", "", navigation},
		{"embed", "no-cors", "", navigation},
		{"empty", "navigate", "1", navByFetchMode},
		{"empty", "same-origin", "1", navByWorker}, // pass-through service worker
		{"", "", "1", navByUpgrade},                // plain HTTP
		{"empty", "navigate", "", otherRequest},    // a download
		{"empty", "cors", "", otherRequest},
		{"empty", "cors", "1", otherRequest}, // a script that sets the header
		{"script", "no-cors", "", otherRequest},
		{"image", "no-cors", "0", otherRequest},
		{"", "cors", "", otherRequest},
		{"", "", "", silentRequest},
	} {
		h := http.Header{}
		for key, v := range map[string]string{"Sec-Fetch-Dest": row.dest, "Sec-Fetch-Mode": row.mode, "Upgrade-Insecure-Requests": row.upgrade} {
			if v != "" {
				h.Set(key, v)
			}
		}
		if got := classify(h); got != row.want {
			t.Errorf("%+v: got %d", row, got)
		}
	}
}

func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	for accepted, want := range map[string]string{
		"gzip, deflate, br, zstd": "gzip",
		"gzip":                    "gzip",
		"GZIP;Q=0.5":              "gzip",
		"x-gzip":                  "gzip",
		"br, *":                   "gzip",
		"*;q=0.1":                 "gzip",
		"gzip;q=0, *":             "",
		"gzip; q=0.000":           "",
		"*;q=0":                   "",
		"br":                      "",
		"identity":                "",
		"":                        "",
		"gzip;q=abc":              "gzip",
	} {
		h := http.Header{"Accept-Encoding": {accepted}}
		recoded := restrictEncoding(h)
		if got := h.Get("Accept-Encoding"); got != want {
			t.Errorf("%q: got %q, want %q", accepted, got, want)
		}
		if recoded != (accepted != "gzip") {
			t.Errorf("%q: changed %v", accepted, recoded)
		}
	}
	if h := (http.Header{}); restrictEncoding(h) || len(h) > 0 {
		t.Errorf("made up a header: %v", h)
	}
}

func TestPrepareRequest(t *testing.T) {
	t.Parallel()
	const ours, theirs, old = `"abc` + testSuffix + `"`, `"abc"`, `"abc-sg00000000"`
	const dated = `W/"sg-date-20240102030405` + testSuffix + `"`
	for _, row := range []struct {
		name     string
		class    class
		in, want string // "Key: value" lines
		ours     bool
	}{
		{"range", navigation, "Range: bytes=1-", "Range: bytes=1-", false},
		{"range of theirs", navigation, "Range: bytes=1-\nIf-Range: " + theirs, "Range: bytes=1-\nIf-Range: " + theirs, false},
		{"range by date", navigation, "Range: bytes=1-\nIf-Range: x", "Range: bytes=1-\nIf-Range: x", false},
		{"range of ours", navigation, "Range: bytes=1-\nIf-Range: " + ours, "", false},
		{"range of an older script", navigation, "Range: bytes=1-\nIf-Range: " + old, "Range: bytes=1-\nIf-Range: " + old, false},
		{"our tag", navigation, "If-None-Match: " + ours, "If-None-Match: " + theirs, true},
		{"our weak tag", navigation, "If-None-Match: W/" + ours, "If-None-Match: W/" + theirs, true},
		{"their tag", navigation, "If-None-Match: " + theirs, "", false},
		{"their tag and date", navigation, "If-None-Match: " + theirs + "\nIf-Modified-Since: x", "", false},
		{"our tag and date", navigation, "If-None-Match: " + ours + "\nIf-Modified-Since: x", "If-None-Match: " + theirs + "\nIf-Modified-Since: x", true},
		{"older script", navigation, "If-None-Match: " + old, "", false},
		{"any", navigation, "If-None-Match: *", "", false},
		{"list", navigation, `If-None-Match: W/"a,` + testSuffix + `", ` + theirs + `,"b"`, `If-None-Match: W/"a,"`, true},
		{"date alone", navigation, "If-Modified-Since: x", "", false},
		{"made of a date", navigation, "If-None-Match: " + dated + "\nIf-Modified-Since: x", "If-Modified-Since: x", true},
		{"not quoted", navigation, "If-None-Match: abc" + testSuffix, "", false},
		{"precondition", navigation, "If-Match: " + ours + ", " + theirs, "If-Match: " + theirs + ", " + theirs, false},

		{"silent: range", silentRequest, "Range: bytes=1-", "Range: bytes=1-", false},
		{"silent: range of ours", silentRequest, "Range: bytes=1-\nIf-Range: " + ours, "", false},
		{"silent: range of theirs", silentRequest, "Range: bytes=1-\nIf-Range: " + theirs, "Range: bytes=1-\nIf-Range: " + theirs, false},
		{"silent: tags", silentRequest, "If-None-Match: " + ours + `, "x"`, "If-None-Match: " + theirs + `, "x"`, true},
		{"silent: their tag", silentRequest, "If-None-Match: " + theirs + "\nIf-Modified-Since: x", "If-None-Match: " + theirs + "\nIf-Modified-Since: x", false},
		{"silent: made of a date", silentRequest, "If-None-Match: " + dated + "\nIf-Modified-Since: x", "If-Modified-Since: x", true},

		{"other", otherRequest, "Accept-Encoding: br\nRange: bytes=1-\nIf-None-Match: " + ours, "Accept-Encoding: br\nRange: bytes=1-\nIf-None-Match: " + ours, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h, want := lines(row.in), lines(row.want)
			did := prepareRequest(h, row.class, testSuffix)
			if !maps.EqualFunc(h, want, slices.Equal) {
				t.Errorf("got %v, want %v", h, want)
			}
			if did.revalidates != row.ours {
				t.Errorf("revalidates: %v", did.revalidates)
			}
		})
	}
}

func lines(s string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(s, "\n") {
		if key, value, ok := strings.Cut(line, ": "); ok {
			h.Add(key, value)
		}
	}
	return h
}

func TestUpgradeRequestsAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "CONNECT"} {
		r := httptest.NewRequest(method, "http://app.example/", nil)
		r.Header.Set("Accept-Encoding", "br")
		if method == "GET" {
			r.Header.Set("Upgrade", "websocket")
		}
		New(testConfig()).Wrap(httptest.NewRecorder(), r, "origin")
		if got := r.Header.Get("Accept-Encoding"); got != "br" {
			t.Errorf("%s: Accept-Encoding %q", method, got)
		}
	}
}

func FuzzEntityTags(f *testing.F) {
	f.Add(`W/"a", "b,c" , d,"e`)
	f.Add(`"x` + testSuffix + `",*`)
	f.Fuzz(func(t *testing.T, list string) {
		n := 0
		for tag := range entityTags([]string{list}) {
			if n++; tag == "" || n > len(list) {
				t.Fatalf("tag %d is %q", n, tag)
			}
			stripSuffix(tag, testSuffix)
		}
		for _, c := range []class{silentRequest, navigation} {
			prepareRequest(http.Header{"If-None-Match": {list}, "If-Match": {list}, "Accept-Encoding": {list}}, c, testSuffix)
		}
	})
}
