package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/backend"
	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/resolver/resolvertest"
	"github.com/sessiongate/sessiongate/backend/store"
)

// newOwnedWorld is a world whose operator is at market.example, with a DNS server, and
// with a second provider, whose key it returns.
func newOwnedWorld(t *testing.T) (w *world, dns *resolvertest.Server, rival string) {
	t.Helper()
	dns, err := resolvertest.Start(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Stop)
	dns.Set("edge.market.example", "A", "203.0.113.7")
	dns.Set("*.edge.market.example", "A", "203.0.113.7")
	w = newWorld(t)
	w.tune = func(c *backend.Config) {
		c.EdgeHosts, c.DNSResolver, c.Issuer = []string{"edge.market.example"}, dns.Addr, "https://api.market.example"
	}
	w.open()
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{"id": "prov_rival", "name": "Rival", "policies": map[string]any{"return_hosts": []any{"market.example"}}}).want(201)
	if rival, err = w.b.CreateAPIKey(context.Background(), backend.RoleProvider, "prov_rival", "test"); err != nil {
		t.Fatal(err)
	}
	w.secrets = append(w.secrets, rival)
	return w, dns, rival
}

// claim sets a provider's domains with its own key.
func (w *world) claim(id, key string, names ...any) *answer {
	w.t.Helper()
	return w.call("PATCH", "/api/v1/providers/"+id, key, map[string]any{"domains": append([]any{}, names...)})
}

// served is the provider for which edges serve a host, or "".
func (w *world) served(host string) string {
	w.t.Helper()
	a := w.call("GET", "/api/v1/edge/hosts/"+host, w.edge, nil)
	if a.status == 200 {
		return a.str("provider_id")
	}
	a.want(404, "host_unknown")
	return ""
}

// shownDomain is a domain as GET …/dns shows it.
type shownDomain struct {
	Domain, State, Found, Note                     string
	Records                                        []struct{ Type, Name, Value string }
	Text                                           struct{ Type, Name, Value string }
	CheckedAt, ProvenAt, MissingSince, NextCheckAt int64
}

func (w *world) dnsOf(a *answer, name string) shownDomain {
	w.t.Helper()
	var body struct{ Domains []map[string]any }
	if err := json.Unmarshal(a.raw, &body); err != nil {
		w.t.Fatal(err)
	}
	for _, d := range body.Domains {
		if d["domain"] != name {
			continue
		}
		raw, err := json.Marshal(d)
		if err != nil {
			w.t.Fatal(err)
		}
		var out shownDomain
		if err := json.Unmarshal([]byte(strings.NewReplacer(`"checked_at"`, `"CheckedAt"`, `"proven_at"`, `"ProvenAt"`,
			`"missing_since"`, `"MissingSince"`, `"next_check_at"`, `"NextCheckAt"`).Replace(string(raw))), &out); err != nil {
			w.t.Fatal(err)
		}
		return out
	}
	w.t.Fatalf("%s is not shown: %s", name, a.raw)
	return shownDomain{}
}

func (w *world) dns(id, key, name string) shownDomain {
	w.t.Helper()
	return w.dnsOf(w.call("GET", "/api/v1/providers/"+id+"/dns", key, nil).want(200), name)
}

func (w *world) checkNow(id, key, name string) shownDomain {
	w.t.Helper()
	w.clock.Add(time.Minute) // checks are limited
	return w.dnsOf(w.call("POST", "/api/v1/providers/"+id+"/dns/checks", key, map[string]any{"domain": name}).want(200), name)
}

// set puts the first record of a domain into the DNS server.
func (d shownDomain) set(dns *resolvertest.Server) {
	dns.Set(d.Records[0].Name, d.Records[0].Type, d.Records[0].Value)
}

