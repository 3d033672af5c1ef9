package caddymodule

import (
	"github.com/sessiongate/sessiongate/caddymodule/edge"

	"github.com/sessiongate/sessiongate/caddymodule/live"

	"github.com/sessiongate/sessiongate/caddymodule/cut"

	"context"
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

// Gate admits requests that carry a live session and refuses all others. What
// it admits ends with the session, wherever it is by then.
type Gate struct {
	// The provider whose sessions are admitted. Empty: whoever owns the
	// request's host at the backend.
	Provider string `json:"provider,omitempty"`
	// What a navigation without a session gets. Default: a page.
	OnMissing *Answer `json:"on_missing,omitempty"`
	// What a navigation with an ended session gets. Default: a redirect to the
	// session's return_url, with session_id added.
	OnExpired *Answer `json:"on_expired,omitempty"`
	// Whether pages get the clock: on, off, or exact (gzip pages are decoded
	// and encoded again, rather than prefixed). Default: on.
	Inject string `json:"inject,omitempty"`
	// Whether the origin learns who is there: headers; jwt, which adds a signed
	// statement, Session-Gate-Assertion; or off. Default: headers.
	ForwardIdentity string `json:"forward_identity,omitempty"`
	// How the cookie is scoped: lax, or partitioned for an app that other sites
	// frame. Default: lax.
	Cookie string `json:"cookie,omitempty"`
	// What a navigation gets when the origin does not answer: page, or pass,
	// which leaves it to handle_errors. Default: page.
	OriginErrors string `json:"origin_errors,omitempty"`
	// How long beyond the deadline an upload that is still coming may go on, and
	// be answered. Default: not at all.
	UploadGrace caddy.Duration `json:"upload_grace,omitempty"`
	// An HTML template (Go's html/template) to show instead of the built-in
	// page. It is given Code, Title, Text, Tone, Back, BackLabel, RetryLabel,
	// Lang, Dir and Style.
	PageTemplate string `json:"page_template,omitempty"`
	// Log what would be refused or cut, and refuse and cut nothing.
	ObserveOnly bool `json:"observe_only,omitempty"`

	edge         *edge.Edge
	maxStaleness time.Duration
	debugKey     string
	admitEarly   bool // new entries while the backend is down
	injector     *inject.Injector
	asserter     *asserter          // with jwt
	template     *template.Template // nil: the built-in page
	logger       *zap.Logger
}

// CaddyModule implements [caddy.Module].
func (Gate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_gate", New: func() caddy.Module { return new(Gate) }}
}

// Provision fills in defaults and finds the app.
func (g *Gate) Provision(ctx caddy.Context) error {
	g.logger = ctx.Logger()
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	g.edge, g.maxStaleness, g.debugKey = app.edge, time.Duration(app.MaxStaleness), app.DebugKey
	g.admitEarly = app.WhenBackendDown == admitEntries
	g.Provider = caddy.NewReplacer().ReplaceKnown(g.Provider, "")
	if g.OnExpired == nil {
		g.OnExpired = &Answer{Redirect: true}
	}
	g.Inject = orDefault(g.Inject, injectOn)
	g.ForwardIdentity = orDefault(g.ForwardIdentity, identityHeaders)
	g.Cookie = orDefault(g.Cookie, cookieLax)
	g.OriginErrors = orDefault(g.OriginErrors, pageErrors)
	if g.ForwardIdentity == identityJWT {
		if g.asserter, err = loadAsserter(app.AssertionKey); err != nil {
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
	return nil
}

// newInjector makes what puts the clock into pages. The hash in the script's name
// marks their ETags too: a copy with the tag and one without never answer for
// each other, nor do copies with tags of two versions.
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
		{"inject", g.Inject, []string{injectOn, injectOff, injectExact}},
		{"forward_identity", g.ForwardIdentity, []string{identityHeaders, identityJWT, identityOff}},
		{"cookie", g.Cookie, []string{cookieLax, cookiePartitioned}},
		{"origin_errors", g.OriginErrors, []string{pageErrors, passErrors}},
	} {
		if !slices.Contains(f.allowed, f.value) {
			return fmt.Errorf("session_gate: %s is %q; it must be one of: %s", f.name, f.value, strings.Join(f.allowed, ", "))
		}
	}
	if g.UploadGrace < 0 {
		return errors.New("session_gate: upload_grace must not be negative")
	}
	if g.OnMissing != nil && g.OnMissing.Redirect && g.OnMissing.To == "" {
		return errors.New("session_gate: on_missing redirect needs a URL: a visitor without a session has no return_url")
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

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	explain := g.debugKey != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get(headerDebug)), []byte(g.debugKey)) == 1
	caddyhttp.SetVar(r.Context(), guardedVar, true)
	dropIdentity(r.Header)
	hideReferer(r)
	if strings.HasPrefix(r.URL.Path, protocol.GatePrefix) {
		return g.serveAPI(w, r)
	}
	if r.URL.RawQuery != "" {
		if tokens, rest := launchTokens(r.URL.RawQuery); len(tokens) > 0 {
			if !g.ObserveOnly || r.Method == http.MethodGet {
				return g.enter(w, r, tokens, rest)
			}
			hideTokens(r, rest)
		}
	}
	s, raw, why := g.decide(r)
	// Nobody is back yet when a browser only prepares a page.
	if why.code == protocol.SessionPaused && isNavigation(r) && !isPrefetch(r) {
		why = g.resume(r.Context(), s, raw)
	}
	if why.code != "" {
		if !g.ObserveOnly {
			return g.refuse(w, r, why)
		}
		g.logger.Info("would refuse", zap.String("code", string(why.code)), zap.String("session", why.sessionID))
		hideCookies(r.Header)
		return next.ServeHTTP(w, r)
	}
	return g.serve(w, r, next, s, raw, explain)
}

