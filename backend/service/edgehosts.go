package service

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/backend/domain"
)

const (
	edgeLookupTime  = 3 * time.Second
	edgeLookupKeep  = time.Minute
	edgeLookupRetry = 10 * time.Second // after a failed lookup
	maxEdgeHosts    = 16
	maxEdgeRecords  = 8 // addresses in the records for one domain
)

// Lookup resolves a host name, as [net.Resolver] does.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

func SystemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// EdgeHosts holds the hosts at which visitors reach the edges, as the operator
// configured them, and the addresses of the names.
type EdgeHosts struct {
	names     []string
	addresses []netip.Addr
	lookup    Lookup
	now       func() time.Time

	mu    sync.Mutex // guards found and askAt; held during the lookup
	found []netip.Addr
	askAt time.Time // when found must be resolved again
}

// NewEdgeHosts parses the operator's list of edge hosts.
func NewEdgeHosts(list []string, lookup Lookup, now func() time.Time) (*EdgeHosts, error) {
	e := &EdgeHosts{lookup: lookup, now: now}
	for _, raw := range list {
		text := strings.TrimSpace(raw)
		if text == "" {
			continue // a trailing comma
		}
		if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
			if a = a.Unmap(); a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
				return nil, fmt.Errorf("edge host %s is not a usable address", text)
			}
			e.addresses = append(e.addresses, a)
			continue
		}
		name, err := normalizeDomain(text)
		labels := strings.Split(name, ".")
		tooLong := func(label string) bool { return len(label) > 63 }
		if err != nil || slices.ContainsFunc(labels, tooLong) || strings.ContainsAny(text, ":/*_") || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
			return nil, fmt.Errorf("edge host %q must be a name such as edge.example.com or an address such as 203.0.113.7, without scheme or port", text)
		}
		e.names = append(e.names, name)
	}
	slices.SortFunc(e.addresses, ofFamily)
	e.addresses = slices.Compact(e.addresses)
	if len(e.names)+len(e.addresses) > maxEdgeHosts {
		return nil, fmt.Errorf("%d edge hosts exceed the maximum of %d: use one host for many edges", len(e.names)+len(e.addresses), maxEdgeHosts)
	}
	return e, nil
}

// ofFamily sorts IPv4 before IPv6.
func ofFamily(a, b netip.Addr) int {
	return cmp.Or(cmp.Compare(a.BitLen(), b.BitLen()), a.Compare(b))
}

// named reports whether the operator configured any host.
func (e *EdgeHosts) named() bool { return len(e.names)+len(e.addresses) > 0 }

// list returns the configured hosts, names first.
func (e *EdgeHosts) list() []string {
	all := append([]string{}, e.names...)
	for _, a := range e.addresses {
		all = append(all, a.String())
	}
	return all
}