// A provider's key claims the operator's hosts, a public suffix and others' names, as
// the attack on the product did.
func TestNobodyClaimsWhatIsAnothers(t *testing.T) {
	t.Parallel()
	w, _, rival := newOwnedWorld(t)
	for name, reason := range map[string]string{
		"edge.market.example":         "belongs to the operator",
		"https://API.market.example/": "belongs to the operator",
		"x.edge.market.example":       "belongs to the operator",
		"com":                         "single label",
		"co.uk":                       "public suffix",
		"github.io":                   "public suffix",
		"xn--nxasmq6b":                "single label",
		"192.0.2.7":                   "IP address",
		"169.254.169.254":             "IP address",
		"[2001:db8::1]":               "IP address",
		"printer.local":               "reserved",
	} {
		for who, key := range map[string]string{"the provider": rival, "an administrator": w.admin} {
			a := w.claim("prov_rival", key, "fine.example", name).want(422, "invalid_request")
			if !strings.Contains(a.str("detail"), "domains[1]") || !strings.Contains(a.str("detail"), reason) {
				t.Errorf("%s claims %s: %s", who, name, a.raw)
			}
		}
	}
	a := w.claim("prov_rival", rival, "www.victim-bank.com", "127.0.0.1.nip.io", "market.example", "localhost").want(200)
	want := `{"127.0.0.1.nip.io":"pending","localhost":"local","market.example":"pending","www.victim-bank.com":"pending"}`
	if got, _ := json.Marshal(a.at("domain_states")); string(got) != want {
		t.Errorf("states are %s, want %s", got, want)
	}
	for _, host := range []string{"www.victim-bank.com", "127.0.0.1.nip.io", "market.example", "edge.market.example"} {
		if id := w.served(host); id != "" {
			t.Errorf("edges serve %s for %s", host, id)
		}
	}
	if w.served("localhost") != "prov_rival" {
		t.Error("a loopback name needs proof")
	}
	// The owner registers later, and is told of no conflict.
	w.call("POST", "/api/v1/providers", w.admin, map[string]any{"id": "prov_honest", "name": "Honest", "domains": []string{"www.victim-bank.com"}}).want(201)
	if id := w.served("www.victim-bank.com"); id != "prov_honest" {
		t.Errorf("the administrator's word is worth nothing: %q", id)
	}
}

// What was claimed before such claims were refused is not served either.
func TestOperatorsHostsFromBeforeAreNotServed(t *testing.T) {
	t.Parallel()
	w, _, _ := newOwnedWorld(t)
	err := w.b.Store().Write(context.Background(), func(tx *store.Tx) error {
		return tx.InsertProvider(context.Background(), store.Provider{
			ID: "prov_old", Name: "Old", Domains: []string{"edge.market.example", "x.api.market.example", "co.uk", "old.example"},
			NewClaim: func(string) domain.State { return domain.Vouched },
		}, w.now())
	})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"edge.market.example": "", "x.api.market.example": "", "co.uk": "", "old.example": "prov_old"} {
		if got := w.served(host); got != want {
			t.Errorf("%s is served for %q, want %q", host, got, want)
		}
	}
	// They stay in the list, which can be saved with them.
	w.claim("prov_old", w.admin, "edge.market.example", "co.uk", "old.example", "new.example").want(200)
}

