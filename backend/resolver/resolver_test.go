package resolver_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend/resolver"
	"github.com/sessiongate/sessiongate/backend/resolver/resolvertest"
)

func start(t *testing.T) (*resolvertest.Server, *resolver.Client) {
	t.Helper()
	server, err := resolvertest.Start(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	client, err := resolver.New(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestLook(t *testing.T) {
	t.Parallel()
	server, client := start(t)
	for _, r := range [][]string{
		{"app.acme.com", "CNAME", "Token.Edge.example.com."},
		{"far.acme.com", "CNAME", "lb.acme.com"},
		{"lb.acme.com", "CNAME", "token.edge.example.com"},
		{"away.acme.com", "CNAME", "acme.hosting.example"},
		{"acme.hosting.example", "CNAME", "evil.edge.example.com"},
		{"loop.acme.com", "CNAME", "loop2.acme.com"},
		{"loop2.acme.com", "CNAME", "loop.acme.com"},
		{"self.acme.com", "CNAME", "self.acme.com"},
		{"*.wild.acme.com", "CNAME", "wild.edge.example.com"},
		{"acme.com", "A", "203.0.113.9"},
		{"_sessiongate.acme.com", "TXT", "v=spf1 -all", "token"},
		{"_sessiongate.aliased.acme.com", "CNAME", "texts.evil.example"},
		{"texts.evil.example", "TXT", "evil"},
		{"long.acme.com", "A", "203.0.113.9"},
		{"_sessiongate.long.acme.com", "TXT", strings.Repeat("a", 300), strings.Repeat("b", 250), strings.Repeat("c", 250), strings.Repeat("d", 250), strings.Repeat("e", 250), "last"},
		{"_sessiongate.odd.acme.com", "TXT", "a\x00b\x7fc<é>"},
		{"_sessiongate.quoted.acme.com", "TXT", `"token"`},
	} {
		server.Set(r[0], r[1], r[2:]...)
	}
	server.Break("broken.acme.com", true)
	for _, tt := range []struct {
		name       string
		aliases    []string
		texts      []string
		incomplete bool
		found      string
	}{
		{"app.acme.com", []string{"token.edge.example.com"}, nil, false, "CNAME token.edge.example.com"},
		{"far.acme.com", []string{"lb.acme.com", "token.edge.example.com"}, nil, false, "CNAME lb.acme.com, then token.edge.example.com"},
		{"away.acme.com", []string{"acme.hosting.example"}, nil, false, "CNAME acme.hosting.example"},
		{"x.wild.acme.com", []string{"wild.edge.example.com"}, nil, false, "CNAME wild.edge.example.com"},
		{"loop.acme.com", []string{"loop2.acme.com"}, nil, false, "CNAME loop2.acme.com"},
		{"self.acme.com", nil, nil, false, "no CNAME"},
		{"acme.com", nil, []string{"v=spf1 -all", "token"}, false, "no CNAME, but addresses 203.0.113.9; TXT v=spf1 -all, token"},
		{"none.acme.com", nil, nil, false, "none.acme.com has no DNS record"},
		{"aliased.acme.com", nil, nil, false, ""},
		{"broken.acme.com", nil, nil, true, "DNS did not answer: the resolver answered SERVFAIL"},
		{"quoted.acme.com", nil, []string{`"token"`}, false, ""},
		{"odd.acme.com", nil, []string{`a\000b\127c<\195\169>`}, false, ""},
	} {
		a := client.Look(context.Background(), tt.name)
		if !slices.Equal(a.Aliases, tt.aliases) || !slices.Equal(a.Texts, tt.texts) || a.Incomplete != tt.incomplete || !strings.HasPrefix(a.Found, tt.found) {
			t.Errorf("%s: %+v, want %+v", tt.name, a, tt)
		}
	}
	// What does not fit into UDP comes over TCP.
	if a := client.Look(context.Background(), "long.acme.com"); len(a.Texts) != 6 || a.Texts[5] != "last" || len(a.Texts[0]) != 255 || len(a.Found) > 500 {
		t.Errorf("long texts: %d, %+v", len(a.Found), a)
	}
}

// A resolver that says nothing, or is not there, decides nothing and takes bounded time.
func TestResolverThatIsSilent(t *testing.T) {
	t.Parallel()
	server, client := start(t)
	server.Set("app.acme.com", "CNAME", "token.edge.example.com")
	server.Silence(true)
	if a := client.Look(context.Background(), "app.acme.com"); !a.Incomplete || len(a.Aliases) > 0 || !strings.Contains(a.Found, "timed out") {
		t.Errorf("silent: %+v", a)
	}
	server.Silence(false)
	if a := client.Look(context.Background(), "app.acme.com"); a.Incomplete || len(a.Aliases) != 1 {
		t.Errorf("back: %+v", a)
	}
	server.Stop()
	a := client.Look(context.Background(), "app.acme.com")
	if !a.Incomplete || strings.Contains(a.Found, server.Addr) {
		t.Errorf("stopped: %+v", a)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	server, client := start(t)
	server.Set("edge.example.com", "A", "203.0.113.7")
	server.Set("edge.example.com", "AAAA", "2001:db8::7")
	list, err := client.LookupNetIP(context.Background(), "edge.example.com")
	if err != nil || len(list) != 2 {
		t.Errorf("got %v, %v", list, err)
	}
	if _, err := client.LookupNetIP(context.Background(), "none.example.com"); err == nil {
		t.Error("a name that does not exist has addresses")
	}
}

func TestResolverAddresses(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:53", "coredns:53", "ns.example.com"} {
		if _, err := resolver.New(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"127.0.0.1:0", "127.0.0.1:x", "https://dns.example/dns-query", "a b:53", ":53", "host:70000", "1:2:3"} {
		if _, err := resolver.New(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
