package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
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

// Results of offline entries, for metrics.
const (
	offlineAdmitted   = "admitted"
	offlineTurnedAway = "turned_away"
	offlineRedeemed   = "redeemed"
	offlineRefused    = "refused"
)

// OfflineLimits bound what is served while the backend cannot be asked. A session that
// was ended and refunded may be among it.
type OfflineLimits struct {
	Time     time.Duration // for which one session is served
	Sessions int           // that wait for the backend at once; 0 for none
}

// OfflineAdmissions are launches that could not be redeemed yet. Each stands for a
// session that this edge admits on the strength of the launch token's signature
// and deadline, until the backend answers or the session was served for as long as
// [OfflineLimits] say.
type OfflineAdmissions struct {
	edge *Edge

	mu      sync.Mutex // guards waiting
	waiting map[string]*offlineEntry
}

// offlineEntry is an admission that the backend does not know of yet.
type offlineEntry struct {
	req *protocol.LaunchRequest
	// By the backend's clock, in Unix ms: when it was admitted, and until when it is
	// served.
	at, until int64
}

// servedMS returns how long the session has been served by now.
func (o *offlineEntry) servedMS(now int64) int64 { return max(0, min(now, o.until)-o.at) }

// Admit lets a session in without the backend and returns its cookie, or the code of the
// refusal: if it is open here already, if this edge knows that it ended or would not have
// heard of it, or if too many wait for the backend.
func (p *OfflineAdmissions) Admit(req *protocol.LaunchRequest, claims *token.Claims, limits OfflineLimits) (cookie string, refused protocol.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := claims.SessionID()
	s := p.edge.Sessions.ByID(id)
	if s != nil && live.LinkOf(claims.Relaunches) > s.Record().Relaunches() {
		return "", protocol.BackendUnavailable // a new link: only the backend can end the old browser
	}
	if _, twice := p.waiting[id]; twice || s != nil {
		return "", protocol.LaunchSpent
	}
	if status := p.edge.ended.status(id); status != "" {
		return "", protocol.CodeOf(status)
	}
	var sold time.Time
	if claims.IssuedAt != nil {
		sold = claims.IssuedAt.Time
	}
	if len(p.waiting) >= limits.Sessions || !p.edge.heardOfEnds(claims.ProviderID, sold) {
		p.edge.Metrics.offline[offlineTurnedAway].Inc()
		return "", protocol.BackendUnavailable
	}
	o := &offlineEntry{req: req, at: p.edge.Clock.NowMS()}
	seconds := claims.DurationLimitSeconds
	serve := limits.Time.Milliseconds()
	if seconds > 0 {
		serve = min(serve, seconds*1000)
	} else { // a token of an earlier version
		seconds = claims.ExpiresAt.Unix() - claims.IssuedAt.Unix()
	}
	o.until = min(o.at+serve, claims.ExpiresAt.UnixMilli())
	s = p.edge.Sessions.Put(&protocol.LiveState{
		ID: id, UserID: claims.UserID(), ProviderID: claims.ProviderID, Status: protocol.Active,
		Version: versionProvisional, StartedAt: claims.IssuedAt.Unix(), ExpiresAt: claims.ExpiresAt.Unix(),
		DurationLimitSeconds: seconds, TokensAllocated: claims.TokensAllocated, ReturnURL: claims.ReturnURL,
		Relaunches: claims.Relaunches,
	}, MonotonicMS())
	s.ServeUntil(o.until)
	cookie = ProvisionalPrefix + rand.Text()
	p.edge.Sessions.BindToken(cookie, s)
	p.waiting[id] = o
	p.edge.Metrics.offline[offlineAdmitted].Inc()
	return cookie, ""
}

// len returns how many admissions wait for the backend.
func (p *OfflineAdmissions) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
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
		for id, o := range p.list() {
			if err := p.redeem(ctx, id, o); errors.Is(err, ErrBackendDown) {
				break // the others would fare no better
			}
		}
	}
}

func (p *OfflineAdmissions) list() map[string]*offlineEntry {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return nil
	}
	return maps.Clone(p.waiting)
}

// launch redeems a launch and tells the backend how long the session was served before.
func (p *OfflineAdmissions) launch(ctx context.Context, o *offlineEntry) (*protocol.LaunchAnswer, error) {
	req := *o.req
	req.Offline = &protocol.OfflineEntry{AdmittedAtMS: o.at, ServedMS: o.servedMS(p.edge.Clock.NowMS())}
	answer, err := p.edge.Backend.Launch(ctx, &req)
	var problem *protocol.Problem
	if errors.As(err, &problem) && problem.Code == protocol.InvalidRequest {
		return p.edge.Backend.Launch(ctx, o.req) // an older backend, which does not know the field
	}
	return answer, err
}

// redeem makes a provisional session a real one, or ends it.
func (p *OfflineAdmissions) redeem(ctx context.Context, id string, o *offlineEntry) error {
	asked := MonotonicMS()
	served := o.servedMS(p.edge.Clock.NowMS())
	answer, err := p.launch(ctx, o)
	var problem *protocol.Problem
	switch {
	case err == nil:
		s := p.edge.Sessions.Put(&answer.Session, asked)
		p.edge.Sessions.Bind(answer.SessionToken, s, live.LinkOf(answer.Session.Relaunches))
		s.SetUpgrade(answer.SessionToken)
		s.ServeUntil(0)
		p.edge.Metrics.Entries.Inc()
		p.edge.Metrics.offline[offlineRedeemed].Inc()
		p.edge.Events.Entered(s)
		p.edge.logger.Info("a session entered while the backend was down is redeemed", zap.String("session", s.ID()), zap.Int64("served_ms", served))
		p.forget(id)
		return nil
	case !errors.As(err, &problem) || RedeemCode(err) == protocol.BackendUnavailable:
		return err // nothing is said of the launch: it is asked again
	}
	p.edge.Metrics.offline[offlineRefused].Inc()
	p.edge.logger.Warn("a session entered while the backend was down is refused", zap.String("session", id),
		zap.String("code", string(problem.Code)), zap.Int64("served_ms", served))
	if s := p.edge.Sessions.ByID(id); s != nil {
		over := *s.Record().State()
		over.Version, over.Status = versionRefused, statusOfCode(problem.Code)
		s.ServeUntil(0)
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
