package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/internal/publicip"
)

const (
	lookupTimeout = 5 * time.Second
	maxAddresses  = 8 // addresses of a name that are checked
)

func systemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// checkNames resolves the name that visitors use.
func (p *probe) checkNames(ctx context.Context) {
	const name = "dns"
	host := p.URL.Hostname()
	port := portOf(p.URL.Port(), p.URL.Scheme)
	found, err := p.resolve(ctx, host)
	if p.Edge != "" {
		p.checkMove(ctx, host, found, err)
		return
	}
	if literal, bad := netip.ParseAddr(host); bad == nil {
		p.addresses = []netip.AddrPort{netip.AddrPortFrom(literal, port)}
		p.note(name, NotChecked, host+" is an IP address, not a name", "Check the domain that visitors use.")
		return
	}
	if err != nil {
		remedy := "Add an A, AAAA or CNAME record that points the name at the edge."
		if p.Gate != nil && p.Gate.Remedy != "" {
			remedy = p.Gate.Remedy
		}
		p.note(name, Failed, fmt.Sprintf("%s does not resolve: %v", host, withoutServer(err)),
			remedy+" After a recent change, wait until the old record's TTL has passed.")
		return
	}
	for _, a := range found {
		p.addresses = append(p.addresses, netip.AddrPortFrom(a, port))
	}
	if p.Gate != nil && len(p.Gate.Addresses) > 0 {
		p.judgeNames(name, host, found)
		return
	}
	if private := privateOf(found); len(private) > 0 {
		p.note(name, Warning, fmt.Sprintf("%s resolves to %s, which is reachable only within its own network", host, join(private)),
			"For visitors from the internet, point the name at the edge's public address.")
		return
	}
	p.note(name, OK, fmt.Sprintf("%s resolves to %s", host, join(found)), "")
}

// checkOwnership reports whether the name is proven.
func (p *probe) checkOwnership() {
	const name = "ownership"
	o := p.Ownership
	if o == nil {
		return
	}
	host := p.URL.Hostname()
	switch {
	case o.Usable && o.State == "proven":
		p.note(name, OK, "a DNS record proves that "+host+" is the provider's", "")
	case o.Usable && o.State == "vouched":
		p.note(name, OK, "an administrator vouches for "+host, "")
	case o.Usable:
		p.note(name, OK, host+" is a loopback name and needs no proof", "")
	default:
		found := host + " is " + o.State + ": the gate does not serve it"
		if o.Found != "" {
			found += "; DNS says: " + o.Found
		}
		remedy := strings.TrimSpace(o.Remedy + " Then choose Check DNS now in the dashboard's set-up, or wait for the next check.")
		p.note(name, Failed, found, remedy)
	}
}

// judgeNames compares a name's addresses with those of the gate.
func (p *probe) judgeNames(name, host string, found []netip.Addr) {
	var right, astray []netip.Addr
	for _, a := range found {
		if slices.Contains(p.Gate.Addresses, a) {
			right = append(right, a)
		} else {
			astray = append(astray, a)
		}
	}
	switch {
	case len(astray) == 0:
		p.note(name, OK, fmt.Sprintf("%s points at the gate, %s", host, join(right)), "")
	case len(right) > 0:
		p.note(name, Failed, fmt.Sprintf("%s points at %s, which is not the gate, and at %s, which is", host, join(astray), join(right)),
			"Remove the records of "+join(astray)+": some visitors bypass the gate.")
	default:
		p.note(name, Failed, fmt.Sprintf("%s points at %s, which is not the gate (%s)", host, join(astray), join(p.Gate.Addresses)),
			strings.TrimSpace(p.Gate.Remedy+" After a recent change, wait until the old record's TTL has passed."))
	}
	if len(astray) > 0 {
		p.astray = join(found)
	}
}

// believeGate passes the dns check if the gate answers at unlisted addresses: a
// proxy may be in front of it, or one DNS answer may not list all its addresses.
func (p *probe) believeGate() {
	if p.gated && p.astray != "" {
		p.report.Checks[0] = Check{Name: "dns", Grade: OK,
			Found: fmt.Sprintf("%s points at %s, which is not in the operator's list, but the gate answers there", p.URL.Hostname(), p.astray)}
	}
}

// checkMove compares the name's addresses in DNS with those of [Config.Edge].
func (p *probe) checkMove(ctx context.Context, host string, now []netip.Addr, lookupErr error) {
	const name = "dns"
	edgeHost, edgePort, err := net.SplitHostPort(p.Edge)
	if err != nil {
		edgeHost, edgePort = p.Edge, ""
	}
	there, err := p.resolve(ctx, edgeHost)
	if err != nil {
		p.note(name, Failed, fmt.Sprintf("the edge %s does not resolve: %v", edgeHost, withoutServer(err)), "Pass the edge as host:port or address:port.")
		return
	}
	port := portOf(edgePort, p.URL.Scheme)
	known := make(map[netip.Addr]bool)
	for _, a := range there {
		p.addresses = append(p.addresses, netip.AddrPortFrom(a, port))
		known[a] = true
	}
	for _, a := range now {
		if !known[a] {
			p.note(name, Warning, fmt.Sprintf("%s resolves to %s, and the checked edge is at %s", host, join(now), join(there)),
				"Once all other checks pass, point the name at the edge.")
			return
		}
	}
	if lookupErr != nil {
		p.note(name, Warning, host+" does not resolve yet", "Once all other checks pass, point the name at the edge.")
		return
	}
	p.note(name, OK, fmt.Sprintf("%s points at the edge, %s", host, join(there)), "")
}

func (p *probe) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	list, err := p.Lookup(ctx, host)
	if err == nil && len(list) == 0 {
		err = errors.New("no addresses")
	}
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return list[:min(len(list), maxAddresses)], err
}

// withoutServer returns the text of err without the resolver's address.
func withoutServer(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Err
	}
	return err.Error()
}

func portOf(port, scheme string) uint16 {
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		return uint16(n)
	}
	if scheme == "https" {
		return 443
	}
	return 80
}

func privateOf(list []netip.Addr) (private []netip.Addr) {
	for _, a := range list {
		if !publicip.Is(a) {
			private = append(private, a)
		}
	}
	return private
}

func join(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, " and ")
}
