package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

func init() {
	caddycmd.RegisterCommand(ours(groupKeys, caddycmd.Command{
		Name:  "apikey",
		Short: "Create, list, rotate and revoke API keys; create portal links",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "apikey create|list|rotate|revoke|portal"
			cmd.Long = `
API keys authenticate callers of the session service. These commands work on its
database, before the service's first start and while it runs.

  ROLE         MAY                                        KEY BEGINS WITH
  marketplace  sell sessions, credit its own users        sg_mkt_
  provider     read its own sessions, set its own rules   sg_prv_
  edge         redeem launch tokens, report heartbeats    sg_edge_
  admin        register providers, revoke sessions        sg_adm_

Test keys (--test) begin with sg_mkt_test_ and sg_prv_test_. They sell and read test
sessions only: their users' balances, and what they sell, are apart from live ones.

"apikey portal" creates a link that signs a person in as one provider's guest.`
			cmd.Example = `  export SESSIONGATE_EDGE_KEY=$(sessiongate apikey create --role edge)
  sessiongate apikey list`
			group(cmd, apikeyCreate(), apikeyList(), apikeyRotate(), apikeyRevoke(), apikeyPortal())
		},
	}))
}

func apikeyCreate() *cobra.Command {
	var config backend.Config
	var role, provider, marketplace, name string
	var test bool
	cmd := &cobra.Command{
		Use:   "create --role ROLE",
		Short: "Create a key and print it once",
		Long: `
Creates an API key and prints it to standard output. Messages go to standard
error, so the output can be assigned to a variable.

The key is shown only now, because the database stores its hash alone. If the
database does not exist yet, the command creates it, except for a provider's key,
because a new database has no provider.`,
		Example: `  export SESSIONGATE_EDGE_KEY=$(sessiongate apikey create --role edge)
  sessiongate apikey create --role provider --provider prov_demo --name "Ada's laptop"
  sessiongate apikey create --role marketplace --marketplace mkt_books
  sessiongate apikey create --role marketplace --test`,
	}
	storageFlags(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&role, "role", "", "role of the key: marketplace, provider, edge or admin (required)")
	f.StringVar(&provider, "provider", "", "id of the provider (required with --role provider)")
	f.StringVar(&marketplace, "marketplace", "", "id of the marketplace, with --role marketplace (default mkt_default)")
	f.StringVar(&name, "name", "", "label that \"apikey list\" shows")
	f.BoolVar(&test, "test", false, "with --role marketplace or provider: the key sells and reads test sessions only")
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains(backend.Roles(), backend.Role(role)) {
			return misused(cmd, errors.New("--role must be marketplace, provider, edge or admin"))
		}
		if (role == string(backend.RoleProvider)) != (provider != "") {
			return misused(cmd, errors.New("--role provider requires --provider, and no other role takes it"))
		}
		if marketplace != "" && role != string(backend.RoleMarketplace) {
			return misused(cmd, errors.New("--marketplace requires --role marketplace"))
		}
		create := backend.CreateAPIKey
		if test {
			if role != string(backend.RoleMarketplace) && role != string(backend.RoleProvider) {
				return misused(cmd, errors.New("--test requires --role marketplace or --role provider"))
			}
			create = backend.CreateTestKey
		}
		where := sqliteFile(config)
		if _, err := os.Stat(where); where != "" && errors.Is(err, fs.ErrNotExist) {
			where += " (new database)"
		}
		if where == "" {
			where = "the database of --database"
		}
		open := openStore
		if provider != "" || marketplace != "" {
			open = existingStore // a new database has neither
		}
		st, err := open(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		plaintext, kept, err := create(cmd.Context(), st, backend.Role(role), cmp.Or(provider, marketplace), name, st.Now(cmd.Context()))
		switch {
		case errors.Is(err, store.ErrNotFound) && marketplace != "":
			err = fmt.Errorf("marketplace %q not found; register it with \"sessiongate marketplace create\"", marketplace)
		case errors.Is(err, store.ErrNotFound):
			err = fmt.Errorf("provider %q not found; register it in the dashboard or with POST /api/v1/providers", provider)
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Created key %s in %s. It is shown only once:\n", kept.ID, where)
		fmt.Fprintln(cmd.OutOrStdout(), plaintext)
		return nil
	}
	return cmd
}

func apikeyList() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "list", Short: "List all keys, without their secrets",
		Long:    "\nLists all API keys and portal links, newest first, with their roles and when each was\nlast used. Secrets are not stored and cannot be shown.",
		Example: "  sessiongate apikey list --data /var/lib/sessiongate",
	}
	storageFlags(cmd, &config)
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "ID\tKEY\tROLE\tOWNER\tNAME\tCREATED\tLAST USED\tEXPIRES\tREVOKED")
		const page = 500
		for f := (store.KeyFilter{Limit: page}); ; {
			list, err := st.APIKeys(cmd.Context(), f)
			if err != nil {
				return failed(cmd, err)
			}
			for _, k := range list {
				fmt.Fprintf(out, "%s\t%s…\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Hint, k.Role, orDash(ownerOf(k)), orDash(k.Name), moment(k.CreatedAt), moment(k.LastUsedAt), moment(k.ExpiresAt), moment(k.RevokedAt))
			}
			if len(list) < page {
				break
			}
			f.Before = list[page-1].ID
		}
		out.Flush()
		return nil
	}
	return cmd
}

