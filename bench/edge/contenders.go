package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The names of contenders that the report asks for.
const (
	plainCaddy   = "plain Caddy"
	gateReverse  = "gate + reverse_proxy"
	gateForwards = "gate + origin"
	bareProxyGo  = "Go's bare proxy"
	nginxLua     = "nginx, Lua"
	haproxyLua   = "HAProxy, Lua"
)

// missingError is what a contender needs and this machine lacks.
type missingError string

func (e missingError) Error() string { return "it needs " + string(e) }

// contenders starts the proxies; the first is plain Caddy, which the others are
// measured against.
func (f *field) contenders(ctx context.Context, only string) ([]*contender, error) {
	var list []*contender
	for _, make := range []struct {
		name  string
		start func(context.Context) (*contender, error)
	}{
		{plainCaddy, f.plain}, {gateReverse, f.gateReverseProxy}, {gateForwards, f.gateOrigin}, {"Caddy, forward_auth", f.forwardAuth},
		{bareProxyGo, f.bare}, {nginxLua, f.nginx}, {haproxyLua, f.haproxy}, {"workerd", f.workerd},
	} {
		if len(list) > 0 && !named(make.name, only) {
			continue
		}
		c, err := make.start(ctx)
		if missing := *new(missingError); errors.As(err, &missing) {
			fmt.Fprintf(os.Stderr, "%s is left out: %v\n", make.name, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", make.name, err)
		}
		c.name, c.figures, c.memory = make.name, map[load][]figure{}, map[protocol][]float64{}
		list = append(list, c)
	}
	return list, nil
}

// named tells whether a name has one of the parts in it.
func named(name, parts string) bool {
	for part := range strings.SplitSeq(parts, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
