package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

const resolveTimeout = 5 * time.Second

// Guard decides which addresses we call for a provider. Whoever names a URL
// must not reach what only we can reach: this machine, its networks, and the
// metadata services of clouds.
type Guard struct {
	// Allow loopback addresses, and plain http to them: for a demo, for tests.
	AllowLoopback bool
	// Finds addresses when a URL is registered. Default: [net.DefaultResolver].
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// ErrURL is a URL that we do not call. What wraps it says why.
var ErrURL = errors.New("not a valid webhook URL")

// control is a [net.Dialer] Control: it sees the address that a name has at the
// moment of the call, whatever it had when the URL was checked.
func (g Guard) control() *ssrf.Guardian {
	// Any port: what is public there is the provider's to offer.
	options := []ssrf.Option{ssrf.WithAnyPort()}
	if g.AllowLoopback {
		options = append(options, ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8")), ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128")))
	}
	return ssrf.New(options...)
}

// Control is a [net.Dialer] Control that refuses addresses that are not public.
func (g Guard) Control(network, address string, c syscall.RawConn) error {
	return g.control().Safe(network, address, c)
}

// Check says whether raw may be registered: https, and every address that its
// host has now is a public one.
func (g Guard) Check(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%w: it must be an https:// URL with a host, without a user name or fragment", ErrURL)
	}
	addresses, err := g.addresses(ctx, u.Hostname())
	if err != nil {
		return err
	}
	loopback := g.AllowLoopback
	control := g.control()
	for _, a := range addresses {
		a = a.Unmap() // resolvers give IPv4 in its IPv6 form
		loopback = loopback && a.IsLoopback()
		if err := control.Safe(network(a), netip.AddrPortFrom(a, 443).String(), nil); err != nil {
			return fmt.Errorf("%w: its host is not a public address", ErrURL)
		}
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return fmt.Errorf("%w: it must be https://", ErrURL)
	}
	return nil
}

func (g Guard) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return nil, fmt.Errorf("%w: its address names an interface", ErrURL)
		}
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	resolve := g.Resolve
	if resolve == nil {
		resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	list, err := resolve(ctx, strings.TrimSuffix(host, "."))
	if err != nil || len(list) == 0 {
		return nil, fmt.Errorf("%w: its host has no address", ErrURL)
	}
	return list, nil
}

func network(a netip.Addr) string {
	if a.Is4() {
		return "tcp4"
	}
	return "tcp6"
}
