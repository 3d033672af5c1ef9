package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// A pass lets people into an app without a sale. Its link leads to a page of ours, with
// the secret in the fragment: no server's log, no referrer and no app sees it, and
// programs that look at links press no button. The button makes a session of the pass's
// kind and redirects to that session's launch link, which is good for one entry. So an
// edge knows sessions and nothing else, a copied launch link opens nothing, and each
// browser of a team has a session of its own.

const (
	// PassPath is the page on which passes open.
	PassPath   = AuthPath + "pass"
	passPrefix = "sg_pass_"

	// The default lifetime of a pass.
	passTime = 30 * 24 * time.Hour
	// The most passes of a provider that may be used.
	maxPasses = 50
	// The most passes that a provider creates in a day.
	passesPerDay = 200
	// How long ended passes are listed.
	keepPasses = 90 * 24 * time.Hour

	// The longest session of a staff pass, and the sessions that one such pass may have
	// open at once.
	staffSeconds = 12 * 3600
	staffAtOnce  = 50
	// A preview shows the warning halfway and then the end.
	previewSeconds = 120
	previewWarning = 60
	// The most sessions that one pass opens in an hour.
	entriesPerHour = 60
	// How long the launch link of a pass's session is good.
	passLaunchWindow = 300

	passRevoked = "pass_revoked" // the end_reason of the sessions of a revoked pass
)

// PassOrder describes a new pass.
type PassOrder struct {
	ProviderID string
	Kind       Mode // StaffMode or PreviewMode
	Label      string
	Good       time.Duration // 0: passTime
}

// CreatePass creates a pass for c and returns its link, which cannot be read again.
func (s *Service) CreatePass(ctx context.Context, req Request, c Caller, o PassOrder) (link string, made store.Pass, err error) {
	good := o.Good
	if good == 0 {
		good = passTime
	}
	now := s.now()
	until := now.Add(good).Unix()
	switch {
	case c.Guest && o.Kind == session.StaffMode:
		return "", made, Refuse(protocol.Forbidden, "Portal links create preview passes only. Sign in with a key or as a person of the provider.")
	case c.Guest:
		until = min(until, c.ExpiresAt) // access by a link ends with the link
	case c.ExpiresAt != 0:
		return "", made, Refuse(protocol.Forbidden, "This key was rotated and cannot create passes. Use the new key.")
	}
	if err := s.limited(ctx, "passes", o.ProviderID, every(24*time.Hour, passesPerDay)); err != nil {
		return "", made, err
	}
	secret, key := newSecret(passPrefix, now)
	made = store.Pass{
		ID: "pass_" + key.ID, ProviderID: o.ProviderID, Kind: string(o.Kind), Label: strings.TrimSpace(o.Label), Hash: key.Hash,
		CreatedBy: c.KeyID, CreatedAt: now.Unix(), ExpiresAt: until,
	}
	req.target = made.ID // as with keys: its creation and revocation can be matched
	_, err = write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		p, err := w.Provider(ctx, o.ProviderID)
		if err != nil {
			return struct{}{}, err
		}
		if _, err := passBase(p); err != nil {
			return struct{}{}, err
		}
		live, err := w.LivePasses(ctx, o.ProviderID, w.now)
		if err != nil {
			return struct{}{}, err
		}
		if live >= maxPasses {
			return struct{}{}, Refuse(protocol.LimitReached, fmt.Sprintf("The provider has %d passes, which is the maximum. Revoke one that is not in use.", live))
		}
		return struct{}{}, w.InsertPass(ctx, made)
	})
	if err != nil {
		return "", made, err
	}
	return strings.TrimSuffix(s.issuer, "/") + PassPath + "#" + secret, made, nil
}

// passBase is [launchBase] for a pass, which opens nothing at a provider without an app.
func passBase(p store.Provider) (string, error) {
	base, err := launchBase(p)
	if err == nil && base == "" {
		err = Refuse(protocol.DomainNotProven, "The provider has no app_url and no domain. Add a domain first.")
	}
	return base, err
}

// Passes lists the passes of a provider, newest first.
func (s *Service) Passes(ctx context.Context, f store.PassFilter) ([]store.Pass, error) {
	return s.store.Passes(ctx, f)
}

// EnterPass opens a session with the secret of a pass, and returns its launch link.
func (s *Service) EnterPass(ctx context.Context, secret string) (LinkedSession, error) {
	if !strings.HasPrefix(secret, passPrefix) {
		return LinkedSession{}, noPass()
	}
	p, err := s.store.PassByHash(ctx, hashKey(secret))
	if errors.Is(err, store.ErrNotFound) || err == nil && !p.Live(s.now()) {
		return LinkedSession{}, noPass()
	}
	if err != nil {
		return LinkedSession{}, err
	}
	opened, err := write(ctx, s, Request{}, func(w *writeTx) (createdSession, error) { return w.openPass(ctx, p) })
	if err != nil {
		return LinkedSession{}, err
	}
	s.metric.passes.WithLabelValues(p.Kind).Inc()
	return s.linkTo(opened)
}

