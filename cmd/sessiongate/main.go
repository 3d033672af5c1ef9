// Command sessiongate is the whole product in one binary: Caddy's own command
// line (run, reload, adapt, validate, …) with the session gate built in, and
// besides it the demo, the session service and its tools.
package main

import (
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/sessiongate/sessiongate/caddymodule"
	_ "github.com/sessiongate/sessiongate/edgestorage"
)

func main() {
	caddycmd.Main()
}

// helpTemplate is cobra's own, without the footer that leads to Caddy's manual.
const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// brand makes the help of a command of ours call the program by its name: the
// root command is Caddy's, and says caddy.
func brand(cmd *cobra.Command) {
	cobra.AddTemplateFunc("sessiongate", func(line string) string {
		_, rest, _ := strings.Cut(line, " ")
		return "sessiongate " + rest
	})
	cmd.SetUsageTemplate(strings.NewReplacer(
		"{{.UseLine}}", "{{sessiongate .UseLine}}", "{{.CommandPath}}", "{{sessiongate .CommandPath}}",
	).Replace(cmd.UsageTemplate()))
	cmd.SetHelpTemplate(helpTemplate)
}
