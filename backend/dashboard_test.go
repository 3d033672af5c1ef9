package backend_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The dashboard is served by the service itself, to whoever is signed in.
func TestDashboardIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newBrowser(w)
	if p := b.get(home + "/dashboard"); p.location() != "/dashboard/" {
		t.Errorf("/dashboard leads to %d %q", p.status, p.location())
	}
	b.do("POST", home+"/auth/key", url.Values{"key": {w.provider}})
	p := b.get(home + "/dashboard/sessions?status=expired")
	if p.status != http.StatusOK || p.header.Get("Cache-Control") != "no-store" || !strings.Contains(p.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page: %d %v", p.status, p.header)
	}
	files := regexp.MustCompile(`"(/dashboard/app\.[^"]+)"`).FindAllStringSubmatch(p.body, -1)
	if len(files) != 2 {
		t.Fatalf("the page names %d files", len(files))
	}
	for _, f := range files {
		p := b.get(home + f[1])
		if p.status != http.StatusOK || !strings.Contains(p.header.Get("Cache-Control"), "immutable") || p.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", f[1], p.status, p.header)
		}
	}
	if p := b.do("POST", home+"/dashboard/", nil); p.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", p.status)
	}
}
