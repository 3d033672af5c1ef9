package caddymodule

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
	sdkinject "github.com/sessiongate/sessiongate/sdk-inject"
)

func init() {
	caddy.RegisterModule(Gate{})
}

// Values of [Gate.Inject], [Gate.ForwardIdentity] and [Gate.OriginErrors].
const (
	injectOn    = "on"
	injectExact = "exact"
	injectOff   = "off"

	identityHeaders = "headers"
	identityJWT     = "jwt"
	identityOff     = "off"

	cookieLax         = "lax"
	cookiePartitioned = "partitioned"

	pageErrors = "page"
	passErrors = "pass"
)

// Gate admits requests that carry a live session and refuses all others. Requests
// that it admits end with the session, in whatever state they are.
type Gate struct {
	// The provider whose sessions are admitted. Empty: the provider that has
	// registered the request's host at the backend.
	Provider string `json:"provider,omitempty"`
	// What a navigation without a session receives. Default: a page.
	OnMissing *Answer `json:"on_missing,omitempty"`
	// What a navigation with an ended session receives. Default: a redirect to the
	// session's return_url, with session_id added.
	OnExpired *Answer `json:"on_expired,omitempty"`
	// Whether pages get the clock: on, off, or exact (gzip pages are decoded
	// and encoded again, rather than prefixed). Default: the provider's site
	// setting, else on.
	Inject string `json:"inject,omitempty"`
	// How the origin is told the user and session: headers; jwt, which adds a signed
	// assertion in Session-Gate-Assertion; or off. Default: the provider's site
	// setting, else headers.
	ForwardIdentity string `json:"forward_identity,omitempty"`
	// How the cookie is scoped: lax, or partitioned for an app that other sites
	// frame. Default: the provider's site setting, else lax.
	Cookie string `json:"cookie,omitempty"`
	// Paths that need no session, such as /static/*. Requests without one reach the
	// origin without the gate's cookies and identity headers. Default: those of the
	// provider's site settings, else none.
	Open []string `json:"open,omitempty"`
	// What a navigation receives when the origin does not respond: page, or pass,
	// which leaves the error to handle_errors. Default: page.
	OriginErrors string `json:"origin_errors,omitempty"`
	// How long after the deadline an upload in progress may continue and be
	// answered. Default: the provider's site setting, else 0.
	UploadGrace caddy.Duration `json:"upload_grace,omitempty"`
	// An HTML template (Go's html/template) to show instead of the built-in
	// page. Its data are Code, Title, Text, Tone, Back, BackLabel, RetryLabel,
	// Lang, Dir and Style; App, Initial, Logo, Message, Expected, Shop, ShopLabel,
	// Support and SupportLabel, which follow from the provider's site settings.
	PageTemplate string `json:"page_template,omitempty"`
	// The address that the app expects its visitors at, such as http://localhost:8888,
	// if it refuses its public name. Host, Origin and Referer of requests are changed to
	// it, and redirects and cookies of the app back. Default: the public address.
	AppAddress string `json:"app_address,omitempty"`
	// Protocols that connections may change to by the Upgrade header, besides WebSocket.
	// Requests within them do not come to the gate. Default: none.
	Upgrade []string `json:"upgrade,omitempty"`
	// The app's server. With it, the gate forwards requests itself, and no handler after it
	// is called. Default: the next handler, such as reverse_proxy.
	Origin *Origin `json:"origin,omitempty"`
	// Log what would be refused or cut, but let every request pass.
	ObserveOnly bool `json:"observe_only,omitempty"`

	edge         *edge.Edge
	maxStaleness time.Duration
	debugKey     string
	offline      edge.OfflineLimits // of new entries while the backend is down
	policy       policy
	open         openPaths
	injector     *inject.Injector   // nil: off
	asserter     *asserter          // with jwt
	assertions   *lazyAsserter      // for providers that ask for jwt
	credentials  *originCredentials // what origins are shown
	template     *template.Template // nil: the built-in page
	app          *appAddress        // nil: the public address
	forwarder    *forwarder         // with origin
	releaseSite  func()
	logger       *zap.Logger
	leftOut      *zap.Logger // for launch links that lead past the gate
}

// CaddyModule implements [caddy.Module].
func (Gate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_gate", New: func() caddy.Module { return new(Gate) }}
}

// Provision fills in defaults, finds the app, and looks at the routes around.
func (g *Gate) Provision(ctx caddy.Context) error {
	if err := g.provision(ctx); err != nil {
		return err
	}
	if g.Origin != nil {
		app, err := appOf(ctx)
		if err != nil {
			return err
		}
		if g.forwarder, err = g.newForwarder(app); err != nil {
			return err
		}
	}
	return g.fitSite(ctx)
}

// Cleanup implements [caddy.CleanerUpper]. It closes the connections to the origin, and the
// edge need not hear of the site's provider any more.
func (g *Gate) Cleanup() error {
	g.release()
	if g.forwarder != nil {
		g.forwarder.close()
	}
	return nil
}

