package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// errMissing is why a contender cannot run on this machine.
var errMissing = errors.New("it needs Debian's packages nginx and libnginx-mod-http-lua")

// contenders starts the proxies; the first is plain Caddy, which the others are
// measured against.
func (f *field) contenders(ctx context.Context, only, env string) ([]*contender, error) {
	wanted := func(name string) bool {
		if only == "" {
			return true
		}
		for part := range strings.SplitSeq(only, ",") {
			if strings.Contains(name, part) {
				return true
			}
		}
		return false
	}
	var list []*contender
	for _, make := range []struct {
		name  string
		start func(context.Context) (*contender, error)
	}{
		{"plain Caddy", f.plain}, {"Sessiongate", f.gate}, {"Caddy, forward_auth", f.forwardAuth},
		{"nginx, Lua", f.nginx},
	} {
		if len(list) > 0 && !wanted(make.name) {
			continue
		}
		f.env = nil
		if make.name == "Sessiongate" && env != "" {
			f.env = []string{env}
		}
		c, err := make.start(ctx)
		if errors.Is(err, errMissing) {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", make.name, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", make.name, err)
		}
		c.name = make.name
		list = append(list, c)
	}
	return list, nil
}

// caddy runs the program under test with a site block of the given body.
func (f *field) caddy(ctx context.Context, name, global, site string) (*contender, error) {
	address := freeAddress()
	admin := "off"
	if f.profile == name {
		admin = "127.0.0.1:2019" // /debug/pprof/
	}
	log, transport := "", ""
	if name == "gate" { // as in Caddyfile.example
		log, transport = "format lazy", "read_buffer 64KiB"
	}
	path, err := f.write(name+".Caddyfile", fmt.Sprintf(`{
	admin %s
	persist_config off
	default_bind 127.0.0.1
	log {
		level ERROR
		%s
	}
%s}
http://:%s {
%s	reverse_proxy %s {
		transport http {
			compression off
			%s
		}
	}
}
`, admin, log, global, address[strings.LastIndexByte(address, ':')+1:], site, strings.TrimPrefix(f.origin.URL, "http://"), transport))
	if err != nil {
		return nil, err
	}
	cmd := f.command(ctx, "0", f.binary, "run", "--config", path, "--adapter", "caddyfile")
	if err := f.start(cmd, "http://"+address+"/page?size=2048"); err != nil {
		return nil, err
	}
	// All are sent cookies of one size, whether they look at them or not: reading
	// and passing on a request costs what is in it.
	return &contender{address: address, pids: func() []int { return []int{cmd.Process.Pid} }, cookies: f.launches}, nil
}

func (f *field) plain(ctx context.Context) (*contender, error) {
	c, err := f.caddy(ctx, "plain", "", "")
	if err == nil {
		c.what = "the same binary, `reverse_proxy` alone (with `compression off`): no session is checked, no page is touched"
	}
	return c, err
}

func (f *field) gate(ctx context.Context) (*contender, error) {
	c, err := f.caddy(ctx, "gate", fmt.Sprintf("\tsession_gate {\n\t\tbackend %s\n\t\tedge_key %s\n\t}\n", f.api, f.keys["edge"]),
		"\tsession_gate {\n\t\tprovider prov_bench\n\t}\n")
	if err != nil {
		return nil, err
	}
	c.what = "`session_gate` and `reverse_proxy` with the log format and transport of Caddyfile.example: session checked, identity headers set, clock injected, cut-off armed"
	c.cookies, err = f.enter(ctx, c.address, len(f.launches)/2)
	return c, err
}

// forwardAuth asks an authentication server for each request, as Caddy users
// do without a module. The server here says yes and costs the proxy nothing
// but the question; nothing is injected and nothing is cut off.
func (f *field) forwardAuth(ctx context.Context) (*contender, error) {
	auth := newAuthServer()
	c, err := f.caddy(ctx, "auth", "", fmt.Sprintf("\tforward_auth %s {\n\t\turi /auth\n\t}\n", auth))
	if err == nil {
		c.what = "`forward_auth` to a server that says yes at once, then `reverse_proxy`: no clock, no cut-off"
	}
	return c, err
}

const nginxModules = "/usr/lib/nginx/modules/"

// nginx does the same job with Debian's nginx and Lua: verdicts cached in shared
// memory, identity headers, sub_filter for the tag. Its sub_filter cannot look
// into gzip, so it asks the origin for plain pages and compresses by itself, at
// its fastest level. Tokens are decoded and not verified, since all that counts
// here are cached verdicts; and it cuts nothing off.
func (f *field) nginx(ctx context.Context) (*contender, error) {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		return nil, errMissing
	}
	if _, err := os.Stat(nginxModules + "ngx_http_lua_module.so"); err != nil {
		return nil, errMissing
	}
	address := freeAddress()
	dir := filepath.Join(f.dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path, err := f.write("nginx.conf", fmt.Sprintf(nginxConfig, nginxModules, nginxModules, dir, dir, dir, dir, dir, dir, dir,
		strings.TrimPrefix(f.origin.URL, "http://"), address))
	if err != nil {
		return nil, err
	}
	cmd := f.command(ctx, "0", binary, "-p", dir, "-c", path)
	if err := f.start(cmd, "http://"+address+"/"); err != nil {
		return nil, err
	}
	return &contender{
		address: address, pids: func() []int { return append(children(cmd.Process.Pid), cmd.Process.Pid) },
		cookies: f.launches, // any tokens will do: it only decodes them
		what:    "Lua with verdicts cached in shared memory and identity headers, `sub_filter` for the tag: no cut-off; where gzip is asked for, it compresses plain pages at level 1",
	}, nil
}

// children are the processes that a process started.
func children(pid int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(list)) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

const nginxConfig = `load_module %sndk_http_module.so;
load_module %sngx_http_lua_module.so;
daemon off;
worker_processes 1;
pid %s/pid;
error_log %s/error.log error;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path %s/body;
	proxy_temp_path %s/proxy;
	fastcgi_temp_path %s/fastcgi;
	uwsgi_temp_path %s/uwsgi;
	scgi_temp_path %s/scgi;
	lua_shared_dict verdicts 10m;
	gzip on;
	gzip_comp_level 1;
	gzip_min_length 0;
	gzip_proxied any;
	upstream origin {
		server %s;
		keepalive 8;
	}
	server {
		listen %s;
		keepalive_requests 10000000;
		location / {
			access_by_lua_block {
				local cookie = ngx.var.cookie_session_gate
				if not cookie then return ngx.exit(401) end
				local verdicts = ngx.shared.verdicts
				local session = verdicts:get(cookie)
				if not session then
					local payload = ngx.decode_base64((cookie:match("%%.([^.]+)%%.") or ""):gsub("-", "+"):gsub("_", "/") .. "==")
					if not payload then return ngx.exit(401) end
					session = payload:match('"exp":(%%d+)') .. " " .. payload:match('"jti":"([^"]+)"') .. " " .. payload:match('"sub":"([^"]+)"')
					verdicts:set(cookie, session)
				end
				local expires, id, user = session:match("(%%S+) (%%S+) (%%S+)")
				if ngx.now() >= tonumber(expires) then return ngx.exit(401) end
				ngx.req.set_header("Session-Gate-Session", id)
				ngx.req.set_header("Session-Gate-User", user)
				ngx.req.set_header("Session-Gate-Expires", expires)
				ngx.req.clear_header("Cookie")
			}
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header Accept-Encoding "";
			sub_filter "<head>" '<head><script src="/.session-gate/boot.js"></script>';
			sub_filter_once on;
		}
	}
}
`
