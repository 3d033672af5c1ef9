// Package publicip tells the addresses of the public internet from all others. It is
// the one list for every address that a provider chooses: its origin, its webhooks and
// its site checks.
package publicip

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrPrivate is returned for an address that is not on the public internet.
var ErrPrivate = errors.New("not a public address")

// special4 are the networks of IPv4 that are not the public internet: the registry
// of special-purpose addresses (IANA), multicast, and metadata services of clouds
// that are not within those. 169.254.169.254, 192.0.0.192 and 100.100.100.200 are.
var special4 = prefixes(
	"0.0.0.0/8",        // this network (RFC 791)
	"10.0.0.0/8",       // private (RFC 1918)
	"100.64.0.0/10",    // shared address space (RFC 6598)
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure: agent, DNS and health probes of the host
	"169.254.0.0/16",   // link-local (RFC 3927)
	"172.16.0.0/12",    // private (RFC 1918)
	"192.0.0.0/24",     // protocol assignments (RFC 6890)
	"192.0.2.0/24",     // documentation (RFC 5737)
	"192.31.196.0/24",  // AS112 (RFC 7535)
	"192.52.193.0/24",  // AMT (RFC 7450)
	"192.88.99.0/24",   // relays of 6to4 (RFC 7526)
	"192.168.0.0/16",   // private (RFC 1918)
	"192.175.48.0/24",  // AS112 (RFC 7534)
	"198.18.0.0/15",    // benchmarks (RFC 2544)
	"198.51.100.0/24",  // documentation (RFC 5737)
	"203.0.113.0/24",   // documentation (RFC 5737)
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, and broadcast
)

// global6 is the only block of IPv6 with public addresses. Outside it are loopback,
// link-local, site-local, unique local and multicast addresses, and the prefixes that
// wrap an IPv4 address: ::/96, ::ffff:0:0:0/96, 64:ff9b::/96 and 64:ff9b:1::/48.
var global6 = netip.MustParsePrefix("2000::/3")

// special6 are the networks within global6 that are not the public internet.
var special6 = prefixes(
	"2001::/23",         // protocol assignments: Teredo, benchmarks (2001:2::/48), ORCHID
	"2001:db8::/32",     // documentation (RFC 3849)
	"2002::/16",         // 6to4 (RFC 3056): wraps any IPv4 address
	"2620:4f:8000::/48", // AS112 (RFC 7534)
	"3ffe::/16",         // 6bone, returned (RFC 3701)
	"3fff::/20",         // documentation (RFC 9637)
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// Is reports whether a is an address of the public internet. An IPv4 address in IPv6
// form counts as what it is. An address with a zone never is public.
func Is(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	special := special4
	if a = a.Unmap(); a.Is6() {
		if !global6.Contains(a) {
			return false
		}
		special = special6
	}
	for _, network := range special {
		if network.Contains(a) {
			return false
		}
	}
	return true
}

// Control refuses to dial addresses that are not public. It is a Control function for
// a [net.Dialer], which calls it with the address of each connection, after it has
// looked up the name: a name may have other addresses than when it was checked.
func Control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", ErrPrivate, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || !Is(to.Addr()) {
		return ErrPrivate
	}
	return nil
}
