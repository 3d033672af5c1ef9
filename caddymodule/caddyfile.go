package caddymodule

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("session_gate", parseApp)
	httpcaddyfile.RegisterDirective("session_gate", parseGate)
	// Inside encode, so that a page is injected before it is compressed.
	httpcaddyfile.RegisterDirectiveOrder("session_gate", httpcaddyfile.After, "encode")
}

func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		return nil, d.Err("session_gate is given twice in the global options; merge the two blocks")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "session_gate", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from its global option. Syntax:
//
//	session_gate {
//		backend       <url>
//		edge_key      <key>
//		max_staleness <duration>
//		when_backend_down refuse | admit
//		offline_time      <duration>
//		offline_sessions  <number>
//		assertion_key <file>
//		origin_key    <file>
//		debug_key     <key>
//		limits {
//			<name> <number> | off
//		}
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // option name
	if d.NextArg() {
		return d.Errf("the global option session_gate takes a block and no argument such as %q; write: session_gate { backend <url> }", d.Val())
	}
	var seen seenOptions
	for d.NextBlock(0) {
		if err := seen.add(d); err != nil {
			return err
		}
		switch name := d.Val(); name {
		case "backend":
			if err := valueArg(d, &a.Backend); err != nil {
				return err
			}
			if err := checkBackend(a.Backend); err != nil && !strings.Contains(a.Backend, "{") {
				return d.Err(err.Error())
			}
		case "edge_key":
			if err := optionalArg(d, &a.EdgeKey); err != nil {
				return err
			}
		case "when_backend_down":
			if err := wordArg(d, &a.WhenBackendDown, refuseEntries, admitEntries); err != nil {
				return err
			}
		case "offline_time":
			if err := durationArg(d, &a.OfflineTime); err != nil {
				return err
			}
		case "offline_sessions":
			if err := numberArg(d, &a.OfflineSessions); err != nil {
				return err
			}
		case "assertion_key":
			if err := valueArg(d, &a.AssertionKey); err != nil {
				return err
			}
		case "origin_key":
			if err := valueArg(d, &a.OriginKey); err != nil {
				return err
			}
		case "debug_key":
			if err := optionalArg(d, &a.DebugKey); err != nil {
				return err
			}
		case "limits":
			if err := limitsBlock(d, &a.Limits); err != nil {
				return err
			}
		case "max_staleness":
			if err := durationArg(d, &a.MaxStaleness); err != nil {
				return err
			}
		default:
			if slices.Contains(siteOptions, name) {
				return d.Errf("%s belongs into a site: write it in the session_gate block of the site, not in the global options", name)
			}
			return d.Errf("unknown option %q of session_gate; options are %s", name, inWords(globalOptions))
		}
	}
	return nil
}

// parseGate makes the directive's routes: the gate, and beside one that has a
// matcher what looks after the requests that it leaves out.
func parseGate(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	gate := new(Gate)
	if err := gate.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	routes := h.NewRoute(matcher, gate)
	if matcher != nil {
		routes = append(routes, h.NewRoute(nil, &Sanitizer{Gate: gate})...)
	}
	return routes, nil
}

