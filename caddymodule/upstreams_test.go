package caddymodule

import (
	"errors"
	"net/netip"
	"testing"
)

func TestOnlyPublicAddressesAreOrigins(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true,
		"127.0.0.1": false, "10.1.2.3": false, "192.168.0.1": false, "172.16.0.1": false, "100.64.1.1": false,
		"169.254.169.254": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false,
		"::1": false, "::": false, "fe80::1": false, "fd00::1": false, "::ffff:127.0.0.1": false,
		"::ffff:169.254.169.254": false, "64:ff9b::a00:1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("isPublic(%s) = %v", address, got)
		}
	}
	c := &nameCache{found: make(map[string]lookup)}
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]"[1:4]} {
		for range 2 { // looked up, then remembered
			if _, err := c.public(t.Context(), name); !errors.Is(err, errPrivateOrigin) {
				t.Errorf("%s: %v, want it refused", name, err)
			}
		}
	}
}
