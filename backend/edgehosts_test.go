package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
)

// zone answers lookups from a table, and counts them.
type zone struct {
	mu    sync.Mutex // guards both
	hosts map[string][]string
	asked map[string]int
}

func newZone(hosts map[string][]string) *zone { return &zone{hosts: hosts, asked: map[string]int{}} }

func (z *zone) set(host string, addresses ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.hosts[host] = addresses
}

func (z *zone) count(host string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[host]
}

func (z *zone) Lookup(_ context.Context, host string) (list []netip.Addr, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked[host]++
	for _, a := range z.hosts[host] {
		list = append(list, netip.MustParseAddr(a))
	}
	if len(list) == 0 {
		err = errors.New("no such host")
	}
	return list, err
}

// newEdgeWorld is a world whose operator named these edge hosts.
func newEdgeWorld(t *testing.T, z *zone, hosts ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.tune = func(c *backend.Config) { c.EdgeHosts, c.Lookup, c.Rules = hosts, z.Lookup, everyPage{} }
	w.open()
	return w
}

func (w *world) domains(list ...any) {
	w.t.Helper()
	w.call("PATCH", "/api/v1/providers/prov_demo", w.admin, map[string]any{"domains": list}).want(200)
}

// proofToken is what proves a domain, which differs from one service to the next.
var proofToken = regexp.MustCompile(`\b[a-z2-7]{26}\b`)

// recordsOf is a domain's records as "type name value" lines, its alias and its note.
func (w *world) recordsOf() map[string]string {
	w.t.Helper()
	var body struct {
		Domains []struct {
			Domain, Zone, Label, Alias, Note string
			Records                          []struct{ Type, Name, Value string }
		}
	}
	if err := json.Unmarshal(w.call("GET", "/api/v1/providers/prov_demo/dns", w.provider, nil).want(200).raw, &body); err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, d := range body.Domains {
		parts := []string{d.Label + " in " + d.Zone}
		for _, r := range d.Records {
			parts = append(parts, r.Type+" "+r.Name+" "+proofToken.ReplaceAllString(r.Value, "TOKEN"))
		}
		if d.Alias != "" {
			parts = append(parts, "alias "+d.Alias)
		}
		if d.Note != "" {
			parts = append(parts, proofToken.ReplaceAllString(d.Note, "TOKEN"))
		}
		out[d.Domain] = strings.Join(parts, "; ")
	}
	return out
}

