package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// checkOrigin requests a page from the app's own server directly, as someone who
// tries to bypass the gate does.
func (p *probe) checkOrigin(ctx context.Context) {
	const name = "origin_lock"
	if p.Origin == nil {
		p.note(name, NotChecked, "the address of the app's own server is not known", "Pass it with --origin, as the provider registered it.")
		return
	}
	host := p.Origin.Hostname()
	list, err := p.resolve(ctx, host)
	if err != nil {
		p.note(name, OK, fmt.Sprintf("the name of the app's own server does not resolve here: %s", withoutServer(err)), "")
		return
	}
	port := portOf(p.Origin.Port(), p.Origin.Scheme)
	byNetwork := true
	for _, address := range list {
		where := netip.AddrPortFrom(address, port)
		a, err := p.askOrigin(ctx, where)
		if errors.Is(err, errForbidden) {
			p.note(name, NotChecked, fmt.Sprintf("%s: %s", where, errForbidden), remedyForbidden)
			return
		}
		if err == nil && refusesName(a.Status) && a.problem == nil && !lockedByTLS(a.Page) {
			if accepts := p.expectedName(ctx, where); accepts != "" {
				p.noteOpenOrigin(where, http.StatusOK, " that asks for "+accepts)
				if p.cookie == "" {
					p.dropSkipped()
					p.noteName(a.Status, accepts)
				}
				return
			}
		}
		var failed *net.OpError
		byNetwork = byNetwork && errors.As(err, &failed) && failed.Op == "dial"
		if err != nil || a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden || a.Status == http.StatusMisdirectedRequest || a.Status >= 500 || lockedByTLS(a.Page) {
			continue
		}
		if a.problem != nil {
			p.note(name, NotChecked, "this address is a gate", "Pass the address of the app's own server.")
			return
		}
		p.noteOpenOrigin(where, a.Status, "")
		p.predict(a.Page)
		return
	}
	if byNetwork {
		p.note(name, OK, "the app's own server refuses this machine: it accepts no connection from here",
			"A network lock cannot tell apart the providers behind one edge. If the edge serves others, too, add a lock of docs/origin-lock.md that does.")
		return
	}
	p.note(name, OK, "the app's own server refuses this machine", "")
}

// noteOpenOrigin reports an app's server that answers without the gate.
func (p *probe) noteOpenOrigin(where netip.AddrPort, status int, which string) {
	found := fmt.Sprintf("%s answers %d to every client%s, without the gate", where, status, which)
	if len(privateOf([]netip.Addr{where.Addr()})) > 0 {
		found += " (its address is private: every client in that network)"
	}
	p.note("origin_lock", Warning, found, "Restrict the app to the edge with mutual TLS, the signed header of `forward_identity jwt`, a firewall rule or a private network. docs/origin-lock.md describes each.")
}

// originAddress is an address of the app's own server, if it is known.
func (p *probe) originAddress(ctx context.Context) (where netip.AddrPort, ok bool) {
	if p.Origin == nil {
		return where, false
	}
	list, err := p.resolve(ctx, p.Origin.Hostname())
	if err != nil || len(list) == 0 {
		return where, false
	}
	return netip.AddrPortFrom(list[0], portOf(p.Origin.Port(), p.Origin.Scheme)), true
}

// originPage is the page to check at the app's own server.
func (p *probe) originPage() *url.URL {
	target := &url.URL{Scheme: p.Origin.Scheme, Host: p.Origin.Host, Path: p.URL.Path}
	if target.Path == "" {
		target.Path = "/"
	}
	return target
}

// dropSkipped removes the check of a page that was skipped, for the prediction that
// replaces it.
func (p *probe) dropSkipped() {
	if p.Session == "" {
		p.report.Checks = slices.DeleteFunc(p.report.Checks, func(c Check) bool { return c.Name == "injection" && c.Grade == NotChecked })
	}
}

// askOrigin requests the page as the edge does: an http origin receives the public
// host in the Host header, an https origin its own.
func (p *probe) askOrigin(ctx context.Context, where netip.AddrPort) (stop, error) {
	q := question{method: http.MethodGet, target: p.originPage(), at: where,
		header: append([]string{"X-Forwarded-Proto", p.URL.Scheme, "X-Forwarded-Host", p.URL.Host}, navigation...)}
	if p.Origin.Scheme == "http" {
		q.host = p.URL.Host
	}
	return p.visit(ctx, q)
}

// lockedByTLS recognizes the responses with which nginx and Go servers report a
// missing client certificate instead of failing the handshake.
func lockedByTLS(p *Page) bool {
	return p.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(string(p.Body)), "certificate")
}

// predict reports what the gate would do with a page of the origin, unless an
// admitted visitor has already seen one.
func (p *probe) predict(page *Page) {
	const name = "injection"
	if p.cookie != "" {
		return
	}
	p.dropSkipped()
	page.URL = p.URL // the URL that browsers see
	if page.Status >= 300 && page.Status < 400 {
		p.note(name, NotChecked, fmt.Sprintf("the app's own server redirects %s (%d)", page.URL.Path, page.Status), "Check the URL of a page rather than of a redirect.")
		return
	}
	outcome, injected := p.Rules.Predict(page)
	if !injected {
		p.noteReason(name, outcome)
		return
	}
	p.note(name, OK, fmt.Sprintf("the gate would inject the clock into the app's page (%s)", outcome), "")
	// The gate extends policies in headers, so only those in the markup can block.
	bare := *page
	bare.Header = page.Header.Clone()
	bare.Header.Del("Content-Security-Policy")
	p.checkPolicies(&bare, "")
}
