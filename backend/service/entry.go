package service

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// LinkedSession is a session with a launch token for it and the launch URL.
type LinkedSession struct {
	Session   session.Session
	Token     string // the launch token
	LaunchURL string // the app's URL with the launch token; empty if the app has no URL
}

// linkTo signs the launch token of a session that was sold or relaunched.
func (s *Service) linkTo(c createdSession) (LinkedSession, error) {
	signed, err := s.keys.Signer().Sign(token.Launch, c.Claims)
	if err != nil {
		return LinkedSession{}, err
	}
	return LinkedSession{Session: c.Session, Token: signed, LaunchURL: protocol.WithLaunchToken(c.AppURL, signed)}, nil
}

// redeem redeems a launch token that was verified, and signs the session token that takes
// its place.
func (s *Service) redeem(ctx context.Context, claims *token.Claims, e session.Launch) (c session.Session, sessionToken string, err error) {
	e.Link = claims.Relaunches
	c, err = write(ctx, s, Request{}, func(w *writeTx) (session.Session, error) {
		c, err := s.applyOrExplain(ctx, w, claims.ID, e)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return c, &Refusal{Code: protocol.LaunchInvalid, Detail: "The launch token's session does not exist.", Cause: err}
		case errors.Is(err, session.ErrSpent):
			refused := spent(c)
			refused.Cause = err
			return c, refused
		}
		return c, err
	})
	if err != nil {
		return c, "", err
	}
	sessionToken, err = s.keys.Signer().Sign(token.Session, s.sessionClaims(c, s.now()))
	return c, sessionToken, err
}

// minRedemptionID is the shortest id that may repeat a redemption. A shorter one could be
// guessed by whoever has the spent token.
const minRedemptionID = 16

// Enter redeems the launch token of a page without an edge, which uses the session token
// from then on. It is separate from validation, because validating a token must not start
// the clock or spend the token. A request with the same redemption id may repeat it
// within [session.RedeemAgain]. For a session token, Enter returns the session unchanged.
func (s *Service) Enter(ctx context.Context, c Caller, redemptionID string) (entered session.Session, sessionToken string, err error) {
	if c.Role != RoleLaunch {
		entered, err = s.Session(ctx, c.SessionID)
		if err == nil && entered.Status.Terminal() {
			err = over(entered)
		}
		return entered, "", err
	}
	if len(redemptionID) < minRedemptionID {
		redemptionID = uuid.NewString()
	}
	return s.redeem(ctx, c.launch, session.Launch{RedemptionID: redemptionID})
}

// Relaunch gives a live session a new link. All earlier links of the session and the
// cookies of its browsers are void from then on. The paid clock is not affected. Like a
// sale, it is refused while the app's domain is not the provider's: somebody else may
// hold the domain by now, and would receive the token.
func (s *Service) Relaunch(ctx context.Context, req Request, id string) (LinkedSession, error) {
	linked, err := write(ctx, s, req, func(w *writeTx) (createdSession, error) {
		c, err := s.applyOrExplain(ctx, w, id, session.Relaunch{})
		if errors.Is(err, session.ErrRelaunches) {
			return createdSession{}, &Refusal{Code: protocol.IllegalTransition, SessionID: c.ID, Cause: err,
				Detail: "The session was relaunched too often. End it and sell a new one."}
		}
		if err != nil {
			return createdSession{}, err
		}
		p, err := w.Provider(ctx, c.ProviderID)
		if err != nil {
			return createdSession{}, err
		}
		appURL, err := launchBase(p)
		if err != nil {
			return createdSession{}, err
		}
		return createdSession{Session: c, Claims: s.launchClaims(c, w.now), AppURL: appURL}, nil
	})
	if err != nil {
		return LinkedSession{}, err
	}
	return s.linkTo(linked)
}

// Bearer is the bearer of a session's JWT.
type Bearer struct {
	Claims *token.Claims
	// The JWT is a launch token, and not a session token.
	Launch bool
	// The launch token was redeemed, or a newer link has replaced it. It gives access to
	// nothing.
	Spent bool
}

// Bearer verifies a session's JWT. It ignores exp, because the database has the deadline
// and the reason why a session has ended. A session token that a relaunch has made void
// is refused.
func (s *Service) Bearer(ctx context.Context, raw string) (Bearer, error) {
	claims, err := s.verify.Verify(ctx, raw, token.Expect{
		Kinds: []token.Kind{token.Session, token.Launch}, IgnoreExpiry: true, Now: s.now(),
	})
	if err != nil {
		return Bearer{}, &Refusal{Code: protocol.TokenInvalid, Detail: tokenDetail(err), Cause: err}
	}
	kind, _ := token.KindOf(raw)
	b := Bearer{Claims: claims, Launch: kind == token.Launch}
	c, err := s.store.Session(ctx, claims.ID)
	switch {
	case errors.Is(err, store.ErrNotFound): // the use case reports it
		return b, nil
	case err != nil:
		return b, err
	case b.Launch:
		b.Spent = c.Spent() || c.Void(claims.Relaunches)
	case c.Void(claims.Relaunches):
		return b, &Refusal{Code: protocol.SessionMoved, SessionID: c.ID, ReturnURL: c.ReturnURL,
			Detail: "The marketplace made a new link to this session, so this token is void. Continue in the browser that opened the new link."}
	}
	return b, nil
}

// identifySession returns the caller with a session's JWT.
func (s *Service) identifySession(ctx context.Context, raw string) (Caller, error) {
	b, err := s.Bearer(ctx, raw)
	if err != nil {
		return Caller{}, err
	}
	c := Caller{Role: RoleSession, Scope: "session:" + b.Claims.ID, ProviderID: b.Claims.ProviderID, SessionID: b.Claims.ID}
	if b.Launch {
		// Whoever holds a spent token must not use up the requests of the session, nor those
		// of its next link.
		c.Role, c.Scope, c.Spent, c.launch = RoleLaunch, "launch:"+b.Claims.ID, b.Spent, b.Claims
		if b.Spent {
			c.Scope = "spent:" + b.Claims.ID
		}
	}
	return c, nil
}

// MayNot returns the refusal of a caller with a launch token, which is good for one entry
// and for nothing else.
func (c Caller) MayNot() *Refusal {
	if c.Spent {
		return spent(session.Session{ID: c.SessionID})
	}
	return Refuse(protocol.TokenInvalid, "A launch token only opens the session. Redeem it with POST "+protocol.Sessions+"/{id}/"+
		protocol.ActionLaunch+", and send the session_token of the response.")
}

// spent returns the refusal of a launch token that was redeemed before.
func spent(c session.Session) *Refusal {
	return &Refusal{Code: protocol.LaunchSpent, SessionID: c.ID, ReturnURL: c.ReturnURL,
		Detail: "The launch token was already used. The session is open in the browser that used it first."}
}
