package domain_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend/domain"
)

func TestNamesThatNobodyCanOwn(t *testing.T) {
	t.Parallel()
	own := []string{"api.market.example", "edge.market.example", "localhost", "127.0.0.1"}
	for name, want := range map[string]error{
		"app.acme.com":               nil,
		"acme.com":                   nil,
		"acme.co.uk":                 nil,
		"acme.github.io":             nil,
		"xn--mller-kva.example":      nil,
		"market.example":             nil, // above the operator's hosts: it can be proven
		"notedge.market.example":     nil,
		"localhost":                  nil,
		"shop.localhost":             nil,
		"127.0.0.1":                  nil,
		"::1":                        nil,
		"wiki.home.arpa":             nil,
		"com":                        domain.ErrLabel,
		"intranet":                   domain.ErrLabel,
		"xn--nxasmq6b":               domain.ErrLabel,
		"co.uk":                      domain.ErrSuffix,
		"github.io":                  domain.ErrSuffix,
		"s3.amazonaws.com":           domain.ErrSuffix,
		"xn--55qx5d.cn":              domain.ErrSuffix,
		"api.market.example":         domain.ErrOperator,
		"edge.market.example":        domain.ErrOperator,
		"x.edge.market.example":      domain.ErrOperator,
		"deep.x.edge.market.example": domain.ErrOperator,
		"192.0.2.7":                  domain.ErrAddress,
		"169.254.169.254":            domain.ErrAddress,
		"2001:db8::1":                domain.ErrAddress,
		"printer.local":              domain.ErrReserved,
		"x.onion":                    domain.ErrReserved,
		"1.0.0.127.in-addr.arpa":     domain.ErrReserved,
		"localhost.localdomain":      domain.ErrReserved,
		"app.invalid":                domain.ErrReserved,
		strings.Repeat("a23456789.", 24) + "acme.c": domain.ErrTooLong,
	} {
		if got := domain.Refused(name, own); !errors.Is(got, want) {
			t.Errorf("Refused(%q) = %v, want %v", name, got, want)
		}
	}
	// Loopback names are told apart by what they are, not by how they begin or end.
	for _, name := range []string{"127.0.0.1.nip.io", "127.acme.com", "localhost.acme.com", "notlocalhost", "::2"} {
		if domain.Loopback(name) {
			t.Errorf("%s is taken for this machine", name)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	secret := []byte("secret")
	token := domain.Token(secret, "prov_a", "app.acme.com")
	if len(token) != 26 || strings.Trim(token, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("%q is no label", token)
	}
	if token != domain.Token(secret, "prov_a", "app.acme.com") {
		t.Error("a token changes")
	}
	for _, other := range []string{
		domain.Token([]byte("other"), "prov_a", "app.acme.com"), domain.Token(secret, "prov_b", "app.acme.com"),
		domain.Token(secret, "prov_a", "acme.com"), domain.Token(secret, "prov_aa", "pp.acme.com"),
	} {
		if other == token {
			t.Error("two claims have one token")
		}
	}
}

func TestWhatProvesADomain(t *testing.T) {
	t.Parallel()
	const token = "k3v9q2m5n4p6r7s2t4va5x3kzw"
	edges := []string{"edge.example.com", "edge2.example.com"}
	for _, tt := range []struct {
		name   string
		answer domain.Answer
		want   bool
	}{
		{"nothing", domain.Answer{}, false},
		{"the CNAME", domain.Answer{Aliases: []string{token + ".edge.example.com"}}, true},
		{"the second edge", domain.Answer{Aliases: []string{token + ".edge2.example.com"}}, true},
		{"behind an alias of the zone", domain.Answer{Aliases: []string{"lb.acme.com", token + ".edge.example.com"}}, true},
		{"the edge without a token", domain.Answer{Aliases: []string{"edge.example.com"}}, false},
		{"another token", domain.Answer{Aliases: []string{"x" + token[1:] + ".edge.example.com"}}, false},
		{"below another name", domain.Answer{Aliases: []string{token + ".edge.evil.com"}}, false},
		{"deeper", domain.Answer{Aliases: []string{token + ".x.edge.example.com"}}, false},
		{"a suffix of the edge", domain.Answer{Aliases: []string{token + ".example.com"}}, false},
		{"the text", domain.Answer{Texts: []string{"v=spf1 -all", token}}, true},
		{"the text as pasted", domain.Answer{Texts: []string{"\"" + strings.ToUpper(token) + "\" "}}, true},
		{"a text that holds it", domain.Answer{Texts: []string{"x" + token}}, false},
		{"an empty text", domain.Answer{Texts: []string{""}}, false},
	} {
		if got := tt.answer.Proves(token, edges); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

var start = time.Unix(1_800_000_000, 0)

// claimed is a claim that a provider made so many hours before the start.
func claimed(id string, state domain.State, hours int64) domain.Claim {
	return domain.Claim{Domain: "app.acme.com", ProviderID: id, State: state, ClaimedAt: start.Unix() - hours*3600}
}

func TestWhoHoldsADomain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		claims     []domain.Claim
		seen       string // providers whose record is in DNS
		incomplete bool
		want       []domain.State
	}{
		{"a pending claim without a record", []domain.Claim{claimed("a", "pending", 1)}, "", false, []domain.State{"pending"}},
		{"a pending claim with its record", []domain.Claim{claimed("a", "pending", 1)}, "a", false, []domain.State{"proven"}},
		{"the later claim has the record", []domain.Claim{claimed("a", "pending", 9), claimed("b", "pending", 1)}, "b", false, []domain.State{"pending", "proven"}},
		{"both have it: the earlier claim", []domain.Claim{claimed("b", "pending", 1), claimed("a", "pending", 9)}, "a b", false, []domain.State{"pending", "proven"}},
		{"both have it: the holder", []domain.Claim{claimed("a", "pending", 9), claimed("b", "proven", 1)}, "a b", false, []domain.State{"pending", "proven"}},
		{"the real owner takes it from a proven claim", []domain.Claim{claimed("a", "proven", 9), claimed("b", "pending", 1)}, "b", false, []domain.State{"suspended", "proven"}},
		{"the real owner takes it from a word", []domain.Claim{claimed("a", "vouched", 9), claimed("b", "pending", 1)}, "b", false, []domain.State{"pending", "proven"}},
		{"a word with its record keeps it", []domain.Claim{claimed("a", "vouched", 9), claimed("b", "pending", 1)}, "a b", false, []domain.State{"vouched", "pending"}},
		{"a half answer takes it from nobody", []domain.Claim{claimed("a", "proven", 9), claimed("b", "pending", 1)}, "b", true, []domain.State{"proven", "pending"}},
		{"a half answer proves what nobody holds", []domain.Claim{claimed("a", "pending", 1)}, "a", true, []domain.State{"proven"}},
		{"a record that is missing once", []domain.Claim{claimed("a", "proven", 9)}, "", false, []domain.State{"proven"}},
		{"a record that is back", []domain.Claim{claimed("a", "suspended", 9)}, "a", false, []domain.State{"proven"}},
		{"a suspended claim is not handed on", []domain.Claim{claimed("a", "suspended", 9), claimed("b", "pending", 1)}, "", false, []domain.State{"suspended", "pending"}},
		{"a word needs no record", []domain.Claim{claimed("a", "vouched", 900)}, "", false, []domain.State{"vouched"}},
		{"a loopback name is nobody's to prove", []domain.Claim{claimed("a", "local", 9), claimed("b", "pending", 1)}, "b", false, []domain.State{"local", "pending"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seen := strings.Fields(tt.seen)
			got := domain.Settle(tt.claims, func(c domain.Claim) bool { return slices.Contains(seen, c.ProviderID) },
				domain.Answer{Incomplete: tt.incomplete, Found: "found"}, start)
			holders := 0
			for i, c := range got {
				if c.State != tt.want[i] {
					t.Errorf("%s is %s, want %s", c.ProviderID, c.State, tt.want[i])
				}
				if c.State.Usable() {
					holders++
				}
				if c.CheckedAt != start.Unix() || c.Found != "found" {
					t.Errorf("%s: %+v", c.ProviderID, c)
				}
			}
			if holders > 1 {
				t.Errorf("%d providers hold the domain", holders)
			}
		})
	}
}

// A record must be missing for a day, in six checks in a row.
func TestADomainIsSuspendedAfterADay(t *testing.T) {
	t.Parallel()
	never := func(domain.Claim) bool { return false }
	// check settles at the time that the claim is due, and returns how long that took.
	check := func(c domain.Claim, now *time.Time, a domain.Answer) domain.Claim {
		*now = time.Unix(c.DueAt, 0)
		return domain.Settle([]domain.Claim{c}, never, a, *now)[0]
	}
	now := start
	c := claimed("a", domain.Proven, 100)
	c.DueAt = now.Unix()
	first := now
	for c.State == domain.Proven {
		c = check(c, &now, domain.Answer{})
		if now.Sub(first) > 48*time.Hour {
			t.Fatal("it is never suspended")
		}
	}
	if after := now.Sub(first); after < domain.SuspendAfter || after > domain.SuspendAfter+time.Hour {
		t.Errorf("suspended after %v", after)
	}
	if c.DueAt == 0 {
		t.Error("a suspended domain is not checked again")
	}

	// Long pauses between checks, as with a service that was off, do not suspend it
	// at the first look; and lookups that fail decide nothing.
	c, now = claimed("a", domain.Proven, 100), start
	for range 5 {
		c = domain.Settle([]domain.Claim{c}, never, domain.Answer{}, now)[0]
		now = now.Add(30 * time.Hour)
	}
	for range 1000 {
		c = domain.Settle([]domain.Claim{c}, never, domain.Answer{Incomplete: true}, now)[0]
		now = now.Add(time.Hour)
	}
	if c.State != domain.Proven || c.Misses != 5 {
		t.Errorf("after a few misses and many failures: %+v", c)
	}
	if c = domain.Settle([]domain.Claim{c}, never, domain.Answer{}, now)[0]; c.State != domain.Suspended {
		t.Errorf("the sixth miss: %+v", c)
	}
	// One that finds the record begins anew.
	c = domain.Settle([]domain.Claim{c}, func(domain.Claim) bool { return true }, domain.Answer{}, now)[0]
	if c.State != domain.Proven || c.Misses != 0 || c.MissingSince != 0 || c.ProvenAt != now.Unix() {
		t.Errorf("a record that is back: %+v", c)
	}
}

// Pending claims are checked ever more rarely, and in the end only when asked for.
func TestChecksOfPendingClaimsEnd(t *testing.T) {
	t.Parallel()
	c := domain.Claim{Domain: "app.acme.com", ProviderID: "a", State: domain.Pending, ClaimedAt: start.Unix(), DueAt: domain.FirstCheck(domain.Pending, start)}
	if first := c.DueAt - start.Unix(); first > 60 {
		t.Errorf("the first check is after %d s", first)
	}
	checks := 0
	for c.DueAt > 0 {
		if checks++; checks > 1000 {
			t.Fatal("they never end")
		}
		now := time.Unix(c.DueAt, 0)
		c = domain.Settle([]domain.Claim{c}, func(domain.Claim) bool { return false }, domain.Answer{}, now)[0]
	}
	if checks < 100 {
		t.Errorf("%d checks", checks)
	}
	for _, s := range []domain.State{domain.Vouched, domain.Local} {
		if at := domain.FirstCheck(s, start); at != 0 {
			t.Errorf("%s claims are checked at %d", s, at)
		}
	}
}
