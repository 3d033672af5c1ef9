package main

import (
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
)

func init() {
	caddycmd.RegisterCommand(ours(groupCheck, caddycmd.Command{
		Name:  "backup",
		Short: "Copy the SQLite database while the service runs",
		CobraFunc: func(cmd *cobra.Command) {
			var config backend.Config
			cmd.Use = "backup FILE"
			cmd.Long = `
Writes a consistent copy of the SQLite database to FILE, which must not exist. The
service may be running. For PostgreSQL, use pg_dump.

Also back up the signing keys, in the folder "keys" of --data: without them, tokens
issued before no longer verify.

To restore: stop the service, replace the database with the copy, delete the files
beside it that end in -wal and -shm, start the service, and restart the edges.`
			cmd.Example = `  sessiongate backup /backup/sessiongate-$(date +%F).db --data /var/lib/sessiongate`
			storageFlags(cmd, &config)
			takes(cmd, cobra.ExactArgs(1))
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				st, err := existingStore(cmd.Context(), config)
				if err != nil {
					return failed(cmd, err)
				}
				defer st.Close()
				if err := st.Backup(cmd.Context(), args[0]); err != nil {
					return failed(cmd, err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Copied to %s.\n", args[0])
				return nil
			}
		},
	}))
}
