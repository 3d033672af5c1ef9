package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
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
		if err != nil || len(list) != 1 || list[0].Dial != "origin.example:443" || r.Host != "origin.example" {
			t.Fatalf("try %d: %v, %v, for Host %s", try, list, err, r.Host)
		}
	}
}
