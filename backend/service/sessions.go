package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sessiongate/sessiongate/backend/domain"
	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// createdSession is the stored answer to a create request with an idempotency key. It
// has the claims of the launch token, but never the token itself.
type createdSession struct {
	Session session.Session `json:"session"`
	Claims  *token.Claims   `json:"claims"`
	AppURL  string          `json:"app_url"`
}

// create sells a session. It holds the user's tokens and writes the session.
func (s *Service) create(ctx context.Context, req Request, o session.Order) (createdSession, error) {
	sold, err := write(ctx, s, req, func(w *writeTx) (createdSession, error) {
		p, err := w.Provider(ctx, o.ProviderID)
		if errors.Is(err, store.ErrNotFound) {
			return createdSession{}, Refuse(protocol.InvalidRequest, "provider_id is unknown.")
		}
		if err != nil {
			return createdSession{}, err
		}
		appURL, err := launchBase(p)
		if err != nil {
			return createdSession{}, err
		}
		if inMaintenance(p) {
			return createdSession{}, closed(p, w.now)
		}
		order := o
		if !returnAllowed(order.ReturnURL, p.Policies.ReturnHosts) {
			return createdSession{}, Refuse(protocol.ReturnNotAllowed, "The host of return_url is not in the provider's return_hosts.")
		}
		if returnsToApp(order.ReturnURL, p) {
			return createdSession{}, Refuse(protocol.ReturnNotAllowed, "return_url is at the app's own address, which refuses the user once the session has ended. Use a page of the marketplace.")
		}
		if order.ConsentURL != "" && !returnAllowed(order.ConsentURL, p.Policies.ReturnHosts) {
			return createdSession{}, Refuse(protocol.ReturnNotAllowed, "The host of consent_url is not in the provider's return_hosts.")
		}
		order.ID = store.NewID(w.now)
		order.Mode = modeOf(order.UserID)
		if err := w.takePlace(ctx, p, order.Mode); err != nil {
			return createdSession{}, err
		}
		order.LaunchWindow = p.Policies.LaunchWindowSeconds
		order.Terms.Settlement = p.Policies.Settlement
		order.Terms.Pause = p.Policies.Pause
		order.Terms.WarningSeconds = p.Policies.WarningSeconds
		tr, err := session.New(order, w.now)
		if err != nil {
			return createdSession{}, err
		}
		if !s.launchClaims(tr.Session, w.now).Fits() {
			return createdSession{}, Refuse(protocol.InvalidRequest, "return_url is too long for the session's token, where each & takes six bytes and each non-ASCII character takes several.")
		}
		posting, err := ledger.Open(tr.Session.ID, tr.Session.UserID, tr.Session.ProviderID, tr.Hold, w.now)
		if err != nil {
			return createdSession{}, err
		}
		if err := w.Insert(ctx, tr, w.now); err != nil {
			return createdSession{}, err
		}
		if err := w.Post(ctx, posting); err != nil {
			return createdSession{}, err
		}
		if err := w.enqueueTransition(ctx, tr); err != nil {
			return createdSession{}, err
		}
		w.changed = append(w.changed, tr.Session)
		return createdSession{Session: tr.Session, Claims: s.launchClaims(tr.Session, w.now), AppURL: appURL}, nil
	})
	if err == nil && sold.Session.Purpose() == session.LiveMode {
		s.metric.created.Inc()
	}
	return sold, err
}

// Order is a marketplace's request for a session.
type Order struct {
	UserID, ProviderID    string // UserID is the user's subject
	Tokens, Seconds       int64
	ReturnURL, ConsentURL string
	Clock                 string // when the paid clock starts; empty means at creation
	Unentered             string // what the session costs if nobody enters it; empty means as its clock says
	Extension             *protocol.Extension
}

