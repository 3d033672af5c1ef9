package attack

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

//go:embed apps
var apps embed.FS

// Origin is a server behind the edge that records its requests.
type Origin struct {
	Name    string
	Address string
	records string // the file
	start   func() error
	cmd     *exec.Cmd
	helper  *exec.Cmd // a second process, such as that of PHP
}

// Whole and Part are the names of an origin's two sites.
func (o *Origin) Whole() string { return o.Name + ".whole.example" }
func (o *Origin) Part() string  { return o.Name + ".part.example" }

// app writes one of the programs to a folder of its own, for an origin's records.
func (k *Kit) app(o *Origin, file string) (path string, err error) {
	text, err := apps.ReadFile("apps/" + file)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(k.Dir, o.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(dir, file)
	filled := strings.NewReplacer("@RECORD@", o.records, "@BOMB@", filepath.Join(k.Dir, "bomb.gz")).Replace(string(text))
	return path, os.WriteFile(path, []byte(filled), 0o755)
}

func (k *Kit) config(o *Origin, name, text string) (path string, err error) {
	path = filepath.Join(k.Dir, o.Name, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// startOrigins starts all of them, each once.
func (k *Kit) startOrigins(program string) error {
	for _, kind := range []struct {
		name  string
		start func(o *Origin, port int, program string) error
	}{
		{"nginx", k.startNginx}, {"apache", k.startApache}, {"lighttpd", k.startLighttpd}, {"hypercorn", k.startHypercorn},
		{"gunicorn", k.startGunicorn}, {"puma", k.startPuma}, {"node", k.startNode}, {"caddy", k.startCaddy},
	} {
		p, err := k.Port()
		if err != nil {
			return err
		}
		o := &Origin{Name: kind.name, Address: harness.Local(p), records: filepath.Join(k.Dir, kind.name+".jsonl")}
		k.Origins = append(k.Origins, o)
		if err := os.WriteFile(o.records, nil, 0o666); err != nil {
			return err
		}
		if err := os.Chmod(o.records, 0o666); err != nil { // for other users, past the umask
			return err
		}
		o.start = func() error { return kind.start(o, p, program) }
		if err := o.start(); err != nil {
			return err
		}
	}
	for _, o := range k.Origins {
		if err := k.Listens(o.Name, o.Address); err != nil {
			return err
		}
	}
	return nil
}

// restart ends an origin that does not answer and starts it again.
func (k *Kit) restart(o *Origin) error {
	harness.Stop(o.cmd)
	harness.Stop(o.helper)
	if err := o.start(); err != nil {
		return err
	}
	return k.Listens(o.Name, o.Address)
}

// startPHP runs PHP as a server of FastCGI and returns its port.
func (k *Kit) startPHP(o *Origin) (port int, script string, err error) {
	if script, err = k.app(o, "index.php"); err != nil {
		return 0, "", err
	}
	if port, err = k.Port(); err != nil {
		return 0, "", err
	}
	o.helper, err = k.Run(o.Name+"-php", []string{"PHP_FCGI_CHILDREN=4", "PHP_FCGI_MAX_REQUESTS=0"}, "/usr/bin/php-cgi", "-n", "-b", harness.Local(port))
	if err != nil {
		return 0, "", err
	}
	return port, script, k.Listens(o.Name+"-php", harness.Local(port))
}

// startNginx passes requests to PHP, and lets through every name of a header that it can.
func (k *Kit) startNginx(o *Origin, port int, _ string) error {
	php, script, err := k.startPHP(o)
	if err != nil {
		return err
	}
	path, err := k.config(o, "nginx.conf", fmt.Sprintf(`daemon off;
pid %[1]s/nginx/pid;
error_log stderr;
%[5]s
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/nginx/body;
	fastcgi_temp_path %[1]s/nginx/fastcgi;
	proxy_temp_path %[1]s/nginx/proxy;
	scgi_temp_path %[1]s/nginx/scgi;
	uwsgi_temp_path %[1]s/nginx/uwsgi;
	underscores_in_headers on;
	ignore_invalid_headers off;
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			fastcgi_pass 127.0.0.1:%[3]d;
			fastcgi_param SCRIPT_FILENAME %[4]s;
			fastcgi_param REQUEST_METHOD $request_method;
			fastcgi_param REQUEST_URI $request_uri;
			fastcgi_param QUERY_STRING $query_string;
			fastcgi_param CONTENT_TYPE $content_type;
			fastcgi_param CONTENT_LENGTH $content_length;
		}
	}
}
`, k.Dir, port, php, script, asRoot("user root;")))
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, nil, "/usr/sbin/nginx", "-c", path, "-p", filepath.Dir(path))
	return err
}

// asRoot returns what a configuration needs only if the tests run as root.
func asRoot(text string) string {
	if os.Getuid() == 0 {
		return text
	}
	return ""
}

// startApache runs a program for each request by CGI, and answers TRACE.
func (k *Kit) startApache(o *Origin, port int, _ string) error {
	script, err := k.app(o, "echo.pl")
	if err != nil {
		return err
	}
	const modules = "/usr/lib/apache2/modules"
	path, err := k.config(o, "apache.conf", fmt.Sprintf(`ServerRoot %[1]s/apache
ServerName localhost
Listen 127.0.0.1:%[2]d
PidFile %[1]s/apache/pid
ErrorLog %[1]s/apache.log
DefaultRuntimeDir %[1]s/apache
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule alias_module %[3]s/mod_alias.so
LoadModule cgid_module %[3]s/mod_cgid.so
%[5]s
ScriptSock %[1]s/apache/cgid.sock
HttpProtocolOptions Unsafe
LimitRequestFields 1000
AllowEncodedSlashes NoDecode
TraceEnable on
ScriptAliasMatch ^ %[4]s
<Directory />
	Require all granted
	Options +ExecCGI
</Directory>
`, k.Dir, port, modules, script, asRoot("User www-data\nGroup www-data")))
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, nil, "/usr/sbin/apache2", "-d", filepath.Dir(path), "-f", path, "-DFOREGROUND")
	return err
}

// startLighttpd passes requests to PHP. It makes an underscore of every character in a
// header's name that is no letter and no digit.
func (k *Kit) startLighttpd(o *Origin, port int, _ string) error {
	php, script, err := k.startPHP(o)
	if err != nil {
		return err
	}
	path, err := k.config(o, "lighttpd.conf", fmt.Sprintf(`server.document-root = "%s"
server.port = %d
server.bind = "127.0.0.1"
server.modules = ("mod_rewrite", "mod_fastcgi")
server.http-parseopts = ("header-strict" => "disable", "host-strict" => "disable")
url.rewrite-once = ("" => "/index.php")
fastcgi.server = (".php" => (("host" => "127.0.0.1", "port" => %d)))
`, filepath.Dir(script), port, php))
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, nil, "/usr/sbin/lighttpd", "-D", "-f", path)
	return err
}

