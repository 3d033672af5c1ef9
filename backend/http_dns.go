package backend

import (
	"context"
	"net/http"
)

type dnsOutput struct {
	Body struct {
		EdgeHosts []string        `json:"edge_hosts" nullable:"false" example:"[\"edge.example.com\"]" doc:"Where the edges are, as the operator named it (--edge-host). None: it named nothing, and no record can be told"`
		Domains   []domainRecords `json:"domains" nullable:"false" doc:"Of the provider, in its order"`
	}
}

// routeDNS adds what a provider is to set at its DNS host.
func (a *api) routeDNS() {
	register(a, route{
		method: http.MethodGet, path: "/api/v1/providers/{id}/dns", id: "get-dns-records", tag: "Providers", roles: readers,
		errors: []int{404}, summary: "The DNS records that lead a provider's domains to the edges",
	}, a.dnsRecords)
}

func (a *api) dnsRecords(ctx context.Context, in *readProviderInput) (*dnsOutput, error) {
	if err := ownProvider(ctx, in.ID); err != nil {
		return nil, err
	}
	p, err := a.s.store.Provider(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &dnsOutput{}
	out.Body.EdgeHosts, out.Body.Domains = []string{}, []domainRecords{}
	if !a.s.edges.named() {
		return out, nil
	}
	out.Body.EdgeHosts = a.s.edges.list()
	for _, domain := range p.Domains {
		out.Body.Domains = append(out.Body.Domains, a.s.edges.recordsFor(ctx, domain))
	}
	return out, nil
}