// Until its record is there, a domain has no visitors and no launch links; afterwards
// it has both.
func TestADomainIsUsableOnceProven(t *testing.T) {
	t.Parallel()
	w, dns, rival := newOwnedWorld(t)
	w.claim("prov_rival", rival, "https://App.acme.com/x").want(200)
	w.credit("user_1", 1000)
	sale := order("provider_id", "prov_rival")
	refused := w.call("POST", "/api/v1/sessions", w.market, sale).want(409, "domain_not_proven")
	if d := refused.str("detail"); !strings.Contains(d, "app.acme.com is pending") || !strings.Contains(d, "GET /api/v1/providers/prov_rival/dns") {
		t.Errorf("the seller is told %q", d)
	}
	if available, held := w.balance("user_1"); available != 1000 || held != 0 {
		t.Errorf("the refused sale held tokens: %d, %d", available, held)
	}

	shown := w.dns("prov_rival", rival, "app.acme.com")
	token := shown.Text.Value
	if shown.State != "pending" || len(shown.Records) != 1 || shown.Records[0].Type != "CNAME" || shown.Records[0].Value != token+".edge.market.example" ||
		shown.Text.Name != "_sessiongate.app.acme.com" || len(token) != 26 {
		t.Errorf("shown %+v", shown)
	}
	// Almost right: the edge without a token, the token of another provider.
	w.claim("prov_demo", w.provider, "app.provider.example", "app.acme.com").want(200)
	other := w.dns("prov_demo", w.provider, "app.acme.com").Text.Value
	for _, value := range []string{"edge.market.example", "a" + token[1:] + ".edge.market.example", token + ".edge.evil.com"} {
		dns.Set("app.acme.com", "CNAME", value)
		if got := w.checkNow("prov_rival", rival, "app.acme.com"); got.State != "pending" || !strings.Contains(got.Found, "CNAME "+value) || got.CheckedAt == 0 {
			t.Errorf("with %s: %+v", value, got)
		}
	}
	if other == token || w.served("app.acme.com") != "" {
		t.Error("two providers have one token, or the domain is served")
	}

	shown.set(dns)
	if got := w.checkNow("prov_rival", rival, "app.acme.com"); got.State != "proven" || got.ProvenAt != got.CheckedAt {
		t.Errorf("with the record: %+v", got)
	}
	if w.served("app.acme.com") != "prov_rival" || w.served("APP.acme.com:8443") != "prov_rival" {
		t.Error("a proven domain is not served")
	}
	sold := w.call("POST", "/api/v1/sessions", w.market, sale).want(201)
	w.secrets = append(w.secrets, sold.str("token"))
	if !strings.HasPrefix(sold.str("launch_url"), "https://app.acme.com/?session=") {
		t.Errorf("the launch link is %.40s", sold.str("launch_url"))
	}
	// A record that stays through a removal of the domain is still the right one.
	w.claim("prov_rival", rival).want(200)
	if w.served("app.acme.com") != "" {
		t.Error("a domain that was given up is served")
	}
	w.claim("prov_rival", rival, "app.acme.com").want(200)
	if got := w.checkNow("prov_rival", rival, "app.acme.com"); got.State != "proven" || got.Text.Value != token {
		t.Errorf("claimed again: %+v", got)
	}
}

// At an apex, a text proves the domain; it does so behind a proxy that hides the CNAME,
// too. A wildcard that points at another's domain proves nothing.
func TestATextProvesADomain(t *testing.T) {
	t.Parallel()
	w, dns, rival := newOwnedWorld(t)
	w.claim("prov_rival", rival, "acme.com", "app.acme.com", "wild.acme.com", "texts.acme.com").want(200)
	apex := w.dns("prov_rival", rival, "acme.com")
	var kinds []string
	for _, r := range apex.Records {
		kinds = append(kinds, r.Type+" "+r.Name)
	}
	if !slices.Equal(kinds, []string{"A acme.com", "TXT _sessiongate.acme.com"}) {
		t.Errorf("an apex needs %q", kinds)
	}
	dns.Set("_sessiongate.acme.com", "TXT", "v=spf1 -all", apex.Text.Value)
	dns.Set("app.acme.com", "A", "198.51.100.9") // a proxy of the provider's
	dns.Set("_sessiongate.app.acme.com", "TXT", w.dns("prov_rival", rival, "app.acme.com").Text.Value)
	dns.Set("wild.acme.com", "CNAME", apex.Text.Value+".edge.market.example") // the token of another name
	dns.Set("_sessiongate.texts.acme.com", "CNAME", "texts.evil.example")
	dns.Set("texts.evil.example", "TXT", w.dns("prov_rival", rival, "texts.acme.com").Text.Value)
	a := w.call("POST", "/api/v1/providers/prov_rival/dns/checks", rival, nil).want(200)
	for name, want := range map[string]string{"acme.com": "proven", "app.acme.com": "proven", "wild.acme.com": "pending", "texts.acme.com": "pending"} {
		if got := w.dnsOf(a, name); got.State != want {
			t.Errorf("%s is %s, want %s: %s", name, got.State, want, got.Found)
		}
	}
}

