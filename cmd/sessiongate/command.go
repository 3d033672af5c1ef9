package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpTemplate is cobra's own, without the footer that leads to Caddy's manual.
const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// brand makes the help of a command of ours end without Caddy's footer.
func brand(cmd *cobra.Command) { cmd.SetHelpTemplate(helpTemplate) }

// variable is the environment variable that stands in for a flag.
const variable = "SESSIONGATE_"

// fromEnvironment lets variables stand in for flags of cmd that are not given:
// SESSIONGATE_KEY_RATE for --key-rate. They are not the flags' defaults, which the
// help shows: some hold passwords.
func fromEnvironment(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		fromVariable(cmd, name, variable+strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
}

func fromVariable(cmd *cobra.Command, flag, variable string) {
	if err := cmd.Flags().SetAnnotation(flag, "variable", []string{variable}); err != nil {
		panic(err) // a flag that is not there: a mistake of ours, at every start
	}
}

// readEnvironment sets the flags that are not given from their variables.
func readEnvironment(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		for _, name := range f.Annotations["variable"] {
			value := os.Getenv(name)
			if f.Changed || value == "" || err != nil {
				continue
			}
			if f.Value.Set(value) != nil { // its error quotes the value
				err = fmt.Errorf("%s, which stands for --%s, is no %s", name, f.Name, kind(f.Value.Type()))
			}
		}
	})
	return err
}

// kind is a type of flags in words.
func kind(flagType string) string {
	switch {
	case flagType == "bool":
		return "true or false"
	case slices.Contains([]string{"int", "int64", "uint"}, flagType):
		return "whole number"
	default:
		return flagType
	}
}

// failed reports err and ends the program with status 1.
func failed(cmd *cobra.Command, err error) error {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), err)
	}
	return err
}

// misused reports a mistake in the command line and ends the program with
// status 2. Caddy keeps its error with a status to itself, and makes one here.
func misused(cmd *cobra.Command, err error) error {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\nTry: %s --help\n", cmd.CommandPath(), err, cmd.CommandPath())
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return 2, nil })(cmd, nil)
}

// takesNoArguments makes wrong flags and arguments end with status 2.
func takesNoArguments(cmd *cobra.Command) { takes(cmd, cobra.NoArgs) }

func takes(cmd *cobra.Command, args cobra.PositionalArgs) {
	brand(cmd)
	cmd.SetFlagErrorFunc(misused)
	cmd.Args = func(cmd *cobra.Command, list []string) error {
		if err := args(cmd, list); err != nil {
			return misused(cmd, err)
		}
		if err := readEnvironment(cmd); err != nil {
			return misused(cmd, err)
		}
		return nil
	}
}

// group makes cmd a name for its subcommands: alone it is used wrongly.
func group(cmd *cobra.Command, list ...*cobra.Command) {
	brand(cmd)
	cmd.AddCommand(list...)
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return misused(cmd, fmt.Errorf("there is no command %q here", args[0]))
		}
		return misused(cmd, fmt.Errorf("a command is missing"))
	}
}