// release says that the gate is not in use any more.
func (g *Gate) release() {
	if g.releaseSite != nil {
		g.releaseSite()
	}
}

// provision finds the app. Options that providers decide about as well stay empty if the
// configuration does not set them: see [settings].
func (g *Gate) provision(ctx caddy.Context) error {
	g.logger = ctx.Logger()
	g.leftOut = onceAMinute(g.logger)
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	if server := serverOf(ctx); server != nil && !app.servers[server] {
		app.servers[server] = true
		rememberConnections(server)
	}
	g.edge, g.maxStaleness, g.debugKey = app.edge, time.Duration(app.MaxStaleness), app.DebugKey
	g.credentials, g.assertions = app.credentials, app.assertions
	if app.WhenBackendDown == admitEntries {
		g.offline = edge.OfflineLimits{Time: time.Duration(app.OfflineTime), Sessions: app.OfflineSessions}
	}
	written := g.Provider
	if g.Provider = caddy.NewReplacer().ReplaceKnown(written, ""); g.Provider == "" && written != "" {
		return fmt.Errorf("session_gate: provider is %s, which is empty; set it, or remove the option if the request's host determines the provider", written)
	}
	g.releaseSite = g.edge.ConfigureSite(g.Provider, g.writtenOptions())
	if g.OnExpired == nil {
		g.OnExpired = &Answer{Redirect: true}
	}
	g.OriginErrors = orDefault(g.OriginErrors, pageErrors)
	if g.ForwardIdentity == identityJWT {
		if g.asserter, err = loadAsserter(app.AssertionKey); err != nil {
			return fmt.Errorf("session_gate: %w", err)
		}
	}
	if g.AppAddress != "" {
		if g.app, err = parseAppAddress(caddy.NewReplacer().ReplaceKnown(g.AppAddress, "")); err != nil {
			return fmt.Errorf("session_gate: %w", err)
		}
	}
	if g.PageTemplate != "" {
		if g.template, err = loadTemplate(g.PageTemplate); err != nil {
			return fmt.Errorf("session_gate: %w", err)
		}
	}
	if g.Inject != injectOff {
		g.injector = newInjector(g.Inject == injectExact)
	}
	g.policy = policyOf(g)
	g.open = openPaths(slices.Clone(g.Open))
	return caddyhttp.MatchPath(g.open).Provision(ctx)
}

// newInjector returns the injector of the clock's script. The hash in the script's
// name marks the ETags of pages, too: a stored copy with the tag never validates
// one without it, or one with the tag of another version.
func newInjector(exact bool) *inject.Injector {
	boot := sdkinject.Boot()
	return inject.New(inject.Config{
		Src:        protocol.GatePrefix + boot.Name,
		Integrity:  boot.Integrity,
		ETagSuffix: "-sg" + strings.TrimSuffix(strings.TrimPrefix(boot.Name, "boot."), ".js"),
		Exact:      exact,
	})
}

// Validate implements [caddy.Validator].
func (g *Gate) Validate() error {
	for _, f := range []struct {
		name, value string
		allowed     []string
	}{
		{"inject", orDefault(g.Inject, injectOn), []string{injectOn, injectOff, injectExact}},
		{"forward_identity", orDefault(g.ForwardIdentity, identityHeaders), []string{identityHeaders, identityJWT, identityOff}},
		{"cookie", orDefault(g.Cookie, cookieLax), []string{cookieLax, cookiePartitioned}},
		{"origin_errors", g.OriginErrors, []string{pageErrors, passErrors}},
	} {
		if !slices.Contains(f.allowed, f.value) {
			return fmt.Errorf("session_gate: %s is %q; it must be one of: %s", f.name, f.value, strings.Join(f.allowed, ", "))
		}
	}
	if pattern := g.open.check(); pattern != "" {
		return fmt.Errorf("session_gate: open has %q; write paths that begin with a slash, such as /static/*, and not the whole site", pattern)
	}
	if err := upgrades(g.Upgrade).check(); err != nil {
		return fmt.Errorf("session_gate: %w", err)
	}
	if g.UploadGrace < 0 {
		return errors.New("session_gate: upload_grace must not be negative")
	}
	if g.OnMissing != nil && g.OnMissing.Redirect && g.OnMissing.To == "" {
		return errors.New("session_gate: on_missing redirect needs a URL: a request without a session has no return_url")
	}
	for name, answer := range map[string]*Answer{"on_missing": g.OnMissing, "on_expired": g.OnExpired} {
		if answer == nil {
			continue
		}
		if err := checkDestination(answer.To); err != nil {
			return fmt.Errorf("session_gate: %s: %w", name, err)
		}
	}
	return nil
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler]. A request goes from the top
// of it to the bottom: the gate's own API and launches are answered here, requests
// without a live session are refused, and the others pass to the origin.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if g.forwarder != nil {
		next = g.forwarder
	}
	return answerError(g.logger, w, r, g.serve(w, r, next))
}

