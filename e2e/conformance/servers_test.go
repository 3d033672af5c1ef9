package conformance

import (
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

//go:embed apps
var apps embed.FS

// server is a real server that runs an app of ours, or serves its files.
type server struct {
	name, address string
	features
	cmds []*exec.Cmd
	stop func()
}

// features are what a server's app can do besides pages, files, and /echo?n=1, which
// answers 1.
type features struct {
	uploads   bool // /upload answers with the hash and the size of what it got
	echoes    bool // /upload answers with what it got
	chunks    bool // /chunked has lines, in chunks
	ranges    bool
	webSocket bool // /ws echoes
	encodes   bool // pages in gzip
}

// largeSize is that of a download.
const largeSize = 2 << 20

var pageText = "<!doctype html><html><head><title>A page</title></head><body>" + strings.Repeat("<p>hello ", 500) + "</body></html>\n"

var largeSum [32]byte

// writeFiles writes what all servers serve.
func writeFiles() error {
	www := filepath.Join(stand.Dir, "www")
	if err := os.Mkdir(www, 0o755); err != nil {
		return err
	}
	large := make([]byte, largeSize)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(large)
	largeSum = sha256.Sum256(large)
	for name, content := range map[string][]byte{"page.html": []byte(pageText), "page": []byte(pageText), "large.bin": large} {
		if err := os.WriteFile(filepath.Join(www, name), content, 0o644); err != nil {
			return err
		}
	}
	return os.CopyFS(stand.Dir, apps)
}

// startServers starts all of them.
func startServers(program string) error {
	if err := writeFiles(); err != nil {
		return err
	}
	for _, s := range []struct {
		name string
		features
		start func(s *server, port int, program string) error
	}{
		{"nginx", features{ranges: true, encodes: true}, (*server).startNginx},
		{"php", features{uploads: true, chunks: true, encodes: true}, (*server).startPHP},
		{"apache", features{uploads: true, chunks: true, ranges: true}, (*server).startApache},
		{"node", features{uploads: true, chunks: true, webSocket: true}, (*server).startNode},
		{"gunicorn", features{uploads: true, chunks: true}, (*server).startGunicorn},
		{"puma", features{uploads: true, chunks: true, webSocket: true}, (*server).startPuma},
		{"go", features{uploads: true, chunks: true, ranges: true, webSocket: true}, (*server).startGo},
		{"caddy", features{echoes: true, ranges: true, encodes: true}, (*server).startCaddy},
	} {
		port, err := stand.Port()
		if err != nil {
			return err
		}
		started := &server{name: s.name, address: harness.Local(port), features: s.features}
		servers = append(servers, started)
		if err := s.start(started, port, program); err != nil {
			return err
		}
	}
	for _, s := range servers {
		if err := stand.Listens(s.name, s.address); err != nil {
			return err
		}
	}
	return nil
}

func stopServers() {
	for _, s := range servers {
		for _, cmd := range s.cmds {
			harness.Stop(cmd)
		}
		if s.stop != nil {
			s.stop()
		}
	}
}

// run starts a program of the server.
func (s *server) run(env []string, program string, args ...string) error {
	cmd, err := stand.Run(fmt.Sprint(s.name, strings.Repeat("-helper", len(s.cmds))), env, program, args...)
	s.cmds = append(s.cmds, cmd)
	return err
}

// configure writes a configuration to a folder of the server's own.
func (s *server) configure(name, text string) (path string, err error) {
	path = filepath.Join(stand.Dir, "server-"+s.name, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// asRoot is what a configuration needs only if the tests run as root.
func asRoot(text string) string {
	if os.Getuid() == 0 {
		return text
	}
	return ""
}

func app(name string) string { return filepath.Join(stand.Dir, "apps", name) }

// nginx runs an nginx with this server block.
func (s *server) nginx(block string) error {
	path, err := s.configure("nginx.conf", fmt.Sprintf(`daemon off;
pid %[1]s/pid;
error_log stderr;
%[2]s
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	fastcgi_temp_path %[1]s/fastcgi;
	proxy_temp_path %[1]s/proxy;
	scgi_temp_path %[1]s/scgi;
	uwsgi_temp_path %[1]s/uwsgi;
	client_max_body_size 50m;
	default_type application/octet-stream;
	gzip on;
	gzip_proxied any;
	types { text/html html; }
	server {
%[3]s
	}
}
`, filepath.Join(stand.Dir, "server-"+s.name), asRoot("user root;"), block))
	if err != nil {
		return err
	}
	return s.run(nil, "/usr/sbin/nginx", "-c", path, "-p", filepath.Dir(path))
}

func (s *server) startNginx(port int, _ string) error {
	return s.nginx(fmt.Sprintf(`
		listen 127.0.0.1:%d;
		root %s/www;
		location = /page { default_type text/html; }
		location = /echo { default_type text/plain; return 200 $arg_n; }
		location = /redirect { absolute_redirect off; return 302 /page; }
`, port, stand.Dir))
}

// startPHP runs PHP as a server of FastCGI behind nginx.
func (s *server) startPHP(port int, _ string) error {
	fastCGI, err := stand.Port()
	if err != nil {
		return err
	}
	if err := s.nginx(fmt.Sprintf(`
		listen 127.0.0.1:%d;
		location / {
			fastcgi_pass 127.0.0.1:%d;
			fastcgi_param SCRIPT_FILENAME %s;
			fastcgi_param REQUEST_METHOD $request_method;
			fastcgi_param REQUEST_URI $request_uri;
			fastcgi_param QUERY_STRING $query_string;
			fastcgi_param CONTENT_TYPE $content_type;
			fastcgi_param CONTENT_LENGTH $content_length;
		}
`, port, fastCGI, app("index.php"))); err != nil {
		return err
	}
	if err := s.run([]string{"PHP_FCGI_CHILDREN=4", "PHP_FCGI_MAX_REQUESTS=0"}, "/usr/bin/php-cgi", "-n", "-b", harness.Local(fastCGI)); err != nil {
		return err
	}
	return stand.Listens(s.name+"-helper", harness.Local(fastCGI))
}

// startApache serves files, and runs a program for each other request by CGI.
func (s *server) startApache(port int, _ string) error {
	if err := os.Chmod(app("app.pl"), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(app(""), 0o755); err != nil {
		return err
	}
	path, err := s.configure("apache.conf", fmt.Sprintf(`ServerRoot %[1]s/server-apache
ServerName localhost
Listen 127.0.0.1:%[2]d
PidFile %[1]s/server-apache/pid
ErrorLog %[1]s/apache.log
DefaultRuntimeDir %[1]s/server-apache
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule alias_module %[3]s/mod_alias.so
LoadModule cgid_module %[3]s/mod_cgid.so
LoadModule mime_module %[3]s/mod_mime.so
%[4]s
ScriptSock %[1]s/server-apache/cgid.sock
TypesConfig /dev/null
DocumentRoot %[1]s/www
ScriptAliasMatch ^/(upload|chunked|echo)$ %[1]s/apps/app.pl
Redirect 302 /redirect /page
<Files page>
	ForceType text/html
</Files>
<Directory />
	Require all granted
	Options +ExecCGI
</Directory>
`, stand.Dir, port, "/usr/lib/apache2/modules", asRoot("User www-data\nGroup www-data")))
	if err != nil {
		return err
	}
	return s.run(nil, "/usr/sbin/apache2", "-d", filepath.Dir(path), "-f", path, "-DFOREGROUND")
}

func (s *server) startNode(port int, _ string) error {
	return s.run(nil, "node", app("app.mjs"), fmt.Sprint(port), filepath.Join(stand.Dir, "www"))
}

func (s *server) startGunicorn(port int, _ string) error {
	return s.run(nil, "/usr/bin/gunicorn", "--chdir", app(""), "--bind", harness.Local(port), "--threads", "16", "--worker-tmp-dir", stand.Dir, "app:app")
}

func (s *server) startPuma(port int, _ string) error {
	return s.run(nil, "/usr/bin/puma", "--threads", "16:16", "--environment", "production", "--bind", "tcp://"+harness.Local(port), app("config.ru"))
}

// startCaddy runs another Caddy.
func (s *server) startCaddy(port int, program string) error {
	path, err := s.configure("Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
	default_bind 127.0.0.1
}
http://:%d {
	encode gzip
	root %s/www
	header /page Content-Type text/html
	redir /redirect /page 302
	respond /echo {query.n}
	respond /upload {http.request.body}
	file_server
}
`, port, stand.Dir))
	if err != nil {
		return err
	}
	return s.run(nil, program, "run", "--config", path, "--adapter", "caddyfile")
}

// startGo serves from this process.
func (s *server) startGo(port int, _ string) error {
	www := filepath.Join(stand.Dir, "www")
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Etag", `"page"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(pageText))
	})
	mux.Handle("/large.bin", http.FileServer(http.Dir(www)))
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for i := range 1000 {
			fmt.Fprintf(w, "line %d\n", i)
		}
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.FormValue("n")) })
	mux.Handle("/redirect", http.RedirectHandler("/page", http.StatusFound))
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, _ := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%x %d", h.Sum(nil), n)
	})
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	})
	l, err := net.Listen("tcp", harness.Local(port))
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: mux}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println(err)
		}
	}()
	s.stop = func() { _ = srv.Close() }
	return nil
}
