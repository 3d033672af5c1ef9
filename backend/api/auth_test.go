package api

import (
	"net/http"
	"net/netip"
	"testing"
)

// TestClientsAddressBehindProxies: the client's address is the last that no trusted
// proxy has, in whatever form proxies write it.
func TestClientsAddressBehindProxies(t *testing.T) {
	t.Parallel()
	a := &api{}
	a.Trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		remote string
		hops   []string
		want   string
	}{
		{"10.0.0.1:5000", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:5000", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"10.0.0.1:5000", []string{"6.6.6.6, 198.51.100.7:4711, 10.0.0.2:80"}, "198.51.100.7"},
		{"10.0.0.1:5000", []string{"6.6.6.6:1", " 198.51.100.7:4711 "}, "198.51.100.7"},
		{"10.0.0.1:5000", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"10.0.0.1:5000", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"10.0.0.1:5000", []string{"2001:db8::7"}, "2001:db8::7"},
		{"10.0.0.1:5000", []string{"fe80::1%eth0"}, "fe80::1"},
		{"10.0.0.1:5000", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:5000", []string{"[::ffff:198.51.100.7]:4711"}, "198.51.100.7"},
		{"[fd00::1]:5000", []string{`"[2001:db8::7]:4711"`}, "2001:db8::7"},
		{"10.0.0.1:5000", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		{"10.0.0.1:5000", []string{"198.51.100.7:port"}, "10.0.0.1"},
		{"10.0.0.1:5000", nil, "10.0.0.1"},
		{"203.0.113.9:5000", []string{"198.51.100.7:4711"}, "203.0.113.9"},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-For": tt.hops}}
		if got := a.addressOf(r); got != tt.want {
			t.Errorf("%s, %q: %s, want %s", tt.remote, tt.hops, got, tt.want)
		}
	}
}
