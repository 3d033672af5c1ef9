package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/doctor"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "doctor",
		Short:     "Checks a provider's domain and says what to mend",
		CobraFunc: doctorCommand,
	})
}

// doctorFlags are the command line of the doctor.
type doctorFlags struct {
	session, key, origin, edge, websocket string
	json                                  bool
}

func doctorCommand(cmd *cobra.Command) {
	var flags doctorFlags
	cmd.Use = "doctor URL [--session LINK] [--origin URL] [--key KEY] [--edge HOST:PORT] [--websocket PATH] [--json]"
	cmd.Long = `
Looks at a provider's domain from outside, as visitors and cheats do: DNS, TLS,
the gate, the refusal of those without a session, WebSockets, the clock in a
page, the page's content security policy, and whether the app's own server can
be reached past the gate. Each check is ok, a warning, failed, or not checked,
with what to do about it.

Run it from a machine outside the edge's and the app's networks: what it can
reach, others can.

--session takes a launch link (it is spent), or the value of a session's cookie;
"-" reads it from standard input, which keeps it out of the shell's history.
With it, a page is looked at as an admitted visitor sees it. Without it, the
page of --origin is used to predict what the gate would do.

Ends with 0 if nothing failed, with 1 if something did.`
	f := cmd.Flags()
	f.StringVar(&flags.session, "session", "", "a launch link or session token of this site, or - for standard input")
	f.StringVar(&flags.origin, "origin", "", "the app's own server, such as https://app-origin.example.com")
	f.StringVar(&flags.key, "key", "", "the edge's debug_key, to be told why a page has no clock")
	fromVariable(cmd, "key", variable+"DEBUG_KEY")
	f.StringVar(&flags.edge, "edge", "", "ask this edge (host or host:port) rather than where DNS points")
	f.StringVar(&flags.websocket, "websocket", "", "path of a WebSocket of the app, opened with --session")
	f.BoolVar(&flags.json, "json", false, "print JSON")
	takes(cmd, func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New("the address to look at is missing: https://app.example.com/")
		}
		return cobra.ExactArgs(1)(cmd, args)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		config, err := flags.config(args[0], cmd.InOrStdin())
		if err != nil {
			return misused(cmd, err)
		}
		report := doctor.Run(cmd.Context(), *config)
		if flags.json {
			err = json.NewEncoder(cmd.OutOrStdout()).Encode(report)
		} else {
			printReport(cmd.OutOrStdout(), report)
		}
		if err == nil && report.Failed > 0 {
			err = fmt.Errorf("%d of %d checks failed", report.Failed, len(report.Checks))
		}
		return failed(cmd, err)
	}
}

// config reads the command line; its errors are the user's.
func (f *doctorFlags) config(address string, stdin io.Reader) (*doctor.Config, error) {
	target, err := webAddress(address)
	if err != nil {
		return nil, err
	}
	if target.Path == "" {
		target.Path = "/"
	}
	c := &doctor.Config{URL: target, DebugKey: f.key, Edge: f.edge, WebSocket: f.websocket, Rules: newRules()}
	if f.edge != "" {
		host, _, err := net.SplitHostPort(f.edge)
		if err == nil && host == "" || strings.Contains(f.edge, "/") {
			return nil, fmt.Errorf("--edge is %q; it must be a host or host:port", f.edge)
		}
	}
	if f.origin != "" {
		if c.Origin, err = webAddress(f.origin); err != nil {
			return nil, fmt.Errorf("--origin: %w", err)
		}
	}
	if f.websocket != "" && !strings.HasPrefix(f.websocket, "/") {
		return nil, fmt.Errorf("--websocket is %q; it must be a path like /ws", f.websocket)
	}
	if f.websocket != "" && f.session == "" {
		return nil, errors.New("--websocket needs --session: nobody else may open one")
	}
	if f.session == "" {
		return c, nil
	}
	raw := f.session
	if raw == "-" {
		body, err := io.ReadAll(io.LimitReader(stdin, 2*token.MaxSize))
		if err != nil {
			return nil, fmt.Errorf("reading the session: %w", err)
		}
		raw = string(body)
	}
	c.Session, err = doctor.SessionToken(strings.TrimSpace(raw))
	return c, err
}

func webAddress(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("a URL like https://app.example.com/ is expected")
	}
	if u.User != nil || strings.Contains(u.RawQuery, protocol.LaunchParam+"=eyJ") {
		return nil, errors.New("the URL holds a secret; give a launch link with --session")
	}
	u.Fragment = ""
	return u, nil
}

var gradeWords = map[doctor.Grade]string{
	doctor.OK: "ok", doctor.Warning: "WARNING", doctor.Failed: "FAILED", doctor.NotChecked: "not checked",
}

func printReport(out io.Writer, r *doctor.Report) {
	fmt.Fprintln(out, r.URL)
	for _, c := range r.Checks {
		fmt.Fprintf(out, "%-11s  %-11s  %s\n", gradeWords[c.Grade], strings.ReplaceAll(c.Name, "_", " "), c.Found)
		if c.Remedy != "" {
			fmt.Fprintf(out, "%-11s  %-11s  → %s\n", "", "", c.Remedy)
		}
	}
}

// rules lets the doctor ask the injector that the edge uses.
type rules struct{ injector *inject.Injector }

func newRules() rules {
	return rules{inject.New(inject.Config{Src: protocol.GatePrefix + sdkinject.Boot().Name})}
}

// Predict implements [doctor.Rules].
func (r rules) Predict(p *doctor.Page) (string, bool) {
	o := r.injector.Examine(p.URL, p.Status, p.Header, p.Body, p.Whole)
	return o.String(), o.Injected()
}

// Blocks implements [doctor.Rules].
func (rules) Blocks(p *doctor.Page, policy, nonce string) (script, calls bool) {
	return inject.Blocks(p.URL, policy, nonce)
}