// Two providers claim one domain: the one whose record is there has it, whoever came
// first, and the other's claim waits.
func TestTheOneWhoProvesADomainHasIt(t *testing.T) {
	t.Parallel()
	w, dns, rival := newOwnedWorld(t)
	w.claim("prov_rival", rival, "shop.acme.com").want(200)
	w.clock.Add(time.Hour)
	w.claim("prov_demo", w.provider, "app.provider.example", "shop.acme.com").want(200)
	w.dns("prov_demo", w.provider, "shop.acme.com").set(dns)
	// Whoever asks, the truth is the same.
	if got := w.checkNow("prov_rival", rival, "shop.acme.com"); got.State != "pending" {
		t.Errorf("the first claim is %s", got.State)
	}
	if got := w.served("shop.acme.com"); got != "prov_demo" {
		t.Errorf("served for %q", got)
	}
	// The name is sold: the buyer's record is there, and the seller's claim is suspended.
	w.dns("prov_rival", rival, "shop.acme.com").set(dns)
	if got := w.checkNow("prov_rival", rival, "shop.acme.com"); got.State != "proven" || w.served("shop.acme.com") != "prov_rival" {
		t.Errorf("the new owner: %+v", got)
	}
	if got := w.dns("prov_demo", w.provider, "shop.acme.com"); got.State != "suspended" {
		t.Errorf("the former owner is %s", got.State)
	}
	// What an administrator vouched for, or what stood before, gives way to a record.
	w.call("PATCH", "/api/v1/providers/prov_demo", w.admin, map[string]any{"domains": []any{"app.provider.example", "vouched.acme.com"}}).want(200)
	w.claim("prov_rival", rival, "shop.acme.com", "vouched.acme.com").want(200)
	if w.served("vouched.acme.com") != "prov_demo" {
		t.Error("an administrator's word is worth nothing")
	}
	w.dns("prov_rival", rival, "vouched.acme.com").set(dns)
	w.checkNow("prov_rival", rival, "vouched.acme.com")
	if w.served("vouched.acme.com") != "prov_rival" {
		t.Error("an administrator's word outweighs DNS")
	}
}

