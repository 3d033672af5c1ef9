package e2e_test

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mariadb runs a database server with an empty database named wordpress.
func mariadb(t *testing.T) (address string) {
	t.Helper()
	dir := t.TempDir()
	options := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data")}
	if os.Getuid() == 0 {
		options = append(options, "--user=root")
	}
	install := exec.Command("/usr/bin/mariadb-install-db", append(options, "--auth-root-authentication-method=normal", "--skip-test-db")...)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("making a database: %v\n%s", err, out)
	}
	port := strconv.Itoa(freePorts(t))
	address = net.JoinHostPort("127.0.0.1", port)
	log := background(t, dir, nil, "/usr/sbin/mariadbd", append(options, "--bind-address=127.0.0.1", "--port="+port,
		"--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"),
		"--init-file="+write(t, dir, "init.sql", "CREATE DATABASE wordpress;\n"))...)
	listens(t, address, log)
	return address
}

// startWordPress serves Debian's WordPress, with its addresses made as permalinks
// say, and the configuration and the plugin of docs/recipes/wordpress.md.
func startWordPress(t *testing.T, doc map[string]string, permalinks string) (address string, log *Log) {
	t.Helper()
	database := mariadb(t)
	dir := t.TempDir()
	root := filepath.Join(dir, "wordpress")
	// Copied, for it looks for its configuration beside its files.
	if out, err := exec.Command("cp", "-rL", "--no-preserve=mode", "/usr/share/wordpress", root).CombinedOutput(); err != nil {
		t.Fatalf("copying WordPress: %v\n%s", err, out)
	}
	if err := os.Remove(filepath.Join(root, "wp-config.php")); err != nil {
		t.Fatal(err)
	}
	put(t, root, "wp-config.php", `<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', ''); define('DB_HOST', '`+database+`');
define('DISABLE_WP_CRON', true); define('AUTH_KEY', 'only for a test'); define('SECURE_AUTH_KEY', 'only for a test, by https');
define('LOGGED_IN_KEY', 'only for a test, signed in'); define('NONCE_KEY', 'only for a test, once');
$table_prefix = 'wp_';
`+the(t, doc, "wp-config.php")+`
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require ABSPATH . 'wp-settings.php';
`)
	put(t, root, "wp-content/mu-plugins/gate.php", the(t, doc, "wp-content/mu-plugins/gate.php"))
	for from, to := range map[string]string{
		"theme/style.css": "wp-content/themes/recipe/style.css", "theme/index.php": "wp-content/themes/recipe/index.php",
		"offline.php": "wp-content/mu-plugins/offline.php", "install.php": "install.php", "router.php": "../router.php",
	} {
		text, err := os.ReadFile(filepath.Join("recipes/wordpress", from))
		if err != nil {
			t.Fatal(err)
		}
		put(t, root, to, string(text))
	}
	put(t, root, "wp-content/themes/recipe/user.php", "<?php\n"+the(t, doc, "php"))
	install := exec.Command("/usr/bin/php", "install.php", permalinks)
	install.Dir = root
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("installing: %v\n%s", err, out)
	}
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePorts(t)))
	// One process: with several, only the first ends on TERM.
	log = background(t, root, nil, "/usr/bin/php", "-S", address, "-t", root, filepath.Join(dir, "router.php"))
	listens(t, address, log)
	return address, log
}

// TestWordPress runs docs/recipes/wordpress.md with WordPress itself: visitors
// pay for everything, editors sign in and work without a session.
func TestWordPress(t *testing.T) {
	t.Parallel()
	doc := recipe(t, "wordpress")
	for name, permalinks := range map[string]string{"plain": "", "pretty": "/%postname%/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, log := startWordPress(t, doc, permalinks)
			f := startFramework(t, the(t, doc, "caddyfile"), "127.0.0.1:8080", address, log)
			pages := map[string]string{"": "/?rest_route=/wp/v2/pages", "/%postname%/": "/wp-json/wp/v2/pages"}[permalinks]
			f.readersPay(t, pages)
			f.editorsWork(t, permalinks != "")
		})
	}
}

const paidFor = "What was paid for"

