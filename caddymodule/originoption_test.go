package caddymodule

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/origin"
)

// An option origin that cannot work is refused with what to write instead.
func TestOriginOption(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"origin http://127.0.0.1:3000": "",
		"origin https://app.internal {\n ca a.pem b.pem\n certificate c.pem k.pem\n server_name x\n host y\n header A b\n header C\n header D d\n}":               "",
		"origin registered {\n allow_private\n dial_timeout 1s\n head_timeout 30s\n idle_timeout 1m\n idle_connections 4\n max_connections 9\n max_head 64KiB\n}": "",
		"origin {env.APP}":                                         "",
		"origin":                                                   "origin has no value",
		"origin 127.0.0.1:3000":                                    "such as http://127.0.0.1:3000, or registered",
		"origin localhost:3000":                                    "such as http://127.0.0.1:3000, or registered",
		"origin ftp://a":                                           "such as http://127.0.0.1:3000",
		"origin http://a/path":                                     "use Caddy's directive rewrite or uri",
		"origin http://user@a":                                     "must be the address",
		"origin http://a http://b":                                 "takes one value",
		"origin http://a {\n allow_private\n}":                     "is an option of origin registered",
		"origin registered {\n certificate a b\n}":                 "access to it",
		"origin registered {\n host a\n}":                          "takes no server_name and no host",
		"origin http://a {\n certificate a\n}":                     "takes two files",
		"origin http://a {\n header\n}":                            "takes a name and a value",
		"origin http://a {\n header A b c\n}":                      "in quotes",
		"origin http://a {\n header Host b\n}":                     "for Host, write host",
		"origin http://a {\n header session_gate_user b\n}":        "which the gate sets",
		"origin http://a {\n header \"A B\" b\n}":                  "is no name of a header",
		"origin http://a {\n max_head 1\n}":                        "between 1KiB and 64MiB",
		"origin http://a {\n pool 1\n}":                            "unknown option \"pool\" of origin",
		"origin http://a {\n dial_timeout 1s\n dial_timeout 1s\n}": "twice",
		"origin http://a\norigin http://b":                         "twice",
	} {
		g := new(Gate)
		err := g.UnmarshalCaddyfile(caddyfile.NewTestDispenser("session_gate {\n" + text + "\n}"))
		if err == nil && g.Origin != nil {
			err = g.Origin.check()
			if strings.Contains(g.Origin.To, "{") {
				err = nil
			}
		}
		switch {
		case says == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%s: %v; want %q", text, err, says)
		}
	}
}

// The origin is told of the client by the gate; what the client says of it counts if it is
// a trusted proxy.
func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	said := map[string][]string{"X-Forwarded-For": {"10.0.0.1", "10.0.0.2"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"front.example"}}
	for _, tt := range []struct {
		name, remote string
		trusted      bool
		said         map[string][]string
		want         []origin.Header
	}{
		{"a client", "192.0.2.1:5", false, nil, []origin.Header{{Name: "X-Forwarded-For", Value: "192.0.2.1"}, {Name: "X-Forwarded-Proto", Value: "http"}, {Name: "X-Forwarded-Host", Value: "app.example"}}},
		{"a client that says more", "[2001:db8::1%eth0]:5", false, said, []origin.Header{{Name: "X-Forwarded-For", Value: "2001:db8::1"}, {Name: "X-Forwarded-Proto", Value: "http"}, {Name: "X-Forwarded-Host", Value: "app.example"}}},
		{"a trusted proxy", "192.0.2.1:5", true, said, []origin.Header{{Name: "X-Forwarded-For", Value: "10.0.0.1, 10.0.0.2, 192.0.2.1"}, {Name: "X-Forwarded-Proto", Value: "https"}, {Name: "X-Forwarded-Host", Value: "front.example"}}},
		{"a trusted proxy at a socket", "@", true, said, []origin.Header{{Name: "X-Forwarded-For", Value: "10.0.0.1, 10.0.0.2"}, {Name: "X-Forwarded-Proto", Value: "https"}, {Name: "X-Forwarded-Host", Value: "front.example"}}},
		{"a socket", "@", false, said, []origin.Header{{Name: "X-Forwarded-For"}, {Name: "X-Forwarded-Proto"}, {Name: "X-Forwarded-Host"}}},
		{"no address", "nowhere", true, said, []origin.Header{{Name: "X-Forwarded-For"}, {Name: "X-Forwarded-Proto"}, {Name: "X-Forwarded-Host"}}},
	} {
		r := httptest.NewRequest("GET", "http://app.example/", nil)
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
		r.RemoteAddr = tt.remote
		for name, values := range tt.said {
			r.Header[name] = values
		}
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, tt.trusted)
		if got := appendForwarded(nil, r); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
