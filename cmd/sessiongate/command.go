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

// brand removes Caddy's footer from the help of one of our commands.
func brand(cmd *cobra.Command) { cmd.SetHelpTemplate(helpTemplate) }

// variable is the prefix of the environment variables that set flags.
const variable = "SESSIONGATE_"

// fromEnvironment lets environment variables set flags of cmd that are not on the
// command line: SESSIONGATE_KEY_RATE sets --key-rate. The values do not become the
// flags' defaults, because the help prints defaults and some values are passwords.
func fromEnvironment(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		fromVariable(cmd, name, variable+strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
}

func fromVariable(cmd *cobra.Command, flag, variable string) {
	if err := cmd.Flags().SetAnnotation(flag, "variable", []string{variable}); err != nil {
		panic(err) // an undefined flag: a programming error, found at every start
	}
}

// readEnvironment sets flags that are not on the command line from their
// environment variables.
func readEnvironment(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		for _, name := range f.Annotations["variable"] {
			value := os.Getenv(name)
			if f.Changed || value == "" || err != nil {
				continue
			}
			if f.Value.Set(value) != nil { // Set's error is not used: it quotes the value, which may be a password
				err = fmt.Errorf("environment variable %s (for --%s) is invalid: expected %s", name, f.Name, kind(f.Value.Type()))
			}
		}
	})
	return err
}

// kind describes a type of flag in words.
func kind(flagType string) string {
	switch {
	case flagType == "bool":
		return "true or false"
	case slices.Contains([]string{"int", "int64", "uint"}, flagType):
		return "a whole number"
	default:
		return "a value of type " + flagType
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
// status 2. Caddy does not export its error type that carries a status, so
// Caddy's own wrapper makes the error.
func misused(cmd *cobra.Command, err error) error {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\nTry: %s --help\n", cmd.CommandPath(), err, cmd.CommandPath())
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return 2, nil })(cmd, nil)
}

// takesNoArguments makes wrong flags and any argument end the program with
// status 2.
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

// group makes cmd a parent of subcommands. Without a subcommand it fails with
// status 2.
func group(cmd *cobra.Command, list ...*cobra.Command) {
	brand(cmd)
	cmd.AddCommand(list...)
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return misused(cmd, fmt.Errorf("unknown command %q; expected one of: %s", args[0], strings.Join(names(cmd), ", ")))
		}
		return misused(cmd, fmt.Errorf("a command is missing; expected one of: %s", strings.Join(names(cmd), ", ")))
	}
}

// names lists the subcommands of cmd.
func names(cmd *cobra.Command) (list []string) {
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			list = append(list, c.Name())
		}
	}
	return list
}
