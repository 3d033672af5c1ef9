package main

import (
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// The groups of commands that the program's help shows, in this order.
const (
	groupRun   = "run"
	groupKeys  = "keys"
	groupCheck = "check"
	groupCaddy = "caddy"
)

var groups = []*cobra.Group{
	{ID: groupRun, Title: "Run Sessiongate:"},
	{ID: groupKeys, Title: "Manage keys and people:"},
	{ID: groupCheck, Title: "Check and back up:"},
	{ID: groupCaddy, Title: "Caddy's other commands:"},
}

// renamed are the Caddy commands that operate an edge. The program's help lists
// them in our groups with our descriptions; their own help remains Caddy's.
var renamed = map[string]struct{ group, short string }{
	"run":      {groupRun, "Run the edge: Caddy with the session gate"},
	"reload":   {groupRun, "Load a changed Caddyfile into the running edge"},
	"stop":     {groupRun, "Stop the running edge"},
	"validate": {groupCheck, "Check a Caddyfile without running it"},
	"version":  {groupCheck, "Print the versions of Sessiongate and Caddy"},
}

const examples = `  sessiongate demo
  sessiongate backend
  sessiongate apikey create --role edge
  sessiongate run --config Caddyfile
  sessiongate doctor https://app.example.com/`

// helpTemplate is cobra's default. It replaces Caddy's template, which links to a
// manual that does not describe our commands.
const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// rootHelpTemplate is inherited by Caddy's commands.
const rootHelpTemplate = helpTemplate + `
{{if .HasParent}}This command is Caddy's: https://caddyserver.com/docs/command-line
{{else}}Documentation: https://github.com/sessiongate/sessiongate/tree/main/docs
Caddy's commands: https://caddyserver.com/docs/command-line
{{end}}`

// ours assigns a command to a group of the program's help.
func ours(group string, c caddycmd.Command) caddycmd.Command {
	build := c.CobraFunc
	c.CobraFunc = func(cmd *cobra.Command) {
		cmd.GroupID = group
		build(cmd)
		adapt(cmd)
	}
	return c
}

// previous is the command of ours that was built last. Caddy does not export its
// root command, so it is reached as the parent of a command that was added to it.
var previous *cobra.Command

func adapt(cmd *cobra.Command) {
	if previous != nil && previous.HasParent() && !previous.Root().ContainsGroup(groupRun) {
		adaptRoot(previous.Root())
	}
	previous = cmd
}

// adaptRoot changes the program's help: it shows our examples, puts the commands
// into groups, and removes the commands that the program refuses.
func adaptRoot(root *cobra.Command) {
	root.AddGroup(groups...)
	root.SetHelpCommandGroupID(groupCaddy)
	root.Example = examples
	root.SetHelpTemplate(rootHelpTemplate)
	for _, c := range root.Commands() {
		if slices.Contains(replacing, c.Name()) {
			root.RemoveCommand(c)
			continue
		}
		if c.GroupID == "" {
			c.GroupID = groupCaddy
		}
		if r, ok := renamed[c.Name()]; ok {
			c.GroupID, c.Short = r.group, r.short
		}
	}
}
