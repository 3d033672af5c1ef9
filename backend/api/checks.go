package api

import (
	"context"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/doctor"
)

type checksInput struct {
	ID   string `path:"id" maxLength:"128" example:"prov_demo"`
	Body *struct {
		URL string `json:"url,omitempty" maxLength:"2048" example:"https://app.provider.com/" doc:"A page at one of the provider's domains. Default: its app_url"`
	}
}

// checkBody is the result of one check.
type checkBody struct {
	Name   string `json:"name" enum:"dns,tls,gate,time,refusal,websocket,injection,policy,origin_lock" doc:"The checks that docs/doctor.md describes"`
	Grade  string `json:"grade" enum:"ok,warning,failed,unchecked" doc:"unchecked: the check could not run; the remedy says what it needs"`
	Found  string `json:"found" doc:"What the check found" example:"the gate answers on its address"`
	Remedy string `json:"remedy" doc:"What to do; empty when nothing is wrong" example:"Point DNS at the edge."`
}

type checksOutput struct {
	Body struct {
		URL    string      `json:"url" example:"https://app.provider.com/"`
		At     int64       `json:"at"`
		Failed int         `json:"failed" minimum:"0" doc:"Number of failed checks"`
		Checks []checkBody `json:"checks" nullable:"false"`
	}
}

// grades maps the doctor's grades to their names in the API.
var grades = map[doctor.Grade]string{
	doctor.OK: "ok", doctor.Warning: "warning", doctor.Failed: "failed", doctor.NotChecked: "unchecked",
}

// routeChecks adds the doctor's checks. They change nothing and take no
// Idempotency-Key.
func (a *api) routeChecks() {
	register(a, route{
		method: http.MethodPost, path: "/api/v1/providers/{id}/checks", id: "check-provider", tag: "Providers", roles: []service.Role{service.RoleProvider, service.RoleAdmin},
		errors: []int{404, 429}, summary: "Check a provider's site from outside, as sessiongate doctor does; takes up to 20 s",
	}, a.check)
}

func (a *api) check(ctx context.Context, in *checksInput) (*checksOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	page := ""
	if in.Body != nil {
		page = in.Body.URL
	}
	report, err := a.s.Check(ctx, in.ID, page)
	if err != nil {
		return nil, err
	}
	out := &checksOutput{}
	b := &out.Body
	b.URL, b.At, b.Failed, b.Checks = report.URL, a.Now().Unix(), report.Failed, make([]checkBody, 0, len(report.Checks))
	for _, c := range report.Checks {
		b.Checks = append(b.Checks, checkBody{c.Name, grades[c.Grade], c.Found, c.Remedy})
	}
	return out, nil
}

// dnsRecord is one record in the form that DNS hosts ask for.
type dnsRecord struct {
	Type  string `json:"type" enum:"CNAME,A,AAAA"`
	Name  string `json:"name" example:"app.provider.com" doc:"The fully qualified name"`
	Value string `json:"value" example:"edge.example.com"`
}

// domainRecords are the records that point a domain at the edges.
type domainRecords struct {
	Domain  string      `json:"domain" example:"app.provider.com"`
	Zone    string      `json:"zone" example:"provider.com" doc:"The DNS zone of the records; empty for an IP address"`
	Label   string      `json:"label" example:"app" doc:"The name within the zone, as many DNS forms expect it; @ is the zone itself"`
	Records []dnsRecord `json:"records" nullable:"false" doc:"Records to set, all of them. If empty, the note says why"`
	Alias   string      `json:"alias,omitempty" example:"edge.example.com" doc:"For a domain at its zone's apex, where CNAME is not allowed: the target of an ALIAS, ANAME or flattened CNAME record"`
	Note    string      `json:"note" example:"" doc:"Additional information; often empty"`
}

type dnsOutput struct {
	Body struct {
		EdgeHosts []string        `json:"edge_hosts" nullable:"false" example:"[\"edge.example.com\"]" doc:"Hosts of the edges, as the operator configured them (--edge-host). If empty, no records can be computed"`
		Domains   []domainRecords `json:"domains" nullable:"false" doc:"The provider's domains, in its order"`
	}
}

// routeDNS adds the DNS records that a provider must set.
func (a *api) routeDNS() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/providers/{id}/dns", id: "get-dns-records", tag: "Providers", roles: readers,
		errors: []int{404}, summary: "List the DNS records that point a provider's domains at the edges",
	}, a.dnsRecords)
}

func (a *api) dnsRecords(ctx context.Context, in *readProviderInput) (*dnsOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	hosts, domains, err := a.s.DNSRecords(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &dnsOutput{}
	out.Body.EdgeHosts, out.Body.Domains = hosts, make([]domainRecords, 0, len(domains))
	for _, d := range domains {
		shown := domainRecords{Domain: d.Domain, Zone: d.Zone, Label: d.Label, Records: make([]dnsRecord, 0, len(d.Records)), Alias: d.Alias, Note: d.Note}
		for _, r := range d.Records {
			shown.Records = append(shown.Records, dnsRecord{r.Kind, r.Name, r.Value})
		}
		out.Body.Domains = append(out.Body.Domains, shown)
	}
	return out, nil
}
