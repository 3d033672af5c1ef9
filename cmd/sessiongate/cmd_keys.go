package main

import (
	"fmt"
	"os"
	"strings"
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
			cmd.Use = "keys list|rotate [--database ADDRESS] [--data DIR]"
			cmd.Long = `
The session service signs tokens with ES256 keys, in its data folder or, with
PostgreSQL, in the database that several of them share: the current one signs, the next one is published ahead of its use, and retired ones verify
until no token of theirs can be in use.

"rotate" makes the next key the current one. A running service notices within
seconds, and no session is disturbed.`
			group(cmd, keysList(), keysRotate())
		},
	})
}

func keysList() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{Use: "list [--database ADDRESS] [--data DIR]", Short: "Lists the signing keys"}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return failed(cmd, withKeys(cmd, config, func(*keyring.Ring) error { return nil }))
	}
	return cmd
}

func keysRotate() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{Use: "rotate [--database ADDRESS] [--data DIR]", Short: "Makes the next key the current one"}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return failed(cmd, withKeys(cmd, config, func(r *keyring.Ring) error { return r.Rotate(cmd.Context()) }))
	}
	return cmd
}

// withKeys opens the keys where the service of this configuration has them,
// does f, and prints what there is then.
func withKeys(cmd *cobra.Command, config backend.Config, f func(*keyring.Ring) error) error {
	config.SealKey = os.Getenv("SESSIONGATE_SEAL_KEY")
	var keyStore keyring.KeyStore = keyring.Folder(backend.KeysDir(config.DataDir))
	if strings.HasPrefix(config.Database, "postgres") { // SQLite's keys stand beside it, whether or not it was made yet
		st, err := openStore(cmd.Context(), config)
		if err != nil {
			return err
		}
		defer st.Close()
		if keyStore, err = backend.KeyStore(config, st); err != nil {
			return err
		}
	}
	ring, err := keyring.Existing(cmd.Context(), keyStore, time.Now)
	if err == nil {
		err = f(ring)
	}
	if err != nil {
		return err
	}
	printKeys(cmd, ring)
	return nil
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
