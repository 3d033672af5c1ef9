package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestWordPressRecipe runs the Caddyfile of docs/recipes/wordpress.md before an
// app that answers everything: editors and WordPress' own calls come through
// without a session and without a name, everything else is refused. TestWordPress
// has WordPress itself behind it.
func TestWordPressRecipe(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "user "+r.Header.Get("Session-Gate-User"))
	}))
	t.Cleanup(app.Close)
	address := "127.0.0.1:" + strconv.Itoa(freePorts(t))
	site := strings.NewReplacer("app.provider.com", "http://"+address, "127.0.0.1:8080", strings.TrimPrefix(app.URL, "http://")).Replace(the(t, recipe(t, "wordpress"), "caddyfile"))
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte("{\n\tadmin off\n}\n"+site), 0o600); err != nil {
		t.Fatal(err)
	}
	log := background(t, dir, []string{"HOME=" + t.TempDir()}, Binary(t), "run", "--config", file, "--adapter", "caddyfile")
	listens(t, address, log)
	for _, tt := range []struct {
		path string
		want int
	}{
		{"/", http.StatusUnauthorized},
		{"/wp-login.php", http.StatusOK},
		{"/wp-admin/index.php", http.StatusOK},
		{"/WP-Admin/index.php", http.StatusOK},
		{"/wp-cron.php?doing_wp_cron", http.StatusOK},
		{"/wp-admin/admin-ajax.php", http.StatusUnauthorized},
		{"/wp-admin/admin-ajax.php/x", http.StatusUnauthorized}, // PHP would run it
		{"/wp-admin//%61dmin-ajax.php?action=x", http.StatusUnauthorized},
		{"/wp-admin/admin-post.php", http.StatusUnauthorized},
		{"/wp-admin/../premium/", http.StatusUnauthorized},
		{"/wp-admin/%2e%2e/premium/", http.StatusUnauthorized},
		{"/premium/?x=/wp-admin/", http.StatusUnauthorized},
		{"/wp-login.php/premium", http.StatusUnauthorized},
		{"/wp-json/wp/v2/posts", http.StatusOK}, // where WordPress asks who it is
		{"/wp-json/../premium/", http.StatusUnauthorized},
		{"/wp-includes/js/wp-emoji.js", http.StatusOK},
		{"/wp-includes/js/%2e%2e/%2e%2e/premium/", http.StatusUnauthorized},
		{"/wp-includes/ms-files.php?file=x", http.StatusUnauthorized}, // sends what was uploaded
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + address + tt.path // as it is, and not cleaned
		req.Header.Set("Session-Gate-User", "root")
		resp, err := plainClient().Do(req)
		if err != nil {
			t.Fatalf("%s: %v\n%s", tt.path, err, log)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.want || tt.want == http.StatusOK && string(body) != "user " {
			t.Errorf("%s: %d %s, %v; want %d and no user", tt.path, resp.StatusCode, body, err, tt.want)
		}
	}
}
