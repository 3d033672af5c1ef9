// Package shape holds the JSON bodies that the API and webhook messages share.
package shape

import (
	"github.com/sessiongate/sessiongate/backend/session"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// SessionBody is a session as the API shows it: the spec's fields and more.
type SessionBody struct {
	protocol.LiveState
	Clock      string          `json:"clock" enum:"creation,launch" doc:"When the paid clock starts"`
	CreatedAt  int64           `json:"created_at"`
	LaunchBy   int64           `json:"launch_by,omitempty" doc:"Time until which a pending session can be entered"`
	EndedAt    int64           `json:"ended_at,omitempty"`
	EndReason  string          `json:"end_reason,omitempty" example:"deadline"`
	ConsentURL string          `json:"consent_url,omitempty"`
	Settlement *SettlementBody `json:"settlement,omitempty" doc:"How the tokens were settled; present once the session has ended"`
}

type SettlementBody struct {
	Captured    int64  `json:"captured" doc:"Tokens captured for the provider"`
	Released    int64  `json:"released" doc:"Tokens released to the user"`
	UsedSeconds int64  `json:"used_seconds" doc:"Paid seconds that were started"`
	Reason      string `json:"reason" example:"deadline"`
	SettledAt   int64  `json:"settled_at"`
}

func SessionBodyOf(c session.Session) SessionBody {
	b := SessionBody{
		LiveState: LiveStateOf(c), Clock: string(c.Clock), CreatedAt: c.CreatedAt, LaunchBy: c.LaunchBy,
		EndedAt: c.EndedAt, EndReason: c.EndReason, ConsentURL: c.ConsentURL,
	}
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
	Name   string         `json:"name" example:"started" doc:"session: created, started, redeemed (entered), warning, extended, paused, resumed or ended. page: the name that the page chose. extension: bought. ledger: hold, capture or release. delivery: the event's type. heartbeats: heartbeats"`
	Detail map[string]any `json:"detail" doc:"session: status, version, reason. page: the properties that the page sent. extension: by, seconds, tokens. ledger: amount, debit, credit. delivery: webhook_id, delivery_id, status, attempts, last_status. heartbeats: count, active, last_at (Unix seconds)"`
}
