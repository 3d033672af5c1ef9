package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/keyring"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "keys",
		Short: "Lists and rotates the keys that sign tokens",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "keys list|rotate [--data DIR]"
			cmd.Long = `
The session service signs tokens with ES256 keys in its data folder: the current
one signs, the next one is published ahead of its use, and retired ones verify
until no token of theirs can be in use.

"rotate" makes the next key the current one. A running service notices within
seconds, and no session is disturbed.`
			group(cmd, keysList(), keysRotate())
		},
	})
}

func keysList() *cobra.Command {
	var data string
	cmd := &cobra.Command{Use: "list [--data DIR]", Short: "Lists the signing keys"}
	dataFlag(cmd, &data)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ring, err := keyring.Existing(backend.KeysDir(data), time.Now)
		if err != nil {
			return failed(cmd, err)
		}
		printKeys(cmd, ring)
		return nil
	}
	return cmd
}

func keysRotate() *cobra.Command {
	var data string
	cmd := &cobra.Command{Use: "rotate [--data DIR]", Short: "Makes the next key the current one"}
	dataFlag(cmd, &data)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ring, err := keyring.Existing(backend.KeysDir(data), time.Now)
		if err == nil {
			err = ring.Rotate()
		}
		if err != nil {
			return failed(cmd, err)
		}
		printKeys(cmd, ring)
		return nil
	}
	return cmd
}

func printKeys(cmd *cobra.Command, ring *keyring.Ring) {
	out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "KID\tSTATE\tCREATED\tRETIRED")
	for _, k := range ring.List() {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", k.KeyID, k.State, moment(k.CreatedAt), moment(k.RetiredAt))
	}
	out.Flush()
}

// moment is a Unix time for people; "-" for never.
func moment(unix int64) string {
	if unix == 0 {
		return "-"
	}
	return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05Z")
}
