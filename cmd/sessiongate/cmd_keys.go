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
	caddycmd.RegisterCommand(ours(groupKeys, caddycmd.Command{
		Name:  "keys",
		Short: "List and rotate the keys that sign tokens",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "keys list|rotate"
			cmd.Long = `
The session service signs tokens with ES256 keys. With SQLite the keys are in the
folder "keys" of --data; with PostgreSQL they are in the database, which several
backends share. At any time one key is current and signs, the next one is already
published, and retired ones verify until no token of theirs can be in use.`
			cmd.Example = `  sessiongate keys list
  sessiongate keys rotate --data /var/lib/sessiongate`
			group(cmd, keysList(), keysRotate())
		},
	}))
}

func keysList() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "list", Short: "List the signing keys",
		Long:    "\nLists the signing keys with their state: current, next or retired.",
		Example: "  sessiongate keys list --data /var/lib/sessiongate",
	}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return failed(cmd, withKeys(cmd, config, func(*keyring.Ring) error { return nil }))
	}
	return cmd
}

func keysRotate() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make the next key the current one",
		Long:    "\nMakes the next key the current one and creates a new next key. A running service\nnotices within seconds. Running sessions are not affected.",
		Example: "  sessiongate keys rotate --data /var/lib/sessiongate",
	}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return failed(cmd, withKeys(cmd, config, func(r *keyring.Ring) error { return r.Rotate(cmd.Context()) }))
	}
	return cmd
}

// withKeys opens the signing keys of the service with this configuration, calls
// f, and prints the resulting list.
func withKeys(cmd *cobra.Command, config backend.Config, f func(*keyring.Ring) error) error {
	config.SealKey = os.Getenv("SESSIONGATE_SEAL_KEY")
	var keyStore keyring.KeyStore = keyring.Folder(backend.KeysDir(config.DataDir))
	if strings.HasPrefix(config.Database, "postgres") { // with SQLite the keys are files, whether or not the database exists yet
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

// moment formats a Unix time for people; 0, which means never, is "-".
func moment(unix int64) string {
	if unix == 0 {
		return "-"
	}
	return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05Z")
}
