package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	c := &contender{
		address: freeAddress(), tlsAddress: freeAddress(), roots: f.certificate.roots,
		cookies: f.launches, // any tokens will do: it only decodes them
		tagged:  true,
		what:    "Lua with verdicts cached in shared memory and identity headers, `sub_filter` for the tag: no cut-off; where gzip is asked for, it compresses plain pages at level 1",
	}
	dir := filepath.Join(f.dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path, err := f.write("nginx.conf", fmt.Sprintf(nginxConfig, nginxModules, nginxModules, dir, dir, dir, dir, dir, dir, dir,
		f.origin.address, c.address, c.tlsAddress, f.certificate.cert, f.certificate.key))
	if err != nil {
		return nil, err
	}
	c.command = func() *exec.Cmd { return f.command(ctx, "0", binary, "-p", dir, "-c", path) }
	return c, c.start(f)
}

const nginxConfig = `load_module %sndk_http_module.so;
load_module %sngx_http_lua_module.so;
daemon off;
worker_processes 1;
pid %s/pid;
error_log %s/error.log error;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
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
	map $http_upgrade $connection_upgrade {
		default upgrade;
		"" "";
	}
	upstream origin {
		server %s;
		keepalive 256;
	}
	server {
		listen %s;
		listen %s ssl http2;
		ssl_certificate %s;
		ssl_certificate_key %s;
		ssl_protocols TLSv1.2 TLSv1.3;
		keepalive_requests 10000000;
		# In memory, both ways.
		client_body_buffer_size 64k;
		proxy_max_temp_file_size 0;
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
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_set_header Host $host;
			proxy_set_header Accept-Encoding "";
			sub_filter "<head>" '<head><script src="/.session-gate/boot.js"></script>';
			sub_filter_once on;
		}
	}
}
`
