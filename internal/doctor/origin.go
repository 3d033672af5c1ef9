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

// checkOrigin comes to the app's own server past the gate, as somebody would
// who does not want to pay.
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

// askOrigin asks for the page as the edge does: an origin with http is told the
// public host, one with https its own.
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

// lockedByTLS recognizes nginx's and Go's ways to say that a client certificate
// is missing, which come as an answer rather than a failed handshake.
func lockedByTLS(p *Page) bool {
	return p.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(string(p.Body)), "certificate")
}

// predict says what the gate would do with a page of the origin's, if no
// visitor saw one.
func (p *probe) predict(page *Page) {
	const name = "injection"
	if p.cookie != "" {
		return
	}
	if p.Session == "" { // this is an answer instead
		p.report.Checks = slices.DeleteFunc(p.report.Checks, func(c Check) bool { return c.Name == name && c.Grade == NotChecked })
	}
	page.URL = p.URL // as browsers will know it
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
	// Headers are the gate's to extend; only the markup's policies can block.
	bare := *page
	bare.Header = page.Header.Clone()
	bare.Header.Del("Content-Security-Policy")
	p.checkPolicies(&bare, "")
}
