package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sessiongate/sessiongate/caddymodule/cut"
	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/caddymodule/origin"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// passage is an admitted request on its way to the origin and back: what ends it,
// its place in its session, and the values that the origin is told, in one piece
// of memory.
type passage struct {
	cut.Request                   // the writer that handlers answer to
	live.Registration             // in session
	stop              origin.Stop // of a gate that forwards by itself

	gate     *Gate
	settings settings
	session  *live.Session
	w        http.ResponseWriter  // the server's
	r        *http.Request        // as it came
	inner    *http.Request        // as the next handler gets it
	path     string               // as it came: handlers may rewrite it
	page     *inject.Writer       // nil where no page is injected
	worker   *inject.WorkerWriter // nil unless it is a service worker's script

	anonymous bool             // the origin is not told whose request it is
	bearer    bool             // of a native client, whose pages have no clock
	identity  [4]string        // the values of the request's identity headers
	told      [5]origin.Header // these headers, and an assertion, for a gate that forwards by itself
}

// newPassage prepares an admitted request. cancel ends its context.
func (g *Gate) newPassage(w http.ResponseWriter, r *http.Request, v verdict) (p *passage, cancel context.CancelFunc) {
	p = &passage{
		Request: cut.Request{
			ResponseWriter: w, WebSocket: cut.IsWebSocket(r), Tunnel: cut.IsTunnel(r), HasBody: r.ContentLength != 0,
			OnHeader: g.onHeader(r, v), Beneath: beneath,
		},
		gate: g, settings: v.settings, session: v.session, w: w, r: r, path: r.URL.Path, anonymous: v.anonymous, bearer: v.bearer,
	}
	if g.forwarder == nil {
		ctx, cancelContext := context.WithCancel(r.Context())
		p.inner, cancel = r.WithContext(ctx), cancelContext
	} else {
		// Nothing but the forwarder sees the request, so that it needs no context of its own.
		p.inner, cancel = r, p.stop.Stop
		if g.app != nil {
			p.inner = new(*r)
		}
	}
	p.Cancel = cancel
	if g.app != nil {
		ours, public := p.OnHeader, publicOrigin(r)
		p.OnHeader = func(h http.Header) {
			g.app.restore(h, public)
			ours(h)
		}
	}
	p.Cutter, p.Link = &p.Request, v.link
	p.AllowUpload(p.inner, v.settings.uploadGrace())
	return p, cancel
}

// onHeader is what is done to the header of an answer to a request with the
// cookie: the origin cannot set the gate's cookie, a provisional cookie is replaced by
// the session token that it has become, and a cookie is set again whose scope the provider
// has changed.
func (g *Gate) onHeader(r *http.Request, v verdict) func(http.Header) {
	sessionToken := edge.UpgradedToken(v.session, v.cookie)
	changed := sessionToken == "" && g.changesScope(r, v)
	if sessionToken == "" && !changed || v.bearer {
		return protectCookie
	}
	kept := keptCookie(r) // before the origin's part of the cookies is all that is left
	return func(h http.Header) {
		protectCookie(h)
		if changed {
			g.setScope(h, r, v.cookie, kept, v.seconds())
		} else {
			g.setSessionCookies(h, r, sessionToken, v.seconds())
		}
		forbidCaching(h)
	}
}

// identify tells the origin, and the placeholders of handlers that follow, whose
// session the request belongs to. The two requests share their header.
func (p *passage) identify() error {
	h := p.r.Header
	stripCookies(h)
	if p.anonymous {
		p.gate.showSecret(p.inner.Context())
		return nil
	}
	signed := ""
	if a := p.settings.asserter(); a != nil {
		var err error
		if signed, err = a.header(p.session, p.r.Host); err != nil {
			return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("signing the assertion: %w", err))
		}
	}
	switch {
	case p.gate.forwarder != nil: // which is handed them, and spares the header's map
		p.told = toldIdentity(p.session.Record(), p.settings.identity(), signed)
	case p.settings.identity() != identityOff:
		setIdentity(h, p.session.Record(), &p.identity)
		if signed != "" {
			h[headerAssertion] = []string{signed}
		}
	}
	p.gate.showPlaceholders(p.inner.Context(), p.session)
	return nil
}

