package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

func init() {
	caddy.RegisterModule(Sanitizer{})
}

// handledVar says that a gate, or a [Sanitizer], has had a request.
const handledVar = "session_gate.guarded"

// handledAdmitted is the value of [handledVar] for a request with a live session.
const handledAdmitted = "admitted"

// Sanitizer handles the requests of a site that do not come to its gate, because of a
// matcher or of a handle block. They pass without a session, but not with what no
// origin may see on any path: a client's own identity headers, the session's cookie,
// and a launch token. A launch link that leads here is redeemed, and the page's own API
// is answered.
//
// The Caddyfile directive session_gate adds it beside every gate with a matcher, and a
// gate adds it to the routes beside its own. In a JSON configuration it may stand alone
// in a route without a matcher, before or after the gate's.
type Sanitizer struct {
	// The gate of the site. Without it, launch tokens are only removed.
	Gate *Gate `json:"gate,omitempty"`

	logger *zap.Logger
}

// CaddyModule implements [caddy.Module].
func (Sanitizer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_gate_left_out", New: func() caddy.Module { return new(Sanitizer) }}
}

// Provision provisions the gate.
func (s *Sanitizer) Provision(ctx caddy.Context) error {
	s.logger = ctx.Logger()
	if s.Gate == nil {
		return nil
	}
	return s.Gate.provision(ctx)
}

// Validate implements [caddy.Validator].
func (s *Sanitizer) Validate() error {
	if s.Gate == nil {
		return nil
	}
	if err := s.Gate.Validate(); err != nil {
		return fmt.Errorf("session_gate_left_out: %w", err)
	}
	return nil
}

// Cleanup implements [caddy.CleanerUpper].
func (s *Sanitizer) Cleanup() error {
	if s.Gate != nil {
		s.Gate.release()
	}
	return nil
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (s *Sanitizer) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return answerError(s.logger, w, r, s.serve(w, r, next))
}

func (s *Sanitizer) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	g := s.Gate
	if caddyhttp.GetVar(r.Context(), handledVar) != nil {
		if was := sentOf(r); was != nil && g != nil && g.launches(r, was.tokens) {
			return g.enterOutside(w, r, was.tokens)
		}
		return next.ServeHTTP(w, r)
	}
	if refuseRequestLine(w, r) || redirectFinalDot(w, r) {
		return nil
	}
	// A server behind may take such a path for one that the gate guards.
	if g != nil && readsDifferently(r) {
		return g.serve(w, r, next)
	}
	was := rememberSent(r)
	var allowed upgrades
	if g != nil {
		allowed = g.Upgrade
	}
	sanitize(r, allowed)
	if g != nil && strings.HasPrefix(r.URL.Path, protocol.GatePrefix) {
		return g.serveAPI(w, r)
	}
	if tokens, rest := launchTokens(r.URL.RawQuery); len(tokens) > 0 {
		if g != nil && g.launches(r, tokens) {
			return g.enterOutside(w, r, tokens)
		}
		stripTokens(r, rest)
		was.tokens = tokens
	}
	if stripRepeated(r) && g != nil && !g.ObserveOnly {
		return g.policy.refuseEntry(w, r, refusal{code: protocol.LaunchInvalid}, errors.New("the launch token is in the path"))
	}
	if g == nil {
		stripCookies(r.Header)
		return next.ServeHTTP(w, r)
	}
	return g.passOpen(w, r, next)
}

// sentVar holds what a [Sanitizer] has changed in a request, for a gate behind it.
const sentVar = "session_gate.sent"

// sent is a part of a request as its client sent it.
type sent struct {
	host   string
	header map[string][]string
	// Launch tokens that the [Sanitizer] did not redeem. They may be those of a
	// following gate's provider.
	tokens []string
}

// rememberSent keeps what the origin of an open route does not get as it was sent. That
// route may pass the request on: forward_auth does, before the gate.
func rememberSent(r *http.Request) *sent {
	was := &sent{host: r.Host, header: make(map[string][]string, 4)}
	for _, name := range []string{"Cookie", "Origin", "Referer", "Upgrade", headerDebug} {
		was.header[name] = slices.Clone(r.Header[name])
	}
	caddyhttp.SetVar(r.Context(), sentVar, was)
	return was
}

// sentOf returns what a [Sanitizer] has changed in r, or nil.
func sentOf(r *http.Request) *sent {
	was, _ := caddyhttp.GetVar(r.Context(), sentVar).(*sent)
	return was
}

// restoreSent undoes what a [Sanitizer] before the gate has changed. It returns the
// launch tokens that the Sanitizer has removed from the query.
func restoreSent(r *http.Request) (tokens []string) {
	was := sentOf(r)
	if was == nil {
		return nil
	}
	r.Host = was.host
	for name, values := range was.header {
		if len(values) > 0 {
			r.Header[name] = values
		}
	}
	return was.tokens
}

// launches reports whether a launch token is to be redeemed on a path that is open to
// everybody: one that is not ours to redeem is removed, and the page is shown.
func (g *Gate) launches(r *http.Request, tokens []string) bool {
	if len(tokens) != 1 || !g.policy.entersBy(r) {
		return false
	}
	_, _, err := g.verifyLaunch(r, tokens[0])
	if err == nil {
		return true
	}
	switch codeOfEntryError(err) {
	case protocol.LaunchInvalid, protocol.WrongProvider, protocol.HostUnknown:
		return false
	}
	return true
}

// enterOutside redeems a launch token on a page that the gate leaves out. The session
// is open then, but its user sees a page without the clock. The log says so, at most
// once a minute.
func (g *Gate) enterOutside(w http.ResponseWriter, r *http.Request, tokens []string) error {
	path := originalURL(r).EscapedPath()
	g.leftOut.Warn("a launch link leads to a page that this session_gate leaves out; the link is redeemed, but the page has no clock; "+
		"set the provider's app_url to a page behind the gate, or extend the gate to this page",
		zap.String("host", r.Host), zap.String("path", protocol.ReducePath(path, "")))
	return g.enter(w, r, tokens)
}

// onceAMinute returns a logger that repeats a message at most once a minute.
func onceAMinute(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewSamplerWithOptions(c, time.Minute, 1, 0) }))
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Sanitizer)(nil)
	_ caddy.Validator             = (*Sanitizer)(nil)
	_ caddy.CleanerUpper          = (*Sanitizer)(nil)
	_ caddyhttp.MiddlewareHandler = (*Sanitizer)(nil)
)
