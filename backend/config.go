package backend

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/doctor"
)

// Config is how a backend runs. The zero value of a field means its default.
type Config struct {
	// Where [Backend.Serve] listens. Default: 127.0.0.1:8081.
	Listen string
	// sqlite:PATH or postgres://…. Default: sqlite: and sessiongate.db in DataDir.
	Database string
	// The folder of the signing keys, and of the default database. Default:
	// sessiongate-data in the working directory.
	DataDir string
	// The iss of tokens, and where others reach this API. Default: http:// and
	// Listen.
	Issuer string
	// How many live-state changes are kept for edges to resume their stream.
	// Default: 65536, at most 64 MB.
	EventLog int
	// Where several backends share what they must agree on: redis://,
	// rediss://, redis+cluster:// or redis+sentinel://. Default: this process
	// agrees with itself.
	Redis string
	// How many requests a second one API key may make on average; twice as many
	// at once. Default: 2000. Negative: any number.
	KeyRate int
	// The same for one address without a key: wrong keys, and what needs none.
	// Default: 100. Negative: any number.
	AddressRate int
	// All limits; KeyRate and AddressRate take precedence over those of their names.
	// Default: those that [Limits.List] describes.
	Limits Limits
	// Proxies whose X-Forwarded-For is believed, as addresses or prefixes.
	// Default: none; the address is the connection's.
	TrustedProxies []string
	// Lets webhooks and checks of sites go to this machine, which a provider must
	// not reach otherwise: for a demo and for tests.
	WebhooksToLoopback bool
	// 32 random bytes in base64 that seal webhook secrets and signing keys in
	// the database. Default: none; whoever reads the database reads them.
	SealKey string
	// Where visitors reach the edges: host names (edge.example.com), addresses, or
	// both. Providers are told to point their domains there. Default: unknown;
	// providers are told to ask.
	EdgeHosts []string
	// The resolver that is asked for the records that prove providers' domains, and for
	// the addresses of hosts: a host or host:port. Default: the system's.
	DNSResolver string
	// With what people sign in, besides keys. Default: nothing.
	OIDC OIDC
	// Where spans go: one for each request, within the trace that its caller
	// names by traceparent, and one for each SQL statement. Default: nowhere.
	Traces trace.TracerProvider
	// What the edges' injector does with a page, for checks of providers' sites.
	// Default: unknown; checks leave open whether pages get their clock.
	Rules doctor.Rules
	// How addresses are looked up, of edges and of providers' domains. Default: at
	// DNSResolver. Tests set it.
	Lookup Lookup
	// The machine's clock. Default: [time.Now]. Tests set it.
	MachineClock func() time.Time
	// The time. Default: the database's clock, or MachineClock with SQLite, which the
	// service keeps right while it runs. Tests set it.
	Now func() time.Time
}

// withDefaults returns c with every default filled in, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8081"
	}
	if c.DataDir == "" {
		c.DataDir = "sessiongate-data"
	}
	if c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.DataDir, "sessiongate.db")
	}
	if c.Issuer == "" {
		c.Issuer = "http://" + c.Listen
	}
	if !service.IsIssuer(c.Issuer) {
		return c, errors.New("the issuer must be an http or https URL without a query")
	}
	c.Issuer = strings.TrimSuffix(c.Issuer, "/")
	var err error
	if c.OIDC, err = c.OIDC.WithDefaults(); err != nil {
		return c, err
	}
	if c.EventLog < 0 {
		return c, fmt.Errorf("the event log cannot hold %d changes", c.EventLog)
	}
	if c.EventLog == 0 {
		c.EventLog = coord.DefaultLog
	}
	c.Limits.KeyRate = cmp.Or(int64(c.KeyRate), c.Limits.KeyRate)
	c.Limits.AddressRate = cmp.Or(int64(c.AddressRate), c.Limits.AddressRate)
	if c.MachineClock == nil {
		c.MachineClock = time.Now
	}
	return c, nil
}

// trusted reads the proxies of c.
func (c Config) trusted() (list []netip.Prefix, err error) {
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if a, e := netip.ParseAddr(text); e == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q must be an address or a prefix such as 10.0.0.0/8", text)
		}
		list = append(list, p)
	}
	return list, nil
}

// IsIssuer reports whether raw can be [Config.Issuer].
func IsIssuer(raw string) bool { return service.IsIssuer(raw) }

// Limits are the limits of a backend.
type Limits = service.Limits

// OIDC is an identity provider with which people sign in.
type OIDC = service.OIDC

// Lookup finds the addresses of a host name, as [net.Resolver] does.
type Lookup = service.Lookup

// KeysDir is the folder of the signing keys within a data folder.
func KeysDir(dataDir string) string { return filepath.Join(dataDir, "keys") }
