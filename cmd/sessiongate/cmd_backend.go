package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/store"
)

func init() {
	caddycmd.RegisterCommand(ours(groupRun, caddycmd.Command{
		Name:  "backend",
		Short: "Run the session service: API, ledger and deadlines",
		CobraFunc: func(cmd *cobra.Command) {
			var config backend.Config
			var level string
			var limits []string
			cmd.Use = "backend"
			cmd.Long = `
Runs the session service that marketplaces, providers and edges call.

Without flags, it listens on 127.0.0.1:8081 and stores everything in the folder
sessiongate-data: a SQLite database and the keys that sign tokens. The first start
creates both. Calling the API requires a key:

  sessiongate apikey create --role admin

Ctrl-C or SIGTERM stops the service after it has finished running requests.

Environment variables

Each flag has a variable: SESSIONGATE_LISTEN, SESSIONGATE_DATABASE, SESSIONGATE_DATA,
SESSIONGATE_REDIS, SESSIONGATE_ISSUER, SESSIONGATE_KEY_RATE, SESSIONGATE_ADDRESS_RATE,
SESSIONGATE_LIMIT, SESSIONGATE_TRUSTED_PROXIES and SESSIONGATE_EDGE_HOST (these three
comma-separated), SESSIONGATE_DNS_RESOLVER, SESSIONGATE_WEBHOOKS_TO_LOOPBACK (true),
SESSIONGATE_OIDC_ISSUER, SESSIONGATE_OIDC_CLIENT_ID, SESSIONGATE_OIDC_NAME,
SESSIONGATE_OIDC_TRUST_EMAIL (true) and SESSIONGATE_LOG_LEVEL. A flag overrides its
variable.

Secrets have variables only, because other users of the machine can see command lines:

  SESSIONGATE_SEAL_KEY            32 random bytes in base64; encrypts webhook secrets
                                  and signing keys in the database. Create one with:
                                  head -c 32 /dev/urandom | base64
  SESSIONGATE_OIDC_CLIENT_SECRET  the client secret at the identity provider

Traces are sent if OpenTelemetry's variables say where, such as
OTEL_EXPORTER_OTLP_ENDPOINT: one span for each request and each SQL statement.

Sign-in

With --oidc-issuer and --oidc-client-id, people sign in at /auth/ by OpenID Connect
(authorization code with PKCE). Register ISSUER/auth/callback as the redirect URI at
the identity provider, and add people with "sessiongate people add". API keys of the
roles provider and admin sign in at /auth/ in any case.`
			cmd.Example = `  sessiongate backend --edge-host edge.example.com
  sessiongate backend --database postgres://sessiongate@db/sessiongate --redis redis://redis:6379 --issuer https://api.example.com`
			f := cmd.Flags()
			f.StringVar(&config.Listen, "listen", "127.0.0.1:8081", "address to listen on, host:port")
			storageFlags(cmd, &config)
			f.StringVar(&config.Redis, "redis", "", "Redis that several backends share: redis://…, redis+cluster://… or redis+sentinel://…?master_name=NAME (default none: one backend)")
			f.StringVar(&config.Issuer, "issuer", "", "public URL of this service, which tokens carry and edges fetch keys from (default http:// and --listen)")
			f.IntVar(&config.KeyRate, "key-rate", 0, "requests per second allowed for one API key; negative: no limit (default 2000)")
			f.IntVar(&config.AddressRate, "address-rate", 0, "requests per second allowed for one IP address without a valid key; negative: no limit (default 100)")
			f.StringSliceVar(&limits, "limit", nil, "another limit, as NAME=VALUE; repeat for each, -1 means no limit. docs/operations.md lists the names, GET /api/v1/limits the values in force")
			f.StringSliceVar(&config.TrustedProxies, "trusted-proxies", nil, "addresses or CIDR prefixes of proxies whose X-Forwarded-For header is trusted")
			f.BoolVar(&config.WebhooksToLoopback, "webhooks-to-loopback", false, "allow webhooks and site checks to reach this machine (for development only)")
			f.StringSliceVar(&config.EdgeHosts, "edge-host", nil, "public host name or IP address of the edges; repeat for each. Providers point their domains at names below it (CNAME), so a name needs a wildcard DNS record")
			f.StringVar(&config.DNSResolver, "dns-resolver", "", "resolver asked for the DNS records that prove providers' domains, host:port (default the system's)")
			f.StringVar(&config.OIDC.Issuer, "oidc-issuer", "", "URL of the identity provider for sign-in (default none: API keys only)")
			f.StringVar(&config.OIDC.ClientID, "oidc-client-id", "", "client id of this service at the identity provider")
			f.StringVar(&config.OIDC.Name, "oidc-name", "", "name of the identity provider on the sign-in button (default its host)")
			f.BoolVar(&config.OIDC.TrustEmail, "oidc-trust-email", false, "accept e-mail addresses that the identity provider does not mark as verified; safe only if its users cannot choose their address")
			f.StringVar(&level, "log-level", "info", "lowest level to log: debug, info, warn or error")
			fromEnvironment(cmd, "listen", "redis", "issuer", "key-rate", "address-rate", "limit", "trusted-proxies", "webhooks-to-loopback",
				"edge-host", "dns-resolver", "oidc-issuer", "oidc-client-id", "oidc-name", "oidc-trust-email", "log-level")
			takesNoArguments(cmd)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				var at zapcore.Level
				if err := at.UnmarshalText([]byte(strings.ToLower(level))); err != nil {
					return misused(cmd, fmt.Errorf("--log-level must be debug, info, warn or error"))
				}
				for _, limit := range limits {
					if err := config.Limits.Set(limit); err != nil {
						return misused(cmd, err)
					}
				}
				config.Rules = newRules()
				config.SealKey = os.Getenv("SESSIONGATE_SEAL_KEY")
				config.OIDC.ClientSecret = os.Getenv("SESSIONGATE_OIDC_CLIENT_SECRET")
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				return failed(cmd, runBackend(ctx, config, at))
			}
		},
	}))
}

