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
	session *live.Session // nil where there is none
	cookie  string        // which opened it
	refusal refusal       // with an empty code: it is admitted

	// The request was started by another site: the origin is not told whose it is.
	anonymous bool
}

// decide finds the session of a request and says why it is refused. For a
// session that is known it does no I/O.
func (g *Gate) decide(r *http.Request) (v verdict) {
	provider, err := g.providerOf(r)
	if err != nil {
		v.refusal.code = codeOfHostError(err)
		return v
	}
	if v.session, v.cookie, v.refusal.code = g.find(r, provider, cookieName(r), isLive); v.session == nil {
		return v
	}
	g.edge.Confirm(r.Context(), v.session, g.maxStaleness)
	v.refusal = refusalOf(v.session, v.session.Refusal())
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
	return refusalOf(s, s.Refusal())
}

// find is the session that the request's cookie of this name opens, or why there is
// none.
// There may be several cookies of the name: a browser keeps a partitioned one
// beside one that is not, and without TLS other hosts can set them. The first
// whose session suits counts, else one whose session has not ended, else any.
func (g *Gate) find(r *http.Request, provider, name string, suits func(*live.Session) bool) (s *live.Session, raw string, code protocol.Code) {
	code = protocol.SessionMissing
	left := maxVerified
	eachSessionCookie(r, name, func(value string) bool {
		found, why := g.identify(r.Context(), value, provider, &left)
		switch {
		case found == nil:
			code = why
			return true
		case suits(found):
			s, raw = found, value
			return false
		case s == nil, live.IsEnd(s.Refusal()) && !live.IsEnd(found.Refusal()):
			s, raw = found, value
		}
		return true
	})
	return s, raw, code
}

func isLive(s *live.Session) bool { return s.Refusal() == "" }

// maxVerified is how many tokens that are not known yet one request may have
// verified. Browsers send one, or two; each costs a tenth of a millisecond, and a
// megabyte of headers holds thousands.
const maxVerified = 4

// identify finds the session that a cookie stands for, or why there is none. left
// is how many more tokens may be verified.
func (g *Gate) identify(ctx context.Context, raw, provider string, left *int) (*live.Session, protocol.Code) {
	if s := g.edge.Sessions.ByToken(raw); s != nil {
		if s.ProviderID() != provider {
			return nil, protocol.WrongProvider
		}
		return s, ""
	}
	if strings.HasPrefix(raw, edge.ProvisionalPrefix) {
		return nil, protocol.SessionInvalid // of a process that is gone
	}
	if *left == 0 {
		return nil, protocol.SessionInvalid
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
		return nil, code
	}
	s := g.edge.Sessions.ByID(claims.SessionID())
	if s == nil {
		if s, err = g.edge.FetchSession(ctx, claims.SessionID()); errors.Is(err, edge.ErrUnknownSession) {
			return nil, protocol.SessionInvalid
		} else if err != nil {
			g.logger.Warn("looking up a session failed", zap.Error(err))
			return nil, protocol.BackendUnavailable
		}
	}
	g.edge.Sessions.BindToken(raw, s)
	return s, ""
}

// findByID is the session with this id if a cookie of the request opens it already.
func (g *Gate) findByID(r *http.Request, provider, id string) *live.Session {
	s, _, _ := g.find(r, provider, cookieName(r), func(s *live.Session) bool { return s.ID() == id })
	if s == nil || s.ID() != id {
		return nil
	}
	return s
}
