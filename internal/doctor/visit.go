package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxHops is how many redirects a visit follows.
const maxHops = 8

// stop is where a visit ends: an answer, or the address to which it leads elsewhere.
type stop struct {
	*answer
	at        *url.URL // the page's address
	elsewhere *url.URL // of another site; nil: the visit ends here
	circle    bool     // it would go on without end
}

// visit asks for a page and follows redirects within its site, with the cookies that
// answers set. A secret in header is sent to no other site.
func (p *probe) visit(ctx context.Context, q question) (stop, error) {
	jar := cookiesOf(q.header)
	seen := make(map[string]bool)
	for at := q.target; ; {
		q.target, q.header = at, withCookies(q.header, jar)
		a, err := p.ask(ctx, q)
		if err != nil {
			return stop{at: at}, err
		}
		for _, c := range (&http.Response{Header: a.Header}).Cookies() {
			jar[c.Name] = c.Value
		}
		to, ok := redirection(a.Page, at)
		if !ok {
			return stop{answer: a, at: at}, nil
		}
		if q.host != "" && strings.EqualFold(to.Host, q.host) && to.Scheme == p.URL.Scheme {
			to.Scheme, to.Host = at.Scheme, at.Host // the app was asked under its public name
		}
		s := stop{answer: a, at: at, elsewhere: to}
		if s.byGate() || to.Scheme != at.Scheme || !strings.EqualFold(to.Host, at.Host) {
			return s, nil
		}
		key := to.String() + " " + fmt.Sprint(len(jar))
		if seen[key] || len(seen) >= maxHops {
			return stop{answer: a, at: at, circle: true}, nil
		}
		seen[key] = true
		at = to
	}
}

// redirection is where an answer leads.
func redirection(page *Page, at *url.URL) (to *url.URL, ok bool) {
	switch page.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, false
	}
	to, err := at.Parse(page.Header.Get("Location"))
	if err != nil || page.Header.Get("Location") == "" {
		return nil, false
	}
	to.Fragment, to.User = "", nil
	return to, true
}

// cookiesOf are the cookies in a question's header.
func cookiesOf(header []string) map[string]string {
	jar := make(map[string]string)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] != "Cookie" {
			continue
		}
		for pair := range strings.SplitSeq(header[i+1], ";") {
			if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
				jar[name] = value
			}
		}
	}
	return jar
}

// withCookies is header with the cookies of jar in the place of its own.
func withCookies(header []string, jar map[string]string) []string {
	var kept []string
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] != "Cookie" {
			kept = append(kept, header[i], header[i+1])
		}
	}
	var pairs []string
	for name, value := range jar {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) == 0 {
		return kept
	}
	return append(kept, "Cookie", strings.Join(pairs, "; "))
}

// away describes where a visit leads, for people. A query may hold a secret.
func (s stop) away() string {
	return s.elsewhere.Scheme + "://" + s.elsewhere.Host + s.elsewhere.EscapedPath()
}

// byGate reports whether a redirect is the gate's way to refuse a visit.
func (s stop) byGate() bool {
	return s.Status == http.StatusSeeOther && (s.Header.Get("Cache-Control") == "no-store" || s.Header.Get("Referrer-Policy") == "no-referrer")
}

const remedyElsewhere = "Check the address to which it leads, or a page that stays on this site."

// noteElsewhere reports a page that leads to another site, or nowhere.
func (p *probe) noteElsewhere(name string, s stop, spent bool) {
	kept := ""
	if !spent && p.Session != "" {
		kept = ". The launch link was not spent"
	}
	switch {
	case s.circle:
		p.note(name, Failed, fmt.Sprintf("%s redirects in a circle%s", s.at.Path, kept),
			"The app may redirect to https or to its own name, and not know that the visitor is already there: let it use X-Forwarded-Proto and X-Forwarded-Host.")
	case strings.EqualFold(s.elsewhere.Hostname(), s.at.Hostname()) && s.elsewhere.Scheme == "http":
		p.note(name, Warning, fmt.Sprintf("%s redirects to %s%s", s.at.Path, s.away(), kept),
			"The app does not know that its visitors use https: let it use X-Forwarded-Proto. If TLS ends before the edge, set `trusted_proxies`.")
	default:
		p.note(name, NotChecked, fmt.Sprintf("%s leads to %s%s", s.at.Path, s.away(), kept), remedyElsewhere)
	}
}

// refusesName reports whether a status may mean that an app refuses the host or the
// origin of a request.
func refusesName(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusForbidden || status == http.StatusMisdirectedRequest
}

// expectedName asks the app's own server for the page under other names than the
// public one, if it refuses that. It returns the address that the app accepts, or "".
func (p *probe) expectedName(ctx context.Context, where netip.AddrPort) string {
	if p.Origin == nil {
		return ""
	}
	port := ""
	if p.Origin.Port() != "" {
		port = ":" + p.Origin.Port()
	}
	for _, host := range []string{p.Origin.Host, "localhost" + port} {
		if host == p.URL.Host {
			continue
		}
		a, err := p.ask(ctx, question{method: http.MethodGet, target: p.originPage(), at: where, host: host, header: navigation})
		if err == nil && a.Status < 400 && a.problem == nil {
			return p.Origin.Scheme + "://" + host
		}
	}
	return ""
}

// noteName reports an app that refuses its public name, given the address that it
// accepts, if that is known.
func (p *probe) noteName(status int, accepts string) {
	const name = "injection"
	if accepts == "" {
		p.note(name, Warning, fmt.Sprintf("the app answers %d to an admitted visitor; it may refuse its public name", status),
			"If the app checks Host or Origin, set `app_address` at the gate to the address that it expects, such as `app_address http://localhost:8888`, or permit the public name in the app. Pass --origin to check this.")
		return
	}
	p.note(name, Failed, fmt.Sprintf("the app refuses its public name: it answers %d to %s, and accepts %s", status, p.URL.Host, accepts),
		"Permit the public name in the app, or set `app_address "+accepts+"` in the gate's block of the edge's Caddyfile.")
}
