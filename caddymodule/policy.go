package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// policy is what a gate does about its verdicts. It is chosen once, by
// observe_only: [enforcer] carries them out, [observer] logs them.
type policy interface {
	// entersBy reports whether a request with a launch token is an entry; if not,
	// the request goes on without the token.
	entersBy(r *http.Request) bool
	// refuseEntry answers an entry that may not be.
	refuseEntry(w http.ResponseWriter, r *http.Request, why refusal, cause error) error
	// asks reports whether a launch link that meets another live session asks before it
	// takes that one's place.
	asks() bool
	// refuse deals with a request that may not pass.
	refuse(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, why refusal) error
	// guardsWorkers reports whether the scripts of service workers get the guard.
	guardsWorkers() bool
	// begin makes an admitted request end with its session. It returns why the
	// request does not pass after all.
	begin(p *passage) protocol.Code
	// end is called when the request is over.
	end(p *passage)
}

// policyOf is the policy that the gate's configuration asks for.
func policyOf(g *Gate) policy {
	if g.ObserveOnly {
		return observer{g}
	}
	return enforcer{g}
}

// enforcer refuses requests, and ends those under way with their session.
type enforcer struct{ *Gate }

func (enforcer) asks() bool { return true }

func (enforcer) entersBy(*http.Request) bool { return true }

func (e enforcer) refuseEntry(w http.ResponseWriter, r *http.Request, why refusal, cause error) error {
	e.logger.Info("entry refused", zap.String("code", string(why.code)), zap.String("host", r.Host), zap.String("session", why.sessionID), zap.Error(cause))
	return e.Gate.refuse(w, r, why)
}

func (e enforcer) refuse(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler, why refusal) error {
	return e.Gate.refuse(w, r, why)
}

func (enforcer) guardsWorkers() bool { return true }

func (enforcer) begin(p *passage) protocol.Code { return p.session.Register(&p.Registration) }

func (enforcer) end(p *passage) { p.session.Release(&p.Registration) }

// observer lets every request pass, and logs what an [enforcer] would have done.
type observer struct{ *Gate }

// asks is false: no visit stops at a page of the gate. The other session is kept.
func (observer) asks() bool { return false }

// entersBy is false for methods that an entry refuses: an app in use may have a
// parameter of that name with a JWT of its own.
func (observer) entersBy(r *http.Request) bool { return r.Method == http.MethodGet }

func (o observer) refuseEntry(w http.ResponseWriter, r *http.Request, why refusal, cause error) error {
	o.logger.Info("would refuse", zap.String("code", string(why.code)), zap.String("session", why.sessionID), zap.Error(cause))
	return o.redirectWithoutToken(w, r)
}

func (o observer) refuse(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, why refusal) error {
	o.logger.Info("would refuse", zap.String("code", string(why.code)), zap.String("session", why.sessionID))
	stripCookies(r.Header)
	return o.pastGate(w, r, next)
}

// guardsWorkers is false: the guard keeps pages of a worker from whoever has no session.
func (observer) guardsWorkers() bool { return false }

func (observer) begin(*passage) protocol.Code { return "" }

func (o observer) end(p *passage) {
	if code := p.session.Refusal(); code != "" {
		o.logger.Info("would cut", zap.String("code", string(code)), zap.String("session", p.session.ID()))
	}
}

// Interface guards
var (
	_ policy = enforcer{}
	_ policy = observer{}
)