// Sell creates a session and signs its launch token.
func (s *Service) Sell(ctx context.Context, req Request, o Order) (LinkedSession, error) {
	terms := session.Order{
		UserID: o.UserID, ProviderID: o.ProviderID, Tokens: o.Tokens, Duration: o.Seconds,
		ReturnURL: o.ReturnURL, ConsentURL: o.ConsentURL, Clock: session.Clock(o.Clock),
	}
	if o.Unentered == string(session.CaptureUnentered) && terms.Clock == session.AtLaunch {
		return LinkedSession{}, Refuse(protocol.InvalidRequest, "unentered must be release with clock launch: a session that nobody enters is canceled before its clock starts.")
	}
	terms.Terms.Unentered = session.Unentered(o.Unentered)
	if e := o.Extension; e != nil {
		terms.Terms.Offer = &session.Offer{Seconds: e.AdditionalSeconds, Tokens: e.Tokens, MaxCount: e.MaxCount}
	}
	sold, err := s.create(ctx, req, terms)
	if err != nil {
		return LinkedSession{}, err
	}
	return s.linkTo(sold)
}

// AppURL returns the base URL of a provider's launch links: its app_url, or the first
// of its domains that is proven or vouched for. While none is, it is the first.
func AppURL(p store.Provider) string {
	if p.AppURL != "" {
		return p.AppURL
	}
	if len(p.Domains) == 0 {
		return ""
	}
	name := p.Domains[0]
	if i := slices.IndexFunc(p.Claims, func(c domain.Claim) bool { return c.State == domain.Proven || c.State == domain.Vouched }); i >= 0 {
		name = p.Claims[i].Domain
	}
	return "https://" + hostPort{host: name}.String() + "/"
}

// Session returns the current state of a session.
func (s *Service) Session(ctx context.Context, id string) (session.Session, error) {
	c, err := s.store.Session(ctx, id)
	if err != nil || asOf(c, s.now()).Version == c.Version {
		return c, err
	}
	// The session is due and the expiry loop has not settled it yet. Settle it now, so
	// that the ledger agrees with the returned session.
	if _, err := s.advance(ctx, []string{id}); err != nil {
		return c, err
	}
	return s.store.Session(ctx, id)
}

// SessionFor returns a session that c may read, and [ErrNotFound] for any other: a
// provider reads its own, a marketplace the ones that it sold; see [Caller.Reading].
func (s *Service) SessionFor(ctx context.Context, c Caller, id string) (session.Session, error) {
	found, err := s.Session(ctx, id)
	if err != nil {
		return found, err
	}
	if !ofMarketplace(found, c.MarketplaceID) || c.Role == RoleProvider && found.ProviderID != c.ProviderID || !c.sees(found) {
		return session.Session{}, store.ErrNotFound
	}
	return found, nil
}

// Sessions lists sessions in their current state, newest first.
func (s *Service) Sessions(ctx context.Context, f store.SessionFilter) ([]session.Session, error) {
	list, err := s.store.Sessions(ctx, f)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var due []string
	for _, c := range list {
		if asOf(c, now).Version != c.Version {
			due = append(due, c.ID)
		}
	}
	if len(due) == 0 {
		return list, nil
	}
	if _, err := s.advance(ctx, due); err != nil {
		return nil, err
	}
	return s.store.Sessions(ctx, f)
}

// change applies an event to a session.
func (s *Service) change(ctx context.Context, req Request, id string, e session.Event) (session.Session, error) {
	return write(ctx, s, req, func(w *writeTx) (session.Session, error) {
		return s.applyOrExplain(ctx, w, id, e)
	})
}

// Extend buys more time. A user may buy what the session's offer allows. A marketplace
// may buy any amount.
func (s *Service) Extend(ctx context.Context, req Request, id string, byMarketplace bool, seconds, tokens int64) (session.Session, error) {
	e := session.Extend{By: session.User, Seconds: seconds, Tokens: tokens}
	if byMarketplace {
		e.By = session.Marketplace
	}
	return s.change(ctx, req, id, e)
}

// Pause stops the paid clock if the provider's policy allows it.
func (s *Service) Pause(ctx context.Context, req Request, id string) (session.Session, error) {
	c, err := s.store.Session(ctx, id)
	if err == nil && c.Status == session.Active {
		err = s.limitPauses(c)
	}
	if err != nil {
		return c, err
	}
	return s.change(ctx, req, id, session.Pause{})
}

// Resume starts the paid clock again.
func (s *Service) Resume(ctx context.Context, req Request, id string) (session.Session, error) {
	return s.change(ctx, req, id, session.Resume{})
}

// End ends a session on behalf of its user.
func (s *Service) End(ctx context.Context, req Request, id string) (session.Session, error) {
	return s.endBy(ctx, req, id, session.User)
}

