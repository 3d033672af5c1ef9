// Command sessiongate contains the whole product in one binary: the edge, which is
// Caddy with the session gate and keeps Caddy's command line (run, reload, adapt,
// validate, …), the session service, a demo of both, and their tools.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/redis/go-redis/v9"

	"github.com/sessiongate/sessiongate/caddymodule"
	"github.com/sessiongate/sessiongate/caddymodule/edge"
	_ "github.com/sessiongate/sessiongate/edgestorage"
	"github.com/sessiongate/sessiongate/internal/redisurl"
)

// about is the first part of the program's help. It replaces Caddy's text.
const about = `Sessiongate is a coin slot for any web app: it lets paid sessions in, shows their
clock, and ends them on time. This program contains the edge (Caddy with the
session gate), the session service, a demo of both, and their tools.

Start with "sessiongate demo". The edge is configured by a Caddyfile; its options
are described in docs/caddyfile.md.
`

// replacing are the commands of Caddy that replace the running binary with one
// from Caddy's download page, which does not contain Sessiongate. The program
// refuses them, and its help does not list them.
var replacing = []string{"upgrade", "add-package", "remove-package"}

// runningEdges are the commands that run an edge in this process.
var runningEdges = []string{"run", "demo"}

func init() {
	caddy.RegisterModule(formerLazyEncoder{})
}

// formerLazyEncoder registers the log encoder session_gate_lazy under its former
// name, so that `format lazy` in a Caddyfile still works in this program. The Caddy
// module does not register that name, because it has no session_gate prefix.
type formerLazyEncoder struct{}

// CaddyModule implements [caddy.Module].
func (formerLazyEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.encoders.lazy", New: func() caddy.Module { return new(caddymodule.LazyEncoder) }}
}

func main() {
	if len(os.Args) > 1 && slices.Contains(replacing, os.Args[1]) {
		fmt.Fprintf(os.Stderr, "sessiongate %s: not supported, because it would replace this program with a Caddy without Sessiongate. "+
			"Install a release instead, or build one with other modules as xcaddy.txt shows.\n", os.Args[1])
		os.Exit(2)
	}
	if len(os.Args) > 1 && slices.Contains(runningEdges, os.Args[1]) {
		tuneGC()
	}
	redis.SetLogger(redisurl.NoLog{})
	caddy.CustomBinaryName, caddy.CustomLongDescription = "sessiongate", about
	caddy.CustomVersion = "Sessiongate " + edge.Version() + ", Caddy"
	caddycmd.Main()
}
