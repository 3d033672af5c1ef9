package doctor

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

const debugHeader = "Session-Gate-Debug"

// checkPage checks a page as an admitted visitor receives it.
func (p *probe) checkPage(ctx context.Context) {
	const name = "injection"
	switch {
	case !p.gated:
		p.note(name, NotChecked, "no gate was found", "")
		return
	case p.Session == "":
		remedy := "Sell a session (POST /api/v1/sessions) and pass its launch link with --session. The link is spent."
		if p.Origin == nil {
			remedy += " Or pass --origin to predict what the gate would do."
		}
		p.note(name, NotChecked, "a page needs a session", remedy)
		return
	case !p.trusted:
		p.note(name, NotChecked, "a session is not sent to a server whose certificate is not valid", "Fix the certificate first.")
		return
	}
	if p.leads {
		p.note(name, NotChecked, "the page leads elsewhere before the gate; the launch link was not spent", remedyElsewhere)
		return
	}
	if p.leavesAtOrigin(ctx) {
		return
	}
	p.checkLink(ctx)
	if err := p.enter(ctx); err != nil {
		p.note(name, Failed, err.Error(), "A launch link can be used once. Sell another session for this check.")
		return
	}
	p.checkServiceTime(ctx)
	p.checkUpgrade(ctx)
	header := append([]string{"Cookie", p.cookie}, navigation...)
	if p.DebugKey != "" {
		header = append(header, debugHeader, p.DebugKey)
	}
	a, err := p.visit(ctx, question{method: http.MethodGet, target: p.page, at: p.addresses[0], header: header, secret: true})
	if err != nil {
		p.note(name, Failed, "the request for a page failed: "+plainly(err), "See the edge's log.")
		return
	}
	if a.elsewhere != nil || a.circle {
		p.noteElsewhere(name, a, true)
		return
	}
	if refusesName(a.Status) && a.problem == nil {
		accepts := ""
		if where, ok := p.originAddress(ctx); ok {
			accepts = p.expectedName(ctx, where)
		}
		p.noteName(a.Status, accepts)
		return
	}
	outcome := a.Header.Get(debugHeader)
	source, nonce := clock(plain(a.Page))
	if p.DebugKey != "" && outcome == "" {
		p.note(name, Warning, "the gate does not know this debug key", "Set `debug_key` in the edge's global options, or omit --key.")
	}
	switch {
	case source != "":
		p.note(name, OK, "the page has the clock"+inBrackets(outcome), "")
		p.checkPolicies(a.Page, nonce)
	case outcome == "":
		p.note(name, Warning, fmt.Sprintf("the page (%d, %s) has no clock", a.Status, a.Header.Get("Content-Type")),
			"Set `debug_key` at the edge and pass it with --key to learn why.")
	default:
		p.noteReason(name, outcome)
	}
}

// enter obtains the cookie of an admitted visitor. It spends a launch token.
func (p *probe) enter(ctx context.Context) error {
	cookieName := "session_gate"
	if p.URL.Scheme == "https" {
		cookieName = "__Host-session_gate"
	}
	if kind, _ := token.KindOf(p.Session); kind == token.Session {
		p.cookie = cookieName + "=" + p.Session
		return nil
	}
	target := p.at(p.page.Path) // the gate may be there and nowhere else
	target.RawPath = p.page.RawPath
	target.RawQuery = protocol.LaunchParam + "=" + url.QueryEscape(p.Session)
	a, err := p.ask(ctx, question{method: http.MethodGet, target: target, at: p.addresses[0], header: navigation, secret: true})
	if err != nil {
		return fmt.Errorf("the launch request failed: %s", plainly(err))
	}
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == cookieName && a.Status == http.StatusSeeOther {
			p.cookie = c.Name + "=" + c.Value
			return nil
		}
	}
	if to, ok := redirection(a.Page, target); ok {
		return fmt.Errorf("the session was not admitted: the launch request was redirected to %s://%s%s", to.Scheme, to.Host, to.EscapedPath())
	}
	return fmt.Errorf("the session was not admitted: the gate answered %d", a.Status)
}

