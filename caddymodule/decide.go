package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// verdict is what a gate decided about a request.
type verdict struct {
	held            // the session is nil where there is none
	refusal refusal // with an empty code: it is admitted

	// The request was started by another site: the origin is not told whose it is.
	anonymous bool
	// The request carries the session token as Bearer: it gets no cookie and no clock.
	bearer bool
	// The options for the provider of the request.
	settings settings
	// Nobody has asked for the provider of the host yet.
	unknownHost bool
}

// decide finds the session of a request and says why it is refused. For a
// session that is known it does no I/O.
func (g *Gate) decide(r *http.Request) (v verdict) {
	v.bearer = takeBearer(r)
	provider, err := g.providerOf(r)
	v.settings = g.settingsOf(provider)
	if err != nil {
		v.refusal.code, v.unknownHost = codeOfHostError(err), errors.Is(err, edge.ErrNobodyAsks)
		return v
	}
	if v.held, v.refusal.code = g.find(r, provider, cookieName(r), isLive); v.session == nil && v.refusal.code == protocol.WrongProvider {
		v.held = g.findBeside(r, provider)
	}
	if v.session == nil {
		return v
	}
	g.edge.Confirm(r.Context(), v.session, g.maxStaleness)
	v.refusal = refusalOf(v.session, v.code())
	return v
}

// resume starts a paused session's clock again, since its user is back.
func (g *Gate) resume(ctx context.Context, v verdict) refusal {
	s := v.session
	if err := g.edge.Act(ctx, s, protocol.ActionResume, edge.SessionToken(s, v.cookie), "", nil); err != nil {
		g.logger.Info("a paused session was not resumed", zap.String("session", s.ID()), zap.Error(err))
		// Another request may have resumed it, or it is over.
		if _, err := g.edge.FetchSession(ctx, s.ID()); errors.Is(err, edge.ErrBackendDown) {
			return refusal{code: protocol.BackendUnavailable}
		}
	}
	return refusalOf(s, v.code())
}

// find is the session that the request's cookie of this name opens, or why there is
// none.
// There may be several cookies of the name: a browser keeps a partitioned one
// beside one that is not, and without TLS other hosts can set them. The first
// whose session suits counts, else one whose session has not ended, else any.
func (g *Gate) find(r *http.Request, provider, name string, suits func(held) bool) (h held, code protocol.Code) {
	code = protocol.SessionMissing
	left := maxVerified
	eachSessionCookie(r, name, func(value string) bool {
		found, why := g.identify(r.Context(), value, provider, &left)
		switch {
		case found.session == nil:
			code = why
			return true
		case suits(found):
			h = found
			return false
		case h.session == nil, h.over() && !found.over():
			h = found
		}
		return true
	})
	return h, code
}

func isLive(h held) bool { return h.code() == "" }

// maxVerified is how many tokens that are not known yet one request may have
// verified. Browsers send one, or two; each costs a tenth of a millisecond, and a
// megabyte of headers holds thousands.
const maxVerified = 4

// identify finds the session that a cookie stands for, or why there is none. left
// is how many more tokens may be verified.
func (g *Gate) identify(ctx context.Context, raw, provider string, left *int) (held, protocol.Code) {
	if s, link := g.edge.Sessions.Find(raw); s != nil {
		if s.ProviderID() != provider {
			return held{}, protocol.WrongProvider
		}
		return held{session: s, cookie: raw, link: link}, ""
	}
	if strings.HasPrefix(raw, edge.ProvisionalPrefix) {
		return held{}, protocol.SessionInvalid // of a process that is gone
	}
	if *left == 0 {
		return held{}, protocol.SessionInvalid
	}
	*left--
	claims, err := g.edge.Verifier.Verify(ctx, raw, token.Expect{
		Kinds: []token.Kind{token.Session}, ProviderID: provider, IgnoreExpiry: true, Now: time.UnixMilli(g.edge.Clock.NowMS()),
	})
	if err != nil {
		code := codeOfLaunchError(err)
		if code == protocol.LaunchInvalid {
			code = protocol.SessionInvalid
		}
		return held{}, code
	}
	s := g.edge.Sessions.ByID(claims.SessionID())
	if s == nil {
		if s, err = g.edge.FetchSession(ctx, claims.SessionID()); errors.Is(err, edge.ErrUnknownSession) {
			return held{}, protocol.SessionInvalid
		} else if err != nil {
			g.logger.Warn("looking up a session failed", zap.Error(err))
			return held{}, protocol.BackendUnavailable
		}
	}
	link := live.LinkOf(claims.Relaunches)
	g.edge.Sessions.Bind(raw, s, link)
	return held{session: s, cookie: raw, link: link}, ""
}

// findByID is the session with this id if a cookie of the request opens it already. A
// cookie of an earlier link than the given one is void.
func (g *Gate) findByID(r *http.Request, provider, id string, link uint16) *live.Session {
	same := func(h held) bool { return h.session.ID() == id && h.link >= link && h.code() != protocol.SessionMoved }
	h, _ := g.find(r, provider, cookieName(r), same)
	if h.session == nil || !same(h) {
		return nil
	}
	return h.session
}
