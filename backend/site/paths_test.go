package site

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

var hosts = []string{"app.example.com"}

// TestPathsAsPeoplePasteThem reads what people write for an open path.
func TestPathsAsPeoplePasteThem(t *testing.T) {
	t.Parallel()
	for pasted, want := range map[string]string{
		"/robots.txt":                          "/robots.txt",
		"robots.txt":                           "/robots.txt",
		" /robots.txt\n":                       "/robots.txt",
		"https://app.example.com/robots.txt":   "/robots.txt",
		"HTTP://app.example.com:8080/hooks/*":  "/hooks/*",
		"app.example.com/robots.txt":           "/robots.txt",
		"App.Example.com:443/robots.txt":       "/robots.txt",
		"//app.example.com/robots.txt":         "/robots.txt",
		"other.example.com/robots.txt":         "/other.example.com/robots.txt",
		"/hooks/*":                             "/hooks/*",
		"hooks/**":                             "/hooks/*",
		"/hooks*":                              "/hooks*",
		"/hooks/":                              "/hooks/",
		"/a//b":                                "/a/b",
		"*.css":                                "/*.css",
		"/*.min.js":                            "/*.min.js",
		"*/robots.txt":                         "/*/robots.txt",
		"/.well-known/*":                       "/.well-known/*",
		"/caf%C3%A9":                           "/café",
		"/my%20file.pdf":                       "/my file.pdf",
		"/Robots.txt":                          "/Robots.txt",
		"https://app.example.com//robots.txt":  "/robots.txt",
		"https://app.example.com/.well-known/": "/.well-known/",
	} {
		if got, why := parsePath(pasted, hosts); got != want {
			t.Errorf("%q is %q (%s), want %q", pasted, got, why, want)
		}
	}
}

// TestPathsThatAreRefused lists what would open too much, or what servers read in different
// ways.
func TestPathsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, pasted := range []string{
		"", " ", "/", "*", "/*", "//*", "/**", "/.*", "/*/", "/*/*", "///", "https://app.example.com", "https://app.example.com/", "https://app.example.com/*", "app.example.com",
		"/.session-gate/", "/.session-gate", "/.session-gate/*", "/.session-gate/heartbeat", "/.s*", "/.session-gate*", "/.Session-Gate/x", "/%2Esession-gate/x", "//.session-gate/x", "*/.session-gate/heartbeat", "/a/.session-gate/x",
		"/hooks/../app", "/..", "/a/..", "/a..b", "/./a", "/a/.", "/%2e%2e/app", "/hooks/%2E./app",
		"/hooks%2fapp", "/hooks%2Fapp", "/hooks%5capp", `/hooks\app`, "/a;b", "/a%3bb", "/a%00", "/a%252fb", "/a%", "/a%zz", "/a\x00b", "/a\u202Eb", "/a%e2%80%aeb", "/\xff",
		"/a?b=c", "/a#b", "/a b", "/a, /b", "GET /a", "/a/*/b", "/*a*", "/*a", "/*.a/b", "/[id]", "/{id}", "ftp://app.example.com/x", "javascript://x/y",
		"/" + strings.Repeat("a", protocol.MaxOpenPath),
	} {
		if got, why := parsePath(pasted, hosts); why == "" {
			t.Errorf("%q is taken for %q", pasted, got)
		}
	}
}

func TestPathsComeOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	got, err := Normalize(protocol.Site{OpenPaths: []string{"/b", "a", "b", "https://app.example.com/a", "/c/*", "/c/**"}}, hosts)
	if want := []string{"/b", "/a", "/c/*"}; err != nil || !reflect.DeepEqual(got.OpenPaths, want) {
		t.Errorf("%q, %v; want %q", got.OpenPaths, err, want)
	}
	many := make([]string, protocol.MaxOpenPaths+1)
	for i := range many {
		many[i] = "/" + strings.Repeat("x", i+1)
	}
	if _, err := Normalize(protocol.Site{OpenPaths: many}, nil); err == nil || !strings.HasPrefix(err.Error(), "site.open_paths must have at most 100") {
		t.Errorf("%d paths: %v", len(many), err)
	}
}

// opens is how an edge matches a path in form.
func opens(form, path string) bool {
	if suffix, ok := strings.CutPrefix(form, "/*"); ok {
		return strings.HasSuffix(path, suffix)
	}
	if prefix, ok := strings.CutSuffix(form, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return form == path
}

// FuzzPaths checks, for whatever somebody writes, that an open path that is taken opens
// neither the site nor the gate, and stays what it is.
func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"/robots.txt", "/hooks/*", "*.css", "/.s*", "/%2e%2e/x", "https://app.example.com/x*", "//x", "/*/a", "/a\u200d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pasted string) {
		form, why := parsePath(pasted, hosts)
		if (form == "") != (why != "") {
			t.Fatalf("%q: %q and %q", pasted, form, why)
		}
		if form == "" {
			return
		}
		if form[0] != '/' || len(form) > protocol.MaxOpenPath || strings.Contains(form, "..") || strings.Contains(form, "//") || strings.ContainsAny(form, "\\;?#%{}[]\x00") {
			t.Fatalf("%q is taken for %q", pasted, form)
		}
		for _, path := range []string{"/", "/.session-gate/", "/.session-gate/heartbeat", "/.session-gate/v1/sdk.js"} {
			if opens(form, path) && !strings.HasSuffix(form, ".js") {
				t.Fatalf("%q is taken for %q, which opens %s", pasted, form, path)
			}
		}
		if opens(form, "/q") && opens(form, "/zz/q") && opens(form, "/_") {
			t.Fatalf("%q is taken for %q, which opens the site", pasted, form)
		}
		// Decoding once is done: only a percent sign could be decoded again.
		if again, why := parsePath(strings.ReplaceAll(form, " ", "%20"), nil); again != form {
			t.Fatalf("%q is taken for %q, and that for %q (%s)", pasted, form, again, why)
		}
	})
}