// UnmarshalCaddyfile sets up the handler from its directive. Syntax:
//
//	session_gate [<matcher>] {
//		provider         <id>
//		on_missing       page [<url>] | redirect <url>
//		on_expired       page [<url>] | redirect [<url>]
//		inject           on | off | exact
//		forward_identity headers | jwt | off
//		cookie           lax | partitioned
//		open             <path>...
//		origin_errors    page | pass
//		upload_grace     <duration>
//		page_template    <file>
//		app_address      <url>
//		upgrade          <protocol>...
//		origin           <url> | registered
//		observe_only
//	}
func (g *Gate) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // directive name
	if d.NextArg() {
		return d.Errf("%q is no matcher (a path such as /app/*, or a name such as @app); to name the provider, write: session_gate { provider %s }", d.Val(), d.Val())
	}
	var seen seenOptions
	for d.NextBlock(0) {
		if err := seen.add(d); err != nil {
			return err
		}
		switch name := d.Val(); name {
		case "provider":
			if err := valueArg(d, &g.Provider); err != nil {
				return err
			}
		case "on_missing":
			if err := answerArgs(d, &g.OnMissing, false); err != nil {
				return err
			}
		case "on_expired":
			if err := answerArgs(d, &g.OnExpired, true); err != nil {
				return err
			}
		case "inject":
			if err := wordArg(d, &g.Inject, injectOn, injectOff, injectExact); err != nil {
				return err
			}
		case "forward_identity":
			if err := wordArg(d, &g.ForwardIdentity, identityHeaders, identityJWT, identityOff); err != nil {
				return err
			}
		case "cookie":
			if err := wordArg(d, &g.Cookie, cookieLax, cookiePartitioned); err != nil {
				return err
			}
		case "open":
			if g.Open = d.RemainingArgs(); len(g.Open) == 0 {
				return d.ArgErr()
			}
			if pattern := openPaths(g.Open).check(); pattern != "" {
				return d.Errf("open has %q; write paths that begin with a slash, such as /static/*, and not the whole site", pattern)
			}
		case "origin_errors":
			if err := wordArg(d, &g.OriginErrors, pageErrors, passErrors); err != nil {
				return err
			}
		case "upload_grace":
			if err := durationArg(d, &g.UploadGrace); err != nil {
				return err
			}
		case "page_template":
			if err := valueArg(d, &g.PageTemplate); err != nil {
				return err
			}
		case "app_address":
			if err := valueArg(d, &g.AppAddress); err != nil {
				return err
			}
			if _, err := parseAppAddress(g.AppAddress); err != nil && !strings.Contains(g.AppAddress, "{") {
				return d.Err(err.Error())
			}
		case "upgrade":
			if g.Upgrade = d.RemainingArgs(); len(g.Upgrade) == 0 {
				return d.ArgErr()
			}
			if err := upgrades(g.Upgrade).check(); err != nil {
				return d.Err(err.Error())
			}
		case "origin":
			g.Origin = new(Origin)
			if err := g.Origin.unmarshal(d); err != nil {
				return err
			}
		case "observe_only":
			if d.NextArg() {
				return d.ArgErr()
			}
			g.ObserveOnly = true
		default:
			if slices.Contains(globalOptions, name) {
				return d.Errf("%s is a global option: write it in the session_gate block at the top of the Caddyfile, { session_gate { %s … } }, not in a site", name, name)
			}
			return d.Errf("unknown option %q of session_gate; options are %s", name, inWords(siteOptions))
		}
	}
	return nil
}

// answerArgs reads "page [url]" or "redirect [url]".
func answerArgs(d *caddyfile.Dispenser, to **Answer, urlOptional bool) error {
	option := d.Val()
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "page":
		*to = &Answer{}
	case len(args) == 2 && args[0] == "page":
		*to = &Answer{To: args[1]}
	case len(args) == 2 && args[0] == "redirect":
		*to = &Answer{Redirect: true, To: args[1]}
	case len(args) == 1 && args[0] == "redirect" && urlOptional:
		*to = &Answer{Redirect: true}
	case len(args) == 1 && args[0] == "redirect":
		return d.Errf("%s redirect needs a URL: a request without a session has no return_url; if it is written as {$NAME}, the environment variable NAME is not set", option)
	case len(args) == 0:
		return d.Errf("%s has no value; it must be page [<url>] or redirect <url>", option)
	case len(args) == 1 && checkDestination(args[0]) == nil:
		return d.Errf("%s must say what to do: page %s or redirect %s", option, args[0], args[0])
	default:
		return d.Errf("%s must be page [<url>] or redirect <url>", option)
	}
	if err := checkDestination((*to).To); err != nil {
		return d.Errf("%s: %v", option, err)
	}
	return nil
}

