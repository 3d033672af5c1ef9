package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "demo",
		Short: "Runs everything in one process: a marketplace, the gate, the session service and three sample apps",
		CobraFunc: func(cmd *cobra.Command) {
			var o demoOptions
			cmd.Use = "demo [--base-port 8080] [--origin URL] [--duration 10m] [--data DIR] [--json]"
			cmd.DisableFlagsInUseLine = true
			cmd.Long = `
Starts its servers on 127.0.0.1 and prints where they are:

  base port      the demo marketplace, where you buy a session
  base port + 1  the session service and its API
  base port + 2  the gated apps: what your users would see. The first is at
                 127.0.0.1, two others at rosette.localhost and
                 quadrille.localhost, which browsers take for this machine
  base port + 3  the first app itself, ungated (none with --origin)

With --origin, an app of your own is gated instead of the samples:

  sessiongate demo --origin http://127.0.0.1:3000

The edge runs the Caddyfile.example that ships with Sessiongate. Everything is
kept in --data; without it, in a temporary folder that is deleted at the end.
Stop it with Ctrl-C.`
			takesNoArguments(cmd)
			f := cmd.Flags()
			f.IntVar(&o.basePort, "base-port", 8080, "first of the four ports")
			f.StringVar(&o.origin, "origin", "", "gate the app at this URL instead of the sample apps")
			f.DurationVar(&o.duration, "duration", 10*time.Minute, "length that all sessions on offer are made of: half of it, three times it, and so on")
			f.StringVar(&o.data, "data", "", "folder for database and keys, kept between runs (default: a temporary one)")
			f.BoolVar(&o.json, "json", false, "print one line of JSON with every address and key once all is ready")
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				if err := o.check(); err != nil {
					return misused(cmd, err)
				}
				cmd.SilenceUsage = true
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				return failed(cmd, runDemo(ctx, o, cmd.OutOrStdout(), cmd.ErrOrStderr()))
			}
		},
	})
}

type demoOptions struct {
	basePort int
	origin   string
	duration time.Duration
	data     string
	json     bool
}

func (o *demoOptions) check() error {
	if o.basePort < 1 || o.basePort > 65532 {
		return fmt.Errorf("--base-port %d must be between 1 and 65532", o.basePort)
	}
	if o.duration < 2*time.Second || o.duration > 24*time.Hour {
		return fmt.Errorf("--duration %s must be between 2s and 24h", o.duration)
	}
	if o.duration%time.Second != 0 {
		return fmt.Errorf("--duration %s must be whole seconds", o.duration)
	}
	if o.origin == "" {
		return nil
	}
	u, err := url.Parse(o.origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("--origin %q must be a URL like http://127.0.0.1:3000", o.origin)
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("--origin %q must name a server only: scheme, host and port", o.origin)
	}
	return nil
}

// port is the address of the nth server of the demo.
func (o *demoOptions) port(n int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(o.basePort+n))
}

// listen opens the ports that the demo serves by itself, and makes sure that
// the edge's is free.
func (o *demoOptions) listen(ctx context.Context) (map[string]net.Listener, error) {
	wanted := []struct{ name, address string }{
		{"marketplace", o.port(0)}, {"api", o.port(1)}, {"app", o.port(2)},
	}
	if o.origin == "" {
		wanted = append(wanted, struct{ name, address string }{"origin", o.port(3)})
	}
	opened := make(map[string]net.Listener, len(wanted))
	for _, w := range wanted {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", w.address)
		if err != nil {
			for _, l := range opened {
				l.Close()
			}
			if errors.Is(err, syscall.EADDRINUSE) {
				return nil, fmt.Errorf("port %s (for the %s) is in use: stop what listens there, or choose another range with --base-port",
					w.address, w.name)
			}
			return nil, fmt.Errorf("opening a port for the %s: %w", w.name, err)
		}
		opened[w.name] = ln
	}
	// Caddy opens this one itself.
	opened["app"].Close()
	delete(opened, "app")
	return opened, nil
}
