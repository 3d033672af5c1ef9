package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/backend/store/query"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// extensionsPage is how many extensions are read at once.
const extensionsPage = 1000

// fromRow returns the session of a row. Rows that were written or changed by a version
// without purchases and exact times get them from what that version wrote.
func (r Reader) fromRow(ctx context.Context, row query.Session) (session.Session, error) {
	s := plainFromRow(row)
	if err := json.Unmarshal([]byte(row.Terms), &s.Terms); err != nil {
		return s, fmt.Errorf("reading session's terms: %w", err)
	}
	if s.Status.Terminal() {
		s.Settlement = &session.Settlement{Captured: row.Captured, Released: row.Released, UsedSeconds: row.UsedSeconds}
	}
	s.RestoreMeter()
	if row.Purchases != "" {
		if err := json.Unmarshal([]byte(row.Purchases), &s.Purchases); err != nil {
			return s, fmt.Errorf("reading session's purchases: %w", err)
		}
	}
	if s.Bought(s.Purchases) {
		return s, nil
	}
	return s, r.restorePurchases(ctx, &s)
}

func plainFromRow(r query.Session) session.Session {
	return session.Session{
		ID: r.ID, UserID: r.UserID, ProviderID: r.ProviderID, Mode: modeOf(r), PassID: r.PassID, Status: session.Status(r.Status), Version: r.Version,
		Clock: session.Clock(r.Clock), Tokens: r.Tokens, Duration: r.DurationSeconds, ReturnURL: r.ReturnUrl,
		ConsentURL: r.ConsentUrl, OfferUsed: r.OfferUsed, CreatedAt: r.CreatedAt, LaunchBy: r.LaunchBy,
		StartedAt: r.StartedAt, EnteredAt: r.EnteredAt, ExpiresAt: r.ExpiresAt, PausedAt: r.PausedAt, PausedSeconds: r.PausedSeconds,
		PauseCount: r.PauseCount, RedemptionID: r.RedemptionID, RedeemedAt: r.RedeemedAt, EndedAt: r.EndedAt,
		EndReason: r.EndReason, WarnAt: r.WarnAt,
		RedeemedLink: r.RedeemedLink, Relaunches: r.Relaunches, RelaunchedAt: r.RelaunchedAt,
		Meter: session.Meter{StartedUS: r.StartedUs, PausedAtUS: r.PausedAtUs, PausedUS: r.PausedUs},
		Standstill: session.Standstill{
			Reason: r.Standstill, SinceUS: r.StandstillSinceUs, UntilUS: r.StandstillUntilUs, StoodUS: r.StoodUs, Paused: r.StandstillPaused != 0,
		},
	}
}

// modeOf returns the mode of a row. A version that does not know modes writes none for the
// sessions that it sells for a test key, whose tenant says it as well.
func modeOf(r query.Session) session.Mode {
	if _, test := protocol.SplitTenant(r.MarketplaceID); test {
		return session.TestMode
	}
	if r.Mode == string(session.LiveMode) {
		return "" // as the rules write it
	}
	return session.Mode(r.Mode)
}

// restorePurchases sets the purchases of a session from its extensions.
func (r Reader) restorePurchases(ctx context.Context, s *session.Session) error {
	var bought []session.Purchase
	for after := int64(0); s.Version > 1; {
		list, err := r.Extensions(ctx, s.ID, after, extensionsPage)
		if err != nil {
			return err
		}
		for _, x := range list {
			bought = append(bought, session.Purchase{By: x.By, Seconds: x.Seconds, Tokens: x.Tokens, At: x.At})
			after = x.Version
		}
		if len(list) < extensionsPage {
			break
		}
	}
	s.Restore(bought)
	return nil
}

// fromRows returns the sessions of rows, in their order.
func (r Reader) fromRows(ctx context.Context, rows []query.Session) ([]session.Session, error) {
	list := make([]session.Session, 0, len(rows))
	for _, row := range rows {
		s, err := r.fromRow(ctx, row)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// purchasesOf returns the stored form of a session's purchases.
func purchasesOf(s session.Session) (string, error) {
	text, err := json.Marshal(s.Purchases)
	if err != nil {
		return "", fmt.Errorf("writing session's purchases: %w", err)
	}
	return string(text), nil
}