func (w *world) mustTell(want map[string]string) {
	w.t.Helper()
	got := w.recordsOf()
	for domain, says := range want {
		if got[domain] != says {
			w.t.Errorf("%s: told %q, want %q", domain, got[domain], says)
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("told of %v", got)
	}
}

func TestDNSRecordsByName(t *testing.T) {
	t.Parallel()
	z := newZone(map[string][]string{"edge.example.com": {"203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"}})
	w := newEdgeWorld(t, z, " Edge.Example.com. ", "edge2.example.com", "")
	w.domains("app.provider.com", "provider.co.uk", "deep.app.provider.co.uk", "localhost", "bücher.example")
	const addresses = "A %s 203.0.113.7; AAAA %s 2001:db8::7; TXT _sessiongate.%s TOKEN; alias edge.example.com"
	apex := func(d string) string { return "@ in " + d + "; " + strings.ReplaceAll(addresses, "%s", d) }
	const other = "; Or, instead of that value, TOKEN.edge2.example.com."
	w.mustTell(map[string]string{
		"app.provider.com":        "app in provider.com; CNAME app.provider.com TOKEN.edge.example.com" + other,
		"provider.co.uk":          apex("provider.co.uk"),
		"deep.app.provider.co.uk": "deep.app in provider.co.uk; CNAME deep.app.provider.co.uk TOKEN.edge.example.com" + other,
		"localhost":               " in ; This name leads to the visitor's own machine: it has no DNS record and needs no proof.",
		"xn--bcher-kva.example":   apex("xn--bcher-kva.example"),
	})
	a := w.call("GET", "/api/v1/providers/prov_demo/dns", w.admin, nil).want(200)
	if hosts := a.at("edge_hosts").([]any); len(hosts) != 2 || hosts[0] != "edge.example.com" {
		t.Errorf("the edge hosts are %v", hosts)
	}
	w.call("GET", "/api/v1/providers/prov_none/dns", w.admin, nil).want(404)
}

// Whoever reads the page often does not make the service ask often, and what
// was known outlives a resolver that fails.
func TestEdgeHostsAreLookedUpOnceAMinute(t *testing.T) {
	t.Parallel()
	z := newZone(map[string][]string{"edge.example.com": {"203.0.113.7"}})
	w := newEdgeWorld(t, z, "edge.example.com")
	w.domains("provider.com")
	const told = "@ in provider.com; A provider.com %s; TXT _sessiongate.provider.com TOKEN; alias edge.example.com"
	want := func(address string, asked int) {
		t.Helper()
		w.mustTell(map[string]string{"provider.com": strings.Replace(told, "%s", address, 1)})
		if n := z.count("edge.example.com"); n != asked {
			t.Errorf("asked %d times, want %d", n, asked)
		}
	}
	want("203.0.113.7", 1)
	z.set("edge.example.com", "203.0.113.8")
	w.clock.Add(59 * time.Second)
	want("203.0.113.7", 1)
	w.clock.Add(time.Second)
	want("203.0.113.8", 2)
	z.set("edge.example.com")
	w.clock.Add(time.Minute)
	want("203.0.113.8", 3)
	w.clock.Add(9 * time.Second)
	want("203.0.113.8", 3)
	w.clock.Add(time.Second)
	want("203.0.113.8", 4)

	w = newEdgeWorld(t, newZone(nil), "edge.example.com")
	w.domains("provider.com")
	w.mustTell(map[string]string{"provider.com": "@ in provider.com; TXT _sessiongate.provider.com TOKEN; alias edge.example.com; The addresses of edge.example.com could not be resolved. Try again in a moment."})
}

func TestDNSRecordsByAddress(t *testing.T) {
	t.Parallel()
	w := newEdgeWorld(t, newZone(nil), "2001:db8::7", "203.0.113.7", "[2001:db8::7]", "::ffff:203.0.113.7")
	w.domains("app.provider.com", "provider.com")
	w.mustTell(map[string]string{
		"app.provider.com": "app in provider.com; A app.provider.com 203.0.113.7; AAAA app.provider.com 2001:db8::7; TXT _sessiongate.app.provider.com TOKEN",
		"provider.com":     "@ in provider.com; A provider.com 203.0.113.7; AAAA provider.com 2001:db8::7; TXT _sessiongate.provider.com TOKEN",
	})

	// With a name, too, the addresses named are those of the apex, and nothing is looked up.
	z := newZone(map[string][]string{"edge.example.com": {"198.51.100.1"}})
	w = newEdgeWorld(t, z, "edge.example.com", "203.0.113.7")
	w.domains("app.provider.com", "provider.com")
	w.mustTell(map[string]string{
		"app.provider.com": "app in provider.com; CNAME app.provider.com TOKEN.edge.example.com",
		"provider.com":     "@ in provider.com; A provider.com 203.0.113.7; TXT _sessiongate.provider.com TOKEN; alias edge.example.com",
	})
	if z.count("edge.example.com") != 0 {
		t.Error("the name was looked up")
	}
}

// Where the operator named no edge, a domain can be proven all the same.
func TestDNSRecordsOfNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.domains("app.provider.com")
	w.mustTell(map[string]string{"app.provider.com": "app in provider.com; TXT _sessiongate.app.provider.com TOKEN; " +
		"This record proves the domain. Point the domain at the gate as well: your marketplace knows the gate's host name."})
	if a := w.call("GET", "/api/v1/providers/prov_demo/dns", w.provider, nil).want(200); len(a.at("edge_hosts").([]any)) != 0 {
		t.Errorf("told %s", a.raw)
	}
}

func TestEdgeHostsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"https://edge.example.com", "edge.example.com:443", "edge.example.com/", "*.example.com", "a b", "203.0.113", "203.0.113.700",
		"0.0.0.0", "::", "224.0.0.1", "fe80::1%eth0", "_edge.example.com", "-x.example.com", strings.Repeat("a", 64) + ".example",
	} {
		b, err := backend.Open(context.Background(), backend.Config{DataDir: t.TempDir(), EdgeHosts: []string{host}}, zap.NewNop())
		if err == nil {
			b.Close()
			t.Errorf("%q is taken", host)
			continue
		}
		if !strings.Contains(err.Error(), "edge") || !strings.Contains(err.Error(), host) {
			t.Errorf("%q: %v", host, err)
		}
	}
	many := strings.Split(strings.Repeat("edge.example.com,", 17), ",")
	if _, err := backend.Open(context.Background(), backend.Config{DataDir: t.TempDir(), EdgeHosts: many}, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "maximum of 16") {
		t.Errorf("many: %v", err)
	}
}

// TestChecksSayWhereADomainLeads compares what DNS says of a domain with the
// edges, and takes a gate's word where it answers.
func TestChecksSayWhereADomainLeads(t *testing.T) {
	t.Parallel()
	site := newGatedSite(t, nil)
	u, err := url.Parse(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	z := newZone(map[string][]string{"edge.example.com": {"203.0.113.7"}})
	w := newEdgeWorld(t, z, "edge.example.com")
	w.domains("app.provider.com")
	// On a port where nothing listens, unless the gate is to answer.
	look := func(port string) (grade, says string) {
		t.Helper()
		w.clock.Add(time.Hour) // checks are limited
		a := w.call("POST", ofChecks, w.provider, map[string]any{"url": "http://app.provider.com:" + port + "/"}).want(200)
		c := a.at("checks").([]any)[0].(map[string]any)
		if c["name"] != "dns" {
			t.Fatalf("first: %v", c)
		}
		return c["grade"].(string), proofToken.ReplaceAllString(c["found"].(string)+" → "+c["remedy"].(string), "TOKEN")
	}
	for _, tt := range []struct {
		is          []string
		port        string
		grade, says string
	}{
		{nil, "1", "failed", "app.provider.com does not resolve: no such host → Set CNAME app.provider.com to TOKEN.edge.example.com. After a recent change"},
		{[]string{"127.0.0.1"}, "1", "failed", "app.provider.com points at 127.0.0.1, which is not the gate (203.0.113.7) → Set CNAME app.provider.com to TOKEN.edge.example.com."},
		{[]string{"127.0.0.1"}, u.Port(), "ok", "app.provider.com points at 127.0.0.1, which is not in the operator's list, but the gate answers there → "},
	} {
		z.set("app.provider.com", tt.is...)
		if grade, says := look(tt.port); grade != tt.grade || !strings.HasPrefix(says, tt.says) {
			t.Errorf("%v: %s, %q, want %s, %q", tt.is, grade, says, tt.grade, tt.says)
		}
	}
	z.set("edge.example.com", "127.0.0.1", "127.0.0.2")
	if grade, says := look("1"); grade != "ok" || says != "app.provider.com points at the gate, 127.0.0.1 → " {
		t.Errorf("at the gate: %s, %q", grade, says)
	}
	z.set("app.provider.com", "127.0.0.1", "127.0.0.3")
	if grade, says := look("1"); grade != "failed" || !strings.HasPrefix(says, "app.provider.com points at 127.0.0.3, which is not the gate, and at 127.0.0.1, which is → Remove the records of 127.0.0.3") {
		t.Errorf("beside the gate: %s, %q", grade, says)
	}
}
