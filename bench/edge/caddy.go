package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
)

// site is how a contender of Caddy's differs from the others.
type site struct {
	name   string // of its files
	global string // options
	gate   bool   // with the log format and transport of Caddyfile.example
	body   string // directives; %s is the origin's address
}

// Caddy keeps 32 idle connections to an origin unless it is told otherwise, and
// would dial for most requests when HTTP/2 has 128 in flight. All contenders have
// a pool that is large enough, so that what is compared is forwarding.
const forward = `	reverse_proxy %s {
		transport http {
			compression off
			keepalive_idle_conns_per_host 256
		}
	}
`

const gateForward = `	reverse_proxy %s {
		transport http {
			compression off
			keepalive_idle_conns_per_host 256
			read_buffer 64KiB
		}
	}
`

// caddy prepares the program under test with one site, with and without TLS.
func (f *field) caddy(ctx context.Context, s site) (*contender, error) {
	c := &contender{address: freeAddress(), tlsAddress: freeAddress(), roots: f.certificate.roots, cookies: f.launches}
	// All are sent cookies of one size, whether they look at them or not: reading
	// and passing on a request costs what is in it.
	admin, log := "off", ""
	if f.admin {
		c.admin = freeAddress()
		admin = c.admin // /debug/pprof/
	}
	if s.gate {
		log = "format session_gate_lazy"
	}
	path, err := f.write(s.name+".Caddyfile", fmt.Sprintf(`{
	admin %s
	persist_config off
	default_bind 127.0.0.1
	auto_https disable_redirects
	skip_install_trust
	servers {
		protocols h1 h2
	}
	log {
		level ERROR
		%s
	}
%s}
(site) {
%s}
http://:%s {
	import site
}
https://:%s {
	tls %s %s
	import site
}
`, admin, log, s.global, strings.ReplaceAll(s.body, "%s", f.origin.address), port(c.address), port(c.tlsAddress), f.certificate.cert, f.certificate.key))
	if err != nil {
		return nil, err
	}
	c.command = func() *exec.Cmd {
		cmd := f.command(ctx, "0", f.binary, "run", "--config", path, "--adapter", "caddyfile")
		if s.gate && f.gateEnv != "" {
			cmd.Env = append(cmd.Env, f.gateEnv)
		}
		return cmd
	}
	if out, err := exec.CommandContext(ctx, f.binary, "adapt", "--config", path, "--adapter", "caddyfile").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("its configuration: %w: %s", err, out)
	}
	return c, c.start(f)
}

// port is an address's.
func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func (f *field) plain(ctx context.Context) (*contender, error) {
	c, err := f.caddy(ctx, site{name: "plain", body: forward})
	if err == nil {
		c.what = "the same binary, `reverse_proxy` alone (with `compression off` and a pool of 256 idle connections): no session is checked, no page is touched"
	}
	return c, err
}

func (f *field) gateReverseProxy(ctx context.Context) (*contender, error) {
	c, err := f.gate(ctx, "reverse", "", gateForward)
	if err == nil {
		c.what = "`session_gate` and `reverse_proxy` with the log format of Caddyfile.example, a buffer of 64 KiB and a pool of 256 idle connections: session checked, identity headers set, clock injected, cut-off armed"
	}
	return c, err
}

func (f *field) gateOrigin(ctx context.Context) (*contender, error) {
	c, err := f.gate(ctx, "origin", "\t\torigin http://%s\n", "")
	if err != nil && strings.Contains(err.Error(), `unknown option \"origin\"`) {
		return nil, missingError("a binary that knows `origin` of `session_gate`")
	}
	if err == nil {
		c.what = "`session_gate` that forwards by itself (`origin`), as in Caddyfile.example: session checked, identity headers set, clock injected, cut-off armed"
	}
	return c, err
}

// gate is the program's own work, with a line in session_gate or a directive
// after it that forwards.
func (f *field) gate(ctx context.Context, name, line, after string) (*contender, error) {
	c, err := f.caddy(ctx, site{
		name: name, gate: true,
		global: fmt.Sprintf("\tsession_gate {\n\t\tbackend %s\n\t\tedge_key %s\n\t}\n", f.api, f.keys["edge"]),
		body:   "\tsession_gate {\n\t\tprovider prov_bench\n" + line + "\t}\n" + after,
	})
	if err != nil {
		return nil, err
	}
	c.tagged, c.secure = true, "__Host-"
	c.cookies, err = f.enter(ctx, c.address)
	return c, err
}

// forwardAuth asks an authentication server for each request, as Caddy users
// do without a module. The server here says yes and costs the proxy nothing
// but the question; nothing is injected and nothing is cut off.
func (f *field) forwardAuth(ctx context.Context) (*contender, error) {
	auth := newAuthServer()
	c, err := f.caddy(ctx, site{name: "auth", body: "\tforward_auth " + auth + " {\n\t\turi /auth\n\t}\n" + forward})
	if err == nil {
		c.what = "`forward_auth` to a server that says yes at once, then `reverse_proxy`: no clock, no cut-off"
	}
	return c, err
}
