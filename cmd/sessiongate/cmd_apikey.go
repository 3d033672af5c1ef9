package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "apikey",
		Short: "Creates, lists, rotates and revokes API keys, and makes portal links",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "apikey create|list|rotate|revoke|portal [--database ADDRESS] [--data DIR]"
			cmd.Long = `
API keys say who calls the session service. They are made in its database, so
this works before its first start and while it runs.

  marketplace  sells sessions, moves users' tokens      sg_mkt_…
  provider     sees its own sessions (with --provider)  sg_prv_…
  edge         redeems launches, reports heartbeats     sg_edge_…
  admin        registers providers, revokes sessions    sg_adm_…

"portal" makes a link that signs a person's browser in as one provider's guest.`
			group(cmd, apikeyCreate(), apikeyList(), apikeyRotate(), apikeyRevoke(), apikeyPortal())
		},
	})
}

func apikeyCreate() *cobra.Command {
	var config backend.Config
	var role, provider, name string
	cmd := &cobra.Command{
		Use:   "create --role marketplace|provider|edge|admin [--provider ID] [--name TEXT]",
		Short: "Creates a key and prints it, this once",
		Long: `
Creates an API key and prints it to standard output, and nothing else there:

  export SESSIONGATE_EDGE_KEY=$(sessiongate apikey create --role edge)

It is shown this once: the database keeps its hash.`,
	}
	storageFlags(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&role, "role", "", "marketplace, provider, edge or admin")
	f.StringVar(&provider, "provider", "", "the provider that a provider key is for")
	f.StringVar(&name, "name", "", "what the key is for, to tell keys apart")
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains(backend.Roles(), backend.Role(role)) {
			return misused(cmd, errors.New("--role is marketplace, provider, edge or admin"))
		}
		if (role == string(backend.RoleProvider)) != (provider != "") {
			return misused(cmd, errors.New("--provider goes with --role provider, and only there"))
		}
		where := sqliteFile(config)
		if _, err := os.Stat(where); where != "" && errors.Is(err, fs.ErrNotExist) {
			where += ", which is new"
		}
		if where == "" {
			where = "the database of --database"
		}
		st, err := openStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		plaintext, kept, err := backend.CreateAPIKey(cmd.Context(), st, backend.Role(role), provider, name, time.Now())
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("there is no provider %q; an admin key registers one", provider)
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Created key %s in %s. This is the only time it is shown:\n", kept.ID, where)
		fmt.Fprintln(cmd.OutOrStdout(), plaintext)
		return nil
	}
	return cmd
}

func apikeyList() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{Use: "list", Short: "Lists the keys, without the keys themselves"}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		list, err := st.APIKeys(cmd.Context())
		if err != nil {
			return failed(cmd, err)
		}
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tKEY\tROLE\tPROVIDER\tNAME\tCREATED\tLAST USED\tENDS\tREVOKED")
		for _, k := range list {
			fmt.Fprintf(out, "%s\t%s…\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Hint, k.Role, orDash(k.ProviderID), orDash(k.Name), moment(k.CreatedAt), moment(k.LastUsedAt), moment(k.ExpiresAt), moment(k.RevokedAt))
		}
		out.Flush()
		return nil
	}
	return cmd
}

func apikeyRotate() *cobra.Command {
	var config backend.Config
	var grace time.Duration
	cmd := &cobra.Command{
		Use: "rotate ID [--grace 24h]", Short: "Creates a key in the place of another, which works on for a while",
		Long: "\nCreates a key that may do what the key with this ID may, and prints it to standard\noutput. The old one works until its grace is over.",
	}
	storageFlags(cmd, &config)
	cmd.Flags().DurationVar(&grace, "grace", 24*time.Hour, "how long the old key works on")
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if grace < 0 {
			return misused(cmd, errors.New("--grace is not negative"))
		}
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		plaintext, kept, err := backend.RotateAPIKey(cmd.Context(), st, args[0], grace, time.Now())
		if errors.Is(err, store.ErrNotFound) {
			err = errors.New("there is no live key with this id")
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Created key %s. The old one works until %s. This is the only time it is shown:\n", kept.ID, moment(time.Now().Add(grace).Unix()))
		fmt.Fprintln(cmd.OutOrStdout(), plaintext)
		return nil
	}
	return cmd
}

func apikeyRevoke() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{Use: "revoke ID", Short: "Ends a key at once", Long: "\nEnds the key with this ID, as \"apikey list\" shows it. Requests with it are refused from now on."}
	storageFlags(cmd, &config)
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		err = st.Write(cmd.Context(), func(tx *store.Tx) error { return tx.RevokeAPIKey(cmd.Context(), args[0], time.Now()) })
		if errors.Is(err, store.ErrNotFound) {
			err = errors.New("there is no live key with this id")
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), "Revoked.")
		return nil
	}
	return cmd
}

func apikeyPortal() *cobra.Command {
	var config backend.Config
	var provider string
	var good time.Duration
	cmd := &cobra.Command{
		Use:   "portal --provider ID [--expires 24h] [--issuer URL]",
		Short: "Makes a link that signs a browser in as a provider's guest",
		Long: `
Makes a link to the session service's pages and prints it to standard output.
Whoever opens it may look after the one provider until it expires, without an
account and without a key. "apikey list" shows it, "apikey revoke" ends it and
the sign-ins made with it.`,
	}
	storageFlags(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&provider, "provider", "", "the provider that it is for")
	f.DurationVar(&good, "expires", backend.DefaultPortalTime, "how long it is good for, a week at most")
	f.StringVar(&config.Listen, "listen", "127.0.0.1:8081", "where the session service listens")
	f.StringVar(&config.Issuer, "issuer", "", "where browsers reach the session service (default: http:// and --listen)")
	fromEnvironment(cmd, "listen", "issuer")
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if provider == "" {
			return misused(cmd, errors.New("--provider is missing: the provider that the link is for"))
		}
		if good < time.Minute || good > backend.MaxPortalTime {
			return misused(cmd, errors.New("--expires is from 1m to 168h"))
		}
		if config.Issuer == "" {
			config.Issuer = "http://" + config.Listen
		}
		if u, err := url.Parse(config.Issuer); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return misused(cmd, errors.New("--issuer is an http or https URL, such as https://api.example.com"))
		}
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		link, kept, err := backend.CreatePortalLink(cmd.Context(), st, config.Issuer, provider, good, time.Now())
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("there is no provider %q; an admin key registers one", provider)
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Created link %s, good until %s. This is the only time it is shown:\n", kept.ID, moment(kept.ExpiresAt))
		fmt.Fprintln(cmd.OutOrStdout(), link)
		return nil
	}
	return cmd
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
