package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// startDjango serves e2e/recipes/django with the settings, the middleware and
// the command of docs/recipes/django.md.
func startDjango(t *testing.T, doc map[string]string, more string, arguments ...string) (port string, log *Log) {
	t.Helper()
	dir := project(t, "django")
	put(t, dir, "app/settings.py", the(t, doc, "settings.py")+more)
	put(t, dir, "app/gate.py", the(t, doc, "app/gate.py"))
	put(t, dir, "app/feed.py", the(t, doc, "app/feed.py"))
	// Debian's Python, whose packages these are.
	env := []string{"PATH=/usr/bin:/bin", "DJANGO_SETTINGS_MODULE=app.settings", "PYTHONPATH=" + dir, "PYTHONUNBUFFERED=1"}
	migrate := exec.Command("/usr/bin/python3", "-m", "django", "migrate", "--verbosity", "0")
	migrate.Dir, migrate.Env = dir, append(os.Environ(), env...)
	if out, err := migrate.CombinedOutput(); err != nil {
		t.Fatalf("migrating: %v\n%s", err, out)
	}
	port = strconv.Itoa(freePorts(t))
	address := net.JoinHostPort("127.0.0.1", port)
	command := strings.Fields(strings.Replace(the(t, doc, "sh"), "127.0.0.1:8000", address, 1))
	log = background(t, dir, env, "/usr/bin/"+command[0], append(arguments, command[1:]...)...)
	listens(t, address, log)
	return port, log
}

// TestDjangoRecipe runs docs/recipes/django.md: its Caddyfile, its settings and
// its middleware, under gunicorn.
func TestDjangoRecipe(t *testing.T) {
	t.Parallel()
	doc := recipe(t, "django")
	t.Run("beside the edge", func(t *testing.T) {
		t.Parallel()
		port, log := startDjango(t, doc, "")
		f := startFramework(t, the(t, doc, "caddyfile"), "http://127.0.0.1:8000", "http://127.0.0.1:"+port, log)
		t.Run("uses", func(t *testing.T) { t.Parallel(); f.uses(t) })
		t.Run("stream", func(t *testing.T) { t.Parallel(); f.streamEnds(t) })
	})
	t.Run("by https under another name", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		certificate(t, dir)
		port, log := startDjango(t, doc, the(t, doc, "settings.py, under another name"), "--certfile", dir+"/origin.crt", "--keyfile", dir+"/origin.key")
		f := startFramework(t, underAnotherName(the(t, doc, "caddyfile"), dir), "http://127.0.0.1:8000", "https://localhost:"+port, log)
		f.uses(t)
		b := f.visitor(t)
		f.opens(t, b, 300)
		if a := b.Do(t, "GET", f.App+"/where", nil); string(a.Body) != f.App+"/where" {
			t.Errorf("the app believes itself at %s", a.Body)
		}
	})
}
