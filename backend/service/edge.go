package service

import (
	"context"
	"errors"

	"github.com/sessiongate/sessiongate/backend/coord"
	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/shape"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// Launch redeems a launch token. A token can be redeemed once; a request with the same
// redemption id may repeat that within [session.RedeemAgain]. The refusal of an ended
// session contains the URL where the user can continue.
func (s *Service) Launch(ctx context.Context, in protocol.LaunchRequest) (protocol.LaunchAnswer, error) {
	var none protocol.LaunchAnswer
	claims, err := s.verify.Verify(ctx, in.Token, token.Expect{
		Kinds: []token.Kind{token.Launch}, IgnoreExpiry: true, Now: s.now(),
	})
	if err != nil {
		return none, &Refusal{Code: protocol.LaunchInvalid, Detail: tokenDetail(err), Cause: err}
	}
	provider, err := s.providerAt(ctx, in)
	if err != nil {
		return none, err
	}
	if provider != claims.ProviderID {
		return none, &Refusal{Code: protocol.WrongProvider, SessionID: claims.ID, Detail: "The launch token is for another provider's site."}
	}
	launched, signed, err := s.redeem(ctx, claims, session.Launch{RedemptionID: in.RedemptionID, Served: servedBefore(in.Offline)})
	if outcome := offlineOutcome(err); in.Offline != nil && outcome != "" {
		s.recordOffline(ctx, claims.ID, outcome, in.Offline)
	}
	if err != nil {
		return none, err
	}
	return protocol.LaunchAnswer{Session: shape.LiveStateOf(launched), SessionToken: signed, ServerTimeMS: s.now().UnixMilli()}, nil
}

// providerAt returns the provider of the site that received a token.
func (s *Service) providerAt(ctx context.Context, in protocol.LaunchRequest) (string, error) {
	if in.ProviderID != "" {
		return in.ProviderID, nil
	}
	if in.Host == "" {
		return "", Refuse(protocol.InvalidRequest, "Either host or provider_id is required.")
	}
	_, p, err := s.Host(ctx, in.Host)
	return p.ID, err
}

// Host returns the provider that holds a host and the canonical form of the host. It
// ignores the port. Nobody holds the operator's own hosts and public suffixes, even if a
// provider claimed them before that was refused.
func (s *Service) Host(ctx context.Context, host string) (name string, p store.Provider, err error) {
	name, err = normalizeDomain(host)
	if err == nil {
		if err = domain.Refused(name, s.ownHosts); errors.Is(err, domain.ErrOperator) || errors.Is(err, domain.ErrSuffix) {
			return "", p, &Refusal{Code: protocol.HostUnknown, Detail: "The domain is not registered.", Cause: err}
		}
		if p, err = s.store.ProviderByDomain(ctx, name); err == nil {
			return name, p, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return "", p, err
		}
	}
	return "", store.Provider{}, &Refusal{Code: protocol.HostUnknown, Detail: "No provider has registered and proven the domain.", Cause: err}
}

// Heartbeats records a batch of heartbeats from the edge at address. It returns the
// states that are newer than the edge's, and the unknown sessions.
func (s *Service) Heartbeats(ctx context.Context, in protocol.HeartbeatsRequest, address string) (protocol.HeartbeatsAnswer, error) {
	out := protocol.HeartbeatsAnswer{States: []protocol.LiveState{}}
	ids := make([]string, len(in.Beats))
	for i, b := range in.Beats {
		ids[i] = b.ID
	}
	states, err := s.live(ctx, ids)
	if err != nil {
		return out, err
	}
	now := s.now()
	s.reports.edge(in.EdgeID, address, in.Edge, now)
	for _, p := range in.Pages {
		s.reports.page(p, now)
	}
	for i, b := range in.Beats {
		state := states[i]
		if state.ID == "" {
			out.Unknown = append(out.Unknown, b.ID)
			continue
		}
		if b.At > 0 {
			s.beats.add(b, now)
		}
		if state.Version <= b.Version {
			continue
		}
		l, err := decodeState(state)
		if err != nil {
			return out, err
		}
		out.States = append(out.States, l)
	}
	out.ServerTimeMS = s.now().UnixMilli()
	return out, nil
}

// Heartbeat records one heartbeat of a page that calls the API itself.
func (s *Service) Heartbeat(ctx context.Context, id string, active bool) (protocol.HeartbeatAnswer, error) {
	c, err := s.Session(ctx, id)
	if err != nil {
		return protocol.HeartbeatAnswer{}, err
	}
	if c, err = s.Entered(ctx, c); err != nil {
		return protocol.HeartbeatAnswer{}, err
	}
	now := s.now()
	s.beats.add(protocol.Heartbeat{ID: id, At: now.Unix(), Active: active, Count: 1}, now)
	return protocol.HeartbeatAnswer{
		Acknowledged: true, RemainingSeconds: c.Remaining(now), Status: protocol.Status(c.Status),
		Version: c.Version, ExpiresAt: c.ExpiresAt, ServerTimeMS: now.UnixMilli(),
	}, nil
}

// Subscribe returns the live-state changes of these providers, or of all if none is given,
// after the event lastID, or a reset.
func (s *Service) Subscribe(lastID string, providers ...string) (*coord.Subscription, error) {
	return s.coord.Subscribe(lastID, providers...)
}