// leavesAtOrigin reports whether the app's own server, if it is known, leads visitors
// of the page to another site: a launch link would be spent for nothing.
func (p *probe) leavesAtOrigin(ctx context.Context) bool {
	if kind, _ := token.KindOf(p.Session); kind == token.Session {
		return false
	}
	where, ok := p.originAddress(ctx)
	if !ok {
		return false
	}
	s, err := p.askOrigin(ctx, where)
	if err != nil || s.elsewhere == nil || strings.EqualFold(s.elsewhere.Host, p.URL.Host) {
		return false
	}
	s.at = p.page
	p.noteElsewhere("injection", s, false)
	return true
}

// checkLink checks whether the launch link leads to a page that is open to everybody. The
// gate redeems the link there, but the page has no clock.
func (p *probe) checkLink(ctx context.Context) {
	if p.Link == nil || !strings.EqualFold(p.Link.Host, p.URL.Host) || p.Link.Path == p.page.Path {
		return
	}
	target := p.at(p.Link.Path)
	target.RawPath = p.Link.RawPath
	a, err := p.ask(ctx, question{method: http.MethodGet, target: target, at: p.addresses[0], header: navigation})
	if err != nil || a.Status < 200 || a.Status > 299 {
		return
	}
	p.note("injection", Warning, fmt.Sprintf("the launch link leads to %s, which is open to visitors without a session and has no clock", p.Link.EscapedPath()),
		"Set the provider's app_url to a page behind the gate, or extend the gate's matcher to this page.")
}

// SessionToken returns the token in a launch link. It also accepts a token alone.
func SessionToken(s string) (string, error) {
	if u, err := url.Parse(s); err == nil && u.Scheme != "" {
		s = launchTokenOf(u.RawQuery)
	}
	if kind, _ := token.KindOf(s); len(s) > token.MaxSize || strings.Count(s, ".") != 2 || kind == "" {
		return "", errors.New("the session must be a launch link, the token in it, or the value of the session's cookie")
	}
	return s, nil
}

// launchTokenOf is the launch token in a query, in which the app may have a parameter of
// the same name, and anything else that is no form's.
func launchTokenOf(rawQuery string) string {
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if kind, _ := token.KindOf(value); name == protocol.LaunchParam && err == nil && kind == token.Launch {
			return value
		}
	}
	return ""
}

// clock returns the src and nonce of the clock's script tag in a page, or "".
func clock(body []byte) (source, nonce string) {
	for z := html.NewTokenizer(bytes.NewReader(body)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return "", ""
		case html.StartTagToken:
			t := z.Token()
			if src := attribute(t, "src"); t.Data == "script" && strings.HasPrefix(src, protocol.GatePrefix+"boot.") {
				return src, attribute(t, "nonce")
			}
		}
	}
}

// metaPolicies returns the policies in a page's markup, which the gate cannot
// extend.
func metaPolicies(body []byte) (list []string) {
	for z := html.NewTokenizer(bytes.NewReader(body)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return list
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if t.Data == "meta" && strings.EqualFold(attribute(t, "http-equiv"), "content-security-policy") {
				list = append(list, strings.Split(attribute(t, "content"), ",")...)
			}
		}
	}
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// plain returns a page's decoded body, as far as it can be decoded.
func plain(p *Page) []byte {
	if !strings.EqualFold(p.Header.Get("Content-Encoding"), "gzip") {
		return p.Body
	}
	z, err := gzip.NewReader(bytes.NewReader(p.Body))
	if err != nil {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(z, maxPageBody)) // the readable part of a truncated body is enough
	return body
}

// checkPolicies checks the policies of a page with the clock as the browser
// receives them. The gate has already extended the policies that it saw, so a
// policy that still blocks the clock is in the page's markup or was added between
// the gate and the browser.
func (p *probe) checkPolicies(page *Page, nonce string) {
	const name = "policy"
	policies := 0
	judge := func(list []string, where, remedy string) bool {
		for _, policy := range list {
			if strings.TrimSpace(policy) == "" {
				continue
			}
			policies++
			script, calls := p.Rules.Blocks(page, policy, nonce)
			if !script && !calls {
				continue
			}
			what := "the clock's calls to " + protocol.GatePrefix
			if script {
				what = "the clock's script"
			}
			p.note(name, Failed, fmt.Sprintf("a policy in %s blocks %s: %s", where, what, shortened(policy)), remedy)
			return false
		}
		return true
	}
	var headers []string
	for _, line := range page.Header.Values("Content-Security-Policy") {
		headers = append(headers, strings.Split(line, ",")...)
	}
	if !judge(headers, "a header", "This header is added after the gate. Set it in the app, or in a handler below `session_gate`, so that the gate can extend it.") ||
		!judge(metaPolicies(plain(page)), "the page's <meta>", "Send the policy as a header, which the gate extends, or add `script-src 'self'; connect-src 'self'` to it. Without the change the clock is not shown; time is still enforced.") {
		return
	}
	if policies == 0 {
		p.note(name, OK, "the page has no content security policy", "")
		return
	}
	p.note(name, OK, "the page's policies allow the clock", "")
}

