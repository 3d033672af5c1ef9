package rosette_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/examples/rosette"
)

func get(t *testing.T, link string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// TestPageKeepsItsPolicy holds the page to a policy under which nothing inline
// runs, and each answer to a nonce of its own.
func TestPageKeepsItsPolicy(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(rosette.New())
	t.Cleanup(server.Close)
	nonce := regexp.MustCompile(`script-src 'nonce-([A-Z2-7]+)'`)
	seen := map[string]bool{}
	for range 2 {
		res, body := get(t, server.URL+"/")
		policy := res.Header.Get("Content-Security-Policy")
		found := nonce.FindStringSubmatch(policy)
		if res.StatusCode != http.StatusOK || found == nil || seen[found[1]] {
			t.Fatalf("got %d with the policy %q", res.StatusCode, policy)
		}
		seen[found[1]] = true
		if scripts := strings.Count(body, "<script"); scripts != 2 || strings.Count(body, `nonce="`+found[1]+`"`) != scripts {
			t.Errorf("%d scripts; not each has the nonce", scripts)
		}
		for _, bad := range []string{"<style", " style=", " onclick=", "<script>", "http://", "https://"} {
			if strings.Contains(body, bad) {
				t.Errorf("the page has %q", bad)
			}
		}
	}
}

func TestFilesOfThePage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(rosette.New())
	t.Cleanup(server.Close)
	_, body := get(t, server.URL+"/")
	links := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(links) != 4 {
		t.Fatalf("the page names %d files", len(links))
	}
	for _, link := range links {
		if res, _ := get(t, server.URL+link[1]); res.StatusCode != http.StatusOK || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d", link[1], res.StatusCode)
		}
	}
	for _, path := range []string{"/static/none.js", "/static/..%2frosette.go", "/other"} {
		if res, _ := get(t, server.URL+path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d", path, res.StatusCode)
		}
	}
}
