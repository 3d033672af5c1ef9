// Package shape holds the JSON bodies that the API and webhook messages share.
package shape

import (
	"time"

	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// SessionBody is a session as the API shows it: the spec's fields and more.
type SessionBody struct {
	protocol.LiveState
	MarketplaceID     string          `json:"marketplace_id,omitempty" example:"mkt_default" doc:"The marketplace that sold the session; absent if a pass opened it. It sees its own user_id; everybody else sees the user's subject, which is the same at mkt_default and marketplace_id~user_id elsewhere. Users of test sessions have subjects of their own: marketplace_id.test~user_id"`
	PassID            string          `json:"pass_id,omitempty" doc:"The pass that opened the session, in the modes staff and preview"`
	StandstillSeconds int64           `json:"standstill_seconds,omitempty" doc:"For how long the clock stood still because the app could not be used, without the present standstill; in whole seconds"`
	Clock             string          `json:"clock" enum:"creation,launch" doc:"When the paid clock starts"`
	CreatedAt         int64           `json:"created_at"`
	LaunchBy          int64           `json:"launch_by,omitempty" doc:"Time until which a pending session can be entered"`
	EnteredAt         int64           `json:"entered_at,omitempty" doc:"When somebody first entered; absent if nobody has"`
	Unentered         string          `json:"unentered" enum:"capture,release" doc:"What the session costs if nobody enters it, as sold. capture: it is charged like any other. release: it is canceled and all tokens are released"`
	Purchases         []PurchaseBody  `json:"purchases" nullable:"false" doc:"What was bought, the earliest first: the sale, then each extension. Each is settled by itself, at its own price; the seconds of the earliest are used first"`
	EndedAt           int64           `json:"ended_at,omitempty"`
	EndReason         string          `json:"end_reason,omitempty" example:"deadline"`
	ConsentURL        string          `json:"consent_url,omitempty"`
	Settlement        *SettlementBody `json:"settlement,omitempty" doc:"How the tokens were settled; present once the session has ended"`
}

// PurchaseBody is the sale or an extension.
type PurchaseBody struct {
	Kind        string `json:"kind" enum:"sale,extension"`
	By          string `json:"by" enum:"user,marketplace,operator"`
	PurchasedAt int64  `json:"purchased_at"`
	Seconds     int64  `json:"seconds"`
	Tokens      int64  `json:"tokens" doc:"The price"`
	Count       int64  `json:"count,omitempty" doc:"How many equal extensions in a row this is, if more than one. A session lists 100 purchases one by one"`
	UsedSeconds *int64 `json:"used_seconds,omitempty" doc:"Paid seconds of this purchase that were started; present once the session has ended, as are captured and released"`
	Captured    *int64 `json:"captured,omitempty" doc:"Tokens captured for the provider"`
	Released    *int64 `json:"released,omitempty" doc:"Tokens released to the user"`
}

// purchasesOf lists what was bought of a session.
func purchasesOf(c session.Session) []PurchaseBody {
	list := make([]PurchaseBody, 0, len(c.Purchases))
	for i, p := range c.Purchases {
		b := PurchaseBody{Kind: "extension", By: string(p.By), PurchasedAt: p.At, Seconds: p.Seconds, Tokens: p.Tokens, Count: p.Count}
		if i == 0 {
			b.Kind = "sale"
		}
		if c.Settlement != nil {
			b.UsedSeconds, b.Captured, b.Released = &p.UsedSeconds, &p.Captured, &p.Released
		}
		list = append(list, b)
	}
	return list
}

type SettlementBody struct {
	Captured    int64  `json:"captured" doc:"Tokens captured for the provider"`
	Released    int64  `json:"released" doc:"Tokens released to the user"`
	UsedSeconds int64  `json:"used_seconds" doc:"Paid seconds that were started"`
	Reason      string `json:"reason" example:"deadline"`
	SettledAt   int64  `json:"settled_at"`
}

// MarketplaceOf returns the marketplace that sold a session, also with a test key; "" if a
// pass opened it.
func MarketplaceOf(c session.Session) string {
	marketplace, _ := protocol.SplitTenant(protocol.MarketplaceOf(c.UserID))
	return marketplace
}

func SessionBodyOf(c session.Session) SessionBody {
	b := SessionBody{
		LiveState: LiveStateOf(c), MarketplaceID: MarketplaceOf(c), PassID: c.PassID, Clock: string(c.Clock), CreatedAt: c.CreatedAt, LaunchBy: c.LaunchBy,
		EndedAt: c.EndedAt, EndReason: c.EndReason, ConsentURL: c.ConsentURL,
		StandstillSeconds: c.Standstill.StoodUS / 1_000_000,
		EnteredAt:         c.EnteredAt, Unentered: string(c.UnenteredTerm()), Purchases: purchasesOf(c),
	}
	b.Mode = protocol.Mode(c.Purpose())
	if s := c.Settlement; s != nil {
		b.Settlement = &SettlementBody{Captured: s.Captured, Released: s.Released, UsedSeconds: s.UsedSeconds, Reason: c.EndReason, SettledAt: c.EndedAt}
	}
	return b
}

// ExtensionBody is one extension.
type ExtensionBody struct {
	By                string `json:"by" enum:"user,marketplace,operator"`
	AdditionalSeconds int64  `json:"additional_seconds"`
	TokensDeducted    int64  `json:"tokens_deducted"`
	ExtendedAt        int64  `json:"extended_at"`
}

// LiveStateOf is what edges and the session's own user may know of it.
func LiveStateOf(c session.Session) protocol.LiveState {
	l := protocol.LiveState{
		ID: c.ID, UserID: c.UserID, ProviderID: c.ProviderID, Status: protocol.Status(c.Status), Version: c.Version,
		ExpiresAt: c.ExpiresAt, StartedAt: c.StartedAt, PausedAt: c.PausedAt, DurationLimitSeconds: c.Duration,
		TokensAllocated: c.Tokens, ReturnURL: c.ReturnURL,
		SettlementPolicy: protocol.SettlementPolicy(c.Terms.Settlement), WarningSeconds: c.Terms.WarningSeconds,
		Relaunches: c.Relaunches, Standstill: c.Standstill.Reason,
	}
	if m := c.Purpose(); m != session.LiveMode {
		l.Mode = protocol.Mode(m)
	}
	if o := c.Terms.Offer; o != nil {
		l.Extension = &protocol.Extension{AdditionalSeconds: o.Seconds, Tokens: o.Tokens, MaxCount: o.MaxCount, Used: c.OfferUsed}
	}
	if p := c.Terms.Pause; p != nil {
		l.Pause = &protocol.PauseRight{MaxCount: p.MaxCount, MaxSeconds: p.MaxSeconds, Used: c.PauseCount}
	}
	return l
}

// LiveCounts is how many sessions are not over, by state.
type LiveCounts struct {
	Active  int64 `json:"active"`
	Paused  int64 `json:"paused"`
	Pending int64 `json:"pending"`
}

// TimelineEntry is one thing that happened to a session. What stands in its
// detail depends on its kind; the document says what.
type TimelineEntry struct {
	AtMS   int64          `json:"at_ms"`
	Kind   string         `json:"kind" enum:"session,page,extension,ledger,delivery,heartbeats"`
	Name   string         `json:"name" example:"started" doc:"session: created, started, redeemed (entered), relaunched (a new link), warning, extended, paused, resumed, advanced (the clock of a test session was moved), ended or admitted_offline (an edge let the user in while it could not reach the service). page: the name that the page chose. extension: bought. ledger: hold, capture or release. delivery: the event's type. heartbeats: heartbeats"`
	Detail map[string]any `json:"detail" doc:"session: status, version, reason; admitted_offline: outcome (counted, after_end or elsewhere), admitted_at_ms, served_ms. page: the properties that the page sent. extension: by, seconds, tokens. ledger: amount, debit, credit. delivery: webhook_id, delivery_id, status, attempts, last_status. heartbeats: count, active, last_at (Unix seconds)"`
}

// Message is the body of a webhook message whose data is D.
type Message[D any] struct {
	Type      string        `json:"type"`
	Timestamp time.Time     `json:"timestamp" doc:"When the event happened, UTC"`
	Mode      protocol.Mode `json:"mode,omitempty" enum:"live,test,staff,preview" doc:"The session's mode. Webhooks of the mode live receive messages about live sessions only"`
	Data      D             `json:"data"`
}

// SessionData is the data of a message about a session.
type SessionData struct {
	Session          SessionBody    `json:"session" doc:"The session after the event"`
	RemainingSeconds int64          `json:"remaining_seconds,omitempty" doc:"With session.warning: paid seconds left"`
	Extension        *ExtensionBody `json:"extension,omitempty" doc:"With session.extended: what was bought"`
	Test             bool           `json:"test,omitempty" doc:"Present in a test message, whose event did not happen"`
}

// DisabledData is the data of webhook.disabled.
type DisabledData struct {
	WebhookID    string `json:"webhook_id" doc:"The webhook that was disabled"`
	URL          string `json:"url"`
	Reason       string `json:"reason" enum:"gone,failing" doc:"gone: the receiver answered 410. failing: every attempt failed for five days"`
	FailingSince int64  `json:"failing_since"`
}

// TestData is the data of webhook.test.
type TestData struct {
	WebhookID string `json:"webhook_id"`
	Test      bool   `json:"test"`
}