// Complete ends a session on behalf of its marketplace.
func (s *Service) Complete(ctx context.Context, req Request, id string) (session.Session, error) {
	return s.endBy(ctx, req, id, session.Marketplace)
}

// Revoke ends a session immediately. refund is full, prorated or none.
func (s *Service) Revoke(ctx context.Context, req Request, id string, byOperator bool, refund, reason string) (session.Session, error) {
	by := session.Marketplace
	if byOperator {
		by = session.Operator
	}
	return s.change(ctx, req, id, session.Revoke{By: by, Refund: session.Refund(refund), Reason: reason})
}

// endBy ends a session. If the session has ended already, it returns the session with
// the same settlement.
func (s *Service) endBy(ctx context.Context, req Request, id string, by session.Actor) (session.Session, error) {
	return write(ctx, s, req, func(w *writeTx) (session.Session, error) {
		current, err := w.catchUp(ctx, id)
		if err != nil || current.Status.Terminal() {
			return current, err
		}
		tr, err := session.Apply(current, session.Complete{By: by}, w.now)
		if err != nil {
			return current, err
		}
		return tr.Session, w.record(ctx, tr)
	})
}

// applyOrExplain applies e. It adds to a refusal what the user needs to continue.
func (s *Service) applyOrExplain(ctx context.Context, w *writeTx, id string, e session.Event) (session.Session, error) {
	c, err := w.apply(ctx, id, e)
	if err == nil {
		return c, nil
	}
	_, illegal := errors.AsType[*session.IllegalError](err)
	switch {
	case errors.Is(err, session.ErrConsent):
		return c, &Refusal{Code: protocol.ConsentRequired, ConsentURL: consentLink(c), SessionID: c.ID, Cause: err,
			Detail: "The extension exceeds the session's offer. The user can consent to it on the marketplace's page."}
	case illegal && c.Status.Terminal():
		return c, over(c)
	}
	return c, err
}

// consentLink returns the URL where the user can agree to spend more on c: the
// marketplace's consent page, or its return page if it has none.
func consentLink(c session.Session) string {
	page := c.ConsentURL
	if page == "" {
		page = c.ReturnURL
	}
	return protocol.WithSessionID(page, c.ID)
}

// over returns the refusal of a session that has ended.
func over(c session.Session) *Refusal {
	return &Refusal{Code: protocol.CodeOf(protocol.Status(c.Status)), SessionID: c.ID, ReturnURL: c.ReturnURL,
		Detail: "The session is " + string(c.Status) + "."}
}

// Extensions lists the extensions of a session, oldest first, starting after the
// extension that made the session's version after.
func (s *Service) Extensions(ctx context.Context, c Caller, id string, after int64, limit int) ([]store.Extension, error) {
	if _, err := s.SessionFor(ctx, c, id); err != nil {
		return nil, err
	}
	return s.store.Extensions(ctx, id, after, limit)
}

// AddPageEvents records the events of a session's pages, while the session lives. Its
// token stays valid after the end, and must not be usable to add events without limit.
func (s *Service) AddPageEvents(ctx context.Context, req Request, id string, events []store.PageEvent) error {
	answered, err := s.answered(ctx, req)
	if err != nil {
		return err
	}
	caps := s.limits.eventCaps()
	if !answered {
		if err := s.limited(ctx, "event_batches", id, every(time.Minute, s.limits.EventBatches)); err != nil {
			return err
		}
		// Before the transaction: what is refused anyway must not wait for the writer.
		c, err := s.store.Session(ctx, id)
		if err != nil {
			return err
		}
		if c = asOf(c, s.now()); c.Status.Terminal() {
			return over(c)
		}
		if err := s.store.CheckPageEvents(ctx, c, events, caps, s.now()); err != nil {
			return s.eventsFull(err)
		}
	}
	_, err = write(ctx, s, req, func(w *writeTx) (int, error) {
		c, err := w.Session(ctx, id)
		if err != nil {
			return 0, err
		}
		if c = asOf(c, w.now); c.Status.Terminal() {
			return 0, over(c)
		}
		return len(events), w.AddPageEvents(ctx, c, events, caps, w.now)
	})
	return s.eventsFull(err)
}