// globalOptions and siteOptions are those of the two blocks of the name, which are
// easily confused.
var (
	globalOptions = []string{"backend", "edge_key", "max_staleness", "when_backend_down", "offline_time", "offline_sessions", "assertion_key", "origin_key", "debug_key", "limits"}
	siteOptions   = []string{"provider", "on_missing", "on_expired", "inject", "forward_identity", "cookie", "open", "origin_errors",
		"upload_grace", "page_template", "app_address", "upgrade", "origin", "observe_only"}
)

// limitsBlock reads the block of the option limits.
func limitsBlock(d *caddyfile.Dispenser, to **edge.Limits) error {
	if d.NextArg() {
		return d.Errf("limits takes a block and no argument such as %q; write: limits { websockets 10000 }", d.Val())
	}
	*to = new(edge.Limits)
	var seen seenOptions
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.add(d); err != nil {
			return err
		}
		name, value := d.Val(), ""
		if err := valueArg(d, &value); err != nil {
			return err
		}
		if err := (*to).Set(name, value); err != nil {
			return d.Err(err.Error())
		}
	}
	return nil
}

// inWords lists names, as in "a, b and c".
func inWords(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// valueArg reads the one value of an option. An environment variable that is not set
// leaves nothing, or an empty word.
func valueArg(d *caddyfile.Dispenser, to *string) error {
	option := d.Val()
	switch args := d.RemainingArgs(); {
	case len(args) == 0 || len(args) == 1 && args[0] == "":
		return d.Errf("%s has no value; if it is written as {$NAME}, the environment variable NAME is not set", option)
	case len(args) > 1:
		return d.Errf("%s takes one value, not %d: %s", option, len(args), strings.Join(args, " "))
	default:
		*to = args[0]
	}
	return nil
}

// seenOptions are the options of a block so far. An option that is given twice is
// an error: otherwise one of the two would be ignored.
type seenOptions []string

func (o *seenOptions) add(d *caddyfile.Dispenser) error {
	name := d.Val()
	if slices.Contains(*o, name) {
		return d.Errf("%s is given twice in this block", name)
	}
	*o = append(*o, name)
	return nil
}

// wordArg reads one of the allowed words.
func wordArg(d *caddyfile.Dispenser, to *string, allowed ...string) error {
	option := d.Val()
	var word string
	if err := valueArg(d, &word); err != nil {
		return err
	}
	for _, a := range allowed {
		if word == a {
			*to = word
			return nil
		}
	}
	return d.Errf("%s is %q; it must be one of: %v", option, word, allowed)
}

// optionalArg reads a value that may be empty, as {$SESSIONGATE_EDGE_KEY} is
// where it is not set.
func optionalArg(d *caddyfile.Dispenser, to *string) error {
	args := d.RemainingArgs()
	if len(args) > 1 {
		return d.ArgErr()
	}
	if len(args) == 1 {
		*to = args[0]
	}
	return nil
}

func durationArg(d *caddyfile.Dispenser, to *caddy.Duration) error {
	option := d.Val()
	var word string
	if err := valueArg(d, &word); err != nil {
		return err
	}
	dur, err := caddy.ParseDuration(word)
	if err != nil || dur <= 0 {
		return d.Errf("%s is %q; it must be a duration such as 10s", option, word)
	}
	*to = caddy.Duration(dur)
	return nil
}

// numberArg reads an option's only argument, a number above 0.
func numberArg(d *caddyfile.Dispenser, to *int) error {
	option := d.Val()
	var word string
	if err := valueArg(d, &word); err != nil {
		return err
	}
	n, err := strconv.Atoi(word)
	if err != nil || n <= 0 {
		return d.Errf("%s is %q; it must be a number such as 100", option, word)
	}
	*to = n
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Gate)(nil)
)
