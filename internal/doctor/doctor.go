// Package doctor checks a provider's domain from outside, as visitors, browsers
// and attackers reach it, and says how to fix what is wrong.
//
//	dns         the name resolves, and to which addresses
//	ownership   the session service knows the name as the provider's
//	tls         the certificate is valid for the name, and until when
//	gate        a gate answers on every address and reaches its session service
//	time        the clocks of the edges agree with this machine's and the service's
//	refusal     without a session, a page request and a fetch are refused
//	websocket   an upgrade is refused without a session and accepted with one
//	injection   a page of the app carries the clock, or the reason why not
//	policy      the page's content security policies allow the clock
//	origin_lock the app's own server refuses requests that bypass the gate
//
// The package speaks HTTP and reads no configuration, so the command line and the
// session service both use it. [Rules] predicts what the edge does with a page,
// and [Config.Control] limits which addresses are dialed.
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

// Grade is the result of a check.
type Grade string

const (
	OK         Grade = "ok"
	Warning    Grade = "warning"     // works, but not for every visitor, or not for long
	Failed     Grade = "failed"      // visitors are admitted or refused by mistake
	NotChecked Grade = "not_checked" // something that the check needs is missing; the remedy names it
)

// Check is the outcome of one check.
type Check struct {
	Name  string `json:"check"` // one of the names in the package documentation
	Grade Grade  `json:"grade"`
	// What was observed, as text for people. Contains no token and no key.
	Found string `json:"found"`
	// What to do about it. Empty if nothing is wrong.
	Remedy string `json:"remedy,omitempty"`
}

// Report holds the outcomes of all checks, in the order in which they ran.
type Report struct {
	URL    string  `json:"url"`
	Checks []Check `json:"checks"`
	Failed int     `json:"failed"` // number of checks that failed
}

// Config says what to check, and with which credentials.
type Config struct {
	// Public http or https URL of a page of the app. Required.
	URL *url.URL
	// host:port of an edge to check instead of the addresses in DNS, for use
	// before the DNS records are changed.
	Edge string
	// A launch token, which the check spends, or a session token (the cookie's
	// value). It is never sent to a server whose certificate is not valid. Empty:
	// checks that need a session are skipped.
	Session string
	// The page to which the launch link of Session leads, without its query. Nil: not
	// known.
	Link *url.URL
	// The edge's debug_key, with which the gate reports why a page has no clock.
	// Empty: the page is searched for the clock's script, and no reason is given.
	DebugKey string
	// URL of the app's own server. Nil: the origin lock is not checked.
	Origin *url.URL
	// Path of a WebSocket of the app. Empty: only refusal without a session is
	// checked.
	WebSocket string

	// Gate says where the name should point. Nil: its addresses are reported but
	// not compared.
	Gate *Gate
	// Ownership says whether the session service takes the name for the provider's.
	// Nil: it is not reported.
	Ownership *Ownership

	// Control is called before each connection, like [net.Dialer.Control]; an
	// error prevents the connection. Set it if URL or Origin come from someone
	// untrusted. Default: every address is dialed.
	Control func(network, address string, c syscall.RawConn) error
	// Lookup returns the addresses of a name. Default: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Trusted certificate authorities. Default: the system's.
	Roots *x509.CertPool
	// Now returns the current time, with which certificates and the clocks of edges are
	// compared. Default: time.Now.
	Now func() time.Time
	// The rules of the edge's injector. Required.
	Rules Rules
}

// Gate describes where an operator's edges are reached.
type Gate struct {
	// Addresses of the edges. Empty: they could not be looked up.
	Addresses []netip.Addr
	// What to do if a name points elsewhere, such as "Set CNAME app.example.com to
	// edge.example.com."
	Remedy string
}

// Ownership is the state of a provider's claim to the name.
type Ownership struct {
	State  string // pending, proven, suspended, vouched or local
	Usable bool   // whether the gate serves the name
	Found  string // what the session service last saw in DNS; may be empty
	Remedy string // which records to set
}

// Rules answers with the decisions of the injector that the edge runs.
type Rules interface {
	// Predict returns what the edge would do with a page that an origin sent:
	// "identity", "prefix" or "reencode", or the reason why it gets no clock.
	Predict(p *Page) (outcome string, injected bool)
	// Blocks reports whether a policy blocks the clock's script, whose tag has
	// the nonce, and whether it blocks the clock's calls to the page's own origin.
	Blocks(p *Page, policy, nonce string) (script, calls bool)
}

// Page is a response to a navigation request.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte // as received, still encoded; at most one megabyte
	Whole  bool   // whether Body is complete
}

// maxFound limits the text of an observation. Servers that are checked may send
// addresses, names and types of any length.
const maxFound = 1000

// Run makes all checks that c allows and returns their outcomes. Each request
// has a timeout: Run returns within about a minute, or when ctx ends.
func Run(ctx context.Context, c Config) *Report {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Lookup == nil {
		c.Lookup = systemLookup
	}
	page := *c.URL
	page.RawQuery = ""
	p := &probe{Config: c, report: &Report{URL: c.URL.Redacted()}, page: &page}
	p.checkNames(ctx)
	p.checkOwnership()
	p.checkCertificate(ctx)
	p.checkGate(ctx)
	p.believeGate()
	p.checkTime()
	p.checkRefusal(ctx)
	p.checkWebSocket(ctx)
	p.checkPage(ctx)
	p.checkOrigin(ctx)
	for i := range p.report.Checks {
		check := &p.report.Checks[i]
		check.Found = limited(check.Found, maxFound)
		if check.Grade == Failed {
			p.report.Failed++
		}
	}
	return p.report
}

// probe checks one domain and holds what earlier checks found.
type probe struct {
	Config
	report *Report

	addresses []netip.AddrPort // where visitors connect to
	reached   bool             // an address accepts connections
	trusted   bool             // certificates are valid, so secrets may be sent
	gated     bool             // a gate answers
	answers   []*answer        // of the gate, one for each address
	astray    string           // the name's addresses, if some are not the gate's; otherwise empty
	cookie    string           // of an admitted visitor; empty before entry
	page      *url.URL         // to which the page to check redirects within its site
	leads     bool             // it leads to another site before the gate, or in a circle
}

func (p *probe) note(name string, grade Grade, found, remedy string) {
	p.report.Checks = append(p.report.Checks, Check{Name: name, Grade: grade, Found: found, Remedy: remedy})
}