// behind returns the addresses of the names. It resolves them at most once a
// minute and keeps the last answer when resolution fails.
func (e *EdgeHosts) behind(ctx context.Context) []netip.Addr {
	if len(e.names) == 0 {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if now.Before(e.askAt) {
		return e.found
	}
	// The answer is shared, so a caller's cancellation must not end the lookup.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), edgeLookupTime)
	defer cancel()
	var found []netip.Addr
	keep := edgeLookupKeep
	for _, name := range e.names {
		list, err := e.lookup(ctx, name)
		if err != nil {
			keep = edgeLookupRetry
			continue
		}
		for _, a := range list {
			found = append(found, a.Unmap())
		}
	}
	if len(found) > 0 {
		slices.SortFunc(found, ofFamily)
		e.found = slices.Compact(found)
	}
	e.askAt = now.Add(keep)
	return e.found
}

// all returns every address of an edge.
func (e *EdgeHosts) all(ctx context.Context) []netip.Addr {
	list := slices.Concat(e.addresses, e.behind(ctx))
	slices.SortFunc(list, ofFamily)
	return slices.Compact(list)
}

// DNSRecord is one DNS record.
type DNSRecord struct {
	Kind, Name, Value string // of type CNAME, A or AAAA
}

// DomainRecords are the DNS records that prove a domain and point it at the edges, and
// what DNS said of them.
type DomainRecords struct {
	Domain string
	Claim  domain.Claim
	Zone   string // the registered domain that holds the records; empty for an address
	Label  string // the name within the zone; @ for the zone itself
	// The records to set, all of them. Empty if none can be named; Note then has the
	// reason.
	Records []DNSRecord
	// The target of an ALIAS, ANAME or flattened CNAME record, which can replace the
	// address records if the domain is its zone's apex. An apex cannot have a CNAME.
	Alias string
	// The text record that proves the domain where a CNAME cannot: at an apex, where it
	// is one of Records, too, and behind a proxy that hides the CNAME.
	Text DNSRecord
	Note string // further information for people
}

// DNSRecords returns the configured edge hosts and the records that each of a
// provider's domains needs.
func (s *Service) DNSRecords(ctx context.Context, providerID string) (hosts []string, domains []DomainRecords, err error) {
	p, err := s.store.Provider(ctx, providerID)
	if err != nil {
		return nil, nil, err
	}
	secret, err := s.domainSecret(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range p.Claims {
		domains = append(domains, s.edges.recordsFor(ctx, c, domain.Token(secret, p.ID, c.Domain)))
	}
	return s.edges.list(), domains, nil
}

// recordsFor returns the records of a claim, which its token proves.
func (e *EdgeHosts) recordsFor(ctx context.Context, c domain.Claim, token string) DomainRecords {
	name := c.Domain
	out := DomainRecords{Domain: name, Claim: c}
	if domain.Loopback(name) {
		out.Note = "This name leads to the visitor's own machine: it has no DNS record and needs no proof."
		if c.State == domain.Pending {
			out.Note = "Another provider has this loopback name."
		}
		return out
	}
	if _, err := netip.ParseAddr(name); err == nil {
		out.Note = "This is an address: it has no DNS record."
		return out
	}
	zone := domain.Zone(name)
	out.Zone, out.Label = zone, "@"
	if name != zone {
		out.Label = strings.TrimSuffix(name, "."+zone)
	}
	if slices.Contains(e.names, name) {
		out.Note = "This is the gate's own name."
		return out
	}
	out.Text = DNSRecord{"TXT", domain.TXTPrefix + "." + name, token}
	if !e.named() {
		out.Records = append(out.Records, out.Text)
		out.Note = "This record proves the domain. Point the domain at the gate as well: your marketplace knows the gate's host name."
		return out
	}
	if name != zone && len(e.names) > 0 {
		out.Records = append(out.Records, DNSRecord{"CNAME", name, token + "." + e.names[0]})
		if others := e.names[1:]; len(others) > 0 {
			out.Note = "Or, instead of that value, " + token + "." + strings.Join(others, " or "+token+".") + "."
		}
		return out
	}
	list := e.addresses
	if len(list) == 0 {
		list = e.behind(ctx)
	}
	for _, a := range list[:min(len(list), maxEdgeRecords)] {
		kind := "A"
		if a.Is6() {
			kind = "AAAA"
		}
		out.Records = append(out.Records, DNSRecord{kind, name, a.String()})
	}
	out.Records = append(out.Records, out.Text)
	if len(e.names) > 0 {
		out.Alias = e.names[0]
		if len(list) == 0 {
			out.Note = "The addresses of " + e.names[0] + " could not be resolved. Try again in a moment."
		}
	}
	return out
}

// remedy says how to fix a domain that does not point at the edges.
func (r DomainRecords) remedy() string {
	if len(r.Records) == 0 {
		return ""
	}
	var set []string
	for _, one := range r.Records {
		set = append(set, one.Kind+" "+one.Name+" to "+one.Value)
	}
	text := "Set " + strings.Join(set, ", and ") + "."
	if r.Alias != "" {
		text += " An ALIAS or ANAME record to " + r.Alias + " does as well as the addresses."
	}
	return text
}