func noPass() *Refusal {
	return Refuse(protocol.Unauthorized, "The pass has expired or was revoked. Ask whoever gave it to you for a new one.")
}

// openPass writes a session of a pass.
func (w *writeTx) openPass(ctx context.Context, p store.Pass) (createdSession, error) {
	// First, so that a revocation at the same time either refuses this entry or finds its
	// session.
	err := w.UsePass(ctx, p.ID, w.now)
	if errors.Is(err, store.ErrNotFound) {
		return createdSession{}, noPass()
	}
	if err != nil {
		return createdSession{}, err
	}
	provider, err := w.Provider(ctx, p.ProviderID)
	if err != nil {
		return createdSession{}, err
	}
	appURL, err := passBase(provider)
	if err != nil {
		return createdSession{}, err
	}
	if err := w.passHasRoom(ctx, p); err != nil {
		return createdSession{}, err
	}
	tr, err := session.New(w.s.passOrder(p, store.NewID(w.now), w.now), w.now)
	if err != nil {
		return createdSession{}, err
	}
	posting, err := ledger.Open(tr.Session.ID, tr.Session.UserID, tr.Session.ProviderID, 0, w.now)
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
	return createdSession{Session: tr.Session, Claims: w.s.launchClaims(tr.Session, w.now), AppURL: appURL}, nil
}

// passOrder is the session that a pass opens. It is over with the pass.
func (s *Service) passOrder(p store.Pass, id string, now time.Time) session.Order {
	o := session.Order{
		ID: id, UserID: protocol.Subject(protocol.PassTenant, p.ID), ProviderID: p.ProviderID, Mode: session.Mode(p.Kind), PassID: p.ID,
		Duration: staffSeconds, ReturnURL: strings.TrimSuffix(s.issuer, "/") + PassPath, Clock: session.AtLaunch, LaunchWindow: passLaunchWindow,
		Terms: session.Terms{Settlement: session.Full},
	}
	if o.Mode == session.PreviewMode {
		o.Duration, o.Terms.WarningSeconds = previewSeconds, []int64{previewWarning}
	}
	// The clock starts at the end of the launch window at the latest.
	left := p.ExpiresAt - now.Unix()
	o.LaunchWindow = max(1, min(o.LaunchWindow, left/2))
	o.Duration = max(1, min(o.Duration, left-o.LaunchWindow))
	return o
}

// passHasRoom refuses an entry that exceeds what one pass opens.
func (w *writeTx) passHasRoom(ctx context.Context, p store.Pass) error {
	hour := w.now.Add(-time.Hour)
	entries, err := w.EntriesOfPass(ctx, p.ID, hour, entriesPerHour)
	if err != nil {
		return err
	}
	if entries >= entriesPerHour {
		w.s.metric.limited.WithLabelValues("entries_per_pass").Inc()
		return &Refusal{Code: protocol.RateLimited, Cause: &WaitError{5 * time.Minute},
			Detail: fmt.Sprintf("The pass was used %d times within an hour, which is the maximum. Try again later.", entries)}
	}
	if p.Kind != string(session.StaffMode) {
		return nil
	}
	open, err := w.OpenOfPass(ctx, p.ID)
	if err != nil {
		return err
	}
	if open >= staffAtOnce {
		w.s.metric.limited.WithLabelValues("sessions_per_pass").Inc()
		return Refuse(protocol.LimitReached, fmt.Sprintf("The pass has %d open sessions, which is the maximum. End one of them, or create another pass.", open))
	}
	return nil
}

// RevokePass ends a pass of a provider and all sessions that it opened. It returns
// [ErrNotFound] for a pass of another provider. A pass that is revoked already stays so.
func (s *Service) RevokePass(ctx context.Context, req Request, providerID, id string) error {
	_, err := write(ctx, s, req, func(w *writeTx) (struct{}, error) {
		p, err := w.Pass(ctx, id)
		if err != nil {
			return struct{}{}, err
		}
		if p.ProviderID != providerID {
			return struct{}{}, store.ErrNotFound
		}
		// First: entries wait for it, and are refused after it.
		if _, err := w.RevokePass(ctx, id, w.now); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, w.endSessionsOf(ctx, id)
	})
	return err
}

// endSessionsOf ends the sessions of a pass that have not ended. There are at most those
// that a pass may open.
func (w *writeTx) endSessionsOf(ctx context.Context, passID string) error {
	ids, err := w.SessionsOfPass(ctx, passID, 2*(staffAtOnce+entriesPerHour))
	if err != nil {
		return err
	}
	for _, id := range ids {
		current, err := w.catchUp(ctx, id)
		if err != nil {
			return err
		}
		if current.Status.Terminal() {
			continue
		}
		tr, err := session.Apply(current, session.Revoke{By: session.Operator, Refund: session.RefundFull, Reason: passRevoked}, w.now)
		if err != nil {
			return err
		}
		if err := w.record(ctx, tr); err != nil {
			return err
		}
	}
	return nil
}
