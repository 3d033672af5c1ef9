package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const nginxModules = "/usr/lib/nginx/modules/"

// nginx does the same job with Debian's nginx and Lua: verdicts cached in shared
// memory, identity headers, sub_filter for the tag. Its sub_filter cannot look
// into gzip, so it asks the origin for plain pages and compresses by itself, at
// its fastest level. Tokens are decoded and not verified, since all that counts
// here are cached verdicts; and it cuts nothing off.
func (f *field) nginx(ctx context.Context) (*contender, error) {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		return nil, missingError("Debian's packages nginx and libnginx-mod-http-lua")
	}
	if _, err := os.Stat(nginxModules + "ngx_http_lua_module.so"); err != nil {
		return nil, missingError("Debian's packages nginx and libnginx-mod-http-lua")
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
		tagged:  true,
		what:    "Lua with verdicts cached in shared memory and identity headers, `sub_filter` for the tag: no cut-off; where gzip is asked for, it compresses plain pages at level 1",
	}, nil
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
