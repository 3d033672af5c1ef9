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
	caddycmd.RegisterCommand(ours(groupRun, caddycmd.Command{
		Name:  "demo",
		Short: "Try it: a marketplace, the edge, the session service and three apps in one process",
		CobraFunc: func(cmd *cobra.Command) {
			var o demoOptions
			cmd.Use = "demo"
			cmd.Long = `
Starts a demo marketplace, the edge, the session service and three sample apps on
127.0.0.1, and prints their addresses:

  base port      the marketplace, where you buy a session
  base port + 1  the session service and its API
  base port + 2  the gated apps, as users see them: the first at 127.0.0.1, the
                 others at rosette.localhost and quadrille.localhost, which
                 browsers resolve to this machine
  base port + 3  the first app without the gate (not with --origin)

With --origin, the demo gates your own app instead of the three samples.

The edge runs the Caddyfile.example of this release. Data are stored in --data or,
without it, in a temporary folder that is deleted at the end. Ctrl-C stops the demo.`
			cmd.Example = `  sessiongate demo
  sessiongate demo --origin http://127.0.0.1:3000
  sessiongate demo --base-port 9000 --duration 2m`
			takesNoArguments(cmd)
			f := cmd.Flags()
			f.IntVar(&o.basePort, "base-port", 8080, "first of four consecutive ports, 1 to 65532")
			f.StringVar(&o.origin, "origin", "", "URL of your own app, to gate instead of the samples: scheme, host and port")
			f.DurationVar(&o.duration, "duration", 10*time.Minute, "base length of the sessions for sale, 2s to 24h; the shop offers multiples of it")
			f.StringVar(&o.data, "data", "", "folder for the database and keys, kept between runs (default a temporary folder)")
			f.BoolVar(&o.json, "json", false, "print addresses and keys as one line of JSON once everything is ready")
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
	}))
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

// port returns the address of the nth server of the demo.
func (o *demoOptions) port(n int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(o.basePort+n))
}

// listen opens the ports that the demo serves itself, and checks that the edge's
// port is free.
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
				return nil, fmt.Errorf("port %s (for the %s) is in use; stop the program that listens there, or choose another range with --base-port",
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
