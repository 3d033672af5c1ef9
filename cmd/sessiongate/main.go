// Command sessiongate is the whole product in one binary: Caddy's own command
// line (run, reload, adapt, validate, …) with the session gate built in, and
// besides it the demo, the session service and its tools.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/sessiongate/sessiongate/caddymodule"
	_ "github.com/sessiongate/sessiongate/edgestorage"
	"github.com/sessiongate/sessiongate/internal/redisurl"
)

// about is what the program says of itself, in place of Caddy's own.
const about = `Sessiongate is a coin slot for any web app: it lets paid sessions in, shows their
clock, and ends them on time. This program is all of it, and all of Caddy.

To see it work:

	sessiongate demo

To run it:

	sessiongate backend                      the session service
	sessiongate apikey create --role edge    a key for the edge
	sessiongate run --config Caddyfile       the edge: Caddy, with session_gate
	sessiongate doctor https://app.example   what a provider's domain looks like

Everything that Caddy's command line does, this one does too: adapt, fmt,
validate, reload and so on. Options of the Caddyfile are in docs/caddyfile.md.
`

// replacing are commands of Caddy's that put a program from Caddy's download
// page in the place of this one, which would be without Sessiongate.
var replacing = []string{"upgrade", "add-package", "remove-package"}

func main() {
	if len(os.Args) > 1 && slices.Contains(replacing, os.Args[1]) {
		fmt.Fprintf(os.Stderr, "sessiongate %s: it would replace this program by a Caddy without Sessiongate; "+
			"take a release or build it anew, with other modules as xcaddy.txt shows\n", os.Args[1])
		os.Exit(2)
	}
	redisurl.Silence()
	caddy.CustomBinaryName, caddy.CustomLongDescription = "sessiongate", about
	caddy.CustomVersion = "Sessiongate " + caddymodule.Version() + ", Caddy"
	caddycmd.Main()
}
