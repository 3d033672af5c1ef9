package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// noSession is a cookie that opens no session. A gate looks up an unknown host only for
// requests with one of its cookies.
const noSession = "__Host-session_gate=doctor; session_gate=doctor"

// checkGate checks that a gate answers at every address, by requesting a path
// that only a gate serves.
func (p *probe) checkGate(ctx context.Context) {
	const name = "gate"
	if !p.reached {
		p.note(name, NotChecked, "no address could be reached", "")
		return
	}
	host := p.URL.Hostname()
	for _, address := range p.addresses {
		a, err := p.ask(ctx, question{method: http.MethodGet, target: p.at(protocol.GateSession), at: address, header: append(slices.Clone(fetch), "Cookie", noSession)})
		switch {
		case err != nil:
			p.note(name, Failed, fmt.Sprintf("the request to %s failed: %s", address, plainly(err)), remedyUnreachable)
			return
		case a.code() == protocol.SessionInvalid, a.code() == protocol.SessionMissing:
			p.answers = append(p.answers, a)
			continue
		case a.code() == protocol.HostUnknown:
			p.note(name, Failed, fmt.Sprintf("the gate at %s knows no provider for %s", address, host),
				"Register the domain with its provider (PATCH /api/v1/providers/{id}) and set the DNS record that proves it (GET /api/v1/providers/{id}/dns), or set `provider` in the edge's Caddyfile. The gate caches the old answer for ten seconds.")
			return
		case a.code() == protocol.BackendUnavailable:
			p.note(name, Failed, fmt.Sprintf("the gate at %s cannot reach its session service", address),
				"Check `backend` and `edge_key` in the edge's Caddyfile, and that the session service is running.")
			return
		default:
			p.note(name, Failed, fmt.Sprintf("no gate at %s: %s answers %d to %s", address, a.server(), a.Status, protocol.GateSession),
				"Point DNS at the edge. A proxy in front of the edge must forward all paths below "+protocol.GatePrefix+". On the edge, this site's `session_gate` must also match "+protocol.GatePrefix+"*.")
			return
		}
	}
	p.gated = true
	p.note(name, OK, fmt.Sprintf("the gate answers on %s", count(len(p.addresses), "address", "addresses")), "")
}

// checkRefusal sends the kinds of requests that browsers send, without a session.
func (p *probe) checkRefusal(ctx context.Context) {
	const name = "refusal"
	if !p.reached {
		p.note(name, NotChecked, "no address could be reached", "")
		return
	}
	for _, address := range p.addresses {
		target := *p.URL
		target.RawQuery = ""
		page, err := p.visit(ctx, question{method: http.MethodGet, target: &target, at: address, header: navigation})
		if err != nil {
			p.note(name, Failed, fmt.Sprintf("a page request failed: %s", plainly(err)), remedyUnreachable)
			return
		}
		target = *page.at // where the gate is
		p.page, p.leads = page.at, page.circle || page.elsewhere != nil && !page.byGate()
		if p.leads {
			p.noteElsewhere(name, page, false)
			return
		}
		if page.Status < 400 && page.elsewhere == nil {
			p.note(name, Failed, fmt.Sprintf("a visitor without a session got %d from %s at %s", page.Status, page.server(), address), remedyOpen)
			return
		}
		script, err := p.ask(ctx, question{method: http.MethodGet, target: &target, at: address, header: fetch})
		if err != nil {
			p.note(name, Failed, fmt.Sprintf("a fetch failed: %s", plainly(err)), remedyUnreachable)
			return
		}
		if !p.gated && script.problem == nil {
			p.note(name, NotChecked, fmt.Sprintf("a server other than the gate refused: %s with %d", page.server(), page.Status), "")
			return
		}
		if script.problem == nil || script.Status < 400 {
			p.note(name, Failed, fmt.Sprintf("a fetch without a session got %d %s", script.Status, script.Header.Get("Content-Type")), remedyOpen)
			return
		}
		for _, a := range []*answer{page.answer, script} {
			if a.Header.Get("Cache-Control") != "no-store" {
				p.note(name, Warning, fmt.Sprintf("a refusal has Cache-Control %q", a.Header.Get("Cache-Control")),
					"A proxy in front of the edge changes headers. It may cache a refusal and show it to paying users.")
				return
			}
		}
		preflight, err := p.ask(ctx, question{method: http.MethodOptions, target: &target, at: address,
			header: append([]string{"Origin", "https://other.example", "Access-Control-Request-Method", "PUT"}, fetch...)})
		if err == nil && preflight.Status < 400 {
			p.note(name, Warning, fmt.Sprintf("a preflight without a session got %d", preflight.Status), "A proxy in front of the edge answers OPTIONS. Configure it to forward OPTIONS to the gate.")
			return
		}
	}
	p.note(name, OK, "a page request without a session is refused, and a fetch gets a problem document", "")
}

const remedyOpen = "Put `session_gate` into this site of the edge's Caddyfile, without `observe_only` and without a matcher that excludes the path. Caches in front of the edge must not store pages."

// checkWebSocket checks that an upgrade without a session is refused.
func (p *probe) checkWebSocket(ctx context.Context) {
	const name = "websocket"
	if !p.gated {
		p.note(name, NotChecked, "no gate was found", "")
		return
	}
	a, err := p.upgrade(ctx, "/", "")
	switch {
	case err != nil:
		p.note(name, Failed, "an upgrade request failed: "+plainly(err), remedyUnreachable)
	case a.Status == http.StatusSwitchingProtocols:
		p.note(name, Failed, "a WebSocket was opened without a session", remedyOpen)
	case a.problem == nil:
		p.note(name, Warning, fmt.Sprintf("an upgrade does not reach the gate: %s answers %d", a.server(), a.Status),
			"Configure the proxy in front of the edge to forward the Upgrade and Connection headers.")
	default:
		p.note(name, OK, "an upgrade without a session reaches the gate and is refused", "")
	}
}

// checkUpgrade opens a WebSocket of the app as an admitted visitor.
func (p *probe) checkUpgrade(ctx context.Context) {
	const name = "websocket"
	if p.WebSocket == "" {
		return
	}
	a, err := p.upgrade(ctx, p.WebSocket, p.cookie)
	switch {
	case err != nil:
		p.note(name, Failed, "an upgrade request with a session failed: "+plainly(err), remedyUnreachable)
	case a.Status != http.StatusSwitchingProtocols:
		p.note(name, Failed, fmt.Sprintf("an upgrade with a session got %d", a.Status),
			"Check the path, and that the app accepts WebSockets from this Origin: it receives the public host. If it refuses that, permit the public name in the app, or set `app_address` at the gate.")
	default:
		p.note(name, OK, "an upgrade with a session reaches the app and is accepted", "")
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