func (g *Gate) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if refuseRequestLine(w, r) || redirectFinalDot(w, r) {
		return nil
	}
	removed := restoreSent(r)
	explain := g.asksForOutcome(r)
	sanitize(r, g.Upgrade)
	settleBody(w, r)
	if strings.HasPrefix(r.URL.Path, protocol.GatePrefix) {
		return g.serveAPI(w, r)
	}
	if tokens, rest := launchTokens(r.URL.RawQuery); len(tokens)+len(removed) > 0 {
		if g.policy.entersBy(r) {
			return g.enter(w, r, append(tokens, removed...))
		}
		stripTokens(r, rest)
	}
	if stripRepeated(r) && !g.ObserveOnly {
		return g.policy.refuseEntry(w, r, refusal{code: protocol.LaunchInvalid}, errors.New("the launch token is in the path"))
	}
	v := g.decide(r)
	if v.unknownHost && g.introduce(r) {
		bearer := v.bearer
		v = g.decide(r)
		v.bearer = bearer
	}
	if v.refusal.code != "" || v.settings.closed() {
		v = g.reconsider(r, v)
	}
	switch {
	case v.refusal.code == "":
	case v.settings.opens(r):
		return g.passOpen(w, r, next)
	case g.returnToKept(w, r, v):
		return nil
	default:
		return g.policy.refuse(w, r, next, v.refusal)
	}
	return g.pass(w, r, next, v, explain)
}

// asksForOutcome reports whether the request carries the debug key, and its
// answer the injection result. It reads a header that sanitize removes.
func (g *Gate) asksForOutcome(r *http.Request) bool {
	return g.debugKey != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get(headerDebug)), []byte(g.debugKey)) == 1
}

// sanitize takes from a request what a client may not tell the origin: the gate's own
// headers, in trailers, too; a change to a protocol that is not allowed; and headers with
// a launch token.
func sanitize(r *http.Request, allowed upgrades) {
	caddyhttp.SetVar(r.Context(), handledVar, true)
	if stripHeaders(r.Header) {
		leaveOutOfLog(r)
	}
	allowed.limit(r)
	guardTrailers(r)
}

// stripHeaders removes, in one walk, the headers that a client may not send to the origin:
// those that could pass for the gate's, and those that repeat a launch token. It reports
// whether there was a token.
func stripHeaders(h http.Header) (hadToken bool) {
	for name, values := range h {
		switch {
		case forgesHeader(name):
			delete(h, name)
		case repeatsAddress(name, values):
			delete(h, name)
			hadToken = true
		}
	}
	unlistIdentity(h)
	return hadToken
}

// reconsider admits what a first look refuses: a request that another site has
// started, and one with which a user resumes a paused session. It refuses what comes to a
// site that its provider has closed.
func (g *Gate) reconsider(r *http.Request, v verdict) verdict {
	v = g.decideCrossSite(r, v)
	switch {
	case v.settings.closedTo(v.session):
		v.refusal = refusal{code: protocol.InMaintenance}
		if v.session != nil {
			v.refusal = refusalOf(v.session, protocol.InMaintenance)
		}
	case v.resumes(r):
		v.refusal = g.resume(r.Context(), v)
	}
	return v
}

// pass forwards an admitted request to the origin, and ends it when its session
// ends.
func (g *Gate) pass(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, v verdict, explain bool) error {
	p, cancel := g.newPassage(w, r, v)
	defer cancel()
	if p.WebSocket || len(r.Header["Upgrade"]) > 0 { // what the site's option upgrade allows lasts as long
		release, ok := g.edge.Limits.OpenSocket(v.session.ID(), v.session.ProviderID())
		switch {
		case ok:
			defer release()
		case g.ObserveOnly:
			g.logger.Info("would refuse", zap.String("code", string(protocol.RateLimited)), zap.String("session", v.session.ID()))
		default:
			return g.refuse(w, r, refusal{code: protocol.RateLimited, sessionID: v.session.ID()})
		}
	}
	if code := g.policy.begin(p); code != "" { // it ended since the decision
		return g.refuse(w, r, refusalOf(v.session, code))
	}
	defer g.policy.end(p) // from begin on it may be cut at any time
	// The site may have been closed since the decision.
	if !g.ObserveOnly && g.settingsOf(v.session.ProviderID()).closedTo(v.session) {
		return g.refuse(w, r, refusalOf(v.session, protocol.InMaintenance))
	}
	g.edge.Metrics.Admissions.Inc()
	caddyhttp.SetVar(r.Context(), handledVar, handledAdmitted)
	caddyhttp.SetVar(r.Context(), creditVar, v.session)
	if err := p.identify(); err != nil {
		return err
	}
	p.inject(explain)
	return p.conclude(p.forward(next))
}

func orDefault(value, def string) string {
	if value == "" {
		return def
	}
	return value
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Gate)(nil)
	_ caddy.Validator             = (*Gate)(nil)
	_ caddy.CleanerUpper          = (*Gate)(nil)
	_ caddyhttp.MiddlewareHandler = (*Gate)(nil)
)
