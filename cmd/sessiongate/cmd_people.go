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
		Name:  "people",
		Short: "Manage who may sign in with the identity provider",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "people add|list|remove"
			cmd.Long = `
People sign in at /auth/ of the session service with the identity provider that
"sessiongate backend --oidc-issuer" names. These commands give roles to people,
identified by the e-mail address that the identity provider reports:

  provider  reads and manages one provider (with --provider)
  admin     registers providers, revokes sessions, reads the audit log`
			cmd.Example = `  sessiongate people add ada@example.com --role provider --provider prov_demo
  sessiongate people list`
			group(cmd, peopleAdd(), peopleList(), peopleRemove())
		},
	}))
}

func peopleAdd() *cobra.Command {
	var config backend.Config
	var role, provider string
	cmd := &cobra.Command{
		Use:   "add EMAIL --role provider|admin",
		Short: "Give a person a role",
		Long: `
Gives the person with this e-mail address a role. The first account that signs in
with the address is bound to the role: if the address is later assigned to another
person, that person cannot sign in with it.`,
		Example: `  sessiongate people add ada@example.com --role provider --provider prov_demo
  sessiongate people add bob@example.com --role admin`,
	}
	storageFlags(cmd, &config)
	cmd.Flags().StringVar(&role, "role", "", "provider or admin (required)")
	cmd.Flags().StringVar(&provider, "provider", "", "id of the provider (required with --role provider)")
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		var p store.Person
		now := st.Now(cmd.Context())
		err = st.Write(cmd.Context(), func(tx *store.Tx) (err error) {
			p, err = backend.AddPerson(cmd.Context(), tx, backend.Role(role), provider, args[0], now)
			return err
		})
		switch {
		case errors.Is(err, backend.ErrPersonRole), errors.Is(err, backend.ErrEmail):
			return misused(cmd, err)
		case errors.Is(err, store.ErrNotFound):
			err = fmt.Errorf("provider %q not found; register it in the dashboard or with POST /api/v1/providers", provider)
		case errors.Is(err, store.ErrTaken):
			err = fmt.Errorf("%s already has this role", args[0])
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Added %s as %s.\n", p.Email, p.ID)
		return nil
	}
	return cmd
}

func peopleList() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "list", Short: "List people and their roles",
		Long:    "\nLists all people with their roles, and when each last signed in.",
		Example: "  sessiongate people list",
	}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		const page = 1000
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tE-MAIL\tROLE\tPROVIDER\tADDED\tLAST SIGNED IN")
		for after := ""; ; {
			list, err := st.People(cmd.Context(), after, page)
			if err != nil {
				return failed(cmd, err)
			}
			for _, p := range list {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Email, p.Role, orDash(p.ProviderID), moment(p.CreatedAt), moment(p.LastSeenAt))
				after = p.ID
			}
			if len(list) < page {
				out.Flush()
				return nil
			}
		}
	}
	return cmd
}

func peopleRemove() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "remove ID", Short: "Remove a person's role and sign the person out",
		Long:    "\nRemoves the role with this ID, which \"people list\" shows. A person who is signed in\nwith the role is signed out immediately.",
		Example: "  sessiongate people remove 01a21cb8-852e-734c-bb2c-00c2e1edf32e",
	}
	storageFlags(cmd, &config)
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		err = st.Write(cmd.Context(), func(tx *store.Tx) error { return tx.DeletePerson(cmd.Context(), args[0]) })
		if errors.Is(err, store.ErrNotFound) {
			err = errors.New("no role has this id; \"sessiongate people list\" shows the ids")
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), "Removed.")
		return nil
	}
	return cmd
}