// resume starts a paused session's clock again, since its user is back.
func (g *Gate) resume(ctx context.Context, s *live.Session, raw string) refusal {
	if err := g.edge.Backend.Act(ctx, s.ID(), protocol.ActionResume, edge.SessionToken(s, raw), "", nil); err != nil {
		g.logger.Info("a paused session was not resumed", zap.String("session", s.ID()), zap.Error(err))
	}
	if _, err := g.edge.FetchSession(ctx, s.ID()); errors.Is(err, edge.ErrBackendDown) {
		return refusal{code: protocol.BackendUnavailable}
	}
	if code := s.Refusal(); code != "" {
		return refusalOf(s, code)
	}
	return refusal{}
}

// serve passes an admitted request to the origin, and ends it when its session
// ends.
func (g *Gate) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, s *live.Session, raw string, explain bool) (err error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	o := &passage{Request: cut.Request{
		ResponseWriter: w, WebSocket: cut.IsWebSocket(r), Tunnel: cut.IsTunnel(r), HasBody: r.ContentLength != 0, Cancel: cancel,
		OnHeader: g.onHeader(r, s, raw), Beneath: beneath,
	}}
	o.Cutter = &o.Request
	inner := r.WithContext(ctx)
	o.AllowUpload(inner, time.Duration(g.UploadGrace))
	// From here on it may be cut at any time, unless the gate only watches.
	if g.ObserveOnly {
		defer func() {
			if code := s.Refusal(); code != "" {
				g.logger.Info("would cut", zap.String("code", string(code)), zap.String("session", s.ID()))
			}
		}()
	} else {
		if code := s.Register(&o.Registration); code != "" {
			return g.refuse(w, r, refusalOf(s, code))
		}
		defer s.Release(&o.Registration)
	}

	g.edge.Metrics.Admissions.Inc()
	hideCookies(r.Header)
	if g.ForwardIdentity != identityOff {
		setIdentity(r.Header, s.Record(), &o.identity)
	}
	if g.asserter != nil {
		signed, err := g.asserter.header(s, r.Host)
		if err != nil {
			return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("signing the assertion: %w", err))
		}
		r.Header[headerAssertion] = []string{signed}
	}
	showPlaceholders(ctx, s)
	out := http.ResponseWriter(&o.Request)
	path := r.URL.Path // handlers below may rewrite it
	var page *inject.Writer
	if g.injector != nil && !o.WebSocket {
		page = g.injector.Wrap(&o.Request, inner, r.Host)
		out = page
		if explain {
			page.Explain(headerDebug)
		}
	}
	returned := false
	defer func() {
		if !returned { // the proxy panics when it is cut, or the origin breaks off
			if code := o.Finish(); code != "" {
				edge.Count(g.edge.Metrics.Cuts, code)
			}
			if page != nil {
				page.Abort()
				g.served(s, r.Host, path, page.Outcome())
			}
		}
	}()
	err = next.ServeHTTP(out, inner)
	returned = true
	code := o.Finish()
	if code != "" {
		edge.Count(g.edge.Metrics.Cuts, code)
	}
	if page != nil {
		defer func() { g.served(s, r.Host, path, page.Outcome()) }()
		if err != nil || code != "" {
			page.Abort()
		} else if page.Close() != nil {
			panic(http.ErrAbortHandler) // the page is cut short: let the client notice
		}
	}
	switch {
	case code == "" && err == nil:
		g.edge.Origins.Answered(s.ProviderID())
		return nil
	case code == "":
		if o.Started() {
			return err
		}
		return g.originFailure(w, r, s.ProviderID(), err)
	case !o.Started():
		forgetAnswer(w.Header())
		if o.HasBody && r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close")
		}
		return g.refuse(w, r, refusalOf(s, code))
	case o.Upgraded():
		return nil
	}
	// Half an answer must not look like a whole one.
	panic(http.ErrAbortHandler)
}

// onHeader is what is done to the header of an answer to a request with the
// cookie raw: the origin cannot set the gate's cookie, and a provisional cookie
// becomes what it has become.
func (g *Gate) onHeader(r *http.Request, s *live.Session, raw string) func(http.Header) {
	sessionToken := edge.UpgradedToken(s, raw)
	if sessionToken == "" {
		return guardCookie
	}
	name := cookieName(r)
	return func(h http.Header) {
		guardCookie(h)
		setCookie(h, name, sessionToken, g.partitioned())
		keepPrivate(h)
	}
}

// served counts what became of a page's clock, and notes of which page.
func (g *Gate) served(s *live.Session, host, path string, o inject.Outcome) {
	g.edge.Metrics.CountPage(o)
	record := s.Record()
	g.edge.Pages.Add(edge.ServedPage{
		ProviderID: record.Headers[live.HeaderProvider], UserID: record.Headers[live.HeaderUser], Host: host, Path: path, Outcome: o,
	})
}

func (g *Gate) partitioned() bool { return g.Cookie == cookiePartitioned }

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
	_ caddyhttp.MiddlewareHandler = (*Gate)(nil)
)
