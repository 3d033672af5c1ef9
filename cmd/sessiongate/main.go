// Command sessiongate is the whole product in one binary: Caddy's own command
// line (run, reload, adapt, validate, …) with the session gate built in, and
// besides it the demo, the session service and its tools.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/sessiongate/sessiongate/caddymodule"
)

func main() {
	caddycmd.Main()
}
