package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// haproxy does the same job with Debian's HAProxy: its own converters verify a
// token once and keep the verdict in a stick table, a filter in Lua writes the
// tag. What is compressed it cannot look into, so it asks the origin for plain
// pages and compresses by itself. It cuts nothing off.
func (f *field) haproxy(ctx context.Context) (*contender, error) {
	binary, err := exec.LookPath("haproxy")
	if err != nil {
		return nil, missingError("Debian's package haproxy")
	}
	dir := filepath.Join(f.dir, "haproxy")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	key, err := f.publicKey(ctx, "haproxy/key.pem")
	if err != nil {
		return nil, err
	}
	filter, err := f.write("haproxy/inject.lua", haproxyFilter)
	if err != nil {
		return nil, err
	}
	c := &contender{
		address: freeAddress(), tlsAddress: freeAddress(), roots: f.certificate.roots, cookies: f.launches, tagged: true,
		what: "`jwt_verify` once a token, verdicts in a stick table, identity headers, a Lua filter for the tag: no cut-off; where gzip is asked for, it compresses plain pages",
	}
	path, err := f.write("haproxy/haproxy.cfg", fmt.Sprintf(haproxyConfig, filter, c.address, c.tlsAddress, f.certificate.both, key, f.origin.address))
	if err != nil {
		return nil, err
	}
	c.command = func() *exec.Cmd { return f.command(ctx, "0", binary, "-db", "-f", path) }
	return c, c.start(f)
}

const haproxyConfig = `global
	nbthread 1
	lua-load %s
	maxconn 9000
	tune.bufsize 65536
	# A token has some 500 characters.
	tune.http.cookielen 1024
defaults
	mode http
	timeout client 60s
	timeout server 60s
	timeout connect 5s
	option http-keep-alive
	http-reuse always
frontend gate
	bind %s
	bind %s ssl crt %s alpn h2,http/1.1
	stick-table type string len 1024 size 10k expire 1h store gpt0
	http-request set-var(txn.token) req.cook(session_gate)
	http-request deny deny_status 401 unless { var(txn.token) -m found }
	http-request track-sc0 var(txn.token)
	http-request sc-set-gpt0(0) 1 if { sc_get_gpt0(0) eq 0 } { var(txn.token),jwt_verify(ES256,"%s") -m int 1 }
	http-request deny deny_status 401 unless { sc_get_gpt0(0) eq 1 }
	http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
	http-request set-var(txn.now) date
	http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) lt 1 }
	http-request set-header Session-Gate-Session %%[var(txn.token),jwt_payload_query('$.jti')]
	http-request set-header Session-Gate-User %%[var(txn.token),jwt_payload_query('$.sub')]
	http-request set-header Session-Gate-Expires %%[var(txn.exp)]
	http-request del-header Cookie
	filter lua.inject
	filter compression
	compression algo gzip
	compression type text/html
	compression offload
	http-response del-header Content-Length
	use_backend origin
backend origin
	server origin %s
`

// haproxyFilter writes the tag into the first part of a page that holds its head.
const haproxyFilter = `
local tag = '<script src="/.session-gate/boot.js"></script>'
local Inject = {}
Inject.id = "inject"
Inject.flags = filter.FLT_CFG_FL_HTX
Inject.__index = Inject
function Inject:new()
	return setmetatable({}, Inject)
end
function Inject:start_analyze(txn, channel)
	if channel:is_resp() then
		filter.register_data_filter(self, channel)
	end
end
function Inject:http_payload(txn, message)
	local body = message:body(0, 4096)
	local at = body and body:find("<head>", 1, true)
	if at then
		message:insert(tag, at + 5)
		filter.unregister_data_filter(self, message.channel)
	end
end
core.register_filter("inject", Inject, function(class, args)
	return class
end)
`