// A record that leaves costs the domain after a day, not before; a resolver that fails
// costs nothing; the record's return brings it back. The loop does all of it unasked.
func TestADomainWhoseRecordLeavesIsSuspended(t *testing.T) {
	t.Parallel()
	w, dns, rival := newOwnedWorld(t)
	ctx := context.Background()
	w.claim("prov_rival", rival, "app.acme.com").want(200)
	w.dns("prov_rival", rival, "app.acme.com").set(dns)
	// round makes the checks that are due, every ten minutes.
	round := func(d time.Duration) {
		t.Helper()
		for end := w.clock.Now().Add(d); w.clock.Now().Before(end); w.clock.Add(10 * time.Minute) {
			if _, err := w.b.CheckDueDomains(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	state := func() string { t.Helper(); return w.dns("prov_rival", rival, "app.acme.com").State }
	w.clock.Add(time.Minute)
	round(20 * time.Minute)
	if state() != "proven" || w.served("app.acme.com") != "prov_rival" {
		t.Fatalf("the loop leaves it %s", state())
	}
	dns.Break("app.acme.com", true)
	dns.Break("_sessiongate.app.acme.com", true)
	round(72 * time.Hour)
	if state() != "proven" {
		t.Error("a resolver that fails costs a provider its site")
	}
	dns.Break("app.acme.com", false)
	dns.Break("_sessiongate.app.acme.com", false)
	round(2 * time.Hour)
	dns.Set("app.acme.com", "CNAME", "elsewhere.example")
	round(20 * time.Hour)
	if got := w.dns("prov_rival", rival, "app.acme.com"); got.State != "proven" || got.MissingSince == 0 || !strings.Contains(got.Found, "elsewhere.example") {
		t.Errorf("after 20 hours: %+v", got)
	}
	round(6 * time.Hour)
	if state() != "suspended" || w.served("app.acme.com") != "" {
		t.Errorf("after a day it is %s", state())
	}
	w.credit("user_1", 100)
	if a := w.call("POST", "/api/v1/sessions", w.market, order("provider_id", "prov_rival")).want(409, "domain_not_proven"); !strings.Contains(a.str("detail"), "suspended: its DNS record is gone") {
		t.Errorf("the seller is told %s", a.raw)
	}
	w.dns("prov_rival", rival, "app.acme.com").set(dns)
	round(2 * time.Hour)
	if state() != "proven" || w.served("app.acme.com") != "prov_rival" {
		t.Errorf("with its record again it is %s", state())
	}
}

func TestAdministratorsVouch(t *testing.T) {
	t.Parallel()
	w, dns, rival := newOwnedWorld(t)
	const of = "/api/v1/providers/prov_rival/domains/"
	w.claim("prov_rival", rival, "app.acme.com").want(200)
	for _, key := range []string{rival, w.provider, w.market, w.edge} {
		w.call("POST", of+"app.acme.com/vouch", key, nil).want(403)
		w.call("DELETE", of+"app.acme.com/vouch", key, nil).want(403)
	}
	w.call("PATCH", "/api/v1/providers/prov_rival", rival, map[string]any{"domains": []any{"app.acme.com", "b.acme.com"}, "vouch": true}).want(403)
	w.call("POST", of+"none.acme.com/vouch", w.admin, nil).want(404)
	if a := w.call("POST", of+"App.acme.com/vouch", w.admin, nil).want(200); a.str("state") != "vouched" || w.served("app.acme.com") != "prov_rival" {
		t.Errorf("vouched: %s", a.raw)
	}
	// Two providers cannot have one word.
	w.claim("prov_demo", w.provider, "app.provider.example", "app.acme.com").want(200)
	if a := w.call("POST", "/api/v1/providers/prov_demo/domains/app.acme.com/vouch", w.admin, nil).want(409, "already_exists"); !strings.Contains(a.str("detail"), "prov_rival") {
		t.Errorf("told %s", a.raw)
	}
	if a := w.call("DELETE", of+"app.acme.com/vouch", w.admin, nil).want(200); a.str("state") != "pending" || w.served("app.acme.com") != "" {
		t.Errorf("taken back: %s", a.raw)
	}
	// Whose record was seen meanwhile goes on without a gap.
	w.call("POST", of+"app.acme.com/vouch", w.admin, nil).want(200)
	w.dns("prov_rival", rival, "app.acme.com").set(dns)
	if got := w.checkNow("prov_rival", rival, "app.acme.com"); got.State != "vouched" || got.ProvenAt == 0 {
		t.Errorf("a vouched domain with its record: %+v", got)
	}
	if a := w.call("DELETE", of+"app.acme.com/vouch", w.admin, nil).want(200); a.str("state") != "proven" {
		t.Errorf("taken back with the record there: %s", a.raw)
	}
	// An administrator who passes on what somebody typed does not vouch.
	a := w.call("POST", "/api/v1/providers", w.admin, map[string]any{"name": "Typed", "domains": []string{"typed.acme.com"}, "vouch": false}).want(201)
	if a.at("domain_states").(map[string]any)["typed.acme.com"] != "pending" || w.served("typed.acme.com") != "" {
		t.Errorf("typed: %s", a.raw)
	}
}

func TestDomainsAndTheirChecksAreLimited(t *testing.T) {
	t.Parallel()
	w, dns, rival := newOwnedWorld(t)
	var list []any
	for i := range 50 {
		list = append(list, fmt.Sprintf("a%d.acme.com", i))
	}
	w.claim("prov_rival", rival, list...).want(200)
	w.claim("prov_rival", rival, append(list, "more.acme.com")...).want(422, "invalid_request")
	// Changing them again and again ends soon; changing nothing is free.
	a := w.claim("prov_rival", rival, "b.acme.com").want(429, "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for range 5 {
		w.claim("prov_rival", rival, list[:40]...).want(200)
	}
	w.claim("prov_rival", w.admin, "b.acme.com", "c.acme.com").want(200) // administrators are trusted
	w.clock.Add(10 * time.Minute)
	w.claim("prov_rival", rival, "d.acme.com").want(200)

	before := dns.Asked("d.acme.com")
	limited := 0
	for range 30 {
		if w.call("POST", "/api/v1/providers/prov_rival/dns/checks", rival, nil).status == 429 {
			limited++
		}
	}
	if asked := dns.Asked("d.acme.com") - before; limited < 15 || asked > 2*15 {
		t.Errorf("30 checks: %d refused, DNS asked %d times", limited, asked)
	}
	w.clock.Add(time.Hour)
	w.call("POST", "/api/v1/providers/prov_rival/dns/checks", rival, map[string]any{"domain": "none.acme.com"}).want(422, "invalid_request")
	w.call("POST", "/api/v1/providers/prov_demo/dns/checks", rival, nil).want(404)
	w.call("POST", "/api/v1/providers/prov_none/dns/checks", w.admin, nil).want(404)
}
