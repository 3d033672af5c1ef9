package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/caddymodule/live"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

const (
	// ProvisionalPrefix begins the cookie of a session that was admitted while
	// the backend was down. What follows is random and known to this process
	// alone, so that holding the launch link is not enough to share the session.
	ProvisionalPrefix = "provisional-"
	redeemInterval    = time.Second
)

// Versions below any that a backend gives.
const (
	versionProvisional = -2
	versionRefused     = -1
)

// OfflineAdmissions are launches that could not be redeemed yet. Each stands for a
// session that this edge admits on the strength of the launch token's signature
// and deadline, until the backend answers.
type OfflineAdmissions struct {
	edge *Edge

	mu      sync.Mutex // guards waiting
	waiting map[string]*protocol.LaunchRequest
}

// Admit lets a session in without the backend and returns its cookie; false if
// it is open here already.
func (p *OfflineAdmissions) Admit(req *protocol.LaunchRequest, claims *token.Claims) (cookie string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.waiting[claims.SessionID()]; twice || p.edge.Sessions.ByID(claims.SessionID()) != nil {
		return "", false
	}
	seconds := claims.ExpiresAt.Unix() - claims.IssuedAt.Unix()
	s := p.edge.Sessions.Put(&protocol.LiveState{
		ID: claims.SessionID(), UserID: claims.UserID(), ProviderID: claims.ProviderID, Status: protocol.Active,
		Version: versionProvisional, StartedAt: claims.IssuedAt.Unix(), ExpiresAt: claims.ExpiresAt.Unix(),
		DurationLimitSeconds: seconds, TokensAllocated: claims.TokensAllocated, ReturnURL: claims.ReturnURL,
		Relaunches: claims.Relaunches,
	}, MonotonicMS())
	s.SetProvisional(true)
	cookie = ProvisionalPrefix + rand.Text()
	p.edge.Sessions.BindToken(cookie, s)
	p.waiting[s.ID()] = req
	return cookie, true
}

// run redeems what waits, until ctx ends.
func (p *OfflineAdmissions) run(ctx context.Context) {
	tick := time.NewTicker(redeemInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, req := range p.list() {
			if err := p.redeem(ctx, req); errors.Is(err, ErrBackendDown) {
				break // the others would fare no better
			}
		}
	}
}

func (p *OfflineAdmissions) list() map[string]*protocol.LaunchRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return nil
	}
	list := make(map[string]*protocol.LaunchRequest, len(p.waiting))
	for id, req := range p.waiting {
		list[id] = req
	}
	return list
}

// redeem makes a provisional session a real one, or ends it.
func (p *OfflineAdmissions) redeem(ctx context.Context, req *protocol.LaunchRequest) error {
	asked := MonotonicMS()
	answer, err := p.edge.Backend.Launch(ctx, req)
	var problem *protocol.Problem
	switch {
	case err == nil:
		s := p.edge.Sessions.Put(&answer.Session, asked)
		p.edge.Sessions.Bind(answer.SessionToken, s, live.LinkOf(answer.Session.Relaunches))
		s.SetUpgrade(answer.SessionToken)
		s.SetProvisional(false)
		p.edge.Metrics.Entries.Inc()
		p.edge.Events.Entered(s)
		p.edge.logger.Info("a session entered while the backend was down is redeemed", zap.String("session", s.ID()))
		p.forget(s.ID())
		return nil
	case !errors.As(err, &problem) || RedeemCode(err) == protocol.BackendUnavailable:
		return err // nothing is said of the launch: it is asked again
	}
	id := p.idOf(req)
	p.edge.logger.Warn("a session entered while the backend was down is refused", zap.String("session", id), zap.String("code", string(problem.Code)))
	if s := p.edge.Sessions.ByID(id); s != nil {
		over := *s.Record().State()
		over.Version, over.Status = versionRefused, statusOfCode(problem.Code)
		s.SetProvisional(false)
		if problem.Code == protocol.LaunchSpent || !s.Apply(&over, MonotonicMS()) {
			// The session goes on in the browser that redeemed the link; its next
			// request fetches the state. The browser that entered here has no session.
			p.edge.Sessions.Forget(s)
			s.Abandon()
		}
	}
	p.forget(id)
	return err
}

func (p *OfflineAdmissions) idOf(req *protocol.LaunchRequest) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, r := range p.waiting {
		if r == req {
			return id
		}
	}
	return ""
}

func (p *OfflineAdmissions) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, id)
}

// statusOfCode is how a session ended whose launch was refused.
func statusOfCode(code protocol.Code) protocol.Status {
	switch code {
	case protocol.SessionExpired, protocol.LaunchExpired:
		return protocol.Expired
	case protocol.SessionCompleted:
		return protocol.Completed
	case protocol.SessionCanceled:
		return protocol.Canceled
	}
	return protocol.Revoked
}

// SessionToken is the session token to act with: the cookie's, or the one that a
// provisional cookie has become; "" while there is none.
func SessionToken(s *live.Session, cookie string) string {
	if !strings.HasPrefix(cookie, ProvisionalPrefix) {
		return cookie
	}
	if tok := s.Upgrade(); tok != nil {
		return *tok
	}
	return ""
}

// UpgradedToken is the session token that a provisional cookie has become and the
// browser should hold instead; "" if there is nothing to change.
func UpgradedToken(s *live.Session, cookie string) string {
	if !strings.HasPrefix(cookie, ProvisionalPrefix) {
		return ""
	}
	return SessionToken(s, cookie)
}
