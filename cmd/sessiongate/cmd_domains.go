package main

import (
	"context"
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
	caddycmd.RegisterCommand(ours(groupKeys, caddycmd.Command{
		Name:  "domains",
		Short: "List providers' domains and vouch for them",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "domains list|vouch|unvouch"
			cmd.Long = `
The gate serves a domain once a DNS record proves that it is the provider's, or once
an administrator vouches for it. These commands show the state of domains and vouch:

  pending    no record was seen yet; the gate does not serve the domain
  proven     the record is in place
  suspended  the record was gone for a day; the gate does not serve the domain
  vouched    an administrator vouches for the domain
  local      a loopback name, which needs no proof

The dashboard and GET /api/v1/providers/{id}/dns list the records to set.`
			cmd.Example = `  sessiongate domains list prov_demo
  sessiongate domains vouch prov_demo app.example.com`
			group(cmd, domainsList(),
				domainsWord("vouch", "Vouch for a provider's domain", `
Lets the gate serve a domain without a DNS record that proves it. Vouch only for
domains that you know to be the provider's. If another provider's record appears in
DNS, that provider takes the domain.`, backend.Vouch),
				domainsWord("unvouch", "Require the DNS record of a domain again", `
Undoes "domains vouch". Domains that providers had before domains were proven count as
vouched for. If the last check saw the record, the domain is proven and stays in
service; otherwise the gate stops serving it within a minute.`, backend.Unvouch))
		},
	}))
}

func domainsList() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "list PROVIDER", Short: "List a provider's domains and their states",
		Long:    "\nLists a provider's domains with their states, and what the last check of DNS found.",
		Example: "  sessiongate domains list prov_demo",
	}
	storageFlags(cmd, &config)
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		p, err := st.Provider(cmd.Context(), args[0])
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("provider %q not found", args[0])
		}
		if err != nil {
			return failed(cmd, err)
		}
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "DOMAIN\tSTATE\tCLAIMED\tCHECKED\tFOUND")
		for _, c := range p.Claims {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", c.Domain, c.State, moment(c.ClaimedAt), moment(c.CheckedAt), orDash(c.Found))
		}
		return failed(cmd, out.Flush())
	}
	return cmd
}

// domainsWord returns a command that vouches for a domain, or stops vouching.
func domainsWord(verb, short, long string, change func(context.Context, *store.Tx, string, string, time.Time) (string, error)) *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: verb + " PROVIDER DOMAIN", Short: short, Long: long,
		Example: "  sessiongate domains " + verb + " prov_demo app.example.com",
	}
	storageFlags(cmd, &config)
	takes(cmd, cobra.ExactArgs(2))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		var state string
		now := st.Now(cmd.Context())
		err = st.Write(cmd.Context(), func(tx *store.Tx) (err error) {
			state, err = change(cmd.Context(), tx, args[0], args[1], now)
			return err
		})
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("provider %q has no domain %q; see \"sessiongate domains list\"", args[0], args[1])
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s of %s is %s.\n", args[1], args[0], state)
		return nil
	}
	return cmd
}
