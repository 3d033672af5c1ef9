package webhook

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"testing"
)

// FuzzWebhookURL: what may be registered is https, has a host and nothing secret or
// hidden, and its addresses are public.
func FuzzWebhookURL(f *testing.F) {
	for _, raw := range []string{
		"https://hooks.example/x", "http://hooks.example/", "https://127.0.0.1/", "https://[::1]/", "https://user@hooks.example", "https://hooks.example#x",
		"https://169.254.169.254/", "https://[::ffff:10.0.0.1]/", "https://0x7f.1/", "https://2130706433/", "https://hooks.example:0/", "https:///", "\x00", "https://[fe80::1%25eth0]/",
	} {
		f.Add(raw)
	}
	public := Guard{Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
	}}
	private := Guard{Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("::ffff:10.0.0.1")}, nil
	}}
	f.Fuzz(func(t *testing.T, raw string) {
		err := public.Check(t.Context(), raw)
		if err != nil && !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v", raw, err)
		}
		u, parseErr := url.Parse(raw)
		if err == nil && (parseErr != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "") {
			t.Errorf("%q is accepted", raw)
		}
		if err == nil {
			if a, addressErr := netip.ParseAddr(u.Hostname()); addressErr == nil && (a.Unmap().IsPrivate() || a.Unmap().IsLoopback() || a.Unmap().IsLinkLocalUnicast()) {
				t.Errorf("%q is accepted", raw)
			} else if addressErr != nil && private.Check(t.Context(), raw) == nil {
				t.Errorf("%q is accepted although one of its addresses is private", raw)
			}
		}
	})
}
