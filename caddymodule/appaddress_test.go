package caddymodule

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestAppAddressIsAServer(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://localhost:8888": "http://localhost:8888", "https://app.internal/": "https://app.internal", "http://[::1]:80": "http://[::1]:80",
		"localhost:8888": "", "ftp://x": "", "http://x/path": "", "http://u:p@x": "", "http://x?a": "", "": "",
	} {
		a, err := parseAppAddress(raw)
		if (err == nil) != (want != "") || err == nil && a.origin() != want {
			t.Errorf("%q: %v, %v", raw, a, err)
		}
	}
}

// TestAppIsAskedForItsOwnAddress: what names the public address in a request names the
// app's own, and another site stays another site.
func TestAppIsAskedForItsOwnAddress(t *testing.T) {
	t.Parallel()
	a := &appAddress{"http", "localhost:8888"}
	const public = "https://app.example"
	for _, tt := range []struct{ name, in, want string }{
		{"Origin", public, "http://localhost:8888"},
		{"Origin", "https://APP.example", "http://localhost:8888"},
		{"Origin", "https://app.example.evil.example", "https://app.example.evil.example"},
		{"Origin", "https://app.example:8443", "https://app.example:8443"},
		{"Origin", "https://evil.example", "https://evil.example"},
		{"Origin", "null", "null"},
		{"Origin", "http://localhost:8888", "null"}, // another program on the visitor's machine
		{"Origin", "http://LOCALHOST:8888", "null"},
		{"Origin", "https://localhost:8888", "null"}, // apps may compare the host alone
		{"Origin", "http://localhost:88", "http://localhost:88"},
		{"Referer", "http://localhost:8888/evil", ""},
		{"Referer", "http://localhost:8888", ""},
		{"Referer", "http://localhost:88880/", "http://localhost:88880/"},
		{"Referer", public + "/tree?a=1", "http://localhost:8888/tree?a=1"},
		{"Referer", public, "http://localhost:8888"},
		{"Referer", "https://app.example.evil.example/", "https://app.example.evil.example/"},
		{"Referer", "https://market.example/?to=" + public, "https://market.example/?to=" + public},
	} {
		r := httptest.NewRequest(http.MethodGet, public+"/x", nil)
		r.Header.Set(tt.name, tt.in)
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		a.present(r, public)
		if got := r.Header.Get(tt.name); got != tt.want || r.Host != "localhost:8888" {
			t.Errorf("%s %s became %s at %s, want %s", tt.name, tt.in, got, r.Host, tt.want)
		}
	}
}

// TestAnswersNameThePublicAddress: what the app says of its own address leads a browser
// to the public one.
func TestAnswersNameThePublicAddress(t *testing.T) {
	t.Parallel()
	a := &appAddress{"http", "localhost:8888"}
	for _, tt := range []struct {
		name     string
		in, want []string
	}{
		{"Location", []string{"http://localhost:8888/login?next=%2F"}, []string{"https://app.example/login?next=%2F"}},
		{"Location", []string{"//localhost:8888/x"}, []string{"//app.example/x"}},
		{"Location", []string{"/login"}, []string{"/login"}},
		{"Location", []string{"http://localhost:88888/x"}, []string{"http://localhost:88888/x"}},
		{"Location", []string{"https://sso.example/?to=http://localhost:8888/"}, []string{"https://sso.example/?to=http://localhost:8888/"}},
		{"Content-Location", []string{"http://localhost:8888/x"}, []string{"https://app.example/x"}},
		{"Refresh", []string{"0; url=http://localhost:8888/x"}, []string{"0; url=https://app.example/x"}},
		{"Access-Control-Allow-Origin", []string{"http://localhost:8888"}, []string{"https://app.example"}},
		{"Set-Cookie", []string{"a=1; Path=/; Domain=localhost; HttpOnly", "b=2; domain=.other.example"}, []string{"a=1; Path=/; HttpOnly", "b=2; domain=.other.example"}},
	} {
		h := http.Header{tt.name: slices.Clone(tt.in)}
		a.restore(h, "https://app.example")
		if !slices.Equal(h[tt.name], tt.want) {
			t.Errorf("%s %q became %q, want %q", tt.name, tt.in, h[tt.name], tt.want)
		}
	}
}

// TestEveryAnswerNamesThePublicAddress: however a handler begins its answer.
func TestEveryAnswerNamesThePublicAddress(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(w http.ResponseWriter) error{
		"status":  func(w http.ResponseWriter) error { w.WriteHeader(http.StatusOK); return nil },
		"body":    func(w http.ResponseWriter) error { _, err := io.WriteString(w, "x"); return err },
		"copied":  func(w http.ResponseWriter) error { _, err := io.Copy(w, strings.NewReader("x")); return err },
		"flushed": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	} {
		g := &Gate{app: &appAddress{"http", "localhost:8888"}}
		rec := httptest.NewRecorder()
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			if r.Host != "localhost:8888" {
				t.Errorf("%s: the app is asked as %s", name, r.Host)
			}
			w.Header().Set("Set-Cookie", "a=1; Domain=localhost")
			return begin(w)
		})
		if err := g.pastGate(rec, withVars(httptest.NewRequest(http.MethodGet, "https://app.example/x", nil)), next); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, c := range rec.Result().Cookies() {
			if c.Domain != "" {
				t.Errorf("%s: the browser gets %v", name, rec.Result().Header)
			}
		}
	}
}
