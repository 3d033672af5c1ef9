package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sessiongate/sessiongate/internal/publicip"
)

const resolveTimeout = 5 * time.Second

// Guard restricts the addresses that the service connects to on behalf of a
// provider. It prevents server-side request forgery: a URL that a provider chooses
// must not reach this machine, its private networks or a cloud's metadata service.
type Guard struct {
	// Allow loopback addresses, and http:// to them. For demos and tests.
	AllowLoopback bool
	// Resolves the host of a URL that is registered. Default: [net.DefaultResolver].
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// ErrURL is returned for a URL that is not allowed. The error that wraps it gives
// the reason.
var ErrURL = errors.New("not a valid webhook URL")

// Control is a Control function for a [net.Dialer]. It refuses addresses that are
// not public. It runs on the address of each connection, since a name may resolve to
// another address than when its URL was registered.
func (g Guard) Control(network, address string, c syscall.RawConn) error {
	if to, err := netip.ParseAddrPort(address); err == nil && g.AllowLoopback && to.Addr().Unmap().IsLoopback() {
		return nil
	}
	return publicip.Control(network, address, c)
}

// Check returns an error that wraps [ErrURL] unless raw may be registered: an
// https:// URL whose host currently resolves to public addresses only.
func (g Guard) Check(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%w: it must be an https:// URL with a host, without a user name or fragment", ErrURL)
	}
	if n, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || n < 1 || n > 65535) {
		return fmt.Errorf("%w: its port must be from 1 to 65535", ErrURL)
	}
	addresses, err := g.addresses(ctx, u.Hostname())
	if err != nil {
		return err
	}
	loopback := g.AllowLoopback
	for _, a := range addresses {
		a = a.Unmap() // resolvers may return IPv4 addresses in IPv6 form
		loopback = loopback && a.IsLoopback()
		if !publicip.Is(a) && !(g.AllowLoopback && a.IsLoopback()) {
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