// inject has the clock put into the answer, if it is a page. With explain, the
// answer says whether it was.
func (p *passage) inject(explain bool) {
	if p.WebSocket || p.bearer {
		return
	}
	if isWorkerScript(p.r) && p.gate.policy.guardsWorkers() {
		p.worker = inject.WrapWorker(&p.Request, p.inner, p.settings.injector() != nil)
		return
	}
	injector := p.settings.injector()
	if injector == nil {
		return
	}
	p.page = injector.Wrap(&p.Request, p.inner, p.r.Host)
	p.page.ShownAt(scheme(p.r)) // policies name the address that the browser shows
	if explain {
		p.page.Explain(headerDebug)
	}
}

// outcome is how a request ended that was passed on.
type outcome struct {
	cut   protocol.Code // why its session ended it, or ""
	err   error         // of the next handler
	short bool          // the end of the page could not be sent
}

// forward has the next handler answer. If that panics, as a proxy does when it is
// cut or the origin breaks off, the request is accounted for all the same. If it was cut
// before the client received anything, such as while the beginning of a page is looked
// at, the panic ends here: the client can still be told why.
func (p *passage) forward(next caddyhttp.Handler) (o outcome) {
	returned := false
	defer func() {
		if returned {
			return
		}
		p.account(&o, false)
		if o.cut == "" || p.Started() {
			return
		}
		if reason := recover(); reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			panic(reason)
		}
	}()
	out := http.ResponseWriter(&p.Request)
	switch {
	case p.page != nil:
		out = p.page
	case p.worker != nil:
		out = p.worker
	}
	if p.gate.app != nil {
		p.gate.app.present(p.inner, publicOrigin(p.r))
	}
	if f := p.gate.forwarder; f != nil {
		o.err = f.forward(out, p.inner, &p.stop, p.told[:])
	} else {
		o.err = next.ServeHTTP(out, p.inner)
	}
	returned = true
	p.account(&o, o.err == nil)
	return o
}

// account ends the request and its page, and counts how they ended. whole says
// that the handler has answered all that it wanted to.
func (p *passage) account(o *outcome, whole bool) {
	if o.cut = p.Finish(); o.cut != "" {
		p.gate.edge.Metrics.CountCut(o.cut)
	}
	if p.worker != nil {
		defer p.worker.Abort()
		if whole && o.cut == "" {
			o.short = p.worker.Close() != nil
		}
	}
	if p.page == nil {
		return
	}
	if whole && o.cut == "" {
		o.short = p.page.Close() != nil
	} else {
		p.page.Abort()
	}
	result := p.page.Outcome()
	p.gate.edge.Metrics.CountPage(result)
	headers := &p.session.Record().Headers
	p.gate.edge.Pages.Add(edge.ServedPage{
		ProviderID: headers[live.HeaderProvider], UserID: headers[live.HeaderUser], Host: p.r.Host, Path: p.path, Outcome: result,
	})
}

// conclude answers in the place of a handler that could not. It panics with
// [http.ErrAbortHandler] where half an answer would look like a whole one.
func (p *passage) conclude(o outcome) error {
	switch {
	case o.cut != "" && !p.Started():
		forgetAnswer(p.w.Header())
		if p.HasBody && p.r.ProtoMajor == 1 {
			p.w.Header().Set("Connection", "close")
		}
		return p.gate.refuse(p.w, p.r, refusalOf(p.session, o.cut))
	case o.cut != "" && p.Upgraded():
		return nil
	case o.cut != "" || o.short || errors.Is(o.err, errBrokenOff):
		panic(http.ErrAbortHandler)
	case o.err == nil:
		p.gate.edge.Origins.Answered(p.session.ProviderID())
		return nil
	case p.Started():
		return o.err
	}
	return p.gate.originFailure(p.w, p.r, p.session.ProviderID(), o.err)
}

// beneath controls the server's own writer below Caddy's idle timeouts, which
// keep what deadline a handler sets and are for its goroutine alone.
func beneath(w http.ResponseWriter) *http.ResponseController {
	for inner := w; ; {
		switch t := inner.(type) {
		case *caddyhttp.IdleTimeoutWriter:
			return t.Ctrl
		case interface{ Unwrap() http.ResponseWriter }:
			inner = t.Unwrap()
		default:
			return http.NewResponseController(w)
		}
	}
}
