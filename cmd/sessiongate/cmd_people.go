package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "people",
		Short: "Says who may sign in with the identity provider, and as what",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "people add|list|remove [--database ADDRESS] [--data DIR]"
			cmd.Long = `
People sign in at /auth/ of the session service with the identity provider that
"sessiongate backend --oidc-issuer" names. Who may, and as what, is said here, by
the e-mail address that the identity provider tells:

  provider  sees and sets what is one provider's (with --provider)
  admin     registers providers, revokes sessions, reads the audit log`
			group(cmd, peopleAdd(), peopleList(), peopleRemove())
		},
	})
}

func peopleAdd() *cobra.Command {
	var config backend.Config
	var role, provider string
	cmd := &cobra.Command{
		Use:   "add EMAIL --role provider|admin [--provider ID]",
		Short: "Gives a person a role",
		Long:  "\nGives the person with this address a role. The account that signs in with it first\nkeeps it: an address that is later given to somebody else does not open it.",
	}
	storageFlags(cmd, &config)
	cmd.Flags().StringVar(&role, "role", "", "provider or admin")
	cmd.Flags().StringVar(&provider, "provider", "", "the provider, with --role provider")
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := openStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		var p store.Person
		err = st.Write(cmd.Context(), func(tx *store.Tx) (err error) {
			p, err = backend.AddPerson(cmd.Context(), tx, backend.Role(role), provider, args[0], time.Now().Unix())
			return err
		})
		switch {
		case errors.Is(err, backend.ErrPersonRole), errors.Is(err, backend.ErrEmail):
			return misused(cmd, err)
		case errors.Is(err, store.ErrNotFound):
			err = fmt.Errorf("there is no provider %q; an admin key registers one", provider)
		case errors.Is(err, store.ErrTaken):
			err = fmt.Errorf("%s has this role already", args[0])
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
	cmd := &cobra.Command{Use: "list", Short: "Lists people and their roles"}
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
	cmd := &cobra.Command{Use: "remove ID", Short: "Takes a role away, and signs its person out", Long: "\nTakes away the role with this ID, as \"people list\" shows it. Whoever is signed in with it is\nsigned out at once."}
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
			err = errors.New("there is no role with this id")
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), "Removed.")
		return nil
	}
	return cmd
}
