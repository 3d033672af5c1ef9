package service

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/limits"
)

// The documentation has the limits' table, with their defaults, units and meanings.
func TestLimitsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	want := new(Limits).List().Table() + "\n"
	if !strings.Contains(string(page), want) {
		t.Errorf("docs/operations.md must have this table:\n%s", want)
	}
}

// A zero value is the default, and -1 no limit.
func TestLimitsHaveDefaults(t *testing.T) {
	t.Parallel()
	l := Limits{KeyRate: limits.Unlimited, Reads: 7}.withDefaults()
	if l.KeyRate != limits.Unlimited || l.Reads != 7 || l.AddressRate != 100 || l.EventsPerSession != 5000 {
		t.Errorf("%+v", l)
	}
	if every(time.Minute, limits.Unlimited).Interval != 0 || most(limits.Unlimited) < 1<<40 {
		t.Error("no limit limits")
	}
	if b := burst(time.Second, 5, 10); b.Interval != 200*time.Millisecond || b.Burst != 10 {
		t.Errorf("%+v", b)
	}
	if b := every(time.Nanosecond, 1<<40); b.Interval < 1 {
		t.Errorf("%+v", b)
	}
}

// Whoever has an IPv6 network counts as one address.
func TestAddressesAreLimitedByNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64",
		"fe80::1%eth0": "fe80::/64", "pipe": "pipe", "": "",
	} {
		if got := networkOf(address); got != want {
			t.Errorf("%s is limited as %s, want %s", address, got, want)
		}
	}
}
