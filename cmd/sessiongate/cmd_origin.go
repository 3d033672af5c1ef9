package main

import (
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/sessiongate/sessiongate/caddymodule"
	"github.com/sessiongate/sessiongate/caddymodule/credential"
)

func init() {
	caddycmd.RegisterCommand(ours(groupKeys, caddycmd.Command{
		Name:  "origin",
		Short: "Print what the edge shows to a provider's own server",
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Use = "origin secret|ca PROVIDER"
			cmd.Long = `
The edge identifies itself to each provider's own server (the origin) with credentials
of that provider: a client certificate and a secret. Both are derived from the file
of origin_key. Run these commands on an edge, and give a provider its own.`
			cmd.Example = `  sessiongate origin secret prov_app
  sessiongate origin ca prov_app --key /etc/sessiongate/origin.key`
			group(cmd, originCommand("secret", "Print a provider's secret",
				"\nPrints the secret that the edge sends to the provider's server where the Caddyfile\nsays {session_gate.origin_secret}. Give it to that provider only.",
				func(a *credential.Authority, id string) (string, error) {
					secret, err := a.Secret(id)
					return secret + "\n", err
				}), originCommand("ca", "Print the authority of a provider's client certificates",
				"\nPrints the certificate, in PEM, of the authority that signs this provider's client\ncertificates. The provider's server trusts it. It is public: the edge also serves it at\n/.session-gate/origin-ca.pem of the provider's domain.",
				func(a *credential.Authority, id string) (string, error) {
					text, err := a.CA(id)
					return string(text), err
				}))
		},
	}))
}

func originCommand(name, short, long string, show func(*credential.Authority, string) (string, error)) *cobra.Command {
	var key string
	cmd := &cobra.Command{Use: name + " PROVIDER", Short: short, Long: long, Example: "  sessiongate origin " + name + " prov_app"}
	cmd.Flags().StringVar(&key, "key", caddymodule.DefaultOriginKey(), "file of the edge's origin_key (or SESSIONGATE_ORIGIN_KEY)")
	fromVariable(cmd, "key", variable+"ORIGIN_KEY")
	takes(cmd, cobra.ExactArgs(1))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := credential.Read(key)
		if err != nil {
			return failed(cmd, fmt.Errorf("%w; pass the file with --key, or start the edge first: it creates the file when an origin needs it", err))
		}
		text, err := show(a, args[0])
		if err == nil {
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
		}
		return failed(cmd, err)
	}
	return cmd
}
