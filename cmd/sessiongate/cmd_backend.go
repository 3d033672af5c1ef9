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
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "backend",
		Short: "Runs the session service: its API, its ledger and its deadlines",
		CobraFunc: func(cmd *cobra.Command) {
			var config backend.Config
			var level string
			cmd.Use = "backend [--listen 127.0.0.1:8081] [--database sqlite:PATH or postgres://…] [--redis URL] [--issuer URL]"
			cmd.Long = `
Runs the session service that marketplaces, providers and edges talk to.

Without any flag it listens on 127.0.0.1:8081 and keeps everything in the folder
sessiongate-data: a SQLite database, and the keys that sign tokens. Schema and
keys are made on the first start. To use the API you need a key:

  sessiongate apikey create --role admin

Each flag can also be set by an environment variable: SESSIONGATE_LISTEN,
SESSIONGATE_DATABASE, SESSIONGATE_DATA, SESSIONGATE_REDIS, SESSIONGATE_ISSUER,
SESSIONGATE_KEY_RATE, SESSIONGATE_ADDRESS_RATE, SESSIONGATE_TRUSTED_PROXIES and
SESSIONGATE_EDGE_HOST (commas between), SESSIONGATE_WEBHOOKS_TO_LOOPBACK (true),
SESSIONGATE_OIDC_ISSUER, SESSIONGATE_OIDC_CLIENT_ID, SESSIONGATE_OIDC_NAME,
SESSIONGATE_OIDC_TRUST_EMAIL (true) and SESSIONGATE_LOG_LEVEL. A flag wins over its
variable.

With --edge-host the dashboard tells providers which DNS record to set: a CNAME to
the host, or, for a domain that takes none (example.com itself), its addresses.

With --oidc-issuer and --oidc-client-id people sign in at /auth/ with an identity
provider, by OpenID Connect (code with PKCE). Register ISSUER/auth/callback there,
put the client's secret into SESSIONGATE_OIDC_CLIENT_SECRET, and say who may sign in
with "sessiongate people add". Keys of role provider and admin sign in at /auth/ too.

SESSIONGATE_SEAL_KEY, which has no flag because command lines are public, is 32
random bytes in base64. With it, webhook secrets and signing keys are sealed in
the database:

  export SESSIONGATE_SEAL_KEY=$(head -c 32 /dev/urandom | base64)

With the variables of OpenTelemetry (OTEL_EXPORTER_OTLP_ENDPOINT and others) each
request and each SQL statement is traced, within the trace that the caller names.

Behind another address than the one it listens on, say so with --issuer: tokens
carry it, and edges fetch the public keys there.

Ctrl-C or SIGTERM stops it: running requests are finished first.`
			f := cmd.Flags()
			f.StringVar(&config.Listen, "listen", "127.0.0.1:8081", "address to listen on")
			storageFlags(cmd, &config)
			f.StringVar(&config.Redis, "redis", "", "redis://…, redis+cluster://… or redis+sentinel://…?master_name=NAME, shared by several backends (default: none, for one backend)")
			f.StringVar(&config.Issuer, "issuer", "", "URL of this service as tokens name it (default: http:// and --listen)")
			f.IntVar(&config.KeyRate, "key-rate", 2000, "requests a second of one API key; negative: any number")
			f.IntVar(&config.AddressRate, "address-rate", 100, "requests a second of one address without a key; negative: any number")
			f.StringSliceVar(&config.TrustedProxies, "trusted-proxies", nil, "addresses or prefixes of proxies whose X-Forwarded-For is believed")
			f.BoolVar(&config.WebhooksToLoopback, "webhooks-to-loopback", false, "let webhooks and checks of sites go to this machine: for trials only")
			f.StringSliceVar(&config.EdgeHosts, "edge-host", nil, "where visitors reach the edges: a host name or address, to be named once for each; providers are told to point their domains there")
			f.StringVar(&config.OIDC.Issuer, "oidc-issuer", "", "URL of the identity provider with which people sign in (default: none, keys only)")
			f.StringVar(&config.OIDC.ClientID, "oidc-client-id", "", "what this service is called there")
			f.StringVar(&config.OIDC.Name, "oidc-name", "", "what people call it, for the button (default: its host)")
			f.BoolVar(&config.OIDC.TrustEmail, "oidc-trust-email", false, "believe addresses that it does not call verified: only if its users cannot choose theirs")
			f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
			fromEnvironment(cmd, "listen", "redis", "issuer", "key-rate", "address-rate", "trusted-proxies", "webhooks-to-loopback",
				"edge-host", "oidc-issuer", "oidc-client-id", "oidc-name", "oidc-trust-email", "log-level")
			takesNoArguments(cmd)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				var at zapcore.Level
				if err := at.UnmarshalText([]byte(strings.ToLower(level))); err != nil {
					return misused(cmd, fmt.Errorf("--log-level is debug, info, warn or error"))
				}
				config.Rules = newRules()
				config.SealKey = os.Getenv("SESSIONGATE_SEAL_KEY")
				config.OIDC.ClientSecret = os.Getenv("SESSIONGATE_OIDC_CLIENT_SECRET")
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				return failed(cmd, runBackend(ctx, config, at))
			}
		},
	})
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
		logger.Warn("there is no API key yet; create one with: sessiongate apikey create --role admin" + whereKept(config))
	}
	err = b.Serve(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; end what listens there, or choose another address with --listen", err)
	}
	return err
}

// whereKept is the flags that lead another command to the same database. Its
// address may hold a password, which stays out of the log.
func whereKept(config backend.Config) string {
	switch {
	case config.Database != "":
		return " --database with the address that is given here"
	case config.DataDir != defaultData:
		return " --data " + config.DataDir
	}
	return ""
}

// traces sends spans where the variables of OpenTelemetry say, if they do.
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
		_ = provider.Shutdown(ctx) // the service has ended; who collects may have too
	}, nil
}

// storageFlags adds the flags that say where everything is kept.
func storageFlags(cmd *cobra.Command, config *backend.Config) {
	f := cmd.Flags()
	f.StringVar(&config.Database, "database", "", "sqlite:PATH or postgres://USER@HOST/NAME (default: sqlite: and sessiongate.db in --data)")
	fromEnvironment(cmd, "database")
	dataFlag(cmd, &config.DataDir)
}

const defaultData = "sessiongate-data"

func dataFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "data", defaultData, "folder of the signing keys, and of the database unless --database says otherwise")
	fromEnvironment(cmd, "data")
}

// openStore opens the database that [storageFlags] name, and makes it if it is
// not there yet.
func openStore(ctx context.Context, config backend.Config) (*store.Store, error) {
	if config.Database == "" {
		config.Database = "sqlite:" + sqliteFile(config)
	}
	return store.Open(ctx, config.Database, nil)
}

// existingStore opens the database that [storageFlags] name. It makes none: a
// mistyped folder would list no keys, and be backed up as if it were the one
// that is meant.
func existingStore(ctx context.Context, config backend.Config) (*store.Store, error) {
	if file := sqliteFile(config); file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no database at %s: --data or --database say where the session service keeps it", file)
		}
	}
	return openStore(ctx, config)
}

// sqliteFile is the path of an SQLite database, or empty for another kind.
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