func (k *Kit) startHypercorn(o *Origin, port int, _ string) error {
	script, err := k.app(o, "echo.py")
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, []string{"PYTHONPATH=" + filepath.Dir(script)}, "/usr/bin/python3", "-m", "hypercorn", "echo:asgi", "-b", harness.Local(port))
	return err
}

func (k *Kit) startGunicorn(o *Origin, port int, _ string) error {
	script, err := k.app(o, "echo.py")
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, nil, "/usr/bin/gunicorn", "--chdir", filepath.Dir(script), "--bind", harness.Local(port), "--threads", "32", "--limit-request-fields", "1000", "--worker-tmp-dir", k.Dir, "echo:wsgi")
	return err
}

func (k *Kit) startPuma(o *Origin, port int, _ string) error {
	script, err := k.app(o, "config.ru")
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, nil, "/usr/bin/puma", "--threads", "32:32", "--environment", "production", "--bind", "tcp://"+harness.Local(port), script)
	return err
}

func (k *Kit) startNode(o *Origin, port int, _ string) error {
	script, err := k.app(o, "echo.mjs")
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, nil, "node", script, fmt.Sprint(port))
	return err
}

// startCaddy runs another Caddy, whose access log is the record.
func (k *Kit) startCaddy(o *Origin, port int, program string) error {
	path, err := k.config(o, "Caddyfile", fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
	default_bind 127.0.0.1
	servers {
		protocols h1 h2c
		log_credentials
	}
}
http://:%d {
	log {
		output file %s
		format json
	}
	respond ok
}
`, port, o.records))
	if err != nil {
		return err
	}
	o.cmd, err = k.Run(o.Name, nil, program, "run", "--config", path, "--adapter", "caddyfile")
	return err
}