// ownerOf returns the provider or marketplace of a key. The hint says whether it is a test
// key.
func ownerOf(k store.APIKey) string {
	marketplace, _ := protocol.SplitTenant(k.MarketplaceID)
	return cmp.Or(k.ProviderID, marketplace)
}

func apikeyRotate() *cobra.Command {
	var config backend.Config
	var grace time.Duration
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Replace a key; the old one works during a grace period",
		Long:    "\nCreates a key with the role of the key ID and prints it to standard output. The old\nkey keeps working until the grace period ends.",
		Example: "  sessiongate apikey rotate 01a21cb8-852e-734c-bb2c-00c2e1edf32e --grace 2h",
	}
	storageFlags(cmd, &config)
	cmd.Flags().DurationVar(&grace, "grace", 24*time.Hour, "how long the old key keeps working, such as 90m or 24h; 0s ends it now")
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if grace < 0 {
			return misused(cmd, errors.New("--grace must not be negative"))
		}
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		now := st.Now(cmd.Context())
		plaintext, kept, err := backend.RotateAPIKey(cmd.Context(), st, args[0], grace, now)
		if errors.Is(err, store.ErrNotFound) {
			err = errors.New("no active key has this id; \"sessiongate apikey list\" shows the ids")
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Created key %s. The old key works until %s. The new key is shown only once:\n", kept.ID, moment(now.Add(grace).Unix()))
		fmt.Fprintln(cmd.OutOrStdout(), plaintext)
		return nil
	}
	return cmd
}

func apikeyRevoke() *cobra.Command {
	var config backend.Config
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "Revoke a key or a portal link immediately",
		Long:    "\nRevokes the key or portal link with this ID, which \"apikey list\" shows. The service\nrefuses it from now on and ends the sign-ins made with it.",
		Example: "  sessiongate apikey revoke 01a21cb8-852e-734c-bb2c-00c2e1edf32e",
	}
	storageFlags(cmd, &config)
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		now := st.Now(cmd.Context())
		err = st.Write(cmd.Context(), func(tx *store.Tx) error { return tx.RevokeAPIKey(cmd.Context(), args[0], now) })
		if errors.Is(err, store.ErrNotFound) {
			err = errors.New("no active key has this id; \"sessiongate apikey list\" shows the ids")
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
		Use:   "portal --provider ID",
		Short: "Create a link that signs a browser in as a provider's guest",
		Long: `
Creates a link to the session service's dashboard and prints it to standard
output. Anyone who opens the link can manage this one provider until the link
expires, without an account or a key. "apikey list" shows the link; "apikey revoke"
ends the link and the sign-ins made with it.`,
		Example: `  sessiongate apikey portal --provider prov_demo --issuer https://api.example.com`,
	}
	storageFlags(cmd, &config)
	f := cmd.Flags()
	f.StringVar(&provider, "provider", "", "id of the provider (required)")
	f.DurationVar(&good, "expires", backend.DefaultPortalTime, "how long the link works: 1m to 168h")
	f.StringVar(&config.Listen, "listen", "127.0.0.1:8081", "address of the session service, host:port")
	f.StringVar(&config.Issuer, "issuer", "", "URL at which browsers reach the session service (default http:// and --listen)")
	fromEnvironment(cmd, "listen", "issuer")
	takesNoArguments(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if provider == "" {
			return misused(cmd, errors.New("--provider is missing; give the id of the provider that the link is for"))
		}
		if good < time.Minute || good > backend.MaxPortalTime {
			return misused(cmd, errors.New("--expires must be from 1m to 168h"))
		}
		if config.Issuer == "" {
			config.Issuer = "http://" + config.Listen
		}
		if !backend.IsIssuer(config.Issuer) {
			return misused(cmd, errors.New("--issuer must be an http or https URL, such as https://api.example.com"))
		}
		st, err := existingStore(cmd.Context(), config)
		if err != nil {
			return failed(cmd, err)
		}
		defer st.Close()
		link, kept, err := backend.CreatePortalLink(cmd.Context(), st, config.Issuer, provider, good, st.Now(cmd.Context()))
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("provider %q not found; register it in the dashboard or with POST /api/v1/providers", provider)
		}
		if err != nil {
			return failed(cmd, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Created link %s, which works until %s. It is shown only once:\n", kept.ID, moment(kept.ExpiresAt))
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
