package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

func init() {
	caddycmd.RegisterCommand(ours(groupKeys, caddycmd.Command{
		Name:  "marketplace",
		Short: "Register and list marketplaces",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "marketplace create|list"
			cmd.Long = `
A marketplace has keys, users, balances and sessions of its own, which no other
marketplace can see. mkt_default always exists, and owns everything that was stored
before there were several. These commands work on the session service's database.`
			cmd.Example = `  sessiongate marketplace create mkt_books --name "Books & More"
  sessiongate apikey create --role marketplace --marketplace mkt_books`
			group(cmd, marketplaceCreate(), marketplaceList())
		},
	}))
}

func marketplaceCreate() *cobra.Command {
	var config backend.Config
	var name string
	cmd := &cobra.Command{
		Use: "create ID", Short: "Register a marketplace",
		Long: `
Registers a marketplace with this id: mkt_ and at most 32 lower-case letters, digits and
_. The id cannot be changed: other parties see the marketplace's users by it, as
mkt_books~user_1.`,
		Example: `  sessiongate marketplace create mkt_books --name "Books & More"`,
	}
	storageFlags(cmd, &config)
	cmd.Flags().StringVar(&name, "name", "", "display name (default the id)")
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if name == "" {
			name = args[0]
		}
		st, err := openStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		now := st.Now(cmd.Context())
		err = st.Write(cmd.Context(), func(tx *store.Tx) error {
			_, err := backend.AddMarketplace(cmd.Context(), tx, store.Marketplace{ID: args[0], Name: name}, now)
			return err
		})
		switch {
		case errors.Is(err, backend.ErrMarketplace):
			return misused(cmd, err)
		case errors.Is(err, store.ErrTaken):
			err = fmt.Errorf("marketplace %q already exists", args[0])
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Registered %s.\n", args[0])
		return nil
	}
	return cmd
}

func marketplaceList() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "list", Short: "List marketplaces",
		Long:    "\nLists all marketplaces with their names, and when each was registered.",
		Example: "  sessiongate marketplace list",
	}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		const page = 500
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tNAME\tCREATED")
		for after := ""; ; {
			list, err := st.Marketplaces(cmd.Context(), after, page)
			if err != nil {
				return failed(cmd, err)
			}
			for _, m := range list {
				fmt.Fprintf(out, "%s\t%s\t%s\n", m.ID, m.Name, moment(m.CreatedAt))
				after = m.ID
			}
			if len(list) < page {
				out.Flush()
				return nil
			}
		}
	}
	return cmd
}