func shortened(policy string) string {
	return limited(strings.Join(strings.Fields(policy), " "), 160)
}

// limited cuts a text to at most so many bytes of whole characters.
func limited(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// reason explains why a page carries no clock.
type reason struct {
	means  string
	remedy string
}

const pageByAnotherName = "No action is needed if this is not a page of the app. Otherwise, check another page."

// reasons explains the injector's reasons for leaving a page unchanged. The debug
// header and the metric session_gate_pages_total use the same names.
var reasons = map[string]reason{
	"unanswered":       {"the app sent no response", "See the app's own log."},
	"not_navigation":   {"the request is not a navigation, or saves a file", "A proxy in front of the edge removes Sec-Fetch-* and Upgrade-Insecure-Requests. Configure it to forward them."},
	"upgraded":         {"the connection became a WebSocket", "Check the URL of a page."},
	"head":             {"the request method is HEAD", "A proxy in front of the edge changes GET to HEAD. Configure it to keep the method."},
	"status":           {"the app did not return a page (a redirect, a part of a file, or a response without a body)", "Check the URL of a page."},
	"content_type":     {"the response is not text/html", "Configure the app to send its pages as `Content-Type: text/html`. XHTML (application/xhtml+xml) is not changed."},
	"content_encoding": {"the page is compressed with an encoding other than gzip", "The gate requests gzip or no compression: configure the app to respect Accept-Encoding."},
	"charset":          {"the page is in UTF-16 or UTF-32", "Serve it in UTF-8."},
	"no_transform":     {"the page forbids changes with Cache-Control: no-transform", "Remove no-transform from the app's Cache-Control header."},
	"attachment":       {"the page is a download (Content-Disposition: attachment)", pageByAnotherName},
	"csp_sandbox":      {"a content security policy sandboxes the page without allow-scripts or allow-same-origin", "Add allow-scripts and allow-same-origin to the sandbox. Without them the clock is not shown; time is still enforced."},
	"empty":            {"the page is empty", pageByAnotherName},
	"not_markup":       {"the body begins as JSON does", "Send JSON with its own content type, and begin pages with <!doctype html>."},
	"binary":           {"the body contains control characters where text should be", "Send content that is not a page with its own content type."},
	"fragment":         {"the response is a fragment of a page", pageByAnotherName},
	"undecided":        {"no <html>, <head> or content was found in the first 4 KB", "Move long comments below the doctype."},
	"bad_gzip":         {"the page is declared as gzip but is not valid gzip", "Fix the app's compression, or turn it off and compress with the edge's `encode`."},
	"multi_member":     {"the page consists of several gzip members", "Configure the app to compress each page as one gzip member, or turn its compression off and compress with the edge's `encode`."},
	"aborted":          {"the app closed the connection in the middle of the page", "See the app's own log."},
}

// Reasons returns the reasons that [Explain] knows, in no order.
func Reasons() (list []string) {
	for word := range reasons {
		list = append(list, word)
	}
	return list
}

// Explain returns sentences that say why a page has no clock and what to do, given
// the injector's reason.
func Explain(word string) string {
	why, ok := reasons[word]
	if !ok {
		return fmt.Sprintf("The gate reported %q, which this version does not know. See docs/caddyfile.md of the edge's version.", word)
	}
	return strings.ToUpper(why.means[:1]) + why.means[1:] + ". " + why.remedy
}

func (p *probe) noteReason(name, outcome string) {
	why, ok := reasons[outcome]
	if !ok {
		p.note(name, Warning, fmt.Sprintf("the page has no clock: the gate reported %q", outcome), "See docs/caddyfile.md of the edge's version.")
		return
	}
	p.note(name, Warning, fmt.Sprintf("the page has no clock: %s (%s)", why.means, outcome), why.remedy)
}
