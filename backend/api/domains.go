package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
)

// dnsRecord is one record in the form that DNS hosts ask for.
type dnsRecord struct {
	Type  string `json:"type" enum:"CNAME,A,AAAA,TXT"`
	Name  string `json:"name" example:"app.provider.com" doc:"The fully qualified name"`
	Value string `json:"value" example:"k3v9q2m5n4p6r7s2t4va5x3kzw.edge.example.com"`
}

// domainRecords are the records that prove a domain and point it at the edges.
type domainRecords struct {
	Domain  string      `json:"domain" example:"app.provider.com"`
	Zone    string      `json:"zone" example:"provider.com" doc:"The DNS zone of the records; empty for an IP address"`
	Label   string      `json:"label" example:"app" doc:"The name within the zone, as many DNS forms expect it; @ is the zone itself"`
	Records []dnsRecord `json:"records" nullable:"false" doc:"Records to set, all of them. If empty, the note says why"`
	Alias   string      `json:"alias,omitempty" example:"edge.example.com" doc:"For a domain at its zone's apex, where CNAME is not allowed: the target of an ALIAS, ANAME or flattened CNAME record, which can replace the A and AAAA records"`
	Text    *dnsRecord  `json:"text,omitempty" doc:"A TXT record that proves the domain as well, for instance where a proxy hides the CNAME"`
	Note    string      `json:"note" example:"" doc:"Additional information; often empty"`

	State        string `json:"state" enum:"pending,proven,suspended,vouched,local" doc:"pending: no record was seen yet. proven: the record is there. suspended: the record is gone. vouched: an administrator's word. local: a loopback name, which needs no proof. Only proven, vouched and local domains are served"`
	ClaimedAt    int64  `json:"claimed_at"`
	CheckedAt    int64  `json:"checked_at" doc:"The last check; 0 for never"`
	ProvenAt     int64  `json:"proven_at" doc:"When the record was last seen; 0 for never"`
	MissingSince int64  `json:"missing_since" doc:"The first of the checks in a row that did not find the record; 0 if the last one did"`
	NextCheckAt  int64  `json:"next_check_at" doc:"0: only when somebody asks"`
	Found        string `json:"found" example:"no CNAME, but addresses 203.0.113.9" doc:"What the last check found"`
}

type dnsOutput struct {
	Body struct {
		EdgeHosts []string        `json:"edge_hosts" nullable:"false" example:"[\"edge.example.com\"]" doc:"Hosts of the edges, as the operator configured them (--edge-host). If empty, the records prove a domain and do not point it anywhere"`
		Domains   []domainRecords `json:"domains" nullable:"false" doc:"The provider's domains, in its order"`
	}
}

type checkDNSInput struct {
	ID   string `path:"id" maxLength:"128" example:"prov_demo"`
	Body *struct {
		Domain string `json:"domain,omitempty" maxLength:"2048" example:"app.provider.com" doc:"Default: all of the provider's domains"`
	}
}

type vouchInput struct {
	Idempotent
	ID     string `path:"id" maxLength:"128" example:"prov_demo"`
	Domain string `path:"domain" maxLength:"255" example:"app.provider.com"`
}

type vouchOutput struct {
	Body struct {
		Domain string `json:"domain" example:"app.provider.com"`
		State  string `json:"state" enum:"pending,proven,suspended,vouched,local"`
	}
}

// routeDomains adds the DNS records that a provider must set, their checks, and an
// administrator's word in their place. Checks take no Idempotency-Key.
func (a *api) routeDomains() {
	const path = "/api/v1/providers/{id}"
	register(a, route{
		method: http.MethodGet, path: path + "/dns", id: "get-dns-records", tag: "Providers", roles: readers,
		errors: []int{404}, summary: "List the DNS records that prove a provider's domains and point them at the edges",
	}, a.dnsRecords)
	register(a, route{
		method: http.MethodPost, path: path + "/dns/checks", id: "check-dns-records", tag: "Providers", roles: readers,
		errors: []int{404, 429}, summary: "Check now whether the DNS records of a provider's domains are in place; takes up to 30 s",
	}, a.checkDNS)
	admin := []service.Role{service.RoleAdmin}
	register(a, route{
		method: http.MethodPost, path: path + "/domains/{domain}/vouch", id: "vouch-for-domain", tag: "Providers", roles: admin,
		errors: []int{404, 409}, summary: "Vouch for a provider's domain, so that it needs no DNS record as proof",
	}, func(ctx context.Context, in *vouchInput) (*vouchOutput, error) { return a.vouch(ctx, in, true) })
	register(a, route{
		method: http.MethodDelete, path: path + "/domains/{domain}/vouch", id: "unvouch-for-domain", tag: "Providers", roles: admin,
		errors: []int{404, 409}, summary: "Take back the word for a provider's domain, so that it needs its DNS record",
	}, func(ctx context.Context, in *vouchInput) (*vouchOutput, error) { return a.vouch(ctx, in, false) })
}

func (a *api) dnsRecords(ctx context.Context, in *readProviderInput) (*dnsOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	hosts, domains, err := a.s.DNSRecords(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return dnsOutputOf(hosts, domains), nil
}

func (a *api) checkDNS(ctx context.Context, in *checkDNSInput) (*dnsOutput, error) {
	if err := a.readable(ctx, in.ID); err != nil {
		return nil, err
	}
	name := ""
	if in.Body != nil {
		name = in.Body.Domain
	}
	hosts, domains, err := a.s.CheckDomains(ctx, in.ID, name)
	if err != nil {
		return nil, err
	}
	return dnsOutputOf(hosts, domains), nil
}

func dnsOutputOf(hosts []string, domains []service.DomainRecords) *dnsOutput {
	out := &dnsOutput{}
	out.Body.EdgeHosts, out.Body.Domains = hosts, make([]domainRecords, 0, len(domains))
	for _, d := range domains {
		c := d.Claim
		shown := domainRecords{
			Domain: d.Domain, Zone: d.Zone, Label: d.Label, Records: make([]dnsRecord, 0, len(d.Records)), Alias: d.Alias, Note: d.Note,
			State: string(c.State), ClaimedAt: c.ClaimedAt, CheckedAt: c.CheckedAt, ProvenAt: c.ProvenAt, MissingSince: c.MissingSince,
			NextCheckAt: c.DueAt, Found: c.Found,
		}
		for _, r := range d.Records {
			shown.Records = append(shown.Records, dnsRecord{r.Kind, r.Name, r.Value})
		}
		if t := d.Text; t.Value != "" {
			shown.Text = &dnsRecord{t.Kind, t.Name, t.Value}
		}
		out.Body.Domains = append(out.Body.Domains, shown)
	}
	return out
}

func (a *api) vouch(ctx context.Context, in *vouchInput, word bool) (*vouchOutput, error) {
	operation := "vouch-for-domain"
	if !word {
		operation = "unvouch-for-domain"
	}
	req, err := in.request(ctx, operation, in.ID+"/"+in.Domain, nil)
	if err != nil {
		return nil, err
	}
	c, err := a.s.Vouch(ctx, req, in.ID, in.Domain, word)
	if err != nil {
		return nil, err
	}
	out := &vouchOutput{}
	out.Body.Domain, out.Body.State = c.Domain, string(c.State)
	return out, nil
}
