package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

func TestOnlyPublicAddressesAreOrigins(t *testing.T) {
	t.Parallel()
	answers := make(map[string][]netip.Addr)
	c := newNameCache()
	c.lookUp = func(_ context.Context, name string) ([]netip.Addr, error) { return answers[name], nil }
	for name, list := range map[string]struct {
		addresses string
		want      bool
	}{
		"one": {"93.184.216.34", true}, "both families": {"93.184.216.34 2606:2800:220:1::1", true}, "mapped": {"::ffff:93.184.216.34", true},
		"loopback": {"127.0.0.1", false}, "private": {"10.1.2.3", false}, "one of two": {"93.184.216.34 10.1.2.3", false},
		"metadata": {"169.254.169.254", false}, "Azure": {"168.63.129.16", false}, "Alibaba": {"100.100.100.200", false}, "IPv6 metadata": {"fd00:ec2::254", false},
		"NAT64": {"64:ff9b::a00:1", false}, "local NAT64": {"64:ff9b:1::7f00:1", false}, "6to4": {"2002:7f00:1::", false}, "Teredo": {"2001::1", false},
		"site-local": {"fec0::1", false}, "benchmarks": {"198.18.0.1", false}, "reserved": {"240.0.0.1", false}, "mapped loopback": {"::ffff:127.0.0.1", false},
		"a zone": {"fe80::1%eth0", false}, "translated": {"::ffff:0:7f00:1", false}, "this network": {"0.1.2.3", false},
	} {
		for text := range strings.FieldsSeq(list.addresses) {
			answers[name] = append(answers[name], netip.MustParseAddr(text))
		}
		for range 2 { // looked up, then remembered
			got, err := c.public(t.Context(), name)
			if list.want && (err != nil || len(got) != len(answers[name])) || !list.want && !errors.Is(err, errPrivateOrigin) {
				t.Errorf("%s (%s): %v, %v", name, list.addresses, got, err)
			}
		}
	}
	if list, err := c.public(t.Context(), "nothing"); err == nil {
		t.Errorf("a name without an address: %v", list)
	}
	c = newNameCache() // with the system's resolver
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "::ffff:7f00:1"} {
		if _, err := c.public(t.Context(), name); !errors.Is(err, errPrivateOrigin) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}

// A request that one provider's session admitted does not reach the origin of another,
// whom the host belongs to since, or by mistake.
func TestSessionsReachTheirOwnProvidersOrigin(t *testing.T) {
	t.Parallel()
	e := testEdge(t)
	own := e.Sessions.Put(state("s1", 1, protocol.Active, time.Hour), edge.MonotonicMS()+1) // of provider p
	for owner, want := range map[string]bool{"p": true, "rival": false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"host":"app.example","provider_id":"` + owner + `","origin_url":"https://origin.example"}`))
		}))
		defer server.Close()
		base, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		u := &Upstreams{AllowPrivate: true, edge: edge.New(base, "key", zap.NewNop())}
		for credit, reaches := range map[any]bool{own: want, "p": want, new(Gate): true} { // "p" after an earlier try; a request to an open path tells nobody's name
			r := withVars(httptest.NewRequest(http.MethodGet, "http://app.example/", nil))
			caddyhttp.SetVar(r.Context(), creditVar, credit)
			if list, err := u.GetUpstreams(r); (err == nil && len(list) == 1) != reaches {
				t.Errorf("%T at a host of %s: %v, %v", credit, owner, list, err)
			}
		}
	}
}

// Each provider's use of an origin is counted by itself, whatever its id is.
func TestOriginsAreCountedByProvider(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, id := range []string{"prov_a", "prov_b", "a b", "a}b", "{env.HOME}", `\{`, "unix//", "é", ""} {
		for _, address := range []string{"origin.example:443", "93.184.216.34:80", "[2606:4700::1]:8443"} {
			dial := countedFor(id) + address
			if got := caddy.NewReplacer().ReplaceAll(dial, ""); got != address {
				t.Errorf("provider %q: %s is dialed as %s", id, address, got)
			}
			if seen[dial] {
				t.Errorf("%s is counted for two", dial)
			}
			seen[dial] = true
		}
	}
}

// The proxy asks anew for each retry (lb_try_duration), with the Host that was
// set for the first try.
func TestOriginIsFoundAgainForARetry(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"host":"app.example","provider_id":"p","origin_url":"https://origin.example"}`))
	}))
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := edge.New(base, "key", zap.NewNop())
	u := &Upstreams{AllowPrivate: true, edge: e}
	r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
	for try := range 3 {
		list, err := u.GetUpstreams(r)
		if err != nil || len(list) != 1 || caddy.NewReplacer().ReplaceAll(list[0].Dial, "") != "origin.example:443" || r.Host != "origin.example" {
			t.Fatalf("try %d: %v, %v, for Host %s", try, list, err, r.Host)
		}
	}
}
