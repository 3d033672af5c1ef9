package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// checkGate asks every address for what only a gate knows.
func (p *probe) checkGate(ctx context.Context) {
	const name = "gate"
	if !p.reached {
		p.note(name, NotChecked, "nothing could be reached", "")
		return
	}
	host := p.URL.Hostname()
	for _, address := range p.addresses {
		a, err := p.ask(ctx, question{method: http.MethodGet, target: p.at(protocol.GateSession), at: address, header: fetch})
		switch {
		case err != nil:
			p.note(name, Failed, fmt.Sprintf("%s does not answer: %s", address, plainly(err)), remedyUnreachable)
			return
		case a.code() == protocol.SessionMissing:
			continue
		case a.code() == protocol.HostUnknown:
			p.note(name, Failed, fmt.Sprintf("the gate at %s knows no provider of %s", address, host),
				"Register the domain with its provider (PATCH /api/v1/providers/{id}), or name the provider in the edge's Caddyfile. The gate remembers the old answer for ten seconds.")
			return
		case a.code() == protocol.BackendUnavailable:
			p.note(name, Failed, fmt.Sprintf("the gate at %s does not reach its session service", address),
				"Check `backend` and `edge_key` in the edge's Caddyfile, and whether the session service runs.")
			return
		default:
			p.note(name, Failed, fmt.Sprintf("no gate at %s: %s answers %d to %s", address, a.server(), a.Status, protocol.GateSession),
				"Point DNS at the edge. If something stands before the edge, let it pass everything below "+protocol.GatePrefix+". If this is the edge, its Caddyfile needs `session_gate` in this site, matching "+protocol.GatePrefix+"*, too.")
			return
		}
	}
	p.gated = true
	p.note(name, OK, fmt.Sprintf("it answers on %s", count(len(p.addresses), "address", "addresses")), "")
}

// checkRefusal comes without a session, in the ways that browsers do.
func (p *probe) checkRefusal(ctx context.Context) {
	const name = "refusal"
	if !p.reached {
		p.note(name, NotChecked, "nothing could be reached", "")
		return
	}
	target := *p.URL
	target.RawQuery = ""
	for _, address := range p.addresses {
		page, err := p.ask(ctx, question{method: http.MethodGet, target: &target, at: address, header: navigation})
		if err != nil {
			p.note(name, Failed, fmt.Sprintf("a visit gets no answer: %s", plainly(err)), remedyUnreachable)
			return
		}
		if !refuses(page.Page, &target) {
			p.note(name, Failed, fmt.Sprintf("a visitor without a session got %d from %s at %s", page.Status, page.server(), address), remedyOpen)
			return
		}
		script, err := p.ask(ctx, question{method: http.MethodGet, target: &target, at: address, header: fetch})
		if err != nil {
			p.note(name, Failed, fmt.Sprintf("a fetch gets no answer: %s", plainly(err)), remedyUnreachable)
			return
		}
		if !p.gated && script.problem == nil {
			p.note(name, NotChecked, fmt.Sprintf("something else than the gate refuses: %s with %d", page.server(), page.Status), "")
			return
		}
		if script.problem == nil || script.Status < 400 {
			p.note(name, Failed, fmt.Sprintf("a fetch without a session got %d %s", script.Status, script.Header.Get("Content-Type")), remedyOpen)
			return
		}
		for _, a := range []*answer{page, script} {
			if a.Header.Get("Cache-Control") != "no-store" {
				p.note(name, Warning, fmt.Sprintf("a refusal arrives with Cache-Control %q", a.Header.Get("Cache-Control")),
					"Something before the edge changes headers: it may keep a refusal and show it to paying users.")
				return
			}
		}
		preflight, err := p.ask(ctx, question{method: http.MethodOptions, target: &target, at: address,
			header: append([]string{"Origin", "https://other.example", "Access-Control-Request-Method", "PUT"}, fetch...)})
		if err == nil && preflight.Status < 400 {
			p.note(name, Warning, fmt.Sprintf("a preflight without a session got %d", preflight.Status), "Something before the edge answers OPTIONS; let it pass to the gate.")
			return
		}
	}
	p.note(name, OK, "a visit without a session is turned away, a fetch gets a problem document", "")
}

const remedyOpen = "Put `session_gate` into this site of the edge's Caddyfile, without a matcher that leaves the path out, and without `observe_only`; and let no cache before the edge keep pages."

// refuses reports whether an answer to a visit turns the visitor away.
func refuses(p *Page, target *url.URL) bool {
	if p.Status >= 400 {
		return true
	}
	to, err := target.Parse(p.Header.Get("Location"))
	// A redirect within the site (to https, to a language) refuses nobody.
	return err == nil && p.Status == http.StatusSeeOther && !strings.EqualFold(to.Host, target.Host)
}

// checkWebSocket asks to upgrade, without a session and with one.
func (p *probe) checkWebSocket(ctx context.Context) {
	const name = "websocket"
	if !p.gated {
		p.note(name, NotChecked, "there is no gate to ask", "")
		return
	}
	a, err := p.upgrade(ctx, "/", "")
	switch {
	case err != nil:
		p.note(name, Failed, "an upgrade gets no answer: "+plainly(err), remedyUnreachable)
	case a.Status == http.StatusSwitchingProtocols:
		p.note(name, Failed, "a WebSocket was opened without a session", remedyOpen)
	case a.problem == nil:
		p.note(name, Warning, fmt.Sprintf("an upgrade does not reach the gate: %s answers %d", a.server(), a.Status),
			"Let whatever stands before the edge pass Upgrade and Connection headers on.")
	default:
		p.note(name, OK, "an upgrade without a session reaches the gate and is refused", "")
	}
}

// checkUpgrade opens a WebSocket of the app's as an admitted visitor.
func (p *probe) checkUpgrade(ctx context.Context) {
	const name = "websocket"
	if p.WebSocket == "" {
		return
	}
	a, err := p.upgrade(ctx, p.WebSocket, p.cookie)
	switch {
	case err != nil:
		p.note(name, Failed, "an upgrade with a session gets no answer: "+plainly(err), remedyUnreachable)
	case a.Status != http.StatusSwitchingProtocols:
		p.note(name, Failed, fmt.Sprintf("an upgrade with a session got %d", a.Status),
			"Check the path, and whether the app takes WebSockets from this Origin; the app sees the public host.")
	default:
		p.note(name, OK, "an upgrade with a session reaches the app and is taken", "")
	}
}

func (p *probe) upgrade(ctx context.Context, path, cookie string) (*answer, error) {
	header := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "c2Vzc2lvbmdhdGUtZHJjMQ==", "Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "websocket",
		"Origin", p.URL.Scheme + "://" + p.URL.Host}
	if cookie != "" {
		header = append(header, "Cookie", cookie)
	}
	return p.ask(ctx, question{method: http.MethodGet, target: p.at(path), at: p.addresses[0], header: header, http1: true, secret: cookie != ""})
}

func count(n int, one, many string) string {
	if n == 1 {
		return "its " + one
	}
	return fmt.Sprintf("all of its %d %s", n, many)
}
