package doctor

import (
	"context"
	"errors"
	"fmt"
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
	for _, address := range list {
		where := netip.AddrPortFrom(address, port)
		a, err := p.askOrigin(ctx, where)
		if errors.Is(err, errForbidden) {
			p.note(name, NotChecked, fmt.Sprintf("%s: %s", where, errForbidden), remedyForbidden)
			return
		}
		if err != nil || a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden || a.Status == http.StatusMisdirectedRequest || a.Status >= 500 || lockedByTLS(a.Page) {
			continue
		}
		if a.problem != nil {
			p.note(name, NotChecked, "this address is a gate", "Pass the address of the app's own server.")
			return
		}
		found := fmt.Sprintf("%s answers %d to every client, without the gate", where, a.Status)
		if len(privateOf([]netip.Addr{address})) > 0 {
			found += " (its address is private: every client in that network)"
		}
		p.note(name, Warning, found, "Restrict the app to the edge with mutual TLS, the signed header of `forward_identity jwt`, a firewall rule or a private network. docs/origin-lock.md describes each.")
		p.predict(a.Page)
		return
	}
	p.note(name, OK, "the app's own server refuses this machine", "")
}

// askOrigin requests the page as the edge does: an http origin receives the public
// host in the Host header, an https origin its own.
func (p *probe) askOrigin(ctx context.Context, where netip.AddrPort) (*answer, error) {
	target := &url.URL{Scheme: p.Origin.Scheme, Host: p.Origin.Host, Path: p.URL.Path}
	if target.Path == "" {
		target.Path = "/"
	}
	q := question{method: http.MethodGet, target: target, at: where, header: navigation}
	if p.Origin.Scheme == "http" {
		q.host = p.URL.Host
	}
	return p.ask(ctx, q)
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
	if p.Session == "" { // the prediction replaces the skipped check
		p.report.Checks = slices.DeleteFunc(p.report.Checks, func(c Check) bool { return c.Name == name && c.Grade == NotChecked })
	}
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
