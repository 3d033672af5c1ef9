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
	caddycmd.RegisterCommand(ours(groupCheck, caddycmd.Command{
		Name:      "doctor",
		Short:     "Check a provider's domain from outside, and say what to fix",
		CobraFunc: doctorCommand,
	}))
}

// doctorFlags are the flags of the doctor command.
type doctorFlags struct {
	session, key, origin, edge, websocket, api string
	json                                       bool
}

func doctorCommand(cmd *cobra.Command) {
	var flags doctorFlags
	cmd.Use = "doctor URL"
	cmd.Long = `
Checks a provider's domain as visitors and attackers see it: DNS, TLS, the gate, the
clocks of its machines, the refusal of requests without a session, WebSockets, the
clock in a page, the page's Content-Security-Policy, and whether the app's own server
can be reached without the gate. Each check reports ok, WARNING, FAILED or not checked,
and what to do.

Run it on a machine outside the networks of the edge and the app: what this machine
can reach, others can reach.

With --session, the doctor examines a page as an admitted visitor gets it. A launch
link given to --session is spent. Without --session, the doctor predicts from a page
of --origin what the gate would do.

With --api and a provider's key in SESSIONGATE_API_KEY, the session service looks for
the DNS record that proves the domain, and the doctor says which record to set.

Exit status: 0 if no check failed, 1 if one did, 2 if the command line is wrong.`
	cmd.Example = `  sessiongate doctor https://app.example.com/
  sessiongate doctor https://app.example.com/ --origin https://origin.example.com
  sessiongate doctor https://app.example.com/ --session - < link.txt`
	f := cmd.Flags()
	f.StringVar(&flags.session, "session", "", "launch link of this site or value of its session cookie; - reads standard input, which keeps it out of the shell history")
	f.StringVar(&flags.origin, "origin", "", "URL of the app's own server, such as https://origin.example.com")
	f.StringVar(&flags.key, "key", "", "the edge's debug_key (or SESSIONGATE_DEBUG_KEY), to learn why a page has no clock")
	fromVariable(cmd, "key", variable+"DEBUG_KEY")
	f.StringVar(&flags.edge, "edge", "", "edge to ask, host or host:port (default the addresses in DNS)")
	f.StringVar(&flags.websocket, "websocket", "", "path of a WebSocket of the app, such as /ws; needs --session")
	f.StringVar(&flags.api, "api", "", "URL of the session service, to check whether the domain is proven; needs a provider's key in "+apiKeyVariable)
	f.BoolVar(&flags.json, "json", false, "print the report as JSON")
	takes(cmd, func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return errors.New("the URL to check is missing, such as https://app.example.com/")
		}
		return cobra.ExactArgs(1)(cmd, args)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		config, err := flags.config(args[0], cmd.InOrStdin())
		if err != nil {
			return misused(cmd, err)
		}
		if flags.api != "" {
			service, err := newSessionService(flags.api)
			if err != nil {
				return misused(cmd, err)
			}
			if config.Ownership, err = service.ownership(cmd.Context(), config.URL.Hostname()); err != nil {
				return failed(cmd, err)
			}
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

// config returns the checks that the command line asks for. Its errors report
// mistakes in the command line.
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
		return nil, errors.New("--websocket needs --session, because the gate refuses WebSockets without a session")
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
	raw = strings.TrimSpace(raw)
	c.Session, err = doctor.SessionToken(raw)
	if link, bad := url.Parse(raw); bad == nil && link.Host != "" {
		c.Link = &url.URL{Scheme: link.Scheme, Host: link.Host, Path: link.Path, RawPath: link.RawPath}
		if link.Path == "" {
			c.Link.Path = "/"
		}
	}
	return c, err
}

func webAddress(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("expected a URL such as https://app.example.com/")
	}
	if u.User != nil || strings.Contains(u.RawQuery, protocol.LaunchParam+"=eyJ") {
		return nil, errors.New("the URL contains a secret; pass a launch link with --session instead")
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

// rules implements [doctor.Rules] with the injector that the edge runs.
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
