package caddymodule

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

const (
	// provisionalPrefix begins the cookie of a session that was admitted while
	// the backend was down. What follows is random and known to this process
	// alone, so that holding the launch link is not enough to share the session.
	provisionalPrefix = "provisional-"
	redeemInterval    = time.Second
)

// Versions below any that a backend gives.
const (
	versionProvisional = -2
	versionRefused     = -1
)

// provisionals are launches that could not be redeemed yet. Each stands for a
// session that this edge admits on the strength of the launch token's signature
// and deadline, until the backend answers.
type provisionals struct {
	edge *edge

	mu      sync.Mutex // guards waiting
	waiting map[string]*protocol.LaunchRequest
}

// admit lets a session in without the backend and returns its cookie; false if
// it is open here already.
func (p *provisionals) admit(req *protocol.LaunchRequest, claims *token.Claims) (cookie string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.waiting[claims.SessionID()]; twice || p.edge.live.byID(claims.SessionID()) != nil {
		return "", false
	}
	seconds := claims.ExpiresAt.Unix() - claims.IssuedAt.Unix()
	s := p.edge.live.put(&protocol.LiveState{
		ID: claims.SessionID(), UserID: claims.UserID(), ProviderID: claims.ProviderID, Status: protocol.Active,
		Version: versionProvisional, StartedAt: claims.IssuedAt.Unix(), ExpiresAt: claims.ExpiresAt.Unix(),
		DurationLimitSeconds: seconds, TokensAllocated: claims.TokensAllocated, ReturnURL: claims.ReturnURL,
	}, monotonicMS())
	s.setProvisional(true)
	cookie = provisionalPrefix + rand.Text()
	p.edge.live.vouch(cookie, s)
	p.waiting[s.id()] = req
	return cookie, true
}

// run redeems what waits, until ctx ends.
func (p *provisionals) run(ctx context.Context) {
	tick := time.NewTicker(redeemInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, req := range p.list() {
			if err := p.redeem(ctx, req); errors.Is(err, errBackendDown) {
				break // the others would fare no better
			}
		}
	}
}

func (p *provisionals) list() map[string]*protocol.LaunchRequest {
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
func (p *provisionals) redeem(ctx context.Context, req *protocol.LaunchRequest) error {
	asked := monotonicMS()
	answer, err := p.edge.backend.launch(ctx, req)
	var problem *protocol.Problem
	switch {
	case err == nil:
		s := p.edge.live.put(&answer.Session, asked)
		p.edge.live.vouch(answer.SessionToken, s)
		s.upgrade(answer.SessionToken)
		s.setProvisional(false)
		p.edge.metrics.entries.Inc()
		p.edge.events.entered(s)
		p.edge.logger.Info("a session entered while the backend was down is redeemed", zap.String("session", s.id()))
		p.forget(s.id())
		return nil
	case !errors.As(err, &problem) || codeOfRedeemError(err) == protocol.BackendUnavailable:
		return err // nothing is said of the launch: it is asked again
	}
	id := p.idOf(req)
	p.edge.logger.Warn("a session entered while the backend was down is refused", zap.String("session", id), zap.String("code", string(problem.Code)))
	if s := p.edge.live.byID(id); s != nil {
		over := *s.record().live()
		over.Version, over.Status = versionRefused, statusOfCode(problem.Code)
		s.setProvisional(false)
		if problem.Code == protocol.LaunchSpent || !s.apply(&over, monotonicMS()) {
			// The session lives on, elsewhere: whose it is asks for it anew, and
			// whoever entered here with its link has entered nothing.
			p.edge.live.drop(s)
			s.abandon()
		}
	}
	p.forget(id)
	return err
}

func (p *provisionals) idOf(req *protocol.LaunchRequest) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, r := range p.waiting {
		if r == req {
			return id
		}
	}
	return ""
}

func (p *provisionals) forget(id string) {
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

// bearer is the session token to act with: the cookie's, or the one that a
// provisional cookie has become; "" while there is none.
func bearer(s *liveSession, cookie string) string {
	if !strings.HasPrefix(cookie, provisionalPrefix) {
		return cookie
	}
	if tok := s.upgraded(); tok != nil {
		return *tok
	}
	return ""
}

// upgraded is the session token that a provisional cookie has become and the
// browser should hold instead; "" if there is nothing to change.
func upgraded(s *liveSession, cookie string) string {
	if !strings.HasPrefix(cookie, provisionalPrefix) {
		return ""
	}
	return bearer(s, cookie)
}
