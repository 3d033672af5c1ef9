package inject

import (
	"net/http"
	"net/url"
	"testing"
)

// Examine must say what delivery does.
func TestExamineSaysWhatDeliveryDoes(t *testing.T) {
	t.Parallel()
	u := &url.URL{Scheme: "https", Host: "app.example"}
	page := []byte("<!doctype html><html><head><title>t</title></head><body>x</body></html>")
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   []byte
		whole  bool
		want   string
	}{
		{"page", 200, http.Header{"Content-Type": {"text/html"}}, page, true, "identity"},
		{"beginning of a page", 200, http.Header{"Content-Type": {"text/html"}}, page[:40], false, "identity"},
		{"gzip", 200, http.Header{"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}}, gzipped(t, 6, page), true, "prefix"},
		{"no page", 200, http.Header{"Content-Type": {"text/plain"}}, page, true, "content_type"},
		{"no header", 200, nil, page, true, "content_type"},
		{"missing", 404, http.Header{"Content-Type": {"text/html"}}, page, true, "status"},
		{"brotli", 200, http.Header{"Content-Type": {"text/html"}, "Content-Encoding": {"br"}}, page, true, "content_encoding"},
		{"sandbox", 200, http.Header{"Content-Type": {"text/html"}, "Content-Security-Policy": {"sandbox"}}, page, true, "csp_sandbox"},
		{"no gzip", 200, http.Header{"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}}, page, true, "bad_gzip"},
		{"empty", 200, http.Header{"Content-Type": {"text/html"}}, nil, true, "empty"},
	} {
		before := tt.header.Clone()
		got := New(testConfig()).Examine(u, tt.status, tt.header, tt.body, tt.whole)
		if got.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if len(before) != len(tt.header) {
			t.Errorf("%s: the header became %v", tt.name, tt.header)
		}
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	u := &url.URL{Scheme: "https", Host: "app.example"}
	for _, tt := range []struct {
		policy, nonce string
		script, calls bool
	}{
		{"", "", false, false},
		{"default-src 'self'", "", false, false},
		{"default-src 'none'", "", true, true},
		{"script-src 'none'; connect-src 'self'", "", true, false},
		{"script-src 'nonce-abc'", "abc", false, false},
		{"script-src 'nonce-abc'", "", true, false},
		{"script-src 'strict-dynamic' 'nonce-abc' https:", "abc", false, false},
		{"script-src 'strict-dynamic' https:", "", true, false},
		{"script-src https://app.example; connect-src https://api.example", "", false, true},
		{"script-src-elem https://cdn.example; script-src 'self'", "", true, false},
		{"connect-src https://app.example", "", false, false},
		{"img-src 'none'", "", false, false},
		{"sandbox allow-scripts allow-same-origin", "", false, false},
		{"sandbox allow-scripts", "", false, true},
		{"sandbox", "", true, true},
	} {
		script, calls := Blocks(u, tt.policy, tt.nonce)
		if script != tt.script || calls != tt.calls {
			t.Errorf("%q with %q blocks script %v, calls %v", tt.policy, tt.nonce, script, calls)
		}
	}
}
