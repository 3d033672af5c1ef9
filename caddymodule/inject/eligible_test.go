package inject

import (
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	const page = "<!doctype html><html><head><title>t</title></head><body>x"
	packed := gzipped(t, 6, []byte(page))
	twice := append(slices.Clone(packed), packed...)
	seen := map[Reason]bool{ReasonUpgraded: true} // by TestHijack
	for _, row := range []struct {
		name   string
		status int
		header []string
		body   string
		edit   string // "method", "silent", "fetch"
		abort  bool
		want   string
	}{
		{name: "page", body: page, want: "identity"},
		{name: "201", status: 201, body: page, want: "identity"},
		{name: "packed page", header: []string{"Content-Encoding", "gzip"}, body: string(packed), want: "prefix"},
		{name: "x-gzip", header: []string{"Content-Encoding", "X-GZIP"}, body: string(packed), want: "prefix"},
		{name: "identity by name", header: []string{"Content-Encoding", "identity"}, body: page, want: "identity"},
		{name: "packed with a mark", header: []string{"Content-Encoding", "gzip"}, body: string(gzipped(t, 6, []byte("\xef\xbb\xbf"+page))), want: "reencode"},
		{name: "capitals", header: []string{"Content-Type", "Text/HTML;Charset=\"UTF-8\""}, body: page, want: "identity"},
		{name: "shift_jis", header: []string{"Content-Type", "text/html;charset=shift_jis"}, body: page, want: "identity"},
		{name: "silent page", edit: "silent", body: page, want: "identity"},
		{name: "inline", header: []string{"Content-Disposition", "inline; filename=attachment.html"}, body: page, want: "identity"},
		{name: "fragment in a window", body: "<p>x", want: "identity"},
		{name: "sandbox with scripts", header: []string{"Content-Security-Policy", "sandbox allow-scripts allow-same-origin"}, body: page, want: "identity"},
		{name: "sandbox without an origin", header: []string{"Content-Security-Policy", "sandbox allow-scripts"}, body: page, want: "csp_sandbox"},

		{name: "silent fragment", edit: "silent", body: "<p>x", want: "fragment"},
		{name: "silent packed fragment", edit: "silent", header: []string{"Content-Encoding", "gzip"}, body: string(gzipped(t, 6, []byte("<p>x"))), want: "fragment"},
		{name: "fetch", edit: "fetch", body: page, want: "not_navigation"},
		{name: "head", edit: "head", want: "head"},
		{name: "404", status: 404, body: page, want: "identity"},
		{name: "packed 422", status: 422, header: []string{"Content-Encoding", "gzip"}, body: string(packed), want: "prefix"},
		{name: "204", status: 204, want: "status"},
		{name: "206", status: 206, body: page, want: "status"},
		{name: "304", status: 304, want: "status"},
		{name: "302", status: 302, header: []string{"Location", "/"}, body: page, want: "status"},
		{name: "300 without a way on", status: 300, body: page, want: "identity"},
		{name: "500", status: 500, body: page, want: "identity"},
		{name: "205", status: 205, want: "status"},
		{name: "XHTML", header: []string{"Content-Type", "application/xhtml+xml"}, body: page, want: "content_type"},
		{name: "no type", header: []string{"Content-Type", ""}, body: page, want: "identity"},
		{name: "no type, not to be guessed", header: []string{"Content-Type", "", "X-Content-Type-Options", "NoSniff"}, body: page, want: "content_type"},
		{name: "no type, text", header: []string{"Content-Type", ""}, body: "text <html>", want: "content_type"},
		{name: "no type, silent", edit: "silent", header: []string{"Content-Type", ""}, body: page, want: "content_type"},
		{name: "longer type", header: []string{"Content-Type", "text/html5"}, body: page, want: "content_type"},
		{name: "brotli", header: []string{"Content-Encoding", "br"}, body: "x", want: "content_encoding"},
		{name: "two codings", header: []string{"Content-Encoding", "gzip, br"}, body: "x", want: "content_encoding"},
		{name: "UTF-16", header: []string{"Content-Type", "text/html; charset=UTF-16LE"}, body: page, want: "charset"},
		{name: "UTF-16 by mark", body: "\xff\xfe<\x00", want: "charset"},
		{name: "no-transform", header: []string{"Cache-Control", "public, No-Transform"}, body: page, want: "no_transform"},
		{name: "unknown disposition", header: []string{"Content-Disposition", "form-data; name=a"}, body: page, want: "attachment"},
		{name: "disposition without a type", header: []string{"Content-Disposition", "filename=a.html"}, body: page, want: "identity"},
		{name: "download", header: []string{"Content-Disposition", "Attachment; filename=a.html"}, body: page, want: "attachment"},
		{name: "sandbox", header: []string{"Content-Security-Policy", "default-src *, sandbox allow-forms"}, body: page, want: "csp_sandbox"},
		{name: "empty", body: "", status: 200, want: "empty"},
		{name: "white space", body: " \n", want: "empty"},
		{name: "packed nothing", header: []string{"Content-Encoding", "gzip"}, body: string(gzipped(t, 6, nil)), want: "empty"},
		{name: "JSON", body: `{"a":1}`, want: "not_markup"},
		{name: "packed JSON", header: []string{"Content-Encoding", "gzip"}, body: string(gzipped(t, 6, []byte(`{"a":1}`))), want: "not_markup"},
		{name: "binary", body: "<\x00h\x00", want: "binary"},
		{name: "text first", body: "Notice: x\n" + page, want: "identity"},
		{name: "packed text first", header: []string{"Content-Encoding", "gzip"}, body: string(gzipped(t, 6, []byte("Notice: x\n"+page))), want: "prefix"},
		{name: "silent text first", edit: "silent", body: "Notice: x\n" + page, want: "fragment"},
		{name: "long comment", body: "<!--" + strings.Repeat("x", maxHold), want: "undecided"},
		{name: "long white space", body: strings.Repeat(" ", maxHold+1), want: "undecided"},
		{name: "long comment behind the doctype", body: "<!doctype html><!--" + strings.Repeat("x", maxHold), want: "identity"},
		{name: "packed long comment behind the doctype", header: []string{"Content-Encoding", "gzip"}, body: string(gzipped(t, 6, []byte("<!doctype html><!--"+strings.Repeat("x", maxPeek)+"--><html>"))), want: "prefix"},
		{name: "packed long comment", header: []string{"Content-Encoding", "gzip"}, body: string(gzipped(t, 6, []byte("<!--"+strings.Repeat("x", maxPeek)+"--><html>"))), want: "undecided"},
		{name: "not gzip", header: []string{"Content-Encoding", "gzip"}, body: page, want: "bad_gzip"},
		{name: "cut gzip", header: []string{"Content-Encoding", "gzip"}, body: string(packed[:20]), want: "undecided"},
		{name: "cut trailer", header: []string{"Content-Encoding", "gzip"}, body: string(packed[:len(packed)-3]), want: "undecided"},
		{name: "two members", header: []string{"Content-Encoding", "gzip"}, body: string(twice), want: "multi_member"},
		{name: "aborted", body: "<!-- x", abort: true, want: "aborted"},
		{name: "nothing written", want: "unanswered"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := navigate()
			switch row.edit {
			case "silent":
				r.Header = map[string][]string{}
			case "fetch":
				r.Header.Set("Sec-Fetch-Dest", "empty")
				r.Header.Set("Sec-Fetch-Mode", "cors")
			case "head":
				r.Method = "HEAD"
			}
			a := answer{status: row.status, header: htmlHeader(row.header...), body: []byte(row.body), abort: row.abort}
			if row.edit == "head" {
				a.status = 200
			}
			rec, outcome, _ := pass(t, New(testConfig()), r, a)
			if got := outcome.String(); got != row.want {
				t.Errorf("outcome %s, want %s", got, row.want)
			}
			seen[outcome.Reason] = true
			if !outcome.Injected() && rec.Body.String() != row.body {
				t.Errorf("body was changed: %.100q", rec.Body)
			}
			if !outcome.Injected() && outcome.Reason != ReasonHead && rec.Header().Get("Link") != "" {
				t.Error("announced a script that is not there")
			}
		})
	}
	for _, why := range Reasons() {
		if !seen[why] {
			t.Errorf("no row leads to %s", why)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	const page = "<!doctype html><html><head><title>t</title></head><body>x"
	long := map[string]string{
		"Content-Length": strconv.Itoa(len(page)), "Etag": `W/"abc"`, "Accept-Ranges": "bytes", "Digest": "x", "Content-Digest": "x",
		"Repr-Digest": "x", "Content-MD5": "x", "Vary": "Cookie", "Content-Type": "text/html",
		"Integrity-Policy": "blocked-destinations=(script)",
	}
	rec, _, err := pass(t, New(testConfig()), navigate(), answer{header: long, body: []byte(page)})
	if err != nil {
		t.Fatal(err)
	}
	tag := `<script src="` + testSrc + `" integrity="sha256-AbC=" crossorigin></script>`
	if want := strings.Replace(page, "<head>", "<head>"+tag, 1); rec.Body.String() != want {
		t.Errorf("got %s, want %s", rec.Body, want)
	}
	h := rec.Result().Header
	for key, want := range map[string]string{
		"Content-Length": strconv.Itoa(len(page) + len(tag)), "Etag": `W/"abc` + testSuffix + `"`, "Accept-Ranges": "", "Digest": "",
		"Content-Digest": "", "Repr-Digest": "", "Content-Md5": "",
		"Vary": "Cookie|Sec-Fetch-Dest|Accept-Encoding",
		"Link": "<" + testSrc + `>; rel=preload; as=script; integrity="sha256-AbC="; crossorigin`,
	} {
		if got := strings.Join(h[key], "|"); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}

func TestVary(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ dest, mode, upgrade, vary, want string }{
		{"document", "navigate", "1", "", "Sec-Fetch-Dest"},
		{"empty", "same-origin", "1", "", "Sec-Fetch-Dest, Sec-Fetch-Mode"}, // Firefox, through a worker
		{"empty", "navigate", "1", "", "Sec-Fetch-Dest, Sec-Fetch-Mode"},    // Chromium, through a worker
		{"empty", "cors", "", "", "Sec-Fetch-Dest, Sec-Fetch-Mode"},
		{"", "", "1", "", "Sec-Fetch-Dest, Upgrade-Insecure-Requests"},
		{"", "", "", "sec-fetch-dest", "sec-fetch-dest|Upgrade-Insecure-Requests"},
		{"document", "", "", "*", "*"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		for key, v := range map[string]string{"Sec-Fetch-Dest": row.dest, "Sec-Fetch-Mode": row.mode, "Upgrade-Insecure-Requests": row.upgrade} {
			if v != "" {
				r.Header.Set(key, v)
			}
		}
		header := htmlHeader()
		if row.vary != "" {
			header["Vary"] = row.vary
		}
		rec, _, _ := pass(t, New(testConfig()), r, answer{header: header, body: []byte("<html>")})
		if got := strings.Join(rec.Result().Header["Vary"], "|"); got != row.want {
			t.Errorf("%+v: got %q", row, got)
		}
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	r := navigate()
	r.Header.Set("If-None-Match", `"abc`+testSuffix+`"`)
	rec, _, _ := pass(t, New(testConfig()), r, answer{status: 304, header: map[string]string{
		"Etag": `"abc"`, "Content-Security-Policy": "script-src 'nonce-new'",
	}})
	h := rec.Result().Header
	if got, want := h.Get("Etag"), `"abc`+testSuffix+`"`; got != want {
		t.Errorf("ETag %s, want %s", got, want)
	}
	if got := h.Get("Vary"); got != "Sec-Fetch-Dest" {
		t.Errorf("Vary %q", got)
	}
	// The stored copy's tag has the nonce of the stored policy.
	if got := h.Get("Content-Security-Policy"); got != "" {
		t.Errorf("policy %q", got)
	}

	// A 304 about the origin's own copy stays the origin's.
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("If-None-Match", `"abc"`)
	rec, _, _ = pass(t, New(testConfig()), r, answer{status: 304, header: map[string]string{"Etag": `"abc"`}})
	if got := rec.Result().Header.Get("Etag"); got != `"abc"` {
		t.Errorf("ETag %s", got)
	}
}

func TestDateBecomesETag(t *testing.T) {
	t.Parallel()
	const date = "Tue, 02 Jan 2024 03:04:05 GMT"
	i := New(testConfig())
	rec, _, _ := pass(t, i, navigate(), answer{header: htmlHeader("Last-Modified", date), body: []byte("<html>")})
	tag := rec.Header().Get("Etag")
	r := navigate()
	r.Header.Set("If-None-Match", tag)
	r.Header.Set("If-Modified-Since", date)
	rec, _, _ = pass(t, i, r, answer{status: 304, header: map[string]string{"Last-Modified": date}})
	if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != date {
		t.Errorf("origin is asked with %v", r.Header)
	}
	if got := rec.Result().Header.Get("Etag"); got != tag || tag == "" {
		t.Errorf("304 has ETag %s, page had %s", got, tag)
	}
}