func runBackend(ctx context.Context, config backend.Config, level zapcore.Level) error {
	logs := zap.NewProductionConfig()
	logs.Level = zap.NewAtomicLevelAt(level)
	logs.Sampling = nil
	logs.DisableStacktrace = true
	logs.EncoderConfig.EncodeTime = zapcore.ISO8601TimeEncoder
	logger, err := logs.Build()
	if err != nil {
		return err
	}
	endTraces, err := traces(ctx, &config)
	if err != nil {
		return err
	}
	defer endTraces()
	b, err := backend.Open(ctx, config, logger)
	if err != nil {
		return err
	}
	defer b.Close()
	known, err := b.HasAPIKeys(ctx)
	if err != nil {
		return err
	}
	if !known {
		logger.Warn("no API key exists yet; create one with: sessiongate apikey create --role admin" + whereKept(config))
	}
	err = b.Serve(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; stop the program that listens there, or choose another address with --listen", err)
	}
	return err
}

// whereKept returns the flags with which another command opens the same
// database. A database address may hold a password, so it is not repeated in the
// log.
func whereKept(config backend.Config) string {
	switch {
	case config.Database != "":
		return " --database ADDRESS (the address that this service was given)"
	case config.DataDir != defaultData:
		return " --data " + config.DataDir
	}
	return ""
}

// traces exports spans to the collector that OpenTelemetry's environment
// variables name, if they name one.
func traces(ctx context.Context, config *backend.Config) (end func(), err error) {
	if os.Getenv("OTEL_TRACES_EXPORTER") == "" && os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return func() {}, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("configuring traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	config.Traces = provider
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = provider.Shutdown(ctx) // the service has stopped, and the collector may have stopped too
	}, nil
}

// storageFlags adds the flags that locate the database and the data folder.
func storageFlags(cmd *cobra.Command, config *backend.Config) {
	f := cmd.Flags()
	f.StringVar(&config.Database, "database", "", "database: sqlite:PATH or postgres://USER@HOST/NAME (default sessiongate.db in --data)")
	fromEnvironment(cmd, "database")
	dataFlag(cmd, &config.DataDir)
}

const defaultData = "sessiongate-data"

func dataFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "data", defaultData, "folder of the signing keys and, without --database, of the database")
	fromEnvironment(cmd, "data")
}

// openStore opens the database that [storageFlags] name. It creates a database
// that does not exist.
func openStore(ctx context.Context, config backend.Config) (*store.Store, error) {
	if config.Database == "" {
		config.Database = "sqlite:" + sqliteFile(config)
	}
	return store.Open(ctx, config.Database, nil)
}

// existingStore opens the database that [storageFlags] name. It fails if the
// database does not exist: with a mistyped folder, a command would otherwise list
// the keys of a new, empty database or back it up instead of the intended one.
func existingStore(ctx context.Context, config backend.Config) (*store.Store, error) {
	if file := sqliteFile(config); file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no database at %s; name the session service's own with --data or --database", file)
		}
	}
	return openStore(ctx, config)
}

// sqliteFile returns the path of the SQLite database, or "" for PostgreSQL.
func sqliteFile(config backend.Config) string {
	if config.Database == "" {
		return filepath.Join(config.DataDir, "sessiongate.db")
	}
	path, _ := strings.CutPrefix(config.Database, "sqlite:")
	if path == config.Database {
		return ""
	}
	return path
}

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
