package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// A mistake in the option origin is refused in words that say how to write it.
func TestOriginMistakesSayWhatIsMeant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ option, says string }{
		"nothing":                 {"origin", "origin has no value"},
		"an unset variable":       {"origin {$SESSIONGATE_NO_SUCH}", "the environment variable NAME is not set"},
		"no scheme":               {"origin 127.0.0.1:3000", "such as http://127.0.0.1:3000, or registered"},
		"a name without a scheme": {"origin localhost:3000", "such as http://127.0.0.1:3000, or registered"},
		"another scheme":          {"origin h2c://127.0.0.1:3000", "such as http://127.0.0.1:3000, or registered"},
		"a socket":                {"origin unix//run/app.sock", "such as http://127.0.0.1:3000, or registered"},
		"a path":                  {"origin http://127.0.0.1:3000/app", "to change paths, use Caddy's directive rewrite or uri"},
		"a query":                 {"origin http://127.0.0.1:3000?x", "must be the address of the app's server"},
		"a password":              {"origin http://a:b@127.0.0.1:3000", "must be the address of the app's server"},
		"two servers":             {"origin http://10.0.0.5:3000 http://10.0.0.6:3000", "origin takes one value, not 2"},
		"an option of a proxy":    {"origin http://10.0.0.5 {\n\t\t\theader_up X-A b\n\t\t}", `unknown option "header_up" of origin; options are dial_timeout`},
		"an option twice":         {"origin http://10.0.0.5 {\n\t\t\thost a\n\t\t\thost b\n\t\t}", "host"},
		"no duration":             {"origin http://10.0.0.5 {\n\t\t\thead_timeout 30\n\t\t}", "head_timeout"},
		"a negative duration":     {"origin http://10.0.0.5 {\n\t\t\tdial_timeout -1s\n\t\t}", "dial_timeout"},
		"no number":               {"origin http://10.0.0.5 {\n\t\t\tmax_connections many\n\t\t}", "max_connections"},
		"a negative number":       {"origin http://10.0.0.5 {\n\t\t\tidle_connections -1\n\t\t}", "idle_connections"},
		"a huge head":             {"origin http://10.0.0.5 {\n\t\t\tmax_head 1GiB\n\t\t}", "between 1KiB and 64MiB"},
		"half a certificate":      {"origin https://10.0.0.5 {\n\t\t\tcertificate edge.crt\n\t\t}", "certificate takes two files"},
		"a header in three words": {"origin http://10.0.0.5 {\n\t\t\theader X-A b c\n\t\t}", "write a value with spaces in quotes"},
	} {
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("http://app.example {\n\tsession_gate {\n\t\t"+tt.option+"\n\t}\n}\n"), nil)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
	for name, tt := range map[string]struct {
		origin Origin
		says   string
	}{
		"one certificate for all providers": {Origin{To: registeredOrigins, Certificate: "edge.crt", Key: "edge.key"}, "remove certificate"},
		"one name for all providers":        {Origin{To: registeredOrigins, ServerName: "origin.example"}, "each provider's origin has its own"},
		"one host for all providers":        {Origin{To: registeredOrigins, Host: "origin.example"}, "each provider's origin has its own"},
		"a private address of one's own":    {Origin{To: "http://10.0.0.5", AllowPrivate: true}, "allow_private is an option of origin registered"},
		"the host as a header":              {Origin{To: "http://10.0.0.5", Headers: []OriginHeader{{"host", "x"}}}, "for Host, write host"},
		"the framing as a header":           {Origin{To: "http://10.0.0.5", Headers: []OriginHeader{{"transfer-encoding", "chunked"}}}, "belongs to the connection"},
		"the user as a header":              {Origin{To: "http://10.0.0.5", Headers: []OriginHeader{{"Session_Gate_User", "root"}}}, "which the gate sets"},
		"no header":                         {Origin{To: "http://10.0.0.5", Headers: []OriginHeader{{"X A", "b"}}}, "is no name of a header"},
	} {
		if err := tt.origin.check(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
}
