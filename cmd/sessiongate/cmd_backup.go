package main

import (
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "backup",
		Short: "Copies the session service's SQLite database while it runs",
		CobraFunc: func(cmd *cobra.Command) {
			var config backend.Config
			cmd.Use = "backup FILE [--database sqlite:PATH] [--data DIR]"
			cmd.Long = `
Writes a copy of the SQLite database, as it is at one moment, to FILE, which must
not be there yet. The service may run meanwhile.

To restore, stop the service, put the copy in the place of the database, remove
the files beside it that end in -wal and -shm, and start the service. The signing
keys, in the folder "keys" of --data, are kept with it: without them, tokens
issued before no longer verify.`
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
	})
}
