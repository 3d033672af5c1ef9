// Package doctor looks at a provider's domain from outside, as visitors,
// browsers and cheats do, and says what to mend.
//
//	dns         the name resolves, and to where
//	tls         the certificate is valid for it, and for how long
//	gate        a gate answers on every address, and reaches its session service
//	refusal     without a session, a visitor sees a page and a fetch gets 401
//	websocket   an upgrade without a session is refused, one with a session taken
//	injection   a page of the app carries the clock, or why not
//	policy      the page's content security policies let the clock work
//	origin_lock the app's own server does not serve the world past the gate
//
// It knows HTTP and no configuration, so that the command line and the session
// service can both ask it. What the edge would do with a page it is told by
// [Rules]; whom it may dial, by [Config.Control].
package doctor

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Grade is how a check went.
type Grade string

const (
	OK         Grade = "ok"
	Warning    Grade = "warning"     // works, but not for everybody or not for long
	Failed     Grade = "failed"      // somebody is let in, or kept out, wrongly
	NotChecked Grade = "not_checked" // what was needed for it is missing; the remedy says what
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"check"` // of the list in the package's documentation
	Grade Grade  `json:"grade"`
	// What was seen, for a person. Holds no token and no key.
	Found string `json:"found"`
	// What to do, in plain words; empty when all is well.
	Remedy string `json:"remedy,omitempty"`
}

// Report is all that was looked at, in order.
type Report struct {
	URL    string  `json:"url"`
	Checks []Check `json:"checks"`
	Failed int     `json:"failed"` // how many of them
}

// Config says what to look at, and as whom.
type Config struct {
	// A page of the app, at its public address: http or https.
	URL *url.URL
	// host:port of an edge to ask instead of where DNS points, for the day
	// before it does.
	Edge string
	// A launch link's token, which is spent, or a session token (the cookie's
	// value). Empty: what only an admitted visitor sees is not checked. It is
	// never sent to a server whose certificate is not valid.
	Session string
	// The edge's debug_key. Empty: a page is searched for the clock's script
	// instead of asking why it has none.
	DebugKey string
	// The app's own server. Empty: the origin lock is not checked.
	Origin *url.URL
	// Path of a WebSocket of the app. Empty: only the refusal of one is checked.
	WebSocket string

	// Gate is where visitors are to end up. Nil: where the name leads is told, and
	// not judged.
	Gate *Gate

	// Control is called before each connection, as [net.Dialer.Control] is; an
	// error forbids it. Set it where somebody else chooses URL or Origin. Default:
	// everything is dialed.
	Control func(network, address string, c syscall.RawConn) error
	// Lookup finds a name's addresses. Default: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Who may issue certificates. Default: whom the system trusts.
	Roots *x509.CertPool
	// Default: time.Now.
	Now func() time.Time
	// What the edge's injector does. Required.
	Rules Rules
}

// Gate is where an operator's edges are.
type Gate struct {
	// Empty: they could not be looked up.
	Addresses []netip.Addr
	// What to do with a name that leads elsewhere, such as "Set CNAME
	// app.example.com to edge.example.com."
	Remedy string
}

// Rules are the injector's, as the edge has them.
type Rules interface {
	// Predict says what the edge would make of a page that an origin sent:
	// "identity", "prefix" or "reencode", or the reason for leaving it alone.
	Predict(p *Page) (outcome string, injected bool)
	// Blocks says what a policy would keep from the clock: its script, given the
	// nonce of its tag, or its calls to the page's own origin.
	Blocks(p *Page, policy, nonce string) (script, calls bool)
}

// Page is an answer to a navigation.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte // as it came, its first megabyte
	Whole  bool   // whether that is all
}

// Run makes every check that can be made. It ends within about a minute, or
// with ctx.
func Run(ctx context.Context, c Config) *Report {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Lookup == nil {
		c.Lookup = systemLookup
	}
	p := &probe{Config: c, report: &Report{URL: c.URL.Redacted()}}
	p.checkNames(ctx)
	p.checkCertificate(ctx)
	p.checkGate(ctx)
	p.believeGate()
	p.checkRefusal(ctx)
	p.checkWebSocket(ctx)
	p.checkPage(ctx)
	p.checkOrigin(ctx)
	for _, check := range p.report.Checks {
		if check.Grade == Failed {
			p.report.Failed++
		}
	}
	return p.report
}

// probe checks one domain and holds what the checks so far found.
type probe struct {
	Config
	report *Report

	addresses []netip.AddrPort // where visitors end up
	reached   bool             // one of them takes connections
	trusted   bool             // and may be shown a secret
	gated     bool             // a gate answers
	astray    string           // where the name leads, if not to the gate's own addresses
	cookie    string           // of an admitted visitor; "" while there is none
}

func (p *probe) note(name string, grade Grade, found, remedy string) {
	p.report.Checks = append(p.report.Checks, Check{Name: name, Grade: grade, Found: found, Remedy: remedy})
}
