package publicip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

// notPublic are addresses that reach a machine, its network or its cloud, in every
// form that a resolver may return.
var notPublic = map[string][]string{
	"loopback":                  {"127.0.0.1", "127.255.255.254", "::1"},
	"unspecified":               {"0.0.0.0", "0.1.2.3", "::"},
	"private":                   {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"},
	"shared (RFC 6598)":         {"100.64.0.1", "100.127.255.255"},
	"link-local":                {"169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"},
	"site-local":                {"fec0::1", "feff::1"},
	"unique local":              {"fc00::1", "fd00::1", "fdff::1"},
	"multicast":                 {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
	"reserved and broadcast":    {"240.0.0.1", "255.255.255.255"},
	"benchmarks":                {"198.18.0.1", "198.19.255.255", "2001:2::1"},
	"documentation":             {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"},
	"protocol assignments":      {"192.0.0.1", "192.0.0.170", "192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"},
	"mapped (::ffff:0:0/96)":    {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:168.63.129.16"},
	"compatible (::/96)":        {"::7f00:1", "::a9fe:a9fe"},
	"translated (::ffff:0:0:0)": {"::ffff:0:7f00:1"},
	"6to4":                      {"2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:a00:1::1"},
	"NAT64":                     {"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1"},
	"NAT64, local prefix":       {"64:ff9b:1::7f00:1", "64:ff9b:1:fffe::a9fe:a9fe", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
	"Teredo and ORCHID":         {"2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1"},
	"metadata":                  {"169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe"},
	"metadata, Azure":           {"168.63.129.16"},
	"metadata, Oracle, Alibaba": {"192.0.0.192", "100.100.100.200", "fd00:c1::a9fe:a9fe"},
	"outside global unicast":    {"100::1", "4000::1", "5f00::1", "200::1"},
	"6bone":                     {"3ffe::1"},
}

func TestAddressesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	for kind, list := range notPublic {
		for _, text := range list {
			a := netip.MustParseAddr(text)
			if Is(a) {
				t.Errorf("%s (%s) counts as public", text, kind)
			}
			network := "tcp6"
			if a.Is4() {
				network = "tcp4"
			}
			if err := Control(network, netip.AddrPortFrom(a, 443).String(), nil); !errors.Is(err, ErrPrivate) {
				t.Errorf("dialing %s (%s): %v", text, kind, err)
			}
		}
	}
}

func TestAddressesThatArePublic(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "93.184.216.34", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
		"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.1",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:93.184.216.34",
		"2001:200::1", "2001:db7::1", "2001:db9::1", "2003::1", "2606:2800:220:1::1", "2620:4f:8001::1", "2a00::1", "3fff:1000::1",
	} {
		a := netip.MustParseAddr(text)
		if !Is(a) {
			t.Errorf("%s does not count as public", text)
		}
		network := "tcp6"
		if a.Unmap().Is4() {
			network = "tcp4"
		}
		if err := Control(network, netip.AddrPortFrom(a, 443).String(), nil); err != nil {
			t.Errorf("dialing %s: %v", text, err)
		}
	}
}

func TestControlRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"udp4", "93.184.216.34:443"}, {"unix", "/run/docker.sock"}, {"tcp", "93.184.216.34:443"}, {"tcp4", "example.com:443"}, {"tcp4", ""}, {"tcp4", "93.184.216.34"},
	} {
		if err := Control(c[0], c[1], nil); !errors.Is(err, ErrPrivate) {
			t.Errorf("%s %q: %v", c[0], c[1], err)
		}
	}
}

// A dialer asks about the address that it dials, whatever the name was.
func TestControlSeesTheDialedAddress(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{Control: Control}
	for _, host := range []string{"localhost", "127.0.0.1", "::ffff:127.0.0.1"} {
		conn, err := d.DialContext(context.Background(), "tcp", net.JoinHostPort(host, port))
		if err == nil {
			conn.Close()
			t.Errorf("%s was dialed", host)
		} else if !errors.Is(err, ErrPrivate) && host != "localhost" { // it may have no address here
			t.Errorf("%s: %v", host, err)
		}
	}
}

// FuzzPublic: what counts as public has no private IPv4 address in it, wherever a
// transition mechanism puts one, and is what the standard library calls global.
func FuzzPublic(f *testing.F) {
	for _, list := range notPublic {
		for _, text := range list {
			raw := netip.MustParseAddr(text).WithZone("").AsSlice()
			f.Add(raw)
		}
	}
	f.Add([]byte{93, 184, 216, 34})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		if Is(a) != Is(a.Unmap()) {
			t.Errorf("%s and %s differ", a, a.Unmap())
		}
		if a.Is6() && Is(a.WithZone("eth0")) {
			t.Errorf("%s counts as public with a zone", a)
		}
		if !Is(a) {
			return
		}
		a = a.Unmap()
		if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
			t.Errorf("%s counts as public", a)
		}
		if a.Is4() {
			return
		}
		b := a.As16()
		for _, wrapper := range []struct {
			prefix string
			at     int
		}{{"2002::/16", 2}, {"2001::/32", 12}, {"64:ff9b::/96", 12}, {"64:ff9b:1::/48", 12}, {"::/96", 12}, {"::ffff:0:0:0/96", 12}} {
			if netip.MustParsePrefix(wrapper.prefix).Contains(a) {
				t.Errorf("%s counts as public and wraps %s", a, netip.AddrFrom4([4]byte(b[wrapper.at:wrapper.at+4])))
			}
		}
	})
}