func (f *Framework) readersPay(t *testing.T, pages string) {
	b := f.visitor(t)
	for _, path := range []string{
		"/", "/?pagename=premium", "/premium/", "/feed/", "/?feed=rss2", "/xmlrpc.php", "/wp-json/wp/v2/pages", "/?rest_route=/wp/v2/pages",
		// Where there is no such file, index.php answers, and heeds the query.
		"/wp-admin/none?pagename=premium", "/wp-admin/none/?p=1", "/wp-admin/none.php?pagename=premium", "/wp-includes/js/none?pagename=premium",
		"/wp-admin/none?rest_route=/wp/v2/pages", "/wp-includes/css/none?feed=rss2", "/wp-json/none?pagename=premium", "/wp-json/?p=1",
		"/wp-admin/admin-ajax.php?action=none", "/wp-admin/none?pagename=premium&preview=true",
	} {
		a := b.Do(t, "GET", f.App+path, nil, "Session_Gate_Session", "01", "Session-Gate-Session", "01", "Session_Gate_User", "root")
		if a.Status != http.StatusUnauthorized || strings.Contains(string(a.Body), paidFor) || strings.Contains(string(a.Body), "Hello") {
			t.Errorf("%s without a session: %d to %q\n%.300s\n%s", path, a.Status, a.Header.Get("Location"), a.Body, f.log)
		}
	}
	ada, _ := f.opens(t, b, 300)
	// A pretty address is known after the first question for a plain one.
	to := f.App + "/?pagename=premium"
	a := b.Do(t, "GET", to, nil, "Session_Gate_User", "root")
	if a.Status == http.StatusMovedPermanently && a.Header.Get("Location") == f.App+"/premium/" {
		a = b.Do(t, "GET", f.App+"/premium/", nil, "Session_Gate_User", "root")
	}
	html := string(a.Body)
	for _, want := range []string{"Hello " + ada, paidFor, `href="` + f.App + `/"`} {
		if a.Status != http.StatusOK || !strings.Contains(html, want) {
			t.Fatalf("the page has no %q: %d to %q\n%.3000s\n%s", want, a.Status, a.Header.Get("Location"), html, f.log)
		}
	}
	if strings.Count(html, "/.session-gate/boot.") != 1 || strings.Contains(html, "http://app.provider.com") {
		t.Errorf("the page has no clock, or leads to http:\n%.3000s", html)
	}
	if a := page(b, t, "GET", f.App+pages, nil); a.Status != http.StatusOK || !strings.Contains(string(a.Body), paidFor) {
		t.Errorf("the REST API with a session: %d %.300s", a.Status, a.Body)
	}
	if a := page(b, t, "GET", f.App+"/wp-admin/admin-ajax.php?action=none", nil); a.Status != http.StatusBadRequest {
		t.Errorf("admin-ajax.php with a session: %d %.300s, want WordPress' 400", a.Status, a.Body)
	}
}

func (f *Framework) editorsWork(t *testing.T, rest bool) {
	b := f.visitor(t)
	login := b.Do(t, "GET", f.App+"/wp-login.php", nil)
	if login.Status != http.StatusOK || strings.Contains(string(login.Body), "/.session-gate/") {
		t.Fatalf("wp-login.php: %d to %q\n%.1000s\n%s", login.Status, login.Header.Get("Location"), login.Body, f.log)
	}
	f.filesOf(t, b, login)
	form := url.Values{"log": {"editor"}, "pwd": {"only-for-a-test"}, "redirect_to": {f.App + "/wp-admin/"}, "testcookie": {"1"}}
	a := b.Do(t, "POST", f.App+"/wp-login.php", form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Origin", f.App)
	if a.Status != http.StatusFound || a.Header.Get("Location") != f.App+"/wp-admin/" {
		t.Fatalf("signing in: %d to %q\n%.1000s", a.Status, a.Header.Get("Location"), a.Body)
	}
	admin := b.Do(t, "GET", f.App+"/wp-admin/", nil)
	if admin.Status != http.StatusOK || !strings.Contains(string(admin.Body), "Dashboard") {
		t.Fatalf("wp-admin: %d to %q\n%.1000s", admin.Status, admin.Header.Get("Location"), admin.Body)
	}
	f.filesOf(t, b, admin)
	// The block editor, which saves by the REST API.
	editor := b.Do(t, "GET", f.App+"/wp-admin/post-new.php", nil)
	f.filesOf(t, b, editor)
	nonce := regexp.MustCompile(`createNonceMiddleware\( "(\w+)" \)`).FindSubmatch(editor.Body)
	root := regexp.MustCompile(`createRootURLMiddleware\( "([^"]+)" \)`).FindSubmatch(editor.Body)
	if nonce == nil || root == nil {
		t.Fatalf("post-new.php: %d to %q without a REST API\n%.1000s", editor.Status, editor.Header.Get("Location"), editor.Body)
	}
	address, want := strings.ReplaceAll(string(root[1]), `\/`, "/"), http.StatusCreated
	if !rest {
		want = http.StatusUnauthorized // as the recipe says
	}
	a = page(b, t, "POST", address+"wp/v2/posts", `{"title":"New","status":"draft"}`, "X-WP-Nonce", string(nonce[1]), "Origin", f.App)
	if a.Status != want {
		t.Errorf("saving by %s: %d %.500s, want %d", address, a.Status, a.Body, want)
	}
}

// filesOf fetches what a page loads from the site.
func (f *Framework) filesOf(t *testing.T, b *Client, of *Answer) {
	t.Helper()
	files := regexp.MustCompile(`(?:src|href)=['"](`+regexp.QuoteMeta(f.App)+`/[^'"]+\.(?:css|js|php)\b[^'"]*)['"]`).FindAllSubmatch(of.Body, -1)
	loaded := 0
	for _, m := range files {
		file := strings.NewReplacer("&amp;", "&", "&#038;", "&").Replace(string(m[1]))
		if !regexp.MustCompile(`\.(css|js)\b|load-(styles|scripts)\.php`).MatchString(file) {
			continue
		}
		loaded++
		if a := page(b, t, "GET", file, nil); a.Status != http.StatusOK {
			t.Errorf("an editor's page loads %s: %d", file, a.Status)
			return // as will the others
		}
	}
	if loaded == 0 {
		t.Errorf("the page loads nothing:\n%.1000s", of.Body)
	}
}
