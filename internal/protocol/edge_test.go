package protocol

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReducePath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":                                     "/",
		"/":                                    "/",
		"/docs/start":                          "/docs/start",
		"/docs/":                               "/docs/",
		"/index.html":                          "/index.html",
		"/docs?session=eyJ.a.b":                "/docs",
		"/docs;jsessionid=ABCDEF":              "/docs",
		"/orders/12345":                        "/orders/…",
		"/chapter-12/page2":                    "/chapter-12/page2",
		"/files/3f2504e0-4f89-11d3-9a0c-0305e": "/files/…",
		"/reset/aVeryLongSecretTokenWithoutDigits": "/reset/…",
		"/to/ada@example.com":                      "/to/…",
		"/users/ada":                               "/users/…",
		"/Users/ada/settings":                      "/Users/…/settings",
		"/hello/ada-l":                             "/hello/…", // the user is ada-l
		"/team-ADA-L":                              "/…",
		"/~ada":                                    "/…",
		"/größe":                                   "/…",
		"/a/b/c/d/e/f/g/h":                         "/a/b/c/d/e/f/g/h",
		"/a/b/c/d/e/f/g/h/":                        "/a/b/c/d/e/f/g/h",
		"/a/b/c/d/e/f/g/h/i":                       "/a/b/c/d/e/f/g/…",
		"//evil.example/x":                         "//evil.example/x",
		"/\x00\r\n":                                "/…",
	} {
		if got := ReducePath(path, "ada-l"); got != want {
			t.Errorf("%q becomes %q, want %q", path, got, want)
		}
	}
}

// FuzzReducePath: a reduced path is short, is text, has no query, does not name
// its user, and stays as it is.
func FuzzReducePath(f *testing.F) {
	for _, path := range []string{"/", "/users/x/y", "/a//b/…/1234", "no/slash", "/%zz?x", "/\xff"} {
		f.Add(path, "ada")
	}
	f.Fuzz(func(t *testing.T, path, user string) {
		got := ReducePath(path, user)
		if !strings.HasPrefix(got, "/") || len(got) > maxSegments*(maxSegment+1) || !utf8.ValidString(got) || strings.ContainsAny(got, "?#;@%\x00\n") {
			t.Errorf("%q becomes %q", path, got)
		}
		if again := ReducePath(got, user); again != got {
			t.Errorf("%q becomes %q, and that %q", path, got, again)
		}
		if len(user) >= 3 && !strings.ContainsAny(user, "/…") && strings.Contains(strings.ToLower(got), strings.ToLower(user)) {
			t.Errorf("%q becomes %q, which names %q", path, got, user)
		}
	})
}
