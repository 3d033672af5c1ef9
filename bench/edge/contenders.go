package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// missingError is what a contender needs and this machine lacks.
type missingError string

func (e missingError) Error() string { return "it needs " + string(e) }

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
		{"nginx, Lua", f.nginx}, {"HAProxy, Lua", f.haproxy}, {"workerd", f.workerd},
	} {
		if len(list) > 0 && !wanted(make.name) {
			continue
		}
		f.env = nil
		if make.name == "Sessiongate" && env != "" {
			f.env = []string{env}
		}
		c, err := make.start(ctx)
		if missing := *new(missingError); errors.As(err, &missing) {
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
		log, transport = "format session_gate_lazy", "read_buffer 64KiB"
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
	c.tagged = true
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
